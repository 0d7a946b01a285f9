/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DELIVER_SOURCE_H
#define KERNEL_CONN_DELIVER_SOURCE_H

/* Where a channel's deliveries come from. */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "conn/channel.h"

/*
 * Where deliveries come from: a consumer, or a queue that basic.get was used on (consumer 0). Kept
 * while it is consuming or has unacknowledged deliveries.
 */
struct source {
	struct map_node by_tag; /* channel.tags, consumers only */
	struct list indebted;	/* connection.indebted */
	struct list wanting;	/* channel.wanting: asks for grants */
	struct channel *channel;
	struct actor_ref queue;
	uint32_t index;	 /* in channel.sources */
	uint32_t number; /* consumer number: the index in the low 16 bits, a count of uses above; 0
			    for basic.get */
	uint32_t n_unacked;
	uint32_t n_granted; /* granted and not delivered */
	uint64_t debt;	    /* bytes delivered and not given back to the queue's credit */
	bool is_consuming, no_ack, needs_grants;
	bool is_cancelling; /* basic.cancel is under way */
	uint8_t tag_size;
	uint8_t queue_name_size;
	char tag[]; /* with a NUL, then the queue's name */
};

struct source *source_create(struct channel *ch, struct actor_ref queue, struct slice queue_name,
			     struct slice tag);
struct source *source_find_tag(struct channel *ch, struct slice tag);
struct source *source_find_number(struct channel *ch, uint32_t number);
struct source *source_for_get(struct channel *ch, struct actor_ref queue, struct slice queue_name);
void source_release(struct source *source); /* frees it when nothing needs it any more */
void source_give_credit(struct source *source);
/* The source is a consumer now, or no more (then it may be freed). */
void source_begin_consuming(struct source *source);
void source_end_consuming(struct source *source);

static inline struct slice source_queue_name(const struct source *source)
{
	return slice_make(source->tag + source->tag_size + 1, source->queue_name_size);
}

/*
 * The queue has sent what counts so many bytes there (queue_delivery_bytes()); they go back to its
 * credit as the socket takes them.
 */
void source_add_debt(struct source *source, uint64_t bytes);

#endif
