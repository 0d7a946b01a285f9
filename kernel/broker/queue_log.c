/* SPDX-License-Identifier: MIT */
#include "broker/queue_log.h"

#include <stdbool.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/endpoint_post.h"
#include "loop/task.h"

/*
 * Records are gathered in a batch, in three arrays: bodies, entries (a queue holds a body), and
 * ranges of settles. At the turn's end they become store_records and go; the batch is kept until
 * the append has completed, and then used again.
 *
 * The log is led lazily, at the first flush; until the store has granted it, the batch goes on
 * gathering.
 *
 * When an append fails, its publishes are reported as rejected. The messages stay in their queues:
 * a publisher that is told "no" learns that the message is not safe, not that nobody will ever see
 * it.
 */

#define NONE		  UINT32_MAX
#define OUTCOMES_MAX	  128u	/* told in one go */
#define ELIDE_SEARCH_MAX  16u	/* records looked at for one that is out of order */
#define SPARE_MAX	  4u	/* batches kept for the next turns */
#define SPARE_RECORDS_MAX 4096u /* larger ones are not */

struct log_body {
	struct message *message;
	uint32_t n_live; /* entries that are not elided */
	uint32_t record; /* where it is in `records`, NONE: not there yet */
};

struct log_entry {
	uint64_t queue_id, seq, expires_wall_ms;
	struct actor_ref publisher;
	uint64_t publisher_seq; /* 0: nobody waits for it (any more) */
	uint32_t body;
	uint32_t next; /* of the same queue */
	bool is_elided;
};

struct queue_log_batch {
	struct store_append append;
	struct list link; /* queue_log.spare */
	struct queue_log *log;
	uint64_t tag;
	struct log_body *bodies;
	struct log_entry *entries;
	struct store_record *ranges;
	struct store_record *records;
	uint32_t n_bodies, n_entries, n_ranges, n_records;
	uint32_t bodies_capacity, entries_capacity, ranges_capacity, records_capacity;
};

struct queue_log {
	struct store_log *store_log;
	struct loop_task flush;
	struct queue_log_batch *gathered; /* NULL: nothing yet */
	struct list spare;
	unsigned n_spare;
	uint64_t next_tag;
	uint64_t completed_tag; /* no append up to this one is under way */
	unsigned n_under_way;
	struct store_lead lead;
	uint64_t epoch;
	bool is_led, is_asked, is_ended;
};

/* ---- Batches ---- */

static void drop_bodies(struct queue_log_batch *batch)
{
	for (uint32_t i = 0; i < batch->n_bodies; i++)
		message_unref(batch->bodies[i].message);
	batch->n_bodies = 0;
}

static void batch_free(struct queue_log_batch *batch)
{
	drop_bodies(batch);
	mem_free(batch->bodies);
	mem_free(batch->entries);
	mem_free(batch->ranges);
	mem_free(batch->records);
	mem_free(batch);
}

static void batch_release(struct queue_log_batch *batch)
{
	struct queue_log *log = batch->log;

	if (log->is_ended || log->n_spare >= SPARE_MAX ||
	    batch->entries_capacity > SPARE_RECORDS_MAX ||
	    batch->ranges_capacity > SPARE_RECORDS_MAX) {
		batch_free(batch);
		return;
	}
	drop_bodies(batch);
	batch->n_entries = batch->n_ranges = batch->n_records = 0;
	list_add_head(&log->spare, &batch->link);
	log->n_spare++;
}

static struct queue_log_batch *batch_get(struct queue_log *log)
{
	struct list *link = list_pop(&log->spare);

	if (link) {
		log->n_spare--;
		return container_of(link, struct queue_log_batch, link);
	}
	struct queue_log_batch *batch = mem_zalloc(sizeof(*batch));
	list_init(&batch->link);
	batch->log = log;
	return batch;
}

/* The batch that this turn's records go to. */
static struct queue_log_batch *gather(struct queue_log *log)
{
	if (!log->gathered) {
		log->gathered = batch_get(log);
		log->gathered->tag = log->next_tag++;
	}
	loop_defer_late(&log->flush);
	return log->gathered;
}

static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	bug_on(count > UINT32_MAX / 2);
	*capacity = *capacity > 0 ? *capacity * 2 : 16;
	return mem_realloc(array, *capacity * size);
}

static uint32_t batch_body(struct queue_log_batch *batch, struct message *message)
{
	/* Queues that get a message together ask one after the other. */
	if (batch->n_bodies > 0 && batch->bodies[batch->n_bodies - 1].message == message)
		return batch->n_bodies - 1;
	batch->bodies = grow(batch->bodies, batch->n_bodies, &batch->bodies_capacity,
			     sizeof(*batch->bodies));
	batch->bodies[batch->n_bodies] =
		(struct log_body){.message = message_ref(message), .record = NONE};
	return batch->n_bodies++;
}

/* ---- A queue's records ---- */

void queue_log_state_init(struct queue_log_state *state, uint64_t queue_id)
{
	*state = (struct queue_log_state){
		.queue_id = queue_id, .first = NONE, .last = NONE, .range = NONE};
	ring_init(&state->under_way);
}

void queue_log_state_fini(struct queue_log_state *state)
{
	ring_fini(&state->under_way);
}

static void state_sync(struct queue_log_state *state, const struct queue_log_batch *batch)
{
	if (state->tag == batch->tag)
		return;
	state->tag = batch->tag;
	state->first = state->last = state->range = NONE;
}

static void forget_completed(const struct queue_log *log, struct queue_log_state *state)
{
	while (ring_count(&state->under_way) > 0 &&
	       *ring_at(&state->under_way, 0) <= log->completed_tag) {
		(void)ring_pop(&state->under_way);
		(void)ring_pop(&state->under_way);
	}
}

void queue_log_publish(struct queue_log *log, struct queue_log_state *state, uint64_t seq,
		       struct message *message, uint64_t expires_wall_ms,
		       struct actor_ref publisher, uint64_t publisher_seq)
{
	struct queue_log_batch *batch = gather(log);
	uint32_t body = batch_body(batch, message);
	uint32_t at = batch->n_entries;

	state_sync(state, batch);
	batch->entries =
		grow(batch->entries, at, &batch->entries_capacity, sizeof(*batch->entries));
	batch->entries[at] = (struct log_entry){
		.queue_id = state->queue_id,
		.seq = seq,
		.expires_wall_ms = expires_wall_ms,
		.publisher = publisher,
		.publisher_seq = publisher_seq,
		.body = body,
		.next = NONE,
	};
	batch->n_entries++;
	batch->bodies[body].n_live++;

	if (state->last == NONE) {
		forget_completed(log, state);
		ring_push(&state->under_way, batch->tag);
		ring_push(&state->under_way, seq);
	} else {
		batch->entries[state->last].next = at;
	}
	if (state->first == NONE)
		state->first = at;
	state->last = at;
}

static void elide(struct queue_log_batch *batch, struct log_entry *entry)
{
	if (entry->is_elided)
		return;
	entry->is_elided = true;
	batch->bodies[entry->body].n_live--;
}

/*
 * The record of a message that is settled in its own turn is left out. Settling goes in the order
 * of publishing nearly always, so it is the first; others are searched for a little, and missing
 * one only costs writing it.
 */
static bool elide_gathered(struct queue_log *log, struct queue_log_state *state, uint64_t seq)
{
	struct queue_log_batch *batch = log->gathered;

	if (!batch || state->tag != batch->tag)
		return false;
	uint32_t at = state->first;
	for (unsigned i = 0; i < ELIDE_SEARCH_MAX && at != NONE; i++) {
		struct log_entry *entry = &batch->entries[at];

		if (entry->seq > seq)
			return false;
		if (entry->seq == seq) {
			elide(batch, entry);
			if (at == state->first)
				state->first = entry->next;
			return true;
		}
		at = entry->next;
	}
	return false;
}

/*
 * Neighbours of one kind become one record. The latest range only, so that the order of kinds
 * stays.
 */
static bool extend_range(struct queue_log_batch *batch, const struct queue_log_state *state,
			 enum store_record_type type, uint64_t first, uint64_t last)
{
	if (state->range == NONE)
		return false;
	struct store_record *range = &batch->ranges[state->range];
	if (range->type != type || type == STORE_PURGE) /* those overlap */
		return false;
	if (range->seq_last + 1 == first)
		range->seq_last = last;
	else if (last + 1 == range->seq_first)
		range->seq_first = first;
	else
		return false;
	return true;
}

static void add_range(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t first, uint64_t last)
{
	struct queue_log_batch *batch = gather(log);

	state_sync(state, batch);
	if (extend_range(batch, state, type, first, last))
		return;
	batch->ranges = grow(batch->ranges, batch->n_ranges, &batch->ranges_capacity,
			     sizeof(*batch->ranges));
	batch->ranges[batch->n_ranges] = (struct store_record){
		.type = type,
		.queue_id = state->queue_id,
		.seq_first = first,
		.seq_last = last,
	};
	state->range = batch->n_ranges++;
}

void queue_log_settle(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t seq)
{
	if (type != STORE_REQUEUE) {
		if (elide_gathered(log, state, seq))
			return;
	}
	add_range(log, state, type, seq, seq);
}

static void elide_gathered_range(struct queue_log *log, struct queue_log_state *state,
				 uint64_t first, uint64_t last)
{
	struct queue_log_batch *batch = log->gathered;

	if (!batch || state->tag != batch->tag)
		return;
	for (uint32_t at = state->first; at != NONE; at = batch->entries[at].next) {
		struct log_entry *entry = &batch->entries[at];

		if (entry->seq >= first && entry->seq <= last)
			elide(batch, entry);
	}
}

void queue_log_settle_range(struct queue_log *log, struct queue_log_state *state,
			    enum store_record_type type, uint64_t first, uint64_t last)
{
	if (first > last)
		return;
	elide_gathered_range(log, state, first, last);
	add_range(log, state, type, first, last);
}

void queue_log_purge(struct queue_log *log, struct queue_log_state *state, uint64_t last)
{
	elide_gathered_range(log, state, 0, last);
	add_range(log, state, STORE_PURGE, 0, last);
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
static void tell(struct teller *teller, struct log_entry *entry, bool rejected)
{
	if (entry->publisher_seq == 0)
		return;
	if (teller->count == OUTCOMES_MAX ||
	    (teller->count > 0 && !actor_ref_equal(teller->publisher, entry->publisher)))
		teller_flush(teller);
	teller->publisher = entry->publisher;
	teller->outcomes[teller->count++] =
		(struct publish_outcome){.seq = entry->publisher_seq, .rejected = rejected};
	entry->publisher_seq = 0;
}

static void tell_elided(struct queue_log_batch *batch)
{
	struct teller teller = {.count = 0};

	for (uint32_t i = 0; i < batch->n_entries; i++)
		if (batch->entries[i].is_elided)
			tell(&teller, &batch->entries[i], false);
	teller_flush(&teller);
}

static void tell_rest(struct queue_log_batch *batch, bool rejected)
{
	struct teller teller = {.count = 0};

	for (uint32_t i = 0; i < batch->n_entries; i++)
		tell(&teller, &batch->entries[i], rejected);
	teller_flush(&teller);
}

/* ---- The append ---- */

static void body_hold(void *owner)
{
	(void)message_ref(owner);
}

static void body_drop(void *owner)
{
	message_unref(owner);
}

static struct store_record *add_record(struct queue_log_batch *batch)
{
	return &batch->records[batch->n_records++];
}

static void build_body(struct queue_log_batch *batch, struct log_body *body)
{
	if (body->record != NONE)
		return;
	body->record = batch->n_records;
	*add_record(batch) = (struct store_record){
		.type = STORE_PUBLISH,
		.body = {.bytes = message_stored(body->message),
			 .owner = body->message,
			 .hold = body_hold,
			 .drop = body_drop},
	};
}

/* A body comes just before its first enqueue; settles come after what they may settle. */
static void build(struct queue_log_batch *batch)
{
	uint32_t most = batch->n_bodies + batch->n_entries + batch->n_ranges;

	if (batch->records_capacity < most) {
		batch->records = mem_realloc(batch->records, most * sizeof(*batch->records));
		batch->records_capacity = most;
	}
	for (uint32_t i = 0; i < batch->n_entries; i++) {
		const struct log_entry *entry = &batch->entries[i];

		if (entry->is_elided)
			continue;
		build_body(batch, &batch->bodies[entry->body]);
		*add_record(batch) = (struct store_record){
			.type = STORE_ENQUEUE,
			.queue_id = entry->queue_id,
			.seq_first = entry->seq,
			.seq_last = entry->seq,
			.publish = batch->bodies[entry->body].record,
			.expires_ms = entry->expires_wall_ms,
		};
	}
	for (uint32_t i = 0; i < batch->n_ranges; i++)
		*add_record(batch) = batch->ranges[i];
}

static void drop_gathered(struct queue_log *log)
{
	if (!log->gathered)
		return;
	if (!log->is_ended)
		tell_rest(log->gathered, true);
	batch_release(log->gathered);
	log->gathered = NULL;
}

static void free_if_over(struct queue_log *log)
{
	if (log->is_ended && log->n_under_way == 0)
		mem_free(log);
}

static void appended(struct store_append *append, enum store_result result)
{
	struct queue_log_batch *batch = container_of(append, struct queue_log_batch, append);
	struct queue_log *log = batch->log;

	log->n_under_way--;
	if (batch->tag > log->completed_tag)
		log->completed_tag = batch->tag;
	if (!log->is_ended)
		tell_rest(batch, result != STORE_DURABLE);
	batch_release(batch);
	free_if_over(log);
}

static void flush(struct loop_task *task);

/* The end of the log's user: what it has gathered before is its last append. */
static void end(struct queue_log *log)
{
	if (log->gathered)
		flush(&log->flush);
	if (log->is_led)
		store_log_release(log->store_log);
	log->is_led = false;
}

static void acquired(struct store_lead *lead, enum store_result result, uint64_t epoch)
{
	struct queue_log *log = container_of(lead, struct queue_log, lead);

	log->n_under_way--;
	log->is_asked = false;
	log->is_led = result == STORE_DURABLE;
	log->epoch = epoch;
	if (log->is_led) {
		if (log->is_ended)
			end(log);
		else
			loop_defer_late(&log->flush);
	} else {
		log_error("store", "the log is not to be had: result=%d", (int)result);
		drop_gathered(log);
	}
	free_if_over(log);
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

static void flush(struct loop_task *task)
{
	struct queue_log *log = container_of(task, struct queue_log, flush);
	struct queue_log_batch *batch = log->gathered;

	if (!batch)
		return;
	if (!log->is_led) {
		ask_to_lead(log);
		return;
	}
	log->gathered = NULL;
	build(batch);
	if (batch->n_records == 0) {
		if (!log->is_ended)
			tell_elided(batch);
		batch_release(batch);
		return;
	}
	batch->append = (struct store_append){
		.records = batch->records,
		.n_records = batch->n_records,
		.done = appended,
	};
	log->n_under_way++;
	store_log_append(log->store_log, log->epoch, &batch->append);
	drop_bodies(batch);
	if (!log->is_ended)
		tell_elided(batch);
}

struct queue_log *queue_log_create(struct store_log *store_log)
{
	struct queue_log *log = mem_zalloc(sizeof(*log));

	log->store_log = store_log;
	log->next_tag = 1;
	list_init(&log->spare);
	loop_task_init(&log->flush, flush);
	return log;
}

void queue_log_destroy(struct queue_log *log)
{
	struct list *link;

	if (!log)
		return;
	loop_cancel(&log->flush);
	log->is_ended = true;
	end(log);
	while ((link = list_pop(&log->spare)))
		batch_free(container_of(link, struct queue_log_batch, link));
	free_if_over(log);
}
