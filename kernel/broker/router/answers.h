/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_ANSWERS_H
#define KERNEL_BROKER_ROUTER_ANSWERS_H

/*
 * Remembered answers of route(), for exchange types that say what those depend on
 * (shunt_exchange_type.depends). One cache a loop, for all its exchanges: at most
 * ROUTER_ANSWERS_MAX answers, and ROUTER_ANSWERS_BYTES with what they were for, beside a table of
 * 60 KiB; of one answer at most ROUTER_ANSWER_BINDINGS bindings, for fields of at most
 * ROUTER_ANSWER_FIELDS bytes. What is more is asked each time. An answer counts while the
 * exchange's bindings and its instance are what they were (struct exchange.knowledge), and for
 * depends_ms.
 */

#include "broker/router/state.h"

#define ROUTER_ANSWERS_MAX     4096u
#define ROUTER_ANSWERS_BYTES   (1024u * 1024)
#define ROUTER_ANSWER_BINDINGS 64u
#define ROUTER_ANSWER_FIELDS   1024u

/* In the read side: as the route() of the exchange, which has an instance, would for the present
 * message. */
void router_answer(struct router *router, const struct exchange *exchange);

/* NULL is fine. */
void router_answers_free(struct router_answers *answers);

#endif
