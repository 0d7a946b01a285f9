/* SPDX-License-Identifier: MIT */
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/endpoint_post.h"
#include "broker/queue/log.h"
#include "broker/queue/log_state.h"

/*
 * At the turn's end, what was gathered is appended if a publish is in it; settles alone wait until
 * they are due, and go lazily.
 *
 * The log is led from the first append on; until the store has granted it, the batch goes on
 * gathering.
 *
 * When an append fails, its publishes are reported as rejected. The messages stay in their queues:
 * a publisher that is told "no" learns that the message is not safe, not that nobody will ever see
 * it. Its settles are appended again with the next batch: a disk that is too full for publishes has
 * room for them.
 */

#define OUTCOMES_MAX 128u /* told in one go */
#define TOLD_KEPT    4096u
#define SPARE_MAX    4u /* batches kept for the next turns */

/* Of settles that are appended again: a log that stays broken must not fill the memory. */
#define RETRIED_MAX (64 * QUEUE_LOG_RANGES_MAX)

/* ---- Batches ---- */

struct log_batch *queue_log_gather(struct queue_log *log)
{
	struct list *link;

	if (LIKELY(log->gathered))
		return log->gathered;
	link = list_pop(&log->spare);
	log->n_spare -= link != NULL;
	log->gathered = link ? container_of(link, struct log_batch, link) : log_batch_create(log);
	log->gathered->tag = log->gathered->range_tag = log->next_tag++;
	return log->gathered;
}

static void release(struct queue_log *log, struct log_batch *batch)
{
	queue_log_note_done(log, batch);
	if (log->is_ended || log->n_spare >= SPARE_MAX || log_batch_is_large(batch)) {
		log_batch_destroy(batch);
		return;
	}
	log_batch_clear(batch);
	list_add_head(&log->spare, &batch->link);
	log->n_spare++;
}

static void note_under_way(struct queue_log *log, struct log_batch *batch)
{
	if (ring_count(&log->batches) == 0)
		log->first_tag = batch->tag;
	while (log->first_tag + ring_count(&log->batches) < batch->tag)
		ring_push(&log->batches, 0);
	ring_push(&log->batches, (uintptr_t)batch);
	log->n_under_way++;
}

static void note_completed(struct queue_log *log, const struct log_batch *batch)
{
	*ring_at(&log->batches, (size_t)(batch->tag - log->first_tag)) = 0;
	while (ring_count(&log->batches) > 0 && *ring_at(&log->batches, 0) == 0) {
		(void)ring_pop(&log->batches);
		log->first_tag++;
	}
}

/* A call of the store has answered. */
static void answered(struct queue_log *log)
{
	if (--log->n_under_way > 0 || !log->is_ended)
		return;
	if (log->gathered)
		log_batch_destroy(log->gathered);
	ring_fini(&log->batches);
	mem_free(log);
}

/* ---- Telling publishers ---- */

struct teller {
	struct actor_ref publisher;
	size_t count;
	struct publish_outcome outcomes[OUTCOMES_MAX];
};

static void teller_flush(struct teller *teller)
{
	if (teller->count > 0)
		endpoint_post_published(teller->publisher, teller->outcomes, teller->count);
	teller->count = 0;
}

/* Publications come in runs of one publisher. */
static void tell(struct teller *teller, struct actor_ref publisher, uint64_t seq, bool rejected)
{
	if (teller->count == OUTCOMES_MAX ||
	    (teller->count > 0 && !actor_ref_equal(teller->publisher, publisher)))
		teller_flush(teller);
	teller->publisher = publisher;
	teller->outcomes[teller->count++] =
		(struct publish_outcome){.seq = seq, .rejected = rejected};
}

static void tell_all(struct log_batch *batch, bool rejected)
{
	struct teller teller = {.count = 0};

	for (uint32_t i = 0; i < batch->n_entries; i++) {
		struct log_entry *entry = &batch->entries[i];

		if (entry->publisher_seq == 0)
			continue;
		tell(&teller, entry->publisher, entry->publisher_seq, rejected);
		entry->publisher_seq = 0;
	}
	teller_flush(&teller);
}

void queue_log_tell_soon(struct queue_log *log, struct log_entry *entry)
{
	if (entry->publisher_seq == 0)
		return;
	if (log->n_told == log->told_capacity) {
		bug_on(log->told_capacity > UINT32_MAX / 2);
		log->told_capacity = log->told_capacity > 0 ? 2 * log->told_capacity : 64;
		log->told = mem_realloc(log->told, log->told_capacity * sizeof(*log->told));
	}
	log->told[log->n_told++] =
		(struct log_told){.publisher = entry->publisher, .seq = entry->publisher_seq};
	entry->publisher_seq = 0;
	loop_defer_late(&log->flush);
}

/* Those whose messages were settled. What they do when they hear of it may settle others. */
static void tell_settled(struct queue_log *log)
{
	struct teller teller = {.count = 0};
	struct log_told *told = log->told;
	uint32_t n = log->n_told, capacity = log->told_capacity;

	if (n == 0)
		return;
	log->told = NULL;
	log->n_told = log->told_capacity = 0;
	for (uint32_t i = 0; i < n; i++)
		tell(&teller, told[i].publisher, told[i].seq, false);
	teller_flush(&teller);
	if (log->told || capacity > TOLD_KEPT) {
		mem_free(told);
		return;
	}
	log->told = told;
	log->told_capacity = capacity;
}

/* ---- Telling queues ---- */

void queue_log_listen(struct queue_log *log, const struct queue_log_listener *listener)
{
	log->listener = listener;
}

static void tell_queues(const struct queue_log *log, const struct log_batch *batch, bool failed)
{
	const struct queue_log_listener *listener = log->listener;

	if (!listener)
		return;
	for (uint32_t i = 0; failed && i < batch->n_entries; i++) {
		const struct log_entry *entry = &batch->entries[i];

		if (!entry->is_settled)
			listener->failed(batch->queues[entry->queue].ref, entry->seq);
	}
	for (uint32_t i = 0; i < batch->n_queues; i++)
		listener->completed(batch->queues[i].ref, batch->queues[i].first_seq);
}

/* ---- The append ---- */

static bool has_gathered(const struct queue_log *log)
{
	return log->gathered && (log->gathered->n_live > 0 || log->gathered->n_ranges > 0);
}

/* Settles that did not get to the log. What was requeued is not worth it. */
static void settle_again(struct queue_log *log, const struct log_batch *failed)
{
	static struct log_limit limit = LOG_LIMIT(1);
	struct log_batch *batch = queue_log_gather(log);
	uint32_t i;

	for (i = 0; i < failed->n_ranges && batch->n_ranges < RETRIED_MAX; i++)
		if (failed->ranges[i].type != STORE_REQUEUE)
			(void)log_batch_range(batch, LOG_NONE, &failed->ranges[i]);
	if (i < failed->n_ranges)
		log_limited(&limit, LOG_LEVEL_ERROR, "store",
			    "the log takes no settles, and too many wait: messages that were "
			    "acknowledged may come back after a restart: count=%u",
			    failed->n_ranges - i);
	queue_log_expect_more(log, batch);
}

static void appended(struct store_append *append, enum store_result result)
{
	struct log_batch *batch = container_of(append, struct log_batch, append);
	struct queue_log *log = batch->log;

	note_completed(log, batch);
	if (!log->is_ended) {
		if (result != STORE_DURABLE && batch->n_ranges > 0) {
			log->n_failed++;
			if (result != STORE_FENCED)
				settle_again(log, batch);
		}
		tell_queues(log, batch, result != STORE_DURABLE);
		tell_all(batch, result != STORE_DURABLE);
	}
	release(log, batch);
	answered(log);
}

static void append(struct queue_log *log)
{
	struct log_batch *batch = log->gathered;

	log->gathered = NULL;
	log->is_due = false;
	log_batch_build(batch);
	batch->append = (struct store_append){
		.records = batch->records,
		.n_records = batch->n_records,
		.is_lazy = batch->n_durable == 0,
		.is_atomic = batch->is_atomic,
		.done = appended,
	};
	note_under_way(log, batch);
	store_log_append(log->store_log, log->epoch, &batch->append);
	log_batch_drop_bodies(batch);
}

/* ---- Leading ---- */

static void end_barrier(struct queue_log_barrier *barrier, bool failed)
{
	barrier->has_failed = failed;
	barrier->done(barrier);
}

static void fail_barriers(struct queue_log *log)
{
	struct list *link;

	while ((link = list_pop(&log->barriers)))
		end_barrier(container_of(link, struct queue_log_barrier, link), true);
}

static void refused(struct queue_log *log, enum store_result result)
{
	struct log_batch *batch = log->gathered;

	log_error("store", "the log is not to be had: result=%d", (int)result);
	log->gathered = NULL;
	if (batch) {
		if (!log->is_ended) {
			tell_queues(log, batch, true);
			tell_all(batch, true);
		}
		release(log, batch);
	}
	fail_barriers(log);
}

/* The log's user is gone: what it has left is the last append. */
static void end(struct queue_log *log)
{
	if (has_gathered(log))
		append(log);
	store_log_release(log->store_log);
	log->is_led = false;
}

static void acquired(struct store_lead *lead, enum store_result result, uint64_t epoch)
{
	struct queue_log *log = container_of(lead, struct queue_log, lead);

	log->is_asked = false;
	if (result == STORE_DURABLE) {
		log->is_led = true;
		log->epoch = epoch;
		if (log->is_ended)
			end(log);
		else
			loop_defer_late(&log->flush);
	} else {
		refused(log, result);
	}
	answered(log);
}

/* From now on appends come back as fenced, and publishers are told no. */
static void lost(struct store_lead *lead)
{
	(void)lead;
	log_error("store", "the log was taken over by another");
}

static void ask_to_lead(struct queue_log *log)
{
	if (log->is_asked)
		return;
	log->is_asked = true;
	log->lead = (struct store_lead){.acquired = acquired, .lost = lost};
	log->n_under_way++;
	store_log_lead(log->store_log, &log->lead);
}

/* ---- Barriers ---- */

/* Appends that failed meanwhile count; what failed before has been appended again. */
static void passed(struct store_barrier *store, enum store_result result)
{
	struct queue_log_barrier *barrier = container_of(store, struct queue_log_barrier, store);
	struct queue_log *log = barrier->log;

	end_barrier(barrier, result != STORE_DURABLE || log->n_failed != barrier->n_failed);
	answered(log);
}

static void begin_barrier(struct queue_log *log, struct queue_log_barrier *barrier)
{
	barrier->log = log;
	barrier->n_failed = log->n_failed;
	barrier->store = (struct store_barrier){.done = passed};
	log->n_under_way++;
	store_log_barrier(log->store_log, &barrier->store);
}

static void begin_barriers(struct queue_log *log)
{
	struct list *link;

	while ((link = list_pop(&log->barriers)))
		begin_barrier(log, container_of(link, struct queue_log_barrier, link));
}

void queue_log_barrier(struct queue_log *log, struct queue_log_barrier *barrier)
{
	list_init(&barrier->link);
	queue_log_flush(log);
	if (has_gathered(log))
		list_add_tail(&log->barriers, &barrier->link);
	else
		begin_barrier(log, barrier);
}

/* ---- Flushing ---- */

/* Entries that are all settled already go without a trace; settles may stay. */
static void forget_settled(struct queue_log *log)
{
	struct log_batch *batch = log->gathered;

	if (!batch || batch->n_live > 0 || batch->n_entries == 0)
		return;
	queue_log_note_done(log, batch);
	log_batch_clear_entries(batch);
	batch->tag = log->next_tag++;
}

static void flush(struct queue_log *log)
{
	tell_settled(log);
	forget_settled(log);
	if (!has_gathered(log)) {
		log->is_due = false;
		return;
	}
	if (log->gathered->n_live == 0 && !log->is_due)
		return;
	if (log->is_led)
		append(log);
	else
		ask_to_lead(log);
}

static void run_flush(struct loop_task *task)
{
	struct queue_log *log = container_of(task, struct queue_log, flush);

	flush(log);
	if (log->is_led)
		begin_barriers(log);
}

void queue_log_flush(struct queue_log *log)
{
	log->is_due = true;
	flush(log);
}

static void settles_are_due(struct loop_timer *timer)
{
	struct queue_log *log = container_of(timer, struct queue_log, timer);

	log->is_due = true;
	loop_defer_late(&log->flush);
}

void queue_log_expect_more(struct queue_log *log, const struct log_batch *batch)
{
	if (!loop_timer_is_armed(&log->timer))
		loop_timer_start_ms(&log->timer, QUEUE_LOG_SETTLE_MS);
	if (UNLIKELY(batch->n_ranges == QUEUE_LOG_RANGES_MAX)) {
		log->is_due = true;
		loop_defer_late(&log->flush);
	}
}

/* ---- Life ---- */

struct queue_log *queue_log_create(struct store_log *store_log)
{
	struct queue_log *log = mem_zalloc(sizeof(*log));

	log->store_log = store_log;
	log->next_tag = 1;
	list_init(&log->spare);
	list_init(&log->barriers);
	queue_log_pressure_init(log);
	ring_init(&log->batches);
	loop_task_init(&log->flush, run_flush);
	loop_timer_init(&log->timer, settles_are_due);
	return log;
}

void queue_log_destroy(struct queue_log *log)
{
	struct list *link;

	if (!log)
		return;
	loop_cancel(&log->flush);
	loop_timer_stop(&log->timer);
	log->is_ended = true;
	log->n_under_way++;
	fail_barriers(log);
	queue_log_pressure_end(log);
	if (log->is_led)
		end(log);
	else if (has_gathered(log))
		ask_to_lead(log);
	while ((link = list_pop(&log->spare)))
		log_batch_destroy(container_of(link, struct log_batch, link));
	mem_free(log->told);
	log->told = NULL;
	answered(log);
}
