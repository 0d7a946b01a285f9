/* SPDX-License-Identifier: MIT */
/*
 * An import that was cut off and can no longer be read. Nobody was told that it was done, so the
 * broker starts without it; what there was of it is copied first, so that nothing is lost that an
 * operator might want to look for: PATH.json is the file, from the pieces that are there, and
 * PATH.pending what made it an import, both as far as they can be read, and as they are otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "admin/import_state.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/fields.h"

struct copy {
	int fd;
	uint64_t size;
};

struct copies {
	struct copy pieces, pending;
	int result; /* of the first that failed */
};

static void append(struct copies *copies, struct copy *copy, struct slice bytes)
{
	const struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.data,
				   .iov_len = bytes.size};

	if (copies->result == 0 && bytes.size > 0)
		copies->result = disk_write(copy->fd, &part, 1, copy->size);
	copy->size += bytes.size;
}

/* All that is there, if it is not what it should be. */
static struct slice text_of(struct slice value)
{
	struct slice text = SLICE_EMPTY;
	struct fields_reader reader;

	if (fields_open(&reader, value) != 0)
		return value;
	while (fields_next(&reader))
		if (reader.field == IMPORT_FIELD_TEXT)
			text = reader.bytes;
	return fields_are_good(&reader) ? text : value;
}

static void visit(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct copies *copies = context;

	(void)revision;
	if (slice_equal(key, SLICE_LITERAL(IMPORT_KEY_PENDING)))
		append(copies, &copies->pending, value);
	else
		append(copies, &copies->pieces, text_of(value));
}

static int open_copy(const char *path, const char *ending, struct copy *ret_copy)
{
	char *name = mem_printf("%s.%s", path, ending);
	int r = disk_open(name, O_WRONLY | O_CREAT | O_EXCL, &ret_copy->fd);

	mem_free(name);
	return r;
}

static int close_copy(struct copy *copy, int result)
{
	int r = result == 0 ? disk_sync(copy->fd) : result, closed = disk_close(copy->fd);

	return r != 0 ? r : closed;
}

static int write_copies(struct store *store, struct copies *copies)
{
	int r = store_definitions_load(store, SLICE_LITERAL(IMPORT_KEY_PREFIX), visit, copies);

	return r != 0 ? r : copies->result;
}

static int copy_to(struct store *store, const char *path)
{
	struct copies copies = {.result = 0};
	int r = open_copy(path, "json", &copies.pieces);

	if (r != 0)
		return r;
	r = open_copy(path, "pending", &copies.pending);
	if (r != 0) {
		(void)disk_close(copies.pieces.fd);
		return r;
	}
	r = close_copy(&copies.pieces, write_copies(store, &copies));
	return close_copy(&copies.pending, r);
}

int import_copy_damaged(struct store *store, const char *folder, char **ret_path)
{
	char *path = mem_printf("%s/import-%llu", folder, (unsigned long long)clock_wall_ms());
	int r = disk_make_dir(folder);

	if (r == 0 || r == -EEXIST)
		r = copy_to(store, path);
	if (r == 0)
		r = disk_sync_dir(folder);
	if (r == 0)
		*ret_path = path;
	else
		mem_free(path);
	return r;
}
