/* SPDX-License-Identifier: MIT */
#include "broker/queue/log.h"

#include "base/bug.h"
#include "base/mem.h"
#include "broker/queue/log_state.h"

/*
 * What queues publish and settle is gathered in a batch (log_batch.h); log_append.c appends
 * it.
 *
 * The record of a message that is settled soon is not needed. A queue knows its entries in the
 * batch that is gathered and in those under way, oldest first. Settling goes in the order of
 * publishing nearly always, so it is the first; others are searched for a little, and missing one
 * only costs writing it. Settled while it is gathered, a message leaves no trace. Settled while its
 * append is under way, its record is marked, and since nobody knows whether that came in time, the
 * settle is written all the same.
 */

#define SEARCH_MAX 16u /* entries looked at for one that is out of order */

/* ---- A queue's entries ---- */

void queue_log_state_init(struct queue_log_state *state, uint64_t queue_id)
{
	*state = (struct queue_log_state){
		.queue_id = queue_id,
		.range = LOG_NONE,
		.latest = {.first = LOG_NONE, .last = LOG_NONE},
	};
	ring_init(&state->older);
}

void queue_log_state_fini(struct queue_log_state *state)
{
	ring_fini(&state->older);
}

static struct queue_log_run older_run(const struct queue_log_state *state, size_t at)
{
	uint64_t ends = *ring_at(&state->older, 2 * at + 1);

	return (struct queue_log_run){
		.tag = *ring_at(&state->older, 2 * at),
		.first = (uint32_t)(ends >> 32),
		.last = (uint32_t)ends,
	};
}

static uint64_t run_ends(const struct queue_log_run *run)
{
	return (uint64_t)run->first << 32 | run->last;
}

static void put_older_run(struct queue_log_state *state, size_t at, const struct queue_log_run *run)
{
	*ring_at(&state->older, 2 * at + 1) = run_ends(run);
}

/* Drops the oldest runs that have completed or have nothing left. */
static void forget_older(const struct queue_log *log, struct queue_log_state *state)
{
	while (ring_count(&state->older) > 0) {
		struct queue_log_run run = older_run(state, 0);

		if (run.first != LOG_NONE && queue_log_batch(log, run.tag))
			return;
		(void)ring_pop(&state->older);
		(void)ring_pop(&state->older);
	}
}

/* The queue begins a run in the gathered batch. */
static void begin_run(const struct queue_log *log, struct queue_log_state *state, uint64_t tag)
{
	struct queue_log_run *run = &state->latest;

	forget_older(log, state);
	if (run->first != LOG_NONE && queue_log_batch(log, run->tag)) {
		ring_push(&state->older, run->tag);
		ring_push(&state->older, run_ends(run));
	}
	*run = (struct queue_log_run){.tag = tag, .first = LOG_NONE, .last = LOG_NONE};
}

static void publish(struct queue_log *log, struct queue_log_state *state, struct message *message,
		    struct log_entry entry)
{
	struct log_batch *batch = queue_log_gather(log);
	struct queue_log_run *run = &state->latest;

	if (run->tag != batch->tag)
		begin_run(log, state, batch->tag);
	if (run->last == LOG_NONE)
		entry.queue = log_batch_queue(batch, &(struct log_queue){.ref = state->queue,
									 .id = state->queue_id,
									 .first_seq = entry.seq});
	else
		entry.queue = batch->entries[run->last].queue;
	log->added_bytes -= batch->bytes;
	uint32_t at = log_batch_publish(batch, message, &entry);
	log->added_bytes += batch->bytes;
	if (run->last == LOG_NONE)
		run->first = at;
	else
		batch->entries[run->last].next = at;
	run->last = at;
	loop_defer_late(&log->flush);
}

void queue_log_publish(struct queue_log *log, struct queue_log_state *state, uint64_t seq,
		       struct message *message, uint64_t expires_wall_ms,
		       struct actor_ref publisher, uint64_t publisher_seq)
{
	publish(log, state, message,
		(struct log_entry){.seq = seq,
				   .expires_wall_ms = expires_wall_ms,
				   .publisher = publisher,
				   .publisher_seq = publisher_seq});
}

void queue_log_publish_transient(struct queue_log *log, struct queue_log_state *state, uint64_t seq,
				 struct message *message)
{
	publish(log, state, message, (struct log_entry){.seq = seq, .is_transient = true});
}

/* The oldest that is known and not settled is in the first run. */
uint64_t queue_log_completed(const struct queue_log *log, struct queue_log_state *state)
{
	struct queue_log_run run = state->latest;
	const struct log_batch *batch;

	forget_older(log, state);
	if (ring_count(&state->older) > 0)
		run = older_run(state, 0);
	batch = queue_log_batch(log, run.tag);
	return batch && run.first != LOG_NONE ? batch->entries[run.first].seq - 1 : UINT64_MAX;
}

void queue_log_make_atomic(struct queue_log *log)
{
	if (log->gathered)
		log->gathered->is_atomic = true;
}

/* ---- Leaving out ---- */

/* Takes an entry out of the run; `before` is the one before it, LOG_NONE: it is the first. */
static void unlink_entry(struct log_batch *batch, struct queue_log_run *run, uint32_t at,
			 uint32_t before)
{
	uint32_t next = batch->entries[at].next;

	if (before == LOG_NONE)
		run->first = next;
	else
		batch->entries[before].next = next;
	if (run->last == at)
		run->last = before;
}

static void leave_out(struct queue_log *log, struct log_batch *batch, struct queue_log_run *run,
		      uint32_t at, uint32_t before)
{
	unlink_entry(batch, run, at, before);
	log_batch_settle(batch, &batch->entries[at]);
	queue_log_tell_soon(log, &batch->entries[at]);
}

enum search {
	SEARCH_ON, /* it can only be in a later run */
	SEARCH_ENDED,
	SEARCH_FOUND,
};

static enum search leave_out_of_run(struct queue_log *log, struct queue_log_run *run, uint64_t seq,
				    unsigned *budget)
{
	struct log_batch *batch = queue_log_batch(log, run->tag);
	uint32_t before = LOG_NONE;

	if (!batch || run->first == LOG_NONE || batch->entries[run->last].seq < seq)
		return SEARCH_ON;
	for (uint32_t at = run->first; at != LOG_NONE && *budget > 0; --*budget) {
		const struct log_entry *entry = &batch->entries[at];

		if (entry->seq == seq) {
			leave_out(log, batch, run, at, before);
			return SEARCH_FOUND;
		}
		if (entry->seq > seq)
			return SEARCH_ENDED;
		before = at;
		at = entry->next;
	}
	return SEARCH_ENDED;
}

/* True: it was still gathered, and there is nothing to be written. */
static bool leave_out_one(struct queue_log *log, struct queue_log_state *state, uint64_t seq)
{
	unsigned budget = SEARCH_MAX;

	if (UNLIKELY(ring_count(&state->older) > 0))
		forget_older(log, state);
	for (size_t i = 0; i < ring_count(&state->older) / 2 && budget > 0; i++, budget--) {
		struct queue_log_run run = older_run(state, i);

		switch (leave_out_of_run(log, &run, seq, &budget)) {
		case SEARCH_ON:
			break;
		case SEARCH_FOUND:
			put_older_run(state, i, &run);
			return false;
		case SEARCH_ENDED:
			return false;
		}
		if (budget == 0)
			return false;
	}
	return leave_out_of_run(log, &state->latest, seq, &budget) == SEARCH_FOUND &&
	       log->gathered && state->latest.tag == log->gathered->tag;
}

static void leave_range_out_of_run(struct queue_log *log, struct queue_log_run *run, uint64_t first,
				   uint64_t last)
{
	struct log_batch *batch = queue_log_batch(log, run->tag);
	uint32_t before = LOG_NONE, next;

	if (!batch)
		return;
	for (uint32_t at = run->first; at != LOG_NONE; at = next) {
		const struct log_entry *entry = &batch->entries[at];

		next = entry->next;
		if (entry->seq >= first && entry->seq <= last)
			leave_out(log, batch, run, at, before);
		else
			before = at;
	}
}

/* All that are known, not a few: purges are rare. */
static void leave_range_out(struct queue_log *log, struct queue_log_state *state, uint64_t first,
			    uint64_t last)
{
	forget_older(log, state);
	for (size_t i = 0; i < ring_count(&state->older) / 2; i++) {
		struct queue_log_run run = older_run(state, i);

		leave_range_out_of_run(log, &run, first, last);
		put_older_run(state, i, &run);
	}
	leave_range_out_of_run(log, &state->latest, first, last);
}

/* ---- Settling ---- */

static void add_range(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t first, uint64_t last)
{
	struct log_batch *batch = queue_log_gather(log);
	const struct log_range range = {
		.type = type, .queue_id = state->queue_id, .first = first, .last = last};

	if (state->range_tag != batch->range_tag) {
		state->range_tag = batch->range_tag;
		state->range = LOG_NONE;
	}
	state->range = log_batch_range(batch, state->range, &range);
	queue_log_expect_more(log, batch);
}

void queue_log_settle(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t seq)
{
	if (type != STORE_REQUEUE && leave_out_one(log, state, seq))
		return;
	add_range(log, state, type, seq, seq);
}

void queue_log_settle_range(struct queue_log *log, struct queue_log_state *state,
			    enum store_record_type type, uint64_t first, uint64_t last)
{
	if (first > last)
		return;
	if (first == last) {
		queue_log_settle(log, state, type, first);
		return;
	}
	if (type != STORE_REQUEUE)
		leave_range_out(log, state, first, last);
	add_range(log, state, type, first, last);
}

void queue_log_purge(struct queue_log *log, struct queue_log_state *state, uint64_t last)
{
	leave_range_out(log, state, 0, last);
	add_range(log, state, STORE_PURGE, 0, last);
}
