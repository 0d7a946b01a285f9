/* SPDX-License-Identifier: MIT */
#include "store/log/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/bug.h"
#include "base/chain.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/log/writer_state.h"
#include "store/thread.h"

/*
 * The happy path: wait; take what has come; encode up to GROUP_MAX bytes of it; one pwritev, one
 * fdatasync if anybody waits for that; hand back; again. The next group begins when the last sync
 * has ended, so a slow disk makes large groups.
 *
 * Failures. A write that failed may have left anything behind the segment's end, and after a failed
 * sync the system may have forgotten what it held: so neither segment is written to any more, and
 * the next one says where its records end. Publishes of a write that failed are refused
 * (STORE_ERROR), those of a sync that failed are uncertain (STORE_UNKNOWN). Ranges alone are tried
 * once more, in the next segment, as they are what makes room. When there is no room for a segment,
 * ranges may use the last spare; publishes are refused until there is one again.
 */

#define GROUP_MAX (UINT64_C(2) << 20)

/* ---- A group ---- */

static bool has_bodies(const struct store_append *append)
{
	for (size_t i = 0; i < append->n_records; i++)
		if (append->records[i].type == STORE_PUBLISH)
			return true;
	return false;
}

/* Nothing of it is written any more; it keeps its place among those that are. */
static bool is_through(const struct store_append *append)
{
	return append->n_records == 0 || append->result == STORE_ERROR;
}

static uint64_t size_of(const struct store_append *append)
{
	return is_through(append) ? 0 : group_append_size(append);
}

/* What makes room: ranges, and what is moved so that its segment may go. */
static bool is_preferred(const struct store_append *append)
{
	return append->is_own || !has_bodies(append);
}

/* A spare is kept before anything else gets room. */
static bool may_write(const struct writer *w, const struct store_append *append)
{
	return is_through(append) || w->folder.n_spares > 0 || is_preferred(append);
}

static bool fits(const struct writer *w, uint64_t before, uint64_t size)
{
	return w->current && !w->is_distrusted &&
	       size + RECORD_BATCH_SIZE <= w->current->size - w->current->end - before;
}

static int make_room(struct writer *w, const struct store_append *append)
{
	uint64_t size = size_of(append);
	int r = 0;

	if (size == UINT64_MAX)
		return -EMSGSIZE;
	if (!fits(w, 0, size))
		r = writer_roll(w, size + RECORD_BATCH_SIZE, is_preferred(append));
	if (r == 0 && !may_write(w, append)) {
		r = segment_keep_spare(&w->folder);
		writer_note_disk_bytes(w);
	}
	return r;
}

/* Told once, however many are refused for it. */
static void find_room(struct writer *w, struct store_append *append)
{
	int r = is_through(append) ? 0 : make_room(w, append);

	if (r < 0 && !has_bodies(append) && append->n_tries++ == 0)
		r = make_room(w, append);
	if (r < 0 && r != w->no_room)
		writer_report(w, 0, size_of(append), "there is no room for the log", r);
	if (r < 0)
		append->result = STORE_ERROR;
	if (r < 0 || !is_preferred(append))
		w->no_room = r;
}

static bool must_sync(const struct writer *w, const struct store_append *append)
{
	if (append->result == STORE_ERROR)
		return false;
	return append->is_own ? w->options.sync != STORE_SYNC_NEVER
			      : w->options.sync == STORE_SYNC_ALWAYS && !append->is_lazy;
}

/* Encodes as many as fit. Those that fail are among `batch`, too, so that the order stays. */
static bool encode(struct writer *w, struct appends *batch)
{
	struct store_append *append;
	bool syncs = false;

	group_begin(&w->group, w->current, w->synced);
	while ((append = w->waiting.first) && w->group.size < GROUP_MAX && may_write(w, append) &&
	       fits(w, w->group.size, size_of(append))) {
		chain_drop_first(&w->waiting);
		if (!is_through(append) && group_add(&w->group, append) < 0)
			append->result = STORE_ERROR;
		syncs |= must_sync(w, append);
		chain_add(batch, append);
	}
	return syncs;
}

/* Once more; but not what has bodies, and what was tried twice. */
static void try_again(struct writer *w, struct appends *batch)
{
	for (struct store_append *append = batch->first; append; append = append->next)
		if (append->n_tries++ > 0 || has_bodies(append))
			append->result = STORE_ERROR;
	chain_move(batch, &w->waiting);
	chain_move(&w->waiting, batch);
}

static void forget_places(struct appends *batch)
{
	for (struct store_append *append = batch->first; append; append = append->next)
		for (size_t i = 0; i < append->n_records; i++)
			append->records[i].place = 0;
}

/* What waited for the sync, and barriers, which speak of what was synced by others, too. */
static void note_unsure(struct writer *w, struct appends *batch, bool has_failed)
{
	for (struct store_append *append = batch->first; append; append = append->next) {
		bool is_barrier = append->n_records == 0 && w->is_unsure;

		if ((has_failed && must_sync(w, append)) || is_barrier)
			append->result = STORE_UNKNOWN;
		if (is_barrier)
			w->is_unsure = false;
	}
}

static void hand_back(struct writer *w, struct appends *batch)
{
	thread_lock(&w->lock);
	chain_move(&w->done, batch);
	thread_unlock(&w->lock);
}

/* A barrier, or what is refused: there may be no segment for it, and it needs none. */
static void answer_first(struct writer *w)
{
	struct appends batch = {NULL, NULL};
	struct store_append *first = w->waiting.first;

	bug_on(!first);
	chain_drop_first(&w->waiting);
	chain_add(&batch, first);
	forget_places(&batch);
	note_unsure(w, &batch, must_sync(w, first) && writer_sync_current(w) < 0);
	hand_back(w, &batch);
}

static void write_group(struct writer *w)
{
	struct appends batch = {NULL, NULL};

	find_room(w, w->waiting.first);
	if (!fits(w, 0, size_of(w->waiting.first))) {
		answer_first(w);
		return;
	}
	bool was_dirty = writer_is_dirty(w);
	bool syncs = encode(w, &batch);
	int r = group_write(&w->group);

	if (r < 0) {
		writer_report(w, w->group.begin, w->group.size, "the log cannot be written", r);
		forget_places(&batch);
		try_again(w, &batch);
		if (w->options.sync != STORE_SYNC_NEVER)
			(void)writer_sync_current(w); /* what was written before; reported */
		w->is_distrusted = true;
		w->has_tail |= segment_cut(&w->folder, w->current) < 0;
		writer_note_disk_bytes(w);
		return;
	}
	if (!was_dirty)
		w->dirty_since_ms = clock_monotonic_ms();
	note_unsure(w, &batch, syncs && writer_sync_current(w) < 0);
	hand_back(w, &batch);
}

/* ---- The thread ---- */

static void wait_until(struct writer *w, uint64_t due_ms)
{
	struct timespec due = {.tv_sec = (time_t)(due_ms / 1000),
			       .tv_nsec = (long)(due_ms % 1000) * 1000000};

	if (due_ms == UINT64_MAX)
		bug_on(pthread_cond_wait(&w->wake, &w->lock) != 0);
	else
		(void)pthread_cond_timedwait(&w->wake, &w->lock, &due); /* the caller looks */
}

static uint64_t due_ms(const struct writer *w)
{
	uint64_t due = writer_sync_due_ms(w);

	if (w->retiring.first && w->retire_not_before_ms < due)
		due = w->retire_not_before_ms;
	return due;
}

/* Takes over what has come; false when there is no more to come. */
static bool take(struct writer *w)
{
	bool goes_on;

	thread_lock(&w->lock);
	while (!w->incoming.first && !w->to_retire.first && !w->waiting.first && !w->is_stopping &&
	       clock_monotonic_ms() < due_ms(w))
		wait_until(w, due_ms(w));
	chain_move(&w->waiting, &w->incoming);
	chain_move(&w->retiring, &w->to_retire);
	goes_on = !w->is_stopping || w->waiting.first;
	thread_unlock(&w->lock);
	return goes_on;
}

static void tell(struct writer *w)
{
	bool tells;

	thread_lock(&w->lock);
	tells = (w->done.first || w->opened.first || w->retired.first) && !w->has_told;
	w->has_told |= tells;
	thread_unlock(&w->lock);
	if (tells)
		w->options.told(w->options.context);
}

static void *run(void *argument)
{
	struct writer *w = argument;

	while (take(w)) {
		if (w->waiting.first)
			write_group(w);
		if (clock_monotonic_ms() >= writer_sync_due_ms(w))
			(void)writer_sync_current(w); /* reported */
		tell(w);
		writer_retire_some(w);
		tell(w);
	}
	if (writer_sync_current(w) == 0) { /* reported, and w->failure says it */
		writer_sync_left(w);
		if (writer_note_end(w) == 0)
			(void)writer_sync_current(w); /* reported */
	}
	return NULL;
}

int writer_create(struct segment_folder *folder, const struct record_open *before,
		  const struct writer_options *options, struct writer **ret)
{
	struct writer *w = mem_zalloc(sizeof(*w));
	int r;

	w->options = *options;
	w->folder = *folder;
	w->before = *before;
	thread_init_lock(&w->lock, &w->wake);
	group_init(&w->group);
	atomic_init(&w->n_syncs, 0);
	atomic_init(&w->disk_bytes, folder->disk_bytes);
	r = thread_start(&w->thread, run, w);
	w->is_running = r == 0;
	if (r < 0) {
		w->folder = (struct segment_folder){.path = NULL};
		writer_destroy(w);
		return r;
	}
	*ret = w;
	return 0;
}

int writer_stop(struct writer *w)
{
	thread_lock(&w->lock);
	w->is_stopping = true;
	bug_on(pthread_cond_signal(&w->wake) != 0);
	thread_unlock(&w->lock);
	if (w->is_running)
		bug_on(pthread_join(w->thread, NULL) != 0);
	else
		(void)run(w); /* what has come since */
	w->is_running = false;
	return w->failure;
}

void writer_destroy(struct writer *w)
{
	if (!w)
		return;
	(void)writer_stop(w);
	bug_on(w->done.first || w->incoming.first);
	if (w->current)
		segment_close(w->current);
	group_fini(&w->group);
	segment_folder_fini(&w->folder);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

/* ---- The loop's side ---- */

void writer_append(struct writer *w, struct store_append *append)
{
	append->result = STORE_DURABLE;
	append->n_tries = 0;
	thread_lock(&w->lock);
	chain_add(&w->incoming, append);
	bug_on(pthread_cond_signal(&w->wake) != 0);
	thread_unlock(&w->lock);
}

void writer_retire(struct writer *w, struct segment *segment)
{
	thread_lock(&w->lock);
	chain_add(&w->to_retire, segment);
	bug_on(pthread_cond_signal(&w->wake) != 0);
	thread_unlock(&w->lock);
}

void writer_take_news(struct writer *w, struct writer_news *ret_news)
{
	*ret_news = (struct writer_news){.done.first = NULL};
	thread_lock(&w->lock);
	chain_move(&ret_news->opened, &w->opened);
	chain_move(&ret_news->done, &w->done);
	chain_move(&ret_news->retired, &w->retired);
	w->has_told = false;
	thread_unlock(&w->lock);
}

void writer_stats(const struct writer *w, struct writer_stats *ret_stats)
{
	ret_stats->syncs = atomic_load_explicit(&w->n_syncs, memory_order_relaxed);
	ret_stats->disk_bytes = atomic_load_explicit(&w->disk_bytes, memory_order_relaxed);
}

const struct segment_folder *writer_folder(const struct writer *w)
{
	return &w->folder;
}
