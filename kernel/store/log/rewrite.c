/* SPDX-License-Identifier: MIT */
#include "store/log/rewrite.h"

#include <errno.h>
#include <stdbool.h>

#include "base/bug.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/log/group.h"
#include "store/log/record.h"
#include "store/log/scan.h"

#define WRITE_SIZE (UINT64_C(1) << 20)

/* One of the new logs. */
struct target {
	struct segment_folder *folder;
	struct segment *segment; /* NULL: none yet */
	struct record_open before;
	struct group group;
	struct store_record *records; /* of the message under way: its body, then its queues */
	size_t n_records, capacity;
};

struct rewrite {
	unsigned n;
	struct scan scan;
	struct target targets[];
};

struct rewrite *rewrite_create(struct segment_folder *folders, unsigned n_logs)
{
	struct rewrite *rewrite = mem_zalloc(sizeof(*rewrite) + n_logs * sizeof(struct target));

	rewrite->n = n_logs;
	scan_init(&rewrite->scan);
	for (unsigned i = 0; i < n_logs; i++) {
		rewrite->targets[i].folder = &folders[i];
		group_init(&rewrite->targets[i].group);
	}
	return rewrite;
}

void rewrite_destroy(struct rewrite *rewrite)
{
	for (unsigned i = 0; i < rewrite->n; i++) {
		group_fini(&rewrite->targets[i].group);
		segment_free(rewrite->targets[i].segment);
		mem_free(rewrite->targets[i].records);
	}
	scan_fini(&rewrite->scan);
	mem_free(rewrite);
}

/* ---- Writing ---- */

static int flush(struct target *target)
{
	int r;

	if (!target->segment)
		return 0;
	r = group_write(&target->group);
	group_begin(&target->group, target->segment, 0);
	return r;
}

static int close_segment(struct target *target)
{
	int r = flush(target);

	if (!target->segment)
		return r;
	if (r == 0)
		r = disk_sync(target->segment->fd);
	target->before = (struct record_open){target->segment->serial, target->segment->end,
					      target->segment->end};
	segment_free(target->segment);
	target->segment = NULL;
	return r;
}

static int make_room(struct target *target, uint64_t size)
{
	int r;

	if (target->segment &&
	    size <= target->segment->size - target->segment->end - target->group.size)
		return 0;
	r = close_segment(target);
	if (r == 0)
		r = segment_create(target->folder, size, true, &target->before, &target->segment);
	if (r == 0)
		group_begin(&target->group, target->segment, 0);
	return r;
}

static void no_result(struct store_append *append, enum store_result result)
{
	(void)append, (void)result;
}

/* Large bodies stay where they are until they are written, which must be now. */
static int write_message(struct target *target)
{
	struct store_append append = {
		.records = target->records, .n_records = target->n_records, .done = no_result};
	bool is_large = target->records[0].body.bytes.size > GROUP_COPY_MAX;
	int r = make_room(target, group_append_size(&append));

	if (r == 0)
		r = group_add(&target->group, &append);
	if (r == 0 && (is_large || target->group.size >= WRITE_SIZE))
		r = flush(target);
	target->n_records = 0;
	return r;
}

/* ---- Reading ---- */

static void add_record(struct target *target, const struct store_record *record)
{
	if (target->n_records == target->capacity) {
		target->capacity = target->capacity ? target->capacity * 2 : 8;
		target->records =
			mem_realloc(target->records, target->capacity * sizeof(*target->records));
	}
	target->records[target->n_records++] = *record;
}

static void add_target(struct rewrite *rewrite, const struct record_message *message,
		       const struct record_target *from, unsigned deliveries)
{
	struct target *target = &rewrite->targets[from->queue_id % rewrite->n];

	if (target->n_records == 0)
		add_record(target, &(struct store_record){.type = STORE_PUBLISH,
							  .body = {.bytes = message->body}});
	add_record(target, &(struct store_record){.type = STORE_ENQUEUE,
						  .publish = 0,
						  .queue_id = from->queue_id,
						  .seq_first = from->seq,
						  .seq_last = from->seq,
						  .expires_ms = from->expires_ms,
						  .deliveries = deliveries});
}

static int rewrite_message(struct rewrite *rewrite, struct ledger *ledger,
			   const struct record *record, uint64_t place)
{
	struct record_message message;
	int r = 0;

	if (record->type != RECORD_MESSAGE || (record->flags & RECORD_TRANSIENT) ||
	    record_get_message(record, &message) < 0)
		return 0;
	for (uint32_t i = 0; i < message.n_targets; i++) {
		struct record_target target = record_get_target(&message, i);
		struct index_entry entry;

		if (index_find(&ledger->index, target.queue_id, target.seq, &entry) &&
		    entry.place == place)
			add_target(rewrite, &message, &target, entry.deliveries);
	}
	for (unsigned i = 0; i < rewrite->n && r == 0; i++)
		if (rewrite->targets[i].n_records > 0)
			r = write_message(&rewrite->targets[i]);
	return r;
}

static int rewrite_segment(struct rewrite *rewrite, const struct segment_folder *from,
			   struct ledger *ledger, const struct segment *segment)
{
	struct scan *scan = &rewrite->scan;
	int r = scan_segment(scan, from, segment->serial, segment->end);

	for (size_t i = 0; r == 0 && i < scan->n_spans; i++) {
		const struct scan_span *span = &scan->spans[i];

		if (span->is_damaged)
			continue;
		struct record record = scan_record(scan, span);
		r = rewrite_message(rewrite, ledger, &record, ledger_place(segment, span->offset));
	}
	return r;
}

int rewrite_log(struct rewrite *rewrite, const struct segment_folder *from, struct ledger *ledger)
{
	int r = 0;

	for (size_t i = 0; i < ledger->n_segments && r == 0; i++)
		if (ledger->segments[i] && ledger->segments[i]->n_live > 0)
			r = rewrite_segment(rewrite, from, ledger, ledger->segments[i]);
	return r;
}

int rewrite_finish(struct rewrite *rewrite)
{
	int r = 0;

	for (unsigned i = 0; i < rewrite->n && r == 0; i++) {
		r = close_segment(&rewrite->targets[i]);
		if (r == 0)
			r = disk_sync_dir(rewrite->targets[i].folder->path);
	}
	return r;
}
