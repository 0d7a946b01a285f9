/* SPDX-License-Identifier: MIT */
#include "store/log/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/log/record.h"

#define WINDOW_SIZE ((size_t)256 * 1024)
#define RECORD_ROOM ((size_t)4096) /* read for a record whose size is not known */
#define ARENA_SIZE  ((size_t)256 * 1024)

/* Where the bodies are put; they stay together until the read has ended. */
struct arena {
	struct arena *before;
	size_t used, size;
	uint8_t bytes[];
};

struct item {
	struct segment *segment; /* the loop's, pinned; NULL: the message is not there */
	uint64_t serial, seed, offset;
	struct slice body;
	int result;
};

struct fetch {
	struct helper_job job; /* first */
	struct fetch_options options;
	struct store_read *read;
	struct arena *arena;

	/* the helper's */
	int fd; /* of `serial`, -1: none */
	uint64_t serial;
	uint8_t *window;
	uint64_t window_at;
	size_t window_size;

	size_t n_items;
	struct item items[];
};

/* ---- On the helper's thread ---- */

static uint8_t *arena_get(struct fetch *fetch, size_t size)
{
	struct arena *arena = fetch->arena;

	if (!arena || size > arena->size - arena->used) {
		size_t wanted = size > ARENA_SIZE / 4 ? size : ARENA_SIZE;

		arena = mem_try_alloc(sizeof(*arena) + wanted);
		if (!arena)
			return NULL;
		account_add(ACCOUNT_LOG, (ptrdiff_t)wanted);
		*arena = (struct arena){.before = fetch->arena, .size = wanted};
		fetch->arena = arena;
	}
	arena->used += size;
	return arena->bytes + arena->used - size;
}

static int open_segment(struct fetch *fetch, uint64_t serial)
{
	char *path;
	int r;

	if (fetch->fd >= 0 && fetch->serial == serial)
		return 0;
	if (fetch->fd >= 0)
		(void)disk_close(fetch->fd);
	fetch->fd = -1;
	fetch->window_size = 0;
	path = segment_path(fetch->options.folder, serial);
	r = disk_open(path, O_RDONLY, &fetch->fd);
	if (r < 0)
		fetch->fd = -1;
	fetch->serial = serial;
	mem_free(path);
	return r;
}

/* So much that the items that follow closely are in it, too. */
static size_t window_wanted(const struct fetch *fetch, size_t i)
{
	const struct item *first = &fetch->items[i];
	uint64_t end = first->offset;

	for (; i < fetch->n_items; i++) {
		const struct item *item = &fetch->items[i];

		if (item->serial != first->serial || item->offset < end ||
		    item->offset - first->offset > WINDOW_SIZE - RECORD_ROOM)
			break;
		end = item->offset;
	}
	return (size_t)(end - first->offset) + RECORD_ROOM;
}

static bool is_in_window(const struct fetch *fetch, uint64_t offset, size_t size)
{
	return offset >= fetch->window_at && offset - fetch->window_at <= fetch->window_size &&
	       size <= fetch->window_size - (offset - fetch->window_at);
}

static int fill_window(struct fetch *fetch, uint64_t offset, size_t size)
{
	fetch->window_size = 0;
	fetch->window_at = offset;
	return disk_read(fetch->fd, fetch->window, size, offset, &fetch->window_size);
}

static int take_body(struct fetch *fetch, struct item *item, const struct record *record)
{
	struct record_message message;
	uint8_t *copy;

	if (record->type != RECORD_MESSAGE || record_get_message(record, &message) < 0)
		return -EBADMSG;
	copy = arena_get(fetch, message.body.size);
	if (!copy)
		return -ENOMEM;
	if (message.body.size > 0)
		memcpy(copy, message.body.data, message.body.size);
	item->body = slice_make(copy, message.body.size);
	return 0;
}

/* A record that is larger than the window, with memory of its own, which its body stays in. */
static int read_large(struct fetch *fetch, struct item *item, uint32_t size)
{
	struct record_message message;
	struct record record;
	uint8_t *bytes = arena_get(fetch, size);
	size_t n = 0;
	int r;

	if (!bytes)
		return -ENOMEM;
	r = disk_read(fetch->fd, bytes, size, item->offset, &n);
	if (r < 0)
		return r;
	if (record_look(slice_make(bytes, n), item->seed, item->offset, &record, &size) !=
		    RECORD_VALID ||
	    record.type != RECORD_MESSAGE || record_get_message(&record, &message) < 0)
		return -EBADMSG;
	item->body = message.body;
	return 0;
}

static int read_item(struct fetch *fetch, size_t i)
{
	struct item *item = &fetch->items[i];
	struct record record;
	uint32_t size = 0;
	int r = open_segment(fetch, item->serial);

	for (unsigned turn = 0; r == 0 && turn < 2; turn++) {
		uint64_t at = item->offset - fetch->window_at;

		if (turn > 0 || !is_in_window(fetch, item->offset, RECORD_HEAD_SIZE)) {
			size_t wanted = window_wanted(fetch, i);

			r = fill_window(fetch, item->offset, size > wanted ? size : wanted);
			at = 0;
		}
		if (r < 0 || fetch->window_size < at)
			break;
		switch (record_look(slice_make(fetch->window + at, fetch->window_size - at),
				    item->seed, item->offset, &record, &size)) {
		case RECORD_VALID:
			return take_body(fetch, item, &record);
		case RECORD_SHORT:
			if (size > WINDOW_SIZE)
				return read_large(fetch, item, size);
			break;
		case RECORD_NONE:
		case RECORD_DAMAGED:
			return -EBADMSG;
		}
	}
	return r < 0 ? r : -EBADMSG;
}

static void report(const struct fetch *fetch, const struct item *item)
{
	char *path = segment_path(fetch->options.folder, item->serial);
	char *reason =
		mem_printf("a message cannot be read: %s",
			   item->result == -EBADMSG ? "it is damaged" : strerror(-item->result));
	const struct store_report r = {
		.is_error = true, .path = path, .offset = item->offset, .reason = reason};

	if (fetch->options.report)
		fetch->options.report(fetch->options.context, &r);
	mem_free(reason);
	mem_free(path);
}

static void run(struct helper_job *job)
{
	struct fetch *fetch = container_of(job, struct fetch, job);

	fetch->window = mem_try_alloc(WINDOW_SIZE);
	for (size_t i = 0; i < fetch->n_items; i++) {
		struct item *item = &fetch->items[i];

		if (!item->segment)
			continue;
		item->result = fetch->window ? read_item(fetch, i) : -ENOMEM;
		if (item->result < 0 && item->result != -ENOMEM)
			report(fetch, item);
	}
	if (fetch->fd >= 0)
		(void)disk_close(fetch->fd);
	mem_free(fetch->window);
}

/* ---- On the loop ---- */

static void unpin(struct fetch *fetch)
{
	for (size_t i = 0; i < fetch->n_items; i++) {
		struct segment *segment = fetch->items[i].segment;

		if (segment && --segment->n_pins == 0 && segment->n_live == 0)
			fetch->options.ledger->may_retire = true;
	}
}

static void free_fetch(struct fetch *fetch)
{
	while (fetch->arena) {
		struct arena *arena = fetch->arena;

		fetch->arena = arena->before;
		account_add(ACCOUNT_LOG, -(ptrdiff_t)arena->size);
		mem_free(arena);
	}
	mem_free(fetch);
}

static void done(struct helper_job *job)
{
	struct fetch *fetch = container_of(job, struct fetch, job);
	struct store_read *read = fetch->read;

	unpin(fetch);
	for (size_t i = 0; i < fetch->n_items; i++) {
		const struct item *item = &fetch->items[i];
		bool is_there = item->segment && item->result == 0;

		read->body(read, i, is_there ? STORE_DURABLE : STORE_ERROR,
			   is_there ? item->body : SLICE_EMPTY);
	}
	read->done(read);
	free_fetch(fetch);
}

static void look_up(struct fetch *fetch, size_t i)
{
	struct ledger *ledger = fetch->options.ledger;
	struct item *item = &fetch->items[i];
	struct index_entry entry;

	if (!index_find(&ledger->index, fetch->read->queue_id, fetch->read->seqs[i], &entry))
		return;
	item->segment = ledger_segment_at(ledger, entry.place);
	item->segment->n_pins++;
	item->serial = item->segment->serial;
	item->seed = item->segment->seed;
	item->offset = index_place_offset(entry.place);
}

int fetch_begin(struct helper *helper, const struct fetch_options *options, struct store_read *read)
{
	struct fetch *fetch = mem_try_zalloc(sizeof(*fetch) + read->n_seqs * sizeof(struct item));
	int r;

	if (!fetch)
		return -ENOMEM;
	fetch->job = (struct helper_job){.run = run, .done = done};
	fetch->options = *options;
	fetch->read = read;
	fetch->fd = -1;
	fetch->n_items = read->n_seqs;
	for (size_t i = 0; i < fetch->n_items; i++)
		look_up(fetch, i);
	r = helper_give(helper, &fetch->job);
	if (r < 0) {
		unpin(fetch);
		free_fetch(fetch);
	}
	return r;
}
