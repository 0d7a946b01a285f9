/* SPDX-License-Identifier: MIT */
#include "store/log/disk_log.h"

#include <stdatomic.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "store/log/fetch.h"
#include "store/log/recovery.h"

/*
 * An append goes to the writer's thread with its records as they are; their bodies are held until
 * it comes back. Then the ledger learns what is where, in the order of the log, and the caller is
 * told. So what the ledger knows is always what has been written, and a segment is never given back
 * for the sake of something that is only about to be.
 */

#define SLICE_NUMBERS 65536u /* of a queue, settled in one go */
#define TURN_US	      500u   /* after which other things of the loop get their turn */

/* Outlives the log while letters are under way. */
struct disk_wake_target {
	_Atomic unsigned refs;
	struct disk_log *log; /* NULL: it has gone */
};

struct disk_wake {
	struct letter letter; /* first */
	struct disk_wake_target *target;
};

static struct disk_log *log_of(struct store_log *log)
{
	return container_of(log, struct disk_log, log);
}

static void tell_soon(struct disk_log *log)
{
	if (!log->is_closing)
		loop_defer(&log->tell);
}

/* ---- What comes back ---- */

static int enter(struct disk_log *log, const struct store_append *append,
		 const struct store_record *record)
{
	const struct store_record *publish = &append->records[record->publish];
	const struct record_target target = {.queue_id = record->queue_id,
					     .seq = record->seq_first};

	return ledger_enqueue(&log->ledger, record->place, &target, publish->is_transient);
}

/* place 0: it was left out, or not written. */
static void apply_record(struct disk_log *log, struct store_append *append,
			 const struct store_record *record)
{
	struct ledger *ledger = &log->ledger;

	if (record->place == 0)
		return;
	switch (record->type) {
	case STORE_PUBLISH:
		break;
	case STORE_ENQUEUE:
		/* It is written, but not to be found: so it is not safe. */
		if (enter(log, append, record) < 0)
			append->result = STORE_UNKNOWN;
		break;
	case STORE_SETTLE:
	case STORE_EXPIRE:
		ledger_settle(ledger, record->place, record->queue_id, record->seq_first,
			      record->seq_last);
		break;
	case STORE_REQUEUE:
		ledger_requeue(ledger, record->place, record->queue_id, record->seq_first,
			       record->seq_last);
		break;
	case STORE_PURGE:
		ledger_purge(ledger, record->place, record->queue_id, record->seq_last);
		break;
	}
}

static void drop_bodies(struct store_append *append)
{
	for (size_t i = 0; i < append->n_records; i++) {
		const struct store_body *body = &append->records[i].body;

		if (append->records[i].type == STORE_PUBLISH && body->drop)
			body->drop(body->owner);
	}
}

/*
 * A range of millions (a purge, a channel that gives back all it had) takes turns: a slice of it,
 * by numbers. False: there is more, from log->next_seq on.
 */
static bool apply_slices(struct disk_log *log, const struct store_record *record, uint64_t end_us)
{
	struct ledger *ledger = &log->ledger;
	uint64_t known = index_last_seq(&ledger->index, record->queue_id);
	uint64_t lowest = index_lowest_seq(&ledger->index, record->queue_id);
	uint64_t last = record->seq_last < known ? record->seq_last : known;
	uint64_t from = record->type == STORE_PURGE ? 0 : record->seq_first;

	if (from < lowest)
		from = lowest;
	if (from < log->next_seq)
		from = log->next_seq;
	for (; from < last && last - from >= SLICE_NUMBERS; from += SLICE_NUMBERS) {
		log->next_seq = from;
		if (clock_monotonic_us() >= end_us)
			return false;
		if (record->type == STORE_REQUEUE)
			ledger_requeue(ledger, record->place, record->queue_id, from,
				       from + SLICE_NUMBERS - 1);
		else
			ledger_settle(ledger, record->place, record->queue_id, from,
				      from + SLICE_NUMBERS - 1);
	}
	log->next_seq = from;
	return true;
}

/* What is left of it then is no more than a slice. */
static bool apply_range(struct disk_log *log, struct store_append *append,
			const struct store_record *record, uint64_t end_us)
{
	struct store_record rest = *record;
	bool is_long = record->type == STORE_PURGE ||
		       record->seq_last - record->seq_first >= SLICE_NUMBERS;

	if (record->place == 0 || !is_long) {
		apply_record(log, append, record);
		return true;
	}
	if (!apply_slices(log, record, end_us))
		return false;
	if (record->type != STORE_PURGE && rest.seq_first < log->next_seq)
		rest.seq_first = log->next_seq;
	apply_record(log, append, &rest);
	log->next_seq = 0;
	return true;
}

/*
 * What the log itself has appended: messages are entered where they were moved to, by reclaim, and
 * requeues that were carried have been counted when they came first.
 */
static bool is_entered_elsewhere(const struct store_record *record)
{
	return !store_is_range(record) || record->type == STORE_REQUEUE;
}

/* False: its turn is over. */
static bool apply(struct disk_log *log, struct store_append *append, uint64_t end_us)
{
	bool is_own = reclaim_is_own(&log->reclaim, append);

	for (; log->next_record < append->n_records; log->next_record++) {
		const struct store_record *record = &append->records[log->next_record];

		if (is_own && is_entered_elsewhere(record))
			continue;
		if (!store_is_range(record))
			apply_record(log, append, record);
		else if (!apply_range(log, append, record, end_us))
			return false;
	}
	log->next_record = 0;
	return true;
}

static void post_wake(struct disk_log *log);

/*
 * In the order of the log, so what comes behind a long range waits for it. Meanwhile nothing is
 * given back, as the ledger does not know yet what lives in the segments that were closed since.
 */
static void finish_appends(struct disk_log *log)
{
	uint64_t end_us = log->is_closing ? UINT64_MAX : clock_monotonic_us() + TURN_US;
	struct store_append *append;

	while ((append = log->done.first)) {
		if (!apply(log, append, end_us)) {
			post_wake(log);
			return;
		}
		chain_drop_first(&log->done);
		bug_on(ring_pop(&log->under_way) != (uint64_t)(uintptr_t)append);
		drop_bodies(append);
		append->done(append, append->result);
	}
}

static void retire(void *context, struct segment *segment)
{
	struct disk_log *log = context;

	writer_retire(log->writer, segment);
}

void disk_log_give_back(struct disk_log *log)
{
	if (log->is_closing || log->done.first)
		return;
	if (log->ledger.may_retire)
		ledger_retire(&log->ledger, retire, log);
	reclaim_look(&log->reclaim);
}

static void take_news(struct disk_log *log)
{
	struct writer_news news;
	struct segment *segment, *next_segment;

	writer_take_news(log->writer, &news);
	chain_take_each(segment, next_segment, &news.opened)
		ledger_add_segment(&log->ledger, segment);
	chain_take_each(segment, next_segment, &news.retired)
		ledger_drop_segment(&log->ledger, segment);
	chain_move(&log->done, &news.done);
	finish_appends(log);
	helper_finish(log->helper);
	disk_log_give_back(log);
}

static void target_unref(struct disk_wake_target *target)
{
	if (atomic_fetch_sub(&target->refs, 1) == 1)
		mem_free(target);
}

static void wake_arrived(struct letter *letter)
{
	struct disk_wake *wake = container_of(letter, struct disk_wake, letter);
	struct disk_wake_target *target = wake->target;
	struct disk_log *log = target->log;

	mem_free(wake);
	target_unref(target);
	if (log)
		take_news(log);
}

static struct disk_wake *make_wake(struct disk_log *log)
{
	struct disk_wake *wake = mem_alloc(sizeof(*wake));

	*wake = (struct disk_wake){.letter = {.deliver = wake_arrived}, .target = log->wake_target};
	(void)atomic_fetch_add(&log->wake_target->refs, 1);
	return wake;
}

/* On the writer's or helper's thread. */
static void told(void *context)
{
	struct disk_log *log = context;

	loop_post_outside(log->log.loop, &make_wake(log)->letter);
}

/* To this loop, so that a poll comes between. */
static void post_wake(struct disk_log *log)
{
	loop_post(log->log.loop, &make_wake(log)->letter);
}

/* ---- What does not go to the writer ---- */

static void tell_leads(struct disk_log *log)
{
	struct store_lead *lead, *following;

	chain_take_each(lead, following, &log->leads) {
		struct store_lead *before = log->leader;

		log->epoch = 0;
		log->leader = NULL;
		if (before)
			before->lost(before);
		log->leader = lead;
		log->epoch = atomic_fetch_add(log->n_epochs, 1) + 1;
		lead->acquired(lead, STORE_DURABLE, log->epoch);
	}
}

static void tell_failed_reads(struct disk_log *log)
{
	struct store_read *read, *following;

	chain_take_each(read, following, &log->failed_reads) {
		for (size_t i = 0; i < read->n_seqs; i++)
			read->body(read, i, STORE_ERROR, SLICE_EMPTY);
		read->done(read);
	}
}

static void tell(struct disk_log *log)
{
	struct store_append *append, *following;

	chain_take_each(append, following, &log->refused)
		append->done(append, append->result);
	tell_failed_reads(log);
	tell_leads(log);
}

static void run_tell(struct loop_task *task)
{
	tell(container_of(task, struct disk_log, tell));
}

/* ---- The door ---- */

static void hand_over(struct disk_log *log, struct store_append *append)
{
	for (size_t i = 0; i < append->n_records; i++) {
		struct store_record *record = &append->records[i];

		record->place = 0;
		if (record->type == STORE_PUBLISH && record->body.hold)
			record->body.hold(record->body.owner);
	}
	ring_push(&log->under_way, (uint64_t)(uintptr_t)append);
	writer_append(log->writer, append);
}

void disk_log_append_own(struct disk_log *log, struct store_append *append)
{
	append->is_own = true;
	hand_over(log, append);
}

void disk_log_append(struct store_log *store_log, uint64_t epoch, struct store_append *append)
{
	struct disk_log *log = log_of(store_log);

	if (epoch == 0 || epoch != log->epoch) {
		append->result = STORE_FENCED;
		chain_add(&log->refused, append);
		tell_soon(log);
		return;
	}
	log->stats.appends++;
	log->stats.records += append->n_records;
	for (size_t i = 0; i < append->n_records; i++)
		if (append->records[i].type == STORE_PUBLISH)
			log->stats.bytes += append->records[i].body.bytes.size;
	append->is_own = false;
	hand_over(log, append);
}

void disk_log_read(struct store_log *store_log, struct store_read *read)
{
	struct disk_log *log = log_of(store_log);
	const struct fetch_options options = {
		.folder = writer_folder(log->writer),
		.ledger = &log->ledger,
		.report = log->options->report,
		.context = log->options->context,
	};

	if (fetch_begin(log->helper, &options, read) == 0)
		return;
	chain_add(&log->failed_reads, read);
	tell_soon(log);
}

/* An append without records, which comes back behind all others. */
struct marker {
	struct store_append append;
	struct disk_log *log;
	struct store_barrier *barrier; /* one of the two */
	struct store_recovery *recovery;
};

static void marker_done(struct store_append *append, enum store_result result)
{
	struct marker *marker = container_of(append, struct marker, append);
	struct disk_log *log = marker->log;

	if (marker->barrier) {
		marker->barrier->done(marker->barrier, result);
	} else {
		int r = recovery_replay(writer_folder(log->writer), &log->ledger, marker->recovery);

		marker->recovery->done(marker->recovery, r < 0 ? STORE_ERROR : STORE_DURABLE);
	}
	mem_free(marker);
}

static void append_marker(struct disk_log *log, struct store_barrier *barrier,
			  struct store_recovery *recovery)
{
	struct marker *marker = mem_zalloc(sizeof(*marker));

	marker->append.done = marker_done;
	marker->log = log;
	marker->barrier = barrier;
	marker->recovery = recovery;
	disk_log_append_own(log, &marker->append);
}

void disk_log_recover(struct store_log *log, struct store_recovery *recovery)
{
	append_marker(log_of(log), NULL, recovery);
}

void disk_log_barrier(struct store_log *log, struct store_barrier *barrier)
{
	append_marker(log_of(log), barrier, NULL);
}

void disk_log_compact(struct store_log *log)
{
	reclaim_all(&log_of(log)->reclaim);
}

void disk_log_lead(struct store_log *store_log, struct store_lead *lead)
{
	struct disk_log *log = log_of(store_log);

	chain_add(&log->leads, lead);
	tell_soon(log);
}

void disk_log_release(struct store_log *log)
{
	log_of(log)->epoch = 0;
	log_of(log)->leader = NULL;
}

void disk_log_stats(const struct store_log *store_log, struct store_log_stats *ret_stats)
{
	const struct disk_log *log = container_of(store_log, const struct disk_log, log);
	struct writer_stats writer;

	writer_stats(log->writer, &writer);
	*ret_stats = log->stats;
	ret_stats->syncs = writer.syncs;
	ret_stats->disk_bytes = writer.disk_bytes;
	ret_stats->live_messages = index_count(&log->ledger.index);
}

/* ---- Life ---- */

int disk_log_create(struct store *store, unsigned loop, const struct store_options *options,
		    _Atomic uint64_t *n_epochs, struct segment_folder *folder,
		    struct ledger *ledger, const struct record_open *before, struct disk_log **ret)
{
	struct disk_log *log = mem_zalloc(sizeof(*log));
	const struct writer_options writer_options = {
		.sync = options->sync,
		.sync_interval_ms = options->sync_interval_ms,
		.report = options->report,
		.report_context = options->context,
		.told = told,
		.context = log,
	};
	int r;

	log->log.store = store;
	log->log.loop = loop;
	log->options = options;
	log->n_epochs = n_epochs;
	log->wake_target = mem_zalloc(sizeof(*log->wake_target));
	log->wake_target->log = log;
	atomic_init(&log->wake_target->refs, 1);
	ring_init(&log->under_way);
	r = writer_create(folder, before, &writer_options, &log->writer);
	if (r < 0) {
		target_unref(log->wake_target);
		mem_free(log);
		return r;
	}
	log->helper = helper_create(told, log);
	log->ledger = *ledger;
	loop_task_init(&log->tell, run_tell);
	reclaim_init(&log->reclaim, log);
	*ret = log;
	return 0;
}

static bool has_news(const struct disk_log *log)
{
	return ring_count(&log->under_way) > 0 || helper_is_busy(log->helper) ||
	       log->refused.first || log->leads.first || log->failed_reads.first;
}

/* Both threads end with nothing left to do; what is told then may ask for more. */
int disk_log_finish(struct disk_log *log)
{
	int r = 0;

	log->is_closing = true;
	reclaim_stop(&log->reclaim);
	do {
		r = writer_stop(log->writer);
		helper_stop(log->helper);
		take_news(log);
		tell(log);
	} while (has_news(log));
	return r;
}

void disk_log_destroy(struct disk_log *log)
{
	loop_cancel(&log->tell);
	reclaim_fini(&log->reclaim);
	helper_destroy(log->helper);
	writer_destroy(log->writer);
	ledger_fini(&log->ledger);
	ring_fini(&log->under_way);
	log->wake_target->log = NULL;
	target_unref(log->wake_target);
	mem_free(log);
}
