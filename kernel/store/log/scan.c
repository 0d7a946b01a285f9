/* SPDX-License-Identifier: MIT */
#include "store/log/scan.h"

#include <errno.h>
#include <fcntl.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"
#include "store/disk.h"

#define READ_SIZE ((size_t)4 << 20)

void scan_init(struct scan *scan)
{
	*scan = (struct scan){.bytes = NULL};
}

void scan_fini(struct scan *scan)
{
	account_add(ACCOUNT_LOG, -(ptrdiff_t)scan->capacity);
	mem_free(scan->bytes);
	mem_free(scan->spans);
	scan_init(scan);
}

/* ---- Reading ---- */

static int read_all(struct scan *scan, int fd, uint64_t size)
{
	size_t n = 0, got = 1;
	int r = 0;

	if (size > scan->capacity) {
		account_add(ACCOUNT_LOG, -(ptrdiff_t)scan->capacity);
		mem_free(scan->bytes);
		scan->bytes = mem_try_alloc(size);
		scan->capacity = scan->bytes ? size : 0;
		account_add(ACCOUNT_LOG, (ptrdiff_t)scan->capacity);
		if (!scan->bytes)
			return -ENOMEM;
	}
	while (r == 0 && n < size && got > 0) {
		size_t wanted = size - n < READ_SIZE ? (size_t)(size - n) : READ_SIZE;

		r = disk_read(fd, scan->bytes + n, wanted, n, &got);
		n += got;
	}
	scan->file_size = n;
	return r;
}

static int read_file(struct scan *scan, const struct segment_folder *folder, uint64_t serial,
		     uint64_t known_end)
{
	char *path = segment_path(folder, serial);
	uint64_t size;
	int fd;
	int r = disk_open(path, O_RDONLY, &fd);

	mem_free(path);
	if (r < 0)
		return r;
	r = disk_size(fd, &size);
	if (r == 0)
		r = read_all(scan, fd, known_end < size ? known_end : size);
	(void)disk_close(fd);
	if (r == 0)
		scan->file_size = size;
	return r;
}

/* ---- Spans ---- */

static int add_span(struct scan *scan, uint64_t offset, uint64_t size, bool is_damaged)
{
	if (scan->n_spans == scan->spans_capacity) {
		size_t wanted = scan->spans_capacity ? scan->spans_capacity * 2 : 1024;
		struct scan_span *grown = mem_try_realloc(scan->spans, wanted * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		scan->spans = grown;
		scan->spans_capacity = wanted;
	}
	scan->spans[scan->n_spans++] =
		(struct scan_span){.offset = offset, .size = size, .is_damaged = is_damaged};
	return 0;
}

struct look {
	struct scan *scan;
	uint64_t seed, limit;
	uint64_t searched, found; /* the last search: from there, and what it gave */
};

static enum record_state look_at(const struct look *look, uint64_t offset, struct record *ret,
				 uint32_t *ret_size)
{
	return record_look(slice_make(look->scan->bytes + offset, look->limit - offset), look->seed,
			   offset, ret, ret_size);
}

/*
 * Where the next record is that can be read; the limit if there is none. Of many damaged records in
 * a row each asks for the same.
 */
static uint64_t search(struct look *look, uint64_t offset)
{
	struct record record;
	uint32_t size;

	if (offset >= look->searched && offset <= look->found)
		return look->found;
	look->searched = offset;
	look->found = look->limit;
	for (; offset + RECORD_HEAD_SIZE <= look->limit; offset += RECORD_ALIGN)
		if (look_at(look, offset, &record, &size) == RECORD_VALID) {
			look->found = offset;
			break;
		}
	return look->found;
}

static void note_synced(struct scan *scan, const struct record *record)
{
	uint64_t size, synced;

	if (record->type == RECORD_BATCH && record_get_pair(record, &size, &synced) == 0 &&
	    synced > scan->synced)
		scan->synced = synced;
}

static int walk(struct look *look, bool is_end_known)
{
	struct scan *scan = look->scan;
	uint64_t at = SEGMENT_HEADER_SIZE;
	int r = 0;

	while (r == 0 && at < look->limit) {
		struct record record;
		uint32_t size = 0;
		enum record_state state = look_at(look, at, &record, &size);
		uint64_t next = state == RECORD_VALID || state == RECORD_DAMAGED
					? at + record_padded(size)
					: search(look, at + RECORD_ALIGN);

		if (state == RECORD_VALID) {
			note_synced(scan, &record);
			r = add_span(scan, at, record_padded(size), false);
		} else if (!is_end_known && search(look, next) == look->limit) {
			scan->torn = size;
			break;
		} else {
			if (next > look->limit)
				next = look->limit;
			r = add_span(scan, at, next - at, true);
		}
		at = next;
	}
	scan->end = at < look->limit ? at : look->limit;
	return r;
}

int scan_segment(struct scan *scan, const struct segment_folder *folder, uint64_t serial,
		 uint64_t known_end)
{
	struct look look = {.scan = scan, .seed = segment_seed(folder, serial)};
	int r = read_file(scan, folder, serial, known_end);

	scan->n_spans = 0;
	scan->synced = scan->torn = 0;
	scan->end = SEGMENT_HEADER_SIZE;
	scan->header = SEGMENT_HEADER_NONE;
	if (r < 0)
		return r;
	look.limit = known_end < scan->file_size ? known_end : scan->file_size;
	if (look.limit < SEGMENT_HEADER_SIZE)
		return 0;
	scan->header = segment_read_header(folder, serial, scan->bytes);
	return walk(&look, known_end != SCAN_END_UNKNOWN);
}

struct record scan_record(const struct scan *scan, const struct scan_span *span)
{
	const uint8_t *head = scan->bytes + span->offset;
	uint32_t size = get_le32(head + 4);

	bug_on(span->is_damaged || size > span->size);
	return (struct record){
		.type = head[12],
		.flags = head[13],
		.payload = slice_make(head + RECORD_HEAD_SIZE, size - RECORD_HEAD_SIZE),
	};
}

/* A record that has that size; false when it cannot be read. */
static bool read_record(const struct segment_folder *folder, uint64_t serial, uint64_t offset,
			uint8_t *bytes, size_t size, struct record *ret)
{
	char *path = segment_path(folder, serial);
	uint32_t record_size;
	size_t n = 0;
	int fd;
	int r = disk_open(path, O_RDONLY, &fd);

	mem_free(path);
	if (r < 0)
		return false;
	r = disk_read(fd, bytes, size, offset, &n);
	(void)disk_close(fd);
	return r == 0 && n == size &&
	       record_look(slice_make(bytes, n), segment_seed(folder, serial), offset, ret,
			   &record_size) == RECORD_VALID;
}

bool scan_read_open(const struct segment_folder *folder, uint64_t serial, struct record_open *ret)
{
	uint8_t bytes[RECORD_OPEN_SIZE];
	struct record record;

	return read_record(folder, serial, SEGMENT_HEADER_SIZE, bytes, sizeof(bytes), &record) &&
	       record_get_open(&record, ret) == 0 && ret->serial > 0;
}

bool scan_has_refused(const struct segment_folder *folder, uint64_t serial, uint64_t end)
{
	uint8_t bytes[RECORD_BATCH_SIZE];
	struct record record;
	uint64_t size, synced;

	return read_record(folder, serial, end, bytes, sizeof(bytes), &record) &&
	       record.type == RECORD_BATCH && record_get_pair(&record, &size, &synced) == 0 &&
	       size > 0;
}
