/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_REPLY_H
#define KERNEL_BROKER_ROUTER_REPLY_H

/* Direct reply-to names: router_reply_name() and router_reply_name_is_valid() of router.h, and the
 * way back. */

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "broker/message/message.h"
#include "loop/slots.h"

/* False for every name that router_reply_name() has not made in this process. Any thread. */
bool router_reply_parse(struct slice name, struct actor_ref *ret_endpoint, uint64_t *ret_key);

/* On the endpoint's loop: hands it the message, with a reference of its own, if it lives and still
 * has that key. */
void router_reply_deliver(struct actor_ref endpoint, uint64_t key, struct message *message);

#endif
