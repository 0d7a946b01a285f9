/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ENDPOINT_H
#define KERNEL_BROKER_ENDPOINT_H

/*
 * What the broker knows of a channel: someone who publishes, consumes and asks. conn/channel
 * implements it; the broker never looks behind it. An endpoint is in the slots of its loop, so that
 * letters find it or learn that it is gone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/message/message.h"
#include "loop/slots.h"

struct endpoint;

/* One message on its way to a consumer. The receiver takes the reference. */
struct delivery {
	struct message *message;
	uint64_t seq; /* the queue's number for it, by which it is settled */
	bool redelivered;
};

/* How one target of a publish ended. */
struct publish_outcome {
	uint64_t seq; /* the publisher's, as given in the publication */
	bool rejected;
};

/* All run on the endpoint's loop. None may destroy the endpoint at once (retire it instead). */
struct endpoint_ops {
	/*
	 * Messages for a consumer, in order. `consumer` is the number given with the consume
	 * request. For no_ack consumers the queue has forgotten them; otherwise each is settled,
	 * once, with queue_settle().
	 */
	void (*deliver)(struct endpoint *endpoint, uint32_t consumer,
			const struct delivery *deliveries, size_t count);

	/* Targets that were pending when router_publish() returned. `taken_bytes` of the
	 * endpoint's publishes have left its account: see publication.inflight_bytes. */
	void (*published)(struct endpoint *endpoint, const struct publish_outcome *outcomes,
			  size_t count, uint64_t taken_bytes);

	/* The queue is gone, and with it the consumer; nothing more comes from it. What it had
	 * unsettled is forgotten: settling it is a no-op. */
	void (*cancelled)(struct endpoint *endpoint, uint32_t consumer);

	/*
	 * Channel-wide prefetch. want: the consumer's queue has messages and asks to be granted
	 * some, with queue_grant(), when there is room; asked once, until the next grant. returned:
	 * `count` of the granted were not needed.
	 */
	void (*want)(struct endpoint *endpoint, uint32_t consumer);
	void (*grants_returned)(struct endpoint *endpoint, uint32_t consumer, uint32_t count);

	/* A message published to this endpoint's direct reply-to name. Takes the reference. */
	void (*reply)(struct endpoint *endpoint, uint64_t key, struct message *message);
};

struct endpoint {
	const struct endpoint_ops *ops;
	struct actor_ref ref;
	uint64_t reply_key; /* random; 0: no reply consumer */
};

#endif
