/* SPDX-License-Identifier: MIT */
#include "store/reclaim.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/disk_log.h"
#include "store/record.h"

/*
 * The happy path: a segment is chosen; the helper reads it as a whole; then, piece by piece, what
 * is live in it, and those of its ranges that concern a segment that is still there, are appended;
 * when that is durable the ledger learns the new places. In the end nothing keeps the segment.
 *
 * A message must not be appended behind its own settle: the copy would come back to life at the
 * next start. The ledger knows the settles that have been written; those that are on their way to
 * the writer are looked through.
 */

#define LOOK_MS	     100u /* after something changed */
#define PAUSE_MS     50u  /* after a piece: 20 MiB/s at most */
#define PIECE_BYTES  ((size_t)1 << 20)
#define PIECE_MAX    4096u /* records */
#define SEGMENTS_MIN 4u	   /* with fewer than these it is not worth it */
#define LIVE_PART    4u	   /* less than a quarter is alive */

struct reclaim_job {
	struct helper_job job; /* first */
	struct reclaim *reclaim;
	const struct segment_folder *folder;
	uint64_t serial, end;
	struct scan scan;
	int result;
};

/* ---- Choosing ---- */

static bool is_candidate(const struct segment *segment)
{
	return segment && segment->is_closed && !segment->is_retiring && !segment->is_unreadable &&
	       segment->n_pins == 0;
}

static bool is_mostly_dead(const struct reclaim *reclaim, const struct segment *segment)
{
	if (segment->n_live == 0)
		return false;
	return reclaim->is_forced ? segment->n_live < segment->n_total
				  : segment->n_live < segment->n_total / LIVE_PART;
}

/* The oldest first: it may be what keeps others. */
static struct segment *choose(const struct reclaim *reclaim)
{
	const struct ledger *ledger = &reclaim->log->ledger;
	struct segment *kept = NULL;
	size_t n_kept = 0;

	if (ledger->n_left < SEGMENTS_MIN && !reclaim->is_forced)
		return NULL;
	for (size_t i = 0; i + 1 < ledger->n_segments; i++) {
		struct segment *segment = ledger->segments[i];

		if (!is_candidate(segment))
			continue;
		if (is_mostly_dead(reclaim, segment))
			return segment;
		if (segment->n_live == 0) {
			kept = kept ? kept : segment;
			n_kept++;
		}
	}
	return n_kept >= SEGMENTS_MIN || reclaim->is_forced ? kept : NULL;
}

/* ---- A piece ---- */

static struct store_record *add_record(struct reclaim *reclaim, uint64_t place)
{
	if (reclaim->n_records == reclaim->capacity) {
		reclaim->capacity = reclaim->capacity ? reclaim->capacity * 2 : 64;
		reclaim->records = mem_realloc(reclaim->records,
					       reclaim->capacity * sizeof(*reclaim->records));
		reclaim->places =
			mem_realloc(reclaim->places, reclaim->capacity * sizeof(*reclaim->places));
	}
	reclaim->places[reclaim->n_records] = place;
	return &reclaim->records[reclaim->n_records++];
}

static bool concerns_others(const struct reclaim *reclaim, uint64_t queue_id, uint64_t first,
			    uint64_t last)
{
	const struct ledger *ledger = &reclaim->log->ledger;

	for (size_t i = 0; i < ledger->n_segments; i++) {
		const struct segment *segment = ledger->segments[i];

		if (segment == reclaim->segment)
			break;
		if (segment && !segment->is_retiring &&
		    spans_overlap(&segment->spans, queue_id, first, last))
			return true;
	}
	return false;
}

static enum store_record_type type_of(uint8_t type)
{
	switch (type) {
	case RECORD_SETTLE:
		return STORE_SETTLE;
	case RECORD_EXPIRE:
		return STORE_EXPIRE;
	case RECORD_REQUEUE:
		return STORE_REQUEUE;
	default:
		return STORE_PURGE;
	}
}

static void carry_ranges(struct reclaim *reclaim, const struct record *record)
{
	uint64_t queue_id, first, last;
	uint32_t n;

	if (record_get_ranges(record, &queue_id, &n) < 0)
		return;
	for (uint32_t i = 0; i < n; i++) {
		record_get_range(record, i, &first, &last);
		if (!concerns_others(reclaim, queue_id, first, last))
			continue;
		*add_record(reclaim, 0) = (struct store_record){.type = type_of(record->type),
								.queue_id = queue_id,
								.seq_first = first,
								.seq_last = last};
	}
}

static size_t carry_message(struct reclaim *reclaim, const struct record *record, uint64_t place)
{
	struct index *index = &reclaim->log->ledger.index;
	size_t publish = reclaim->n_records;
	struct record_message message;

	if (record_get_message(record, &message) < 0)
		return 0;
	for (uint32_t i = 0; i < message.n_targets; i++) {
		struct record_target target = record_get_target(&message, i);
		struct index_entry entry;

		if (!index_find(index, target.queue_id, target.seq, &entry) || entry.place != place)
			continue;
		if (reclaim->n_records == publish)
			*add_record(reclaim, 0) = (struct store_record){
				.type = STORE_PUBLISH,
				.is_transient = (record->flags & RECORD_TRANSIENT) != 0,
				.body = {.bytes = message.body}};
		*add_record(reclaim, place) = (struct store_record){
			.type = STORE_ENQUEUE,
			.publish = (uint32_t)publish,
			.queue_id = target.queue_id,
			.seq_first = target.seq,
			.seq_last = target.seq,
			.expires_ms = target.expires_ms,
			.deliveries = entry.deliveries,
		};
	}
	return reclaim->n_records > publish ? message.body.size : 0;
}

static size_t carry(struct reclaim *reclaim, const struct scan_span *span)
{
	struct record record;

	if (span->is_damaged)
		return 0;
	record = scan_record(&reclaim->job->scan, span);
	if (record.type == RECORD_MESSAGE)
		return carry_message(reclaim, &record,
				     ledger_place(reclaim->segment, span->offset));
	if (record.type == RECORD_SETTLE || record.type == RECORD_EXPIRE ||
	    record.type == RECORD_REQUEUE || record.type == RECORD_PURGE)
		carry_ranges(reclaim, &record);
	return 0;
}

/* ---- Settles that are on their way ---- */

static int compare(const void *a, const void *b)
{
	const struct store_record *const *left = a, *const *right = b;

	if ((*left)->queue_id != (*right)->queue_id)
		return (*left)->queue_id < (*right)->queue_id ? -1 : 1;
	return (*left)->seq_first < (*right)->seq_first	  ? -1
	       : (*left)->seq_first > (*right)->seq_first ? 1
							  : 0;
}

/* The first that is not before this message. */
static size_t lower_bound(struct store_record **sorted, size_t n, uint64_t queue_id, uint64_t seq)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct store_record *record = sorted[middle];

		if (record->queue_id < queue_id ||
		    (record->queue_id == queue_id && record->seq_first < seq))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void leave_out(struct store_record **sorted, size_t n, const struct store_record *range)
{
	uint64_t first = range->type == STORE_PURGE ? 0 : range->seq_first;

	for (size_t i = lower_bound(sorted, n, range->queue_id, first);
	     i < n && sorted[i]->queue_id == range->queue_id &&
	     sorted[i]->seq_first <= range->seq_last;
	     i++)
		atomic_store_explicit(&sorted[i]->is_elided, true, memory_order_relaxed);
}

static void leave_out_settled(struct reclaim *reclaim)
{
	const struct ring *under_way = &reclaim->log->under_way;
	struct store_record **sorted =
		mem_alloc((reclaim->n_records + 1) * sizeof(struct store_record *));
	size_t n = 0;

	for (size_t i = 0; i < reclaim->n_records; i++)
		if (reclaim->records[i].type == STORE_ENQUEUE)
			sorted[n++] = &reclaim->records[i];
	if (n > 0)
		qsort(sorted, n, sizeof(struct store_record *), compare);
	for (size_t i = 0; n > 0 && i < ring_count(under_way); i++) {
		const struct store_append *append =
			(const struct store_append *)(uintptr_t)*ring_at(under_way, i);

		for (size_t k = 0; k < append->n_records; k++)
			if (append->records[k].type == STORE_SETTLE ||
			    append->records[k].type == STORE_EXPIRE ||
			    append->records[k].type == STORE_PURGE)
				leave_out(sorted, n, &append->records[k]);
	}
	mem_free(sorted);
}

/* ---- The steps ---- */

static void end(struct reclaim *reclaim)
{
	struct segment *segment = reclaim->segment;

	if (reclaim->job) {
		scan_fini(&reclaim->job->scan);
		mem_free(reclaim->job);
	}
	reclaim->job = NULL;
	reclaim->segment = NULL;
	segment->n_pins--;
	reclaim->log->ledger.may_retire = true;
}

/* What was chosen cannot be moved: it is left alone from now on. */
static void give_up(struct reclaim *reclaim)
{
	reclaim->segment->is_unreadable = true;
	end(reclaim);
}

static void appended(struct store_append *append, enum store_result result);

static void next_piece(struct reclaim *reclaim)
{
	const struct scan *scan = &reclaim->job->scan;
	size_t bytes = 0;

	reclaim->n_records = 0;
	while (reclaim->next_span < scan->n_spans && bytes < PIECE_BYTES &&
	       reclaim->n_records < PIECE_MAX)
		bytes += carry(reclaim, &scan->spans[reclaim->next_span++]);
	if (reclaim->n_records == 0) {
		/* Whatever ranges there were concern nobody any more. */
		if (reclaim->segment->n_live == 0)
			reclaim->segment->floor = UINT64_MAX;
		end(reclaim);
		return;
	}
	leave_out_settled(reclaim);
	reclaim->append = (struct store_append){
		.records = reclaim->records, .n_records = reclaim->n_records, .done = appended};
	reclaim->is_appending = true;
	disk_log_append_own(reclaim->log, &reclaim->append);
}

/* The copies depend on what this segment depends on, until it has gone. */
static void note_moved(struct reclaim *reclaim)
{
	struct ledger *ledger = &reclaim->log->ledger;
	uint64_t floor = reclaim->segment->floor;

	for (size_t i = 0; i < reclaim->n_records; i++) {
		const struct store_record *record = &reclaim->records[i];

		if (record->place == 0)
			continue;
		struct segment *to = ledger_segment_at(ledger, record->place);
		if (reclaim->places[i] != 0)
			(void)ledger_move(ledger, record->queue_id, record->seq_first,
					  reclaim->places[i], record->place);
		else if (record->type != STORE_PUBLISH && floor < to->floor)
			to->floor = floor;
	}
}

static void appended(struct store_append *append, enum store_result result)
{
	struct reclaim *reclaim = container_of(append, struct reclaim, append);

	reclaim->is_appending = false;
	if (result == STORE_ERROR) {
		give_up(reclaim);
		return;
	}
	note_moved(reclaim);
	if (result != STORE_DURABLE) {
		/* The copies are uncertain, so the originals stay, for this run. */
		reclaim->segment->n_pins++;
		give_up(reclaim);
	} else if (reclaim->is_stopped) {
		end(reclaim);
	} else {
		loop_timer_start_ms(&reclaim->timer, reclaim->is_forced ? 0 : PAUSE_MS);
	}
}

/* On the helper's thread. */
static void read_segment(struct helper_job *helper_job)
{
	struct reclaim_job *job = container_of(helper_job, struct reclaim_job, job);

	scan_init(&job->scan);
	job->result = scan_segment(&job->scan, job->folder, job->serial, job->end);
}

static void segment_read(struct helper_job *helper_job)
{
	struct reclaim_job *job = container_of(helper_job, struct reclaim_job, job);
	struct reclaim *reclaim = job->reclaim;

	if (job->result < 0)
		give_up(reclaim);
	else if (reclaim->is_stopped)
		end(reclaim);
	else
		next_piece(reclaim);
}

static void begin(struct reclaim *reclaim, struct segment *segment)
{
	struct reclaim_job *job = mem_zalloc(sizeof(*job));

	job->job = (struct helper_job){.run = read_segment, .done = segment_read};
	job->reclaim = reclaim;
	job->folder = writer_folder(reclaim->log->writer);
	job->serial = segment->serial;
	job->end = segment->end;
	segment->n_pins++;
	reclaim->segment = segment;
	reclaim->job = job;
	reclaim->next_span = 0;
	if (helper_give(reclaim->log->helper, &job->job) < 0)
		give_up(reclaim);
}

static void timer_fired(struct loop_timer *timer)
{
	struct reclaim *reclaim = container_of(timer, struct reclaim, timer);
	struct segment *segment;

	if (reclaim->segment) {
		next_piece(reclaim);
		return;
	}
	segment = choose(reclaim);
	if (segment)
		begin(reclaim, segment);
	else
		reclaim->is_forced = false;
}

void reclaim_init(struct reclaim *reclaim, struct disk_log *log)
{
	*reclaim = (struct reclaim){.log = log};
	loop_timer_init(&reclaim->timer, timer_fired);
}

void reclaim_look(struct reclaim *reclaim)
{
	if (reclaim->segment || reclaim->is_stopped || loop_timer_is_armed(&reclaim->timer) ||
	    (reclaim->log->ledger.n_left < SEGMENTS_MIN && !reclaim->is_forced))
		return;
	loop_timer_start_ms(&reclaim->timer, reclaim->is_forced ? 0 : LOOK_MS);
}

void reclaim_all(struct reclaim *reclaim)
{
	reclaim->is_forced = true;
	reclaim_look(reclaim);
}

void reclaim_stop(struct reclaim *reclaim)
{
	reclaim->is_stopped = true;
	loop_timer_stop(&reclaim->timer);
}

void reclaim_fini(struct reclaim *reclaim)
{
	loop_timer_stop(&reclaim->timer);
	if (reclaim->segment)
		end(reclaim);
	mem_free(reclaim->records);
	mem_free(reclaim->places);
}
