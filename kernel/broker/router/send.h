/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_SEND_H
#define KERNEL_BROKER_ROUTER_SEND_H

/* Messages that go somewhere else than where they were published. */

#include <stddef.h>

#include "broker/router/router.h"

/* One of the two, which may have been deleted: then what is sent is dropped. */
struct router_destination {
	struct actor_ref queue;
	struct exchange *exchange; /* NULL: the queue. The caller has a reference */
};

/*
 * Gives messages, at most ROUTER_BATCH_MAX, to the destination, in order, and takes the references
 * of those. Returns how many: at least one, and all unless the read side would last too long. What
 * must be stored is, but nobody hears of it; what cannot be, for want of memory, is dropped. Not
 * from inside what the router calls.
 */
size_t router_send_take(struct broker *broker, struct vhost *vhost,
			const struct router_destination *to, struct message *const *messages,
			size_t count);

#endif
