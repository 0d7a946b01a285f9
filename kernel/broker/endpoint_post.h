/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ENDPOINT_POST_H
#define KERNEL_BROKER_ENDPOINT_POST_H

/*
 * Reaching an endpoint wherever it is: its ops are called at once on the calling loop, or by a
 * letter on its own. One that is gone hears nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/endpoint.h"

/* Where deliveries come from. */
struct delivery_source {
	struct actor_ref queue;
	uint32_t consumer;
	bool no_ack;
};

/*
 * Takes the deliveries' references and returns true; false when the endpoint was here and is gone:
 * then nothing has happened. If it is gone elsewhere, its queue gets them back (QUEUE_RETURN,
 * unless no_ack) and forgets the consumer.
 */
bool endpoint_post_deliver(struct actor_ref endpoint, const struct delivery_source *source,
			   const struct delivery *deliveries, size_t count);

void endpoint_post_cancelled(struct actor_ref endpoint, uint32_t consumer);
void endpoint_post_want(struct actor_ref endpoint, uint32_t consumer);
void endpoint_post_grants_returned(struct actor_ref endpoint, uint32_t consumer, uint32_t count);
void endpoint_post_published(struct actor_ref endpoint, const struct publish_outcome *outcomes,
			     size_t count);

#endif
