/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PLACEMENT_PLACEMENT_H
#define KERNEL_CONN_PLACEMENT_PLACEMENT_H

/*
 * On which loop a connection is best: on that of the queues it uses, where a message has a short
 * way, as long as that loop has time for it. conn/placement/move.h says how it gets there. With
 * PLACEMENT_FIXED none moves.
 *
 * All run on the connection's loop.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conn/channel.h"
#include "conn/service.h"
#include "loop/slots.h"

/* A loop's knowledge of the others. */
void placement_init(struct loop_load *load, unsigned n_loops);
void placement_fini(struct loop_load *load);

/* What it does counts from now on. */
void placement_forget_votes(struct connection *c);
/* It has come to this loop from another one. */
void placement_begin(struct connection *c);
/* It was to go, and has not become quiet in time. */
void placement_failed(struct connection *c);

/*
 * The connection is about to use the queue, by basic.consume or basic.get. True: it goes where the
 * queue is first, and the method is to be handled there (CHANNEL_LATER).
 */
bool placement_consume(struct channel *ch, struct actor_ref queue);
bool placement_get(struct channel *ch, struct actor_ref queue);

/* It has published `count` messages; one went to a queue on that loop (or ROUTER_NO_LOOP). At the
 * end of a message. */
void placement_published(struct connection *c, unsigned loop, size_t count);

/* For a connection that is new: the given loop, or another one if that has far more than others. */
unsigned placement_accept(struct conn_service *service, unsigned loop);

#endif
