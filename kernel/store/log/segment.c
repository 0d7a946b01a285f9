/* SPDX-License-Identifier: MIT */
#include "store/log/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "store/disk.h"
#include "store/log/record.h"

/*
 * How a spare becomes a segment: it is renamed, the folder is synced, then header and records are
 * written, and the first sync of records makes all of it durable. A crash before leaves a file
 * whose header is another's, which recovery takes for one that was never used.
 *
 * How a segment becomes a spare: it is renamed, and the folder is synced before anything else that
 * depends on its being gone is thrown away.
 */

#define SPARES_MAX 4u

static const char magic[8] = {'S', 'H', 'U', 'N', 'T', 'L', 'O', 'G'};

enum {
	AT_MAGIC = 0,
	AT_VERSION = 8,
	AT_HEADER_SIZE = 12,
	AT_STORE_ID = 16,
	AT_SERIAL = 32,
	AT_GENERATION = 40,
	AT_LOG = 44,
	AT_SIZE = 48,
	AT_CHECK = 56,
};

/* ---- Names ---- */

char *segment_path(const struct segment_folder *folder, uint64_t serial)
{
	return mem_printf("%s/%016" PRIx64 ".log", folder->path, serial);
}

static char *spare_path(const struct segment_folder *folder, uint64_t number)
{
	return mem_printf("%s/spare-%" PRIu64 ".log", folder->path, number);
}

static bool read_serial(const char *name, uint64_t *ret_serial)
{
	char *end;

	if (strlen(name) != 20 || strspn(name, "0123456789abcdef") != 16 ||
	    strcmp(name + 16, ".log") != 0)
		return false;
	*ret_serial = strtoull(name, &end, 16);
	return *ret_serial > 0;
}

static bool read_spare(const char *name, uint64_t *ret_number)
{
	char *end;

	if (strncmp(name, "spare-", 6) != 0 || name[6] < '0' || name[6] > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(name + 6, &end, 10);
	return errno == 0 && strcmp(end, ".log") == 0;
}

/* ---- The header ---- */

uint64_t segment_seed(const struct segment_folder *folder, uint64_t serial)
{
	uint8_t bytes[SEGMENT_ID_SIZE + 16];

	memcpy(bytes, folder->store_id, SEGMENT_ID_SIZE);
	put_le64(bytes + SEGMENT_ID_SIZE, serial);
	put_le32(bytes + SEGMENT_ID_SIZE + 8, folder->generation);
	put_le32(bytes + SEGMENT_ID_SIZE + 12, folder->log);
	return XXH3_64bits(bytes, sizeof(bytes));
}

static void put_header(const struct segment_folder *folder, const struct segment *segment,
		       uint8_t bytes[SEGMENT_HEADER_SIZE])
{
	memcpy(bytes + AT_MAGIC, magic, sizeof(magic));
	put_le32(bytes + AT_VERSION, RECORD_VERSION);
	put_le32(bytes + AT_HEADER_SIZE, SEGMENT_HEADER_SIZE);
	memcpy(bytes + AT_STORE_ID, folder->store_id, SEGMENT_ID_SIZE);
	put_le64(bytes + AT_SERIAL, segment->serial);
	put_le32(bytes + AT_GENERATION, folder->generation);
	put_le32(bytes + AT_LOG, folder->log);
	put_le64(bytes + AT_SIZE, segment->size);
	put_le64(bytes + AT_CHECK, XXH3_64bits(bytes, AT_CHECK));
}

enum segment_header segment_read_header(const struct segment_folder *folder, uint64_t serial,
					const uint8_t bytes[SEGMENT_HEADER_SIZE])
{
	if (memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0)
		return SEGMENT_HEADER_NONE;
	if (get_le64(bytes + AT_CHECK) != XXH3_64bits(bytes, AT_CHECK))
		return SEGMENT_HEADER_NONE;
	if (get_le32(bytes + AT_VERSION) != RECORD_VERSION)
		return SEGMENT_HEADER_NEWER;
	if (memcmp(bytes + AT_STORE_ID, folder->store_id, SEGMENT_ID_SIZE) != 0 ||
	    get_le32(bytes + AT_GENERATION) != folder->generation ||
	    get_le32(bytes + AT_LOG) != folder->log)
		return SEGMENT_HEADER_FOREIGN;
	return get_le64(bytes + AT_SERIAL) == serial ? SEGMENT_HEADER_OURS : SEGMENT_HEADER_NONE;
}

/* ---- The folder ---- */

struct listing {
	struct segment_folder *folder;
	uint64_t *serials;
	size_t n, capacity;
};

static void add_spare(struct segment_folder *folder, uint64_t number)
{
	folder->spares =
		mem_realloc(folder->spares, (folder->n_spares + 1) * sizeof(*folder->spares));
	folder->spares[folder->n_spares++] = number;
	if (number > folder->last_spare)
		folder->last_spare = number;
}

static int list_file(void *context, const char *name)
{
	struct listing *listing = context;
	uint64_t number;

	if (read_spare(name, &number)) {
		add_spare(listing->folder, number);
	} else if (read_serial(name, &number)) {
		if (listing->n == listing->capacity) {
			listing->capacity = listing->capacity ? listing->capacity * 2 : 16;
			listing->serials =
				mem_realloc(listing->serials, listing->capacity * sizeof(uint64_t));
		}
		listing->serials[listing->n++] = number;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* Spares that are not of the size that is wanted now go when they are come across. */
static int drop_spare(struct segment_folder *folder, unsigned index)
{
	char *path = spare_path(folder, folder->spares[index]);
	int r = disk_unlink(path);

	mem_free(path);
	if (r == 0 || r == -ENOENT) {
		folder->spares[index] = folder->spares[--folder->n_spares];
		r = 0;
	}
	return r;
}

static bool is_usable_spare(const struct segment_folder *folder, uint64_t number)
{
	char *path = spare_path(folder, number);
	uint64_t size = 0;
	int fd;
	int r = disk_open(path, O_RDONLY, &fd);

	if (r == 0) {
		r = disk_size(fd, &size);
		(void)disk_close(fd);
	}
	mem_free(path);
	return r == 0 && size == folder->segment_size;
}

void segment_folder_tidy(struct segment_folder *folder)
{
	for (unsigned i = folder->n_spares; i-- > 0;)
		if (i >= SPARES_MAX || !is_usable_spare(folder, folder->spares[i]))
			(void)drop_spare(folder, i); /* it is in nobody's way */
	folder->disk_bytes += folder->n_spares * folder->segment_size;
}

int segment_folder_open(struct segment_folder *folder, uint64_t **ret_serials, size_t *ret_n)
{
	struct listing listing = {.folder = folder};
	int r = disk_list(folder->path, list_file, &listing);

	if (r < 0) {
		mem_free(listing.serials);
		return r;
	}
	if (listing.n > 0)
		qsort(listing.serials, listing.n, sizeof(uint64_t), compare);
	folder->last_serial = listing.n > 0 ? listing.serials[listing.n - 1] : 0;
	*ret_serials = listing.serials;
	*ret_n = listing.n;
	return 0;
}

void segment_folder_fini(struct segment_folder *folder)
{
	mem_free(folder->path);
	mem_free(folder->spares);
}

/* ---- Making segments ---- */

static struct segment *make(const struct segment_folder *folder, uint64_t serial, uint64_t size)
{
	struct segment *segment = mem_zalloc(sizeof(*segment));

	segment->serial = serial;
	segment->seed = segment_seed(folder, serial);
	segment->size = size;
	segment->fd = -1;
	segment->floor = segment->copied_from = UINT64_MAX;
	return segment;
}

struct segment *segment_found(const struct segment_folder *folder, uint64_t serial, uint64_t size,
			      uint64_t end)
{
	struct segment *segment = make(folder, serial, size);

	segment->end = end;
	segment->is_closed = true;
	return segment;
}

/* A file of that size, all of it allocated. */
static int allocate(const char *path, uint64_t size, int *ret_fd)
{
	int fd;
	int r = disk_open(path, O_RDWR | O_CREAT | O_EXCL, &fd);

	if (r < 0)
		return r;
	r = disk_allocate(fd, size);
	if (r == 0)
		r = disk_sync(fd);
	if (r < 0) {
		(void)disk_close(fd);
		(void)!disk_unlink(path);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int take_spare(struct segment_folder *folder, const char *path, int *ret_fd)
{
	char *from = spare_path(folder, folder->spares[folder->n_spares - 1]);
	int fd;
	int r = disk_open(from, O_RDWR, &fd);

	if (r == -ENOENT) { /* somebody has cleaned up */
		folder->n_spares--;
		folder->disk_bytes -= folder->segment_size;
	}
	if (r == 0) {
		r = disk_rename(from, path);
		if (r < 0)
			(void)disk_close(fd);
	}
	mem_free(from);
	if (r < 0)
		return r;
	folder->n_spares--;
	*ret_fd = fd;
	return 0;
}

/* A number that was tried is not used again: its file may be there all the same. */
int segment_keep_spare(struct segment_folder *folder)
{
	char *path;
	int fd;
	int r;

	if (folder->n_spares > 0)
		return 0;
	path = spare_path(folder, ++folder->last_spare);
	r = allocate(path, folder->segment_size, &fd);
	mem_free(path);
	if (r < 0)
		return r;
	(void)disk_close(fd); /* nothing was written to it */
	add_spare(folder, folder->last_spare);
	folder->disk_bytes += folder->segment_size;
	return 0;
}

static int get_file(struct segment_folder *folder, const char *path, uint64_t size,
		    bool for_settles, int *ret_fd)
{
	bool is_standard = size == folder->segment_size;
	int r = segment_keep_spare(folder);

	if (r < 0 && !for_settles)
		return r;
	if (is_standard && folder->n_spares > 1 && take_spare(folder, path, ret_fd) == 0)
		return 0;
	r = allocate(path, size, ret_fd);
	if (r == 0)
		folder->disk_bytes += size;
	else if (is_standard && for_settles && folder->n_spares > 0)
		r = take_spare(folder, path, ret_fd);
	return r;
}

static int write_begin(const struct segment_folder *folder, struct segment *segment,
		       const struct record_open *before)
{
	uint8_t bytes[SEGMENT_HEADER_SIZE + RECORD_OPEN_SIZE] = {0};
	uint8_t *open = bytes + SEGMENT_HEADER_SIZE;
	struct iovec piece = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	put_header(folder, segment, bytes);
	record_put_open(open + RECORD_HEAD_SIZE, before);
	record_seal(open, segment->seed, SEGMENT_HEADER_SIZE, RECORD_OPEN, 0,
		    RECORD_OPEN_SIZE - RECORD_HEAD_SIZE, SLICE_EMPTY);
	segment->end = sizeof(bytes);
	return disk_write(segment->fd, &piece, 1, 0);
}

int segment_create(struct segment_folder *folder, uint64_t room, bool for_settles,
		   const struct record_open *before, struct segment **ret)
{
	uint64_t needed = SEGMENT_HEADER_SIZE + RECORD_OPEN_SIZE + room;
	uint64_t size = needed <= folder->segment_size ? folder->segment_size : needed;
	struct segment *segment = make(folder, folder->last_serial + 1, size);
	char *path = segment_path(folder, segment->serial);
	int r = get_file(folder, path, size, for_settles, &segment->fd);

	/* A serial that was tried once is not used again: the file may be there all the same. */
	folder->last_serial++;
	if (r == 0)
		r = disk_sync_dir(folder->path);
	bool is_begun = r == 0;
	if (r == 0)
		r = write_begin(folder, segment, before);
	bool is_gone = r < 0 && segment->fd >= 0 && disk_unlink(path) == 0;
	if (is_gone)
		folder->disk_bytes -= size;
	folder->has_one_in_vain = r < 0 && is_begun && !is_gone;
	mem_free(path);
	if (r < 0) {
		segment_free(segment);
		return r;
	}
	*ret = segment;
	return 0;
}

int segment_cut(struct segment_folder *folder, struct segment *segment)
{
	int r = disk_truncate(segment->fd, segment->end);

	if (r < 0)
		return r;
	folder->disk_bytes -= segment->size - segment->end;
	segment->size = segment->end;
	return disk_sync(segment->fd);
}

void segment_keep_with(struct segment *segment, uint64_t serial)
{
	segment->floor = serial;
	segment->is_unreadable = true;
}

void segment_close(struct segment *segment)
{
	if (segment->fd >= 0)
		(void)disk_close(segment->fd);
	segment->fd = -1;
}

int segment_sync(const struct segment_folder *folder, uint64_t serial)
{
	char *path = segment_path(folder, serial);
	int fd;
	int r = disk_open(path, O_RDWR, &fd);

	if (r == 0) {
		r = disk_sync(fd);
		(void)disk_close(fd);
	}
	mem_free(path);
	return r;
}

int segment_retire(struct segment_folder *folder, const struct segment *segment)
{
	char *from = segment_path(folder, segment->serial);
	bool is_spare = segment->size == folder->segment_size && folder->n_spares < SPARES_MAX;
	uint64_t number = folder->last_spare + 1;
	int r;

	if (is_spare) {
		char *to = spare_path(folder, number);

		r = disk_rename(from, to);
		if (r == 0)
			add_spare(folder, number);
		mem_free(to);
	} else {
		r = disk_unlink(from);
		if (r == 0)
			folder->disk_bytes -= segment->size;
	}
	mem_free(from);
	/* Gone already: an earlier try went so far, and its sync failed. */
	if (r == 0 || r == -ENOENT)
		r = disk_sync_dir(folder->path);
	return r;
}

void segment_free(struct segment *segment)
{
	if (!segment)
		return;
	segment_close(segment);
	spans_fini(&segment->spans);
	mem_free(segment);
}
