/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

/*
 * The stage for the contract: a store on a pool of loops, calls that watch for completions inside,
 * and waiting.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "loop/loop.h"
#include "store/store.h"

extern struct store *the_store;
extern struct store_log *the_log; /* of loop 0 */
extern uint64_t the_epoch;	  /* of loop 0's log, after stage_lead() */

void stage_set(unsigned n_loops);
void stage_clear(void);
/* Loop 0 leads its log. */
void stage_lead(void);

/* Turns loop 0 until *done, or until it has taken too long, which fails the test. */
void wait_for(const bool *done);

/* True while a store function runs: no completion may come then. */
extern _Thread_local bool in_call;
#define CALL(call)                                                                                 \
	do {                                                                                       \
		in_call = true;                                                                    \
		call;                                                                              \
		in_call = false;                                                                   \
	} while (0)

struct body {
	uint8_t bytes[16];
	_Atomic unsigned holds;
	_Atomic unsigned drops;
};

void body_set(struct body *body, unsigned content);
bool body_is_free(const struct body *body); /* the store does not hold it */

#define RECORDS_MAX 64

/* An append in the making, and what came of it. */
struct entry {
	struct store_append append;
	struct store_record records[RECORDS_MAX];
	bool is_done;
	enum store_result result;
	unsigned order; /* of completion */
};

extern unsigned completions; /* counted up by each completed append */

void entry_begin(struct entry *entry);
uint32_t entry_publish(struct entry *entry, struct body *body);
void entry_enqueue(struct entry *entry, uint32_t publish, uint64_t queue_id, uint64_t seq,
		   uint64_t expires_ms);
void entry_add(struct entry *entry, enum store_record_type type, uint64_t queue_id,
	       uint64_t seq_first, uint64_t seq_last);
void entry_submit(struct entry *entry, struct store_log *log, uint64_t epoch);
/* Submits to loop 0's log and waits. */
enum store_result entry_do(struct entry *entry);

/* Shorthands, each an append of its own that must succeed. */
void put(struct body *body, uint64_t queue_id, uint64_t seq);
void settle(uint64_t queue_id, uint64_t seq_first, uint64_t seq_last);

/* What a recovery of loop 0's log replays, by queue and number. */
#define REPLAY_MAX 4096
struct replayed {
	uint64_t queue_id, seq, expires_ms;
	unsigned deliveries;
	uint8_t first_byte; /* of the body */
};
struct replay {
	struct store_recovery recovery;
	struct replayed messages[REPLAY_MAX];
	size_t n_messages;
	uint64_t last_seqs[8]; /* by queue id */
	bool is_done;
};
/* The result is static: good until the next call. */
const struct replay *recover(void);
/* Whether message i is this one. */
bool is_message(const struct replay *replay, size_t i, uint64_t queue_id, uint64_t seq,
		unsigned first_byte);

/* Reads one message: the result, and the first byte of the body. */
enum store_result read_one(uint64_t queue_id, uint64_t seq, uint8_t *ret_first);

struct store_log_stats stats(void);

#endif
