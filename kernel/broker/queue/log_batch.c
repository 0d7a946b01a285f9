/* SPDX-License-Identifier: MIT */
#include "broker/queue/log_batch.h"

#include <stdatomic.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"

#define LARGE_RECORDS	 4096u
#define RANGE_SEARCH_MAX 8u /* of a queue's latest ranges */

/* ---- Memory: accounted for by room, so that adding something costs nothing more ---- */

static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
	uint32_t wanted = *capacity > 0 ? *capacity * 2 : 16;

	if (count < *capacity)
		return array;
	bug_on(count > UINT32_MAX / 2);
	account_add(ACCOUNT_LOG, (ptrdiff_t)((wanted - *capacity) * size));
	*capacity = wanted;
	return mem_realloc(array, wanted * size);
}

static void give_back(void *array, uint32_t capacity, size_t size)
{
	account_add(ACCOUNT_LOG, -(ptrdiff_t)(capacity * size));
	mem_free(array);
}

static void give_back_entries(struct log_batch *batch)
{
	give_back(batch->entries, batch->entries_capacity, sizeof(*batch->entries));
	give_back(batch->bodies, batch->bodies_capacity, sizeof(*batch->bodies));
	batch->entries = NULL;
	batch->bodies = NULL;
	batch->entries_capacity = batch->bodies_capacity = 0;
}

/* The records are built anew each time, and not kept if there are many. */
static void make_room_for_records(struct log_batch *batch, uint32_t most)
{
	if (most <= batch->records_capacity)
		return;
	give_back(batch->records, batch->records_capacity, sizeof(*batch->records));
	batch->records_capacity = most > LARGE_RECORDS ? most : most + most / 2;
	account_add(ACCOUNT_LOG, (ptrdiff_t)(batch->records_capacity * sizeof(*batch->records)));
	batch->records = mem_alloc(batch->records_capacity * sizeof(*batch->records));
}

/* ---- Life ---- */

struct log_batch *log_batch_create(struct queue_log *log)
{
	struct log_batch *batch = mem_zalloc(sizeof(*batch));

	list_init(&batch->link);
	batch->log = log;
	return batch;
}

void log_batch_drop_bodies(struct log_batch *batch)
{
	for (uint32_t i = 0; i < batch->n_bodies; i++)
		message_unref(batch->bodies[i].message);
	batch->n_bodies = 0;
}

void log_batch_destroy(struct log_batch *batch)
{
	log_batch_drop_bodies(batch);
	give_back_entries(batch);
	give_back(batch->queues, batch->queues_capacity, sizeof(*batch->queues));
	give_back(batch->ranges, batch->ranges_capacity, sizeof(*batch->ranges));
	give_back(batch->records, batch->records_capacity, sizeof(*batch->records));
	mem_free(batch);
}

bool log_batch_is_large(const struct log_batch *batch)
{
	return batch->records_capacity > LARGE_RECORDS || batch->entries_capacity > LARGE_RECORDS ||
	       batch->ranges_capacity > LARGE_RECORDS;
}

void log_batch_clear_entries(struct log_batch *batch)
{
	log_batch_drop_bodies(batch);
	batch->n_entries = batch->n_queues = 0;
	batch->n_live = batch->n_durable = 0;
	batch->bytes = 0;
	batch->is_atomic = false;
	if (batch->entries_capacity > LARGE_RECORDS)
		give_back_entries(batch);
}

void log_batch_clear(struct log_batch *batch)
{
	log_batch_clear_entries(batch);
	batch->n_ranges = batch->n_records = 0;
	batch->is_built = false;
}

/* ---- What is gathered ---- */

/*
 * Queues that get a message together ask one after the other, some for a durable body and others
 * for a transient one: it is the last or the one before.
 */
static uint32_t add_body(struct log_batch *batch, struct message *message, bool is_transient)
{
	for (uint32_t i = batch->n_bodies; i > 0 && i + 2 > batch->n_bodies; i--) {
		const struct log_body *body = &batch->bodies[i - 1];

		if (body->message != message)
			break;
		if (body->is_transient == is_transient)
			return i - 1;
	}
	batch->bodies = grow(batch->bodies, batch->n_bodies, &batch->bodies_capacity,
			     sizeof(*batch->bodies));
	batch->bodies[batch->n_bodies] = (struct log_body){
		.message = message_ref(message), .record = LOG_NONE, .is_transient = is_transient};
	batch->bytes += message->alloc_size;
	return batch->n_bodies++;
}

uint32_t log_batch_queue(struct log_batch *batch, const struct log_queue *queue)
{
	batch->queues = grow(batch->queues, batch->n_queues, &batch->queues_capacity,
			     sizeof(*batch->queues));
	batch->queues[batch->n_queues] = *queue;
	return batch->n_queues++;
}

uint32_t log_batch_publish(struct log_batch *batch, struct message *message,
			   const struct log_entry *entry)
{
	uint32_t body = add_body(batch, message, entry->is_transient);
	uint32_t at = batch->n_entries++;

	batch->entries =
		grow(batch->entries, at, &batch->entries_capacity, sizeof(*batch->entries));
	batch->entries[at] = *entry;
	batch->entries[at].body = body;
	batch->entries[at].next = LOG_NONE;
	batch->bytes += LOG_ENTRY_COST;
	batch->n_live++;
	batch->n_durable += !entry->is_transient;
	return at;
}

void log_batch_settle(struct log_batch *batch, struct log_entry *entry)
{
	entry->is_settled = true;
	batch->n_live--;
	batch->n_durable -= !entry->is_transient;
	/* Nothing hangs on when the engine sees it. */
	if (batch->is_built)
		atomic_store_explicit(&batch->records[entry->record].is_elided, true,
				      memory_order_relaxed);
}

static bool extend(struct log_range *range, const struct log_range *by)
{
	if (range->last + 1 == by->first)
		range->last = by->last;
	else if (by->last + 1 == range->first)
		range->first = by->first;
	else
		return false;
	return true;
}

/*
 * Neighbours of one kind become one, but for purges, which overlap. Several consumers of a queue
 * settle in as many runs, so the latest few are looked at, as far as they are of that kind: the
 * order of kinds stays.
 */
uint32_t log_batch_range(struct log_batch *batch, uint32_t latest, const struct log_range *range)
{
	uint32_t at = latest;

	for (unsigned i = 0; i < RANGE_SEARCH_MAX && at != LOG_NONE; i++) {
		if (batch->ranges[at].type != range->type || range->type == STORE_PURGE)
			break;
		if (extend(&batch->ranges[at], range))
			return latest;
		at = batch->ranges[at].before;
	}
	batch->ranges = grow(batch->ranges, batch->n_ranges, &batch->ranges_capacity,
			     sizeof(*batch->ranges));
	batch->ranges[batch->n_ranges] = *range;
	batch->ranges[batch->n_ranges].before = latest;
	return batch->n_ranges++;
}

/* ---- Records ---- */

static void body_hold(void *owner)
{
	(void)message_ref(owner);
}

static void body_drop(void *owner)
{
	message_unref(owner);
}

static void build_body(struct log_batch *batch, struct log_body *body)
{
	if (body->record != LOG_NONE)
		return;
	body->record = batch->n_records++;
	batch->records[body->record] = (struct store_record){
		.type = STORE_PUBLISH,
		.is_transient = body->is_transient,
		.body = {.bytes = message_stored(body->message),
			 .owner = body->message,
			 .hold = body_hold,
			 .drop = body_drop},
	};
}

static void build_entry(struct log_batch *batch, struct log_entry *entry)
{
	struct log_body *body = &batch->bodies[entry->body];

	build_body(batch, body);
	entry->record = batch->n_records++;
	batch->records[entry->record] = (struct store_record){
		.type = STORE_ENQUEUE,
		.queue_id = batch->queues[entry->queue].id,
		.seq_first = entry->seq,
		.seq_last = entry->seq,
		.publish = body->record,
		.expires_ms = entry->expires_wall_ms,
	};
}

static void build_range(struct log_batch *batch, const struct log_range *range)
{
	batch->records[batch->n_records++] = (struct store_record){
		.type = range->type,
		.queue_id = range->queue_id,
		.seq_first = range->first,
		.seq_last = range->last,
	};
}

void log_batch_build(struct log_batch *batch)
{
	make_room_for_records(batch, batch->n_bodies + batch->n_entries + batch->n_ranges);
	batch->n_records = 0;
	for (uint32_t i = 0; i < batch->n_entries; i++)
		if (!batch->entries[i].is_settled)
			build_entry(batch, &batch->entries[i]);
	for (uint32_t i = 0; i < batch->n_ranges; i++)
		build_range(batch, &batch->ranges[i]);
	batch->is_built = true;
}
