/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_LOG_STATE_H
#define KERNEL_BROKER_QUEUE_LOG_STATE_H

/* What log.c (gathering) and log_append.c (appending, telling) share. */

#include "broker/queue/log_batch.h"
#include "broker/queue/log.h"
#include "loop/task.h"
#include "loop/timer.h"

/* A publisher that is told at the turn's end. */
struct log_told {
	struct actor_ref publisher;
	uint64_t seq;
};

struct queue_log {
	struct store_log *store_log;
	struct loop_task flush;
	struct loop_timer timer;    /* settles wait no longer */
	struct log_batch *gathered; /* NULL: nothing yet */
	bool is_due;		    /* also if it has settles only */
	struct list spare;
	unsigned n_spare;
	uint64_t next_tag;

	/* Batches under way, at their tag less the first one's; 0 for what has completed. */
	struct ring batches;
	uint64_t first_tag;
	unsigned n_under_way; /* calls of the store that have not answered */
	uint64_t n_failed;    /* appends with settles that were not durable */

	/* Back pressure: log_pressure.c. */
	uint64_t added_bytes, done_bytes; /* of what was ever published */
	struct list waiters;
	struct loop_task wake;

	struct log_told *told;
	uint32_t n_told, told_capacity;

	const struct queue_log_listener *listener; /* NULL: nobody */
	struct list barriers;			   /* that wait for the log to be led */
	struct store_lead lead;
	uint64_t epoch;
	bool is_led, is_asked, is_ended;
};

/* The batch of a tag, gathered or under way; NULL: neither. */
static inline struct log_batch *queue_log_batch(const struct queue_log *log, uint64_t tag)
{
	uint64_t at = tag - log->first_tag;

	if (log->gathered && log->gathered->tag == tag)
		return log->gathered;
	if (at >= ring_count(&log->batches))
		return NULL;
	/* The ring holds numbers. */
	return (struct log_batch *)(uintptr_t)*ring_at(&log->batches, (size_t)at);
}

/* The batch that records go to now. */
struct log_batch *queue_log_gather(struct queue_log *log);

/* Adds ranges that wait for more, but not for long. */
void queue_log_expect_more(struct queue_log *log, const struct log_batch *batch);

/* The batch's entries have completed, or are not to be appended. */
void queue_log_note_done(struct queue_log *log, struct log_batch *batch);

void queue_log_pressure_init(struct queue_log *log);

/* Nobody waits any more. */
void queue_log_pressure_end(struct queue_log *log);

/* The entry's publisher, if it waits, is told at the turn's end. */
void queue_log_tell_soon(struct queue_log *log, struct log_entry *entry);

#endif
