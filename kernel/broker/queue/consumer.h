/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_CONSUMER_H
#define KERNEL_BROKER_QUEUE_CONSUMER_H

/*
 * The consumers of a queue, and who is next: the highest priority of which somebody can take, and
 * among its consumers each in turn. A consumer can take while it has room in its prefetch, credit
 * of bytes, and a grant where its channel counts.
 *
 * Belongs to the queue, on its loop. A consumer that is removed lives until the loop's turn ends.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"
#include "broker/queue/queue.h"
#include "loop/slots.h"

/*
 * Bytes under way to one consumer, at most, but for one message that is larger (QUEUE_CREDIT_STEP).
 */
#define CONSUMER_CREDIT_BYTES (UINT64_C(1) << 20)

/* Consumers of one priority. */
struct consumer_level {
	struct list link; /* consumer_set.levels, highest first */
	int32_t priority;
	struct list able;    /* struct consumer.in_level: next one first */
	struct list blocked; /* those that can take nothing now */
};

/* The bytes of it are the key in the map, so there is no padding. */
struct consumer_key {
	struct actor_ref endpoint;
	uint64_t number;
};

struct consumer_options {
	uint32_t prefetch; /* 0: unlimited */
	int32_t priority;
	bool no_ack, exclusive, needs_grants;
	const char *tag;
	struct slice arguments; /* both are copied */
};

struct consumer {
	struct map_node node;
	struct consumer_key key;
	struct list in_level;
	struct consumer_level *level;
	struct list in_grants; /* consumer_set.asking or .holding, or none: asked */
	struct list in_run; /* deliveries of a burst are under way to it: broker/queue/deliver.c */
	uint16_t run_first, run_last, run_count;
	bool no_ack, exclusive, needs_grants;
	bool able;
	uint32_t prefetch;
	uint32_t unsettled;
	uint32_t grants;
	uint64_t debt; /* bytes of deliveries, not given back */
	char *tag;
	struct slice arguments; /* owned */
};

struct consumer_set {
	struct list levels;
	struct map by_key;
	struct consumer *found; /* by the last search; NULL: none */
	uint32_t count, n_able;
	bool is_exclusive;   /* the only one wants to be it */
	struct list asking;  /* without grants, and the channel does not know */
	struct list holding; /* with grants */
};

void consumer_set_init(struct consumer_set *set);
/* Consumers must be gone. */
void consumer_set_fini(struct consumer_set *set);

/*
 * The key must be new. NULL when memory is out: how large the arguments are is the peer's choice.
 */
struct consumer *consumer_add(struct consumer_set *set, struct actor_ref endpoint, uint32_t number,
			      const struct consumer_options *options);
void consumer_remove(struct consumer_set *set, struct consumer *c);

struct consumer *consumer_find(struct consumer_set *set, struct actor_ref endpoint,
			       uint32_t number);
struct consumer *consumer_any(const struct consumer_set *set);

/* Who is next, NULL: nobody can take. */
struct consumer *consumer_next(const struct consumer_set *set);

static inline bool consumer_fits(const struct consumer *c, uint64_t bytes)
{
	return c->debt < QUEUE_CREDIT_STEP || c->debt + bytes <= CONSUMER_CREDIT_BYTES;
}

/* The message at the queue's head does not fit: it is not next any more, until bytes come back. */
void consumer_block(struct consumer_set *set, struct consumer *c);

/* consumer_next() takes a message; then it is another's turn. */
void consumer_took(struct consumer_set *set, struct consumer *c, uint64_t bytes);

/* Something comes back or is granted; true when it can take again. */
bool consumer_settled(struct consumer_set *set, struct consumer *c, uint32_t count);
bool consumer_credited(struct consumer_set *set, struct consumer *c, uint64_t bytes);
bool consumer_granted(struct consumer_set *set, struct consumer *c, uint32_t count);

/* 0: unlimited. Without effect on one that needs no acknowledgements. */
void consumer_change_prefetch(struct consumer_set *set, struct consumer *c, uint32_t prefetch);

/* Whether grants are needed changes; those it has are forgotten. */
void consumer_limit(struct consumer_set *set, struct consumer *c, bool needs_grants);

/* The next one whose channel must be asked for grants; it counts as asked. NULL: none. */
struct consumer *consumer_asks(struct consumer_set *set);

/* The grants of a consumer are taken from it; it may ask again. Returns how many. */
uint32_t consumer_take_grants(struct consumer_set *set, struct consumer *c);

/*
 * One that holds grants and cannot use them: any when there is nothing to deliver, else one whose
 * own prefetch is full.
 */
struct consumer *consumer_holder(const struct consumer_set *set, bool nothing_to_deliver);

/* In order of priority. */
void consumer_for_each(const struct consumer_set *set,
		       void (*visit)(void *context, const struct consumer *c), void *context);

#endif
