/* SPDX-License-Identifier: MIT */
/* What the files were that are imported only if they have changed ("import/loaded/PATH"), and the last
 * one that came without a path ("import/loaded/"). */
#include <string.h>

#include "admin/import_state.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/fields.h"

#define KIND_LOADED 'L'
#define KEY_LOADED  "import/loaded/"

/* Never given another meaning. */
enum field { FIELD_FIRST_HALF = 1, FIELD_SECOND_HALF = 2 };

static struct loaded_file *find(const struct admin *admin, struct slice path)
{
	for (struct loaded_file *file = admin->loaded; file; file = file->next)
		if (slice_equal(slice_cstr(file->path), path))
			return file;
	return NULL;
}

struct import_hash import_loaded_hash(const struct admin *admin, const char *path)
{
	const struct loaded_file *file = find(admin, slice_cstr(path));

	return file ? file->hash : (struct import_hash){{0, 0}};
}

static void remember(struct admin *admin, struct slice path, const struct import_hash *hash)
{
	struct loaded_file *file = find(admin, path);

	if (!file) {
		file = mem_zalloc(sizeof(*file) + path.size + 1);
		slice_copy((uint8_t *)file->path, path);
		file->next = admin->loaded;
		admin->loaded = file;
	}
	file->hash = *hash;
}

void import_remember_loaded(struct import_work *work)
{
	remember(work->admin, slice_cstr(work->path), &work->hash);
}

void import_put_loaded(const struct import_work *work, struct buffer *key, struct buffer *value)
{
	buffer_append_cstr(key, KEY_LOADED);
	buffer_append_cstr(key, work->path);
	fields_begin(value, KIND_LOADED);
	fields_put_number(value, FIELD_FIRST_HALF, work->hash.halves[0]);
	fields_put_number(value, FIELD_SECOND_HALF, work->hash.halves[1]);
}

/* One that cannot be read is imported again, and then written anew. */
static void visit(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct admin *admin = context;
	struct import_hash hash = {{0, 0}};
	struct slice path =
		slice_make(key.data + strlen(KEY_LOADED), key.size - strlen(KEY_LOADED));
	struct fields_reader reader;

	(void)revision;
	if (fields_open(&reader, value) != 0 || reader.kind != KIND_LOADED)
		return;
	while (fields_next(&reader)) {
		if (reader.field == FIELD_FIRST_HALF)
			hash.halves[0] = fields_number(&reader);
		else if (reader.field == FIELD_SECOND_HALF)
			hash.halves[1] = fields_number(&reader);
	}
	if (fields_are_good(&reader))
		remember(admin, path, &hash);
}

int import_restore_loaded(struct admin *admin)
{
	return store_definitions_load(admin->store, SLICE_LITERAL(KEY_LOADED), visit, admin);
}

void import_drop_loaded(struct admin *admin)
{
	struct loaded_file *file;

	while ((file = admin->loaded) != NULL) {
		admin->loaded = file->next;
		mem_free(file);
	}
}
