/* SPDX-License-Identifier: MIT */
/* The segment that is written to: when it is synced, when another takes its place, and where those
 * go that are not needed any more. On the writer's thread. */
#include "store/log/writer_state.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/thread.h"

#define LAZY_SYNC_MS	200u  /* what nobody waits for is synced after so long */
#define RETIRE_AGAIN_MS 1000u /* after one failed */

void writer_report(struct writer *w, uint64_t offset, uint64_t size, const char *what, int error)
{
	char *path = w->current ? segment_path(&w->folder, w->current->serial)
				: mem_strdup(w->folder.path);
	char *reason = mem_printf("%s: %s", what, strerror(-error));
	const struct store_report r = {
		.is_error = true, .path = path, .offset = offset, .size = size, .reason = reason};

	if (w->options.report)
		w->options.report(w->options.report_context, &r);
	mem_free(reason);
	mem_free(path);
}

/* ---- Syncing ---- */

/* When what is dirty must be synced though nobody waits. UINT64_MAX: not at all. */
uint64_t writer_sync_due_ms(const struct writer *w)
{
	if (!writer_is_dirty(w) || w->is_lost || w->options.sync == STORE_SYNC_NEVER)
		return UINT64_MAX;
	return w->dirty_since_ms + (w->options.sync == STORE_SYNC_INTERVAL
					    ? w->options.sync_interval_ms
					    : LAZY_SYNC_MS);
}

static void make_barriers_unsure(struct store_append *append)
{
	for (; append; append = append->next)
		if (append->n_records == 0)
			append->result = STORE_UNKNOWN;
}

/*
 * What was written and not synced is lost, perhaps. Barriers are behind what they are for: those
 * that wait already speak of it, and so may the next one that comes.
 */
static void note_lost(struct writer *w)
{
	w->is_unsure = true;
	make_barriers_unsure(w->waiting.first);
	thread_lock(&w->lock);
	make_barriers_unsure(w->incoming.first);
	thread_unlock(&w->lock);
}

int writer_sync_current(struct writer *w)
{
	int r;

	if (!writer_is_dirty(w) || w->is_lost)
		return 0;
	r = disk_sync(w->current->fd);
	(void)atomic_fetch_add_explicit(&w->n_syncs, 1, memory_order_relaxed);
	if (r == 0) {
		w->synced = w->current->end;
		return 0;
	}
	writer_report(w, w->synced, w->current->end - w->synced, "the log cannot be synced", r);
	w->is_distrusted = w->is_lost = true;
	note_lost(w);
	w->failure = r;
	return r;
}

/* At the end: segments that were closed without. */
void writer_sync_left(struct writer *w)
{
	for (uint64_t serial = w->unsynced_from; serial > 0 && serial < w->current->serial;
	     serial++) {
		int r = segment_sync(&w->folder, serial);

		if (r < 0 && r != -ENOENT) { /* that one is not needed any more */
			writer_report(w, 0, 0, "an earlier segment cannot be synced", r);
			w->failure = r;
		}
	}
	w->unsynced_from = 0;
}

/* ---- Segments ---- */

static void publish_opened(struct writer *w, struct segment *segment)
{
	thread_lock(&w->lock);
	chain_add(&w->opened, segment);
	thread_unlock(&w->lock);
}

void writer_note_disk_bytes(struct writer *w)
{
	atomic_store_explicit(&w->disk_bytes, w->folder.disk_bytes, memory_order_relaxed);
}

/*
 * The last record says that all before it was synced: so, should some of it be damaged later, it is
 * known for that and not for what a crash has cut off. Nothing is lost where there is no such
 * record.
 */
int writer_note_end(struct writer *w)
{
	if (!w->current || w->is_distrusted || writer_is_dirty(w) ||
	    w->current->end == w->noted_end)
		return 0;
	group_begin(&w->group, w->current, w->synced);
	int r = group_add_end(&w->group);

	if (r == 0)
		r = group_write(&w->group);
	w->noted_end = w->current->end;
	return r;
}

/* The current segment is closed once there is another, so that it can be used if there is none. */
int writer_roll(struct writer *w, uint64_t room, bool for_settles)
{
	struct segment *next;
	int r;

	if (w->options.sync != STORE_SYNC_NEVER)
		(void)writer_sync_current(w); /* reported; who waits for it has been told */
	else if (writer_is_dirty(w) && w->unsynced_from == 0)
		w->unsynced_from = w->current->serial;
	if (w->current)
		w->before = (struct record_open){w->current->serial, w->current->end, w->synced};
	r = segment_create(&w->folder, room, for_settles, &w->before, &next);
	writer_note_disk_bytes(w);
	if (r < 0) {
		w->is_distrusted |= w->folder.has_one_in_vain;
		return r;
	}
	if (w->current) {
		(void)!writer_note_end(w); /* see there */
		segment_close(w->current);
	}
	w->current = next;
	if (w->has_tail)
		segment_keep_with(next, w->before.serial);
	w->is_distrusted = w->is_lost = w->has_tail = false;
	w->synced = w->noted_end = 0;
	w->dirty_since_ms = clock_monotonic_ms();
	publish_opened(w, next);
	return 0;
}

/*
 * As a failed one may have gone half way, those behind it wait, too. Each takes a sync, so appends
 * come between them.
 */
void writer_retire_some(struct writer *w)
{
	struct segment *segment;
	bool waits = false;
	int r = 0;

	if (!w->retiring.first || clock_monotonic_ms() < w->retire_not_before_ms)
		return;
	while (!waits && (segment = w->retiring.first)) {
		struct segment *following = segment->next;

		r = segment_retire(&w->folder, segment);
		if (r < 0)
			break;
		w->retiring.first = following;
		thread_lock(&w->lock);
		chain_add(&w->retired, segment);
		waits = w->incoming.first || w->waiting.first;
		thread_unlock(&w->lock);
	}
	writer_note_disk_bytes(w);
	if (r < 0) {
		writer_report(w, 0, 0, "a segment that is not needed any more cannot be put aside",
			      r);
		w->retire_not_before_ms = clock_monotonic_ms() + RETIRE_AGAIN_MS;
	}
}
