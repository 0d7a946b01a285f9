/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_CRASH_MODEL_H
#define TESTS_UNIT_STORE_CRASH_MODEL_H

/*
 * What a store must hold after its process was killed, as far as that can be said: from what was
 * appended, and what of it had completed, in the order in which it happened.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MODEL_QUEUES = 80, /* ids from 1 */
	MODEL_SEQS = 1200,
	MODEL_SLOTS = 4, /* queues that are there at a time */
	MODEL_TARGETS = 3,
	MODEL_OPS = 4000,
};

struct model_message {
	bool is_appended, is_durable;
	bool may_be_dead; /* its end was appended */
	bool is_dead;	  /* and completed */
	bool is_found;
	uint16_t op; /* that it is of, in this life */
	uint32_t number;
	uint64_t expires_ms;
	unsigned n_requeued, n_requeued_for_sure;
};

enum event_type {
	EVENT_APPEND,
	EVENT_DONE,
	EVENT_WRONG, /* the child has seen what must not be */
	EVENT_END,
};

/* One append: up to three targets of one body, and a range. Written to the pipe as it is. */
struct happening {
	enum event_type type;
	unsigned op;
	bool is_atomic;
	uint32_t number;
	unsigned n_targets;
	uint64_t queues[MODEL_TARGETS], seqs[MODEL_TARGETS];
	uint64_t expires_ms;
	int range; /* enum store_record_type; -1: none */
	uint64_t queue, first, last;
	unsigned slot; /* of a queue that is deleted by it */
};

struct model {
	struct model_message messages[MODEL_QUEUES][MODEL_SEQS];
	uint64_t next_seq[MODEL_QUEUES];
	uint64_t slots[MODEL_SLOTS]; /* ids */
	uint64_t last_id;
	uint32_t last_number;
	struct happening ops[MODEL_OPS];
	unsigned n_ops;
};
extern struct model model;

void model_init(void);
size_t model_body_size(uint32_t number);

/* In the process that appends, and again in the one that looks on. */
void model_apply(const struct happening *event);

/* Opens nothing: compares with what the log of the_store replays, and goes on from there. */
void model_check(void);

#endif
