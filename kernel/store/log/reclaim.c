/* SPDX-License-Identifier: MIT */
#include "store/log/reclaim.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "store/log/disk_log.h"
#include "store/log/record.h"

/*
 * The happy path: a segment is chosen; the helper reads it as a whole; then, piece by piece, what
 * is live in it, and those of its ranges that concern a segment that is still there, are appended;
 * when that is durable the ledger learns the new places. In the end nothing keeps the segment.
 *
 * A message must not be appended behind its own settle: the copy would come back to life at the
 * next start. The ledger knows the settles that have been written; those that are on their way to
 * the writer are looked through.
 *
 * A requeue that is carried counts twice after a crash that leaves both segments: the count of
 * deliveries may be too high then, never too low.
 */

#define LOOK_MS	    100u /* after something changed */
#define PAUSE_MS    50u	 /* after a piece: 20 MiB/s at most */
#define PIECE_BYTES ((size_t)1 << 20)
#define PIECE_MAX   4096u  /* records */
#define STEPS_MAX   20000u /* so that the loop is not held up for long: some 2 ms */
#define AGAIN_MS    5000u  /* after an append was refused, or there was no memory */

struct reclaim_job {
	struct helper_job job; /* first */
	struct reclaim *reclaim;
	const struct segment_folder *folder;
	uint64_t serial, end;
	struct scan scan;
	int result;
};

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

static bool concerns_others(struct reclaim *reclaim, uint64_t queue_id, uint64_t first,
			    uint64_t last)
{
	const struct ledger *ledger = &reclaim->log->ledger;
	uint64_t floor = reclaim->segment->floor;
	size_t i = floor > ledger->first_serial ? (size_t)(floor - ledger->first_serial) : 0;

	for (; i < ledger->n_segments; i++) {
		const struct segment *segment = ledger->segments[i];

		if (segment == reclaim->segment)
			break;
		reclaim->n_steps++;
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

static void add_range(struct reclaim *reclaim, const struct store_record *range)
{
	struct store_record *last =
		reclaim->n_records > 0 ? &reclaim->records[reclaim->n_records - 1] : NULL;

	if (last && last->type == range->type && last->queue_id == range->queue_id &&
	    last->seq_last < UINT64_MAX && last->seq_last + 1 == range->seq_first)
		last->seq_last = range->seq_last;
	else
		*add_record(reclaim, 0) = *range;
}

/* A record may have very many, and each may take a look at many segments. */
static bool is_enough(const struct reclaim *reclaim)
{
	return reclaim->n_records >= PIECE_MAX || reclaim->n_steps >= STEPS_MAX;
}

/*
 * Goes on at next_range; whether it has come to the end. The next start does not look at queues
 * that go with the process, and their ids may be others' by now.
 */
static bool carry_ranges(struct reclaim *reclaim, const struct record *record)
{
	uint64_t queue_id, first, last;
	uint32_t n;

	if (record_get_ranges(record, &queue_id, &n) < 0 || queue_id >= STORE_TRANSIENT_ID)
		return true;
	for (; reclaim->next_range < n; reclaim->next_range++) {
		if (is_enough(reclaim))
			return false;
		record_get_range(record, reclaim->next_range, &first, &last);
		if (record->type == RECORD_PURGE)
			first = 0;
		if (!concerns_others(reclaim, queue_id, first, last))
			continue;
		add_range(reclaim, &(struct store_record){.type = type_of(record->type),
							  .queue_id = queue_id,
							  .seq_first = first,
							  .seq_last = last});
	}
	reclaim->next_range = 0;
	return true;
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

static void carry(struct reclaim *reclaim, const struct scan_span *span, size_t *bytes)
{
	struct record record;
	bool is_through = true;

	reclaim->n_steps++;
	if (!span->is_damaged) {
		record = scan_record(&reclaim->job->scan, span);
		if (record.type == RECORD_MESSAGE)
			*bytes += carry_message(reclaim, &record,
						ledger_place(reclaim->segment, span->offset));
		else if (record.type == RECORD_SETTLE || record.type == RECORD_EXPIRE ||
			 record.type == RECORD_REQUEUE || record.type == RECORD_PURGE)
			is_through = carry_ranges(reclaim, &record);
	}
	reclaim->next_span += is_through;
}

/* ---- What is on its way ---- */

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

/* What a range does to the copies that come behind it. */
static void foresee(struct reclaim *reclaim, struct store_record **sorted, size_t n,
		    const struct store_record *range)
{
	uint64_t first = range->type == STORE_PURGE ? 0 : range->seq_first;

	for (size_t i = lower_bound(sorted, n, range->queue_id, first);
	     i < n && sorted[i]->queue_id == range->queue_id &&
	     sorted[i]->seq_first <= range->seq_last;
	     i++) {
		if (range->type != STORE_REQUEUE) {
			atomic_store_explicit(&sorted[i]->is_elided, true, memory_order_relaxed);
			reclaim->has_left_out = true;
		} else if (sorted[i]->deliveries < INDEX_DELIVERIES_MAX) {
			sorted[i]->deliveries++;
		}
	}
}

static void foresee_all(struct reclaim *reclaim)
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
			if (append->records[k].type != STORE_PUBLISH &&
			    append->records[k].type != STORE_ENQUEUE)
				foresee(reclaim, sorted, n, &append->records[k]);
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

/* Later, perhaps, it goes. */
static void put_off(struct reclaim *reclaim)
{
	reclaim->is_forced = false;
	reclaim->not_before_ms = loop_now_ms() + AGAIN_MS;
	end(reclaim);
}

static void appended(struct store_append *append, enum store_result result);

/* All of it has been looked at. */
static void finish(struct reclaim *reclaim)
{
	struct segment *segment = reclaim->segment;

	if (segment->n_live == 0)
		ledger_let_go(&reclaim->log->ledger, segment);
	else if (!reclaim->has_left_out)
		segment->is_unreadable = true; /* what is alive is where it is damaged */
	end(reclaim);
}

static void next_piece(struct reclaim *reclaim)
{
	const struct scan *scan = &reclaim->job->scan;
	size_t bytes = 0;

	reclaim->n_records = reclaim->n_steps = 0;
	while (reclaim->next_span < scan->n_spans && bytes < PIECE_BYTES && !is_enough(reclaim))
		carry(reclaim, &scan->spans[reclaim->next_span], &bytes);
	if (reclaim->n_records == 0) {
		if (reclaim->next_span < scan->n_spans)
			loop_timer_start_ms(&reclaim->timer, 0);
		else
			finish(reclaim);
		return;
	}
	foresee_all(reclaim);
	reclaim->append = (struct store_append){
		.records = reclaim->records, .n_records = reclaim->n_records, .done = appended};
	reclaim->is_appending = true;
	disk_log_append_own(reclaim->log, &reclaim->append);
}

/* All of a piece is in one segment. Its ranges depend on what this segment depends on. */
static void note_moved(struct reclaim *reclaim)
{
	struct ledger *ledger = &reclaim->log->ledger;
	struct segment *to = NULL; /* where ranges are */

	for (size_t i = 0; i < reclaim->n_records; i++) {
		const struct store_record *record = &reclaim->records[i];

		if (record->place == 0)
			continue;
		if (reclaim->places[i] != 0)
			(void)ledger_move(ledger, record->queue_id, record->seq_first,
					  reclaim->places[i], record->place);
		else if (record->type != STORE_PUBLISH)
			to = ledger_segment_at(ledger, record->place);
	}
	if (to) {
		ledger_carry(reclaim->segment, to);
		reclaim_note_carried(ledger, to);
	}
}

static void appended(struct store_append *append, enum store_result result)
{
	struct reclaim *reclaim = container_of(append, struct reclaim, append);

	reclaim->is_appending = false;
	if (result == STORE_ERROR) {
		put_off(reclaim);
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

	if (job->result == -ENOMEM)
		put_off(reclaim);
	else if (job->result < 0)
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
	reclaim->next_span = reclaim->next_range = 0;
	reclaim->has_left_out = false;
	reclaim->is_at_it = true;
	if (helper_give(reclaim->log->helper, &job->job) < 0)
		put_off(reclaim);
}

static void timer_fired(struct loop_timer *timer)
{
	struct reclaim *reclaim = container_of(timer, struct reclaim, timer);
	struct segment *segment;

	if (reclaim->segment) {
		next_piece(reclaim);
		if (!reclaim->segment)
			disk_log_give_back(reclaim->log);
		return;
	}
	segment = reclaim_choose(reclaim);
	if (segment)
		begin(reclaim, segment);
	else
		reclaim->is_forced = reclaim->is_at_it = false;
}

void reclaim_init(struct reclaim *reclaim, struct disk_log *log)
{
	*reclaim = (struct reclaim){.log = log};
	loop_timer_init(&reclaim->timer, timer_fired);
}

void reclaim_look(struct reclaim *reclaim)
{
	if (reclaim->segment || reclaim->is_stopped || loop_timer_is_armed(&reclaim->timer) ||
	    !reclaim_is_worth_it(reclaim))
		return;
	uint64_t now = loop_now_ms(), delay = reclaim->is_forced || reclaim->is_at_it ? 0 : LOOK_MS;
	if (now + delay < reclaim->not_before_ms)
		delay = reclaim->not_before_ms - now;
	loop_timer_start_ms(&reclaim->timer, delay);
}

void reclaim_all(struct reclaim *reclaim)
{
	reclaim->is_forced = true;
	reclaim->not_before_ms = 0;
	if (!reclaim->segment)
		loop_timer_stop(&reclaim->timer);
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
