/* SPDX-License-Identifier: MIT */
/*
 * An import that is under way is in the store: its file in pieces ("import/piece/NUMBER"), and
 * then, when all of them are durable, "import/pending", which says how many they are. From then on
 * the next start does it again. It is crossed out in the opposite order. Pieces beyond that number,
 * or without it, are what a crash has left: they mean nothing, and go when the next import ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/import_state.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "loop/loop.h"
#include "store/fields.h"

#define PIECE_SIZE	   ((size_t)128 << 10)
#define REMOVE_BATCH	   64u
#define KEY_MAX		   40
#define KEY_PENDING	   IMPORT_KEY_PENDING
#define KEY_PIECE	   "import/piece/"
#define PIECE_FORMAT	   KEY_PIECE "%08zu"
#define KIND_PENDING	   'i'
#define KIND_PIECE	   'I'
#define FLAG_SKIPS_UNBUILT 1u

/* Never given another meaning. */
enum field {
	FIELD_VHOST = 1,
	FIELD_BY = 2,
	FIELD_FROM = 3,
	FIELD_PIECES = 4,
	FIELD_TEXT = IMPORT_FIELD_TEXT,
	FIELD_FLAGS = 6,
};

static void commit(struct import_work *work, const struct store_change *changes, size_t n,
		   void (*done)(struct store_commit *commit, enum store_result result,
				uint64_t revision))
{
	work->commit = (struct store_commit){.changes = changes, .n_changes = n, .done = done};
	broker_commit(work->admin->broker, &work->commit);
}

static struct import_work *committed(struct store_commit *commit)
{
	struct import_work *work = container_of(commit, struct import_work, commit);

	broker_committed(work->admin->broker);
	return work;
}

/* ---- Writing down ---- */

static void write_piece(struct import_work *work);

static void fail_writing(struct import_work *work, int result)
{
	import_fail(work, result, NULL, "the import could not be written down in the store");
	import_cross_out(work);
}

static void pending_stored(struct store_commit *store_commit, enum store_result result,
			   uint64_t revision)
{
	struct import_work *work = committed(store_commit);

	(void)revision;
	/* Unknown: it may be there after a crash, so it is taken out. */
	work->is_written_down = true;
	if (result != STORE_DURABLE)
		fail_writing(work, -EIO);
	else
		import_run_steps(work);
}

static void write_pending(struct import_work *work)
{
	struct store_change change = {.key = SLICE_LITERAL(KEY_PENDING),
				      .expected_revision = STORE_ANY_REVISION};
	struct buffer value;

	buffer_init(&value);
	fields_begin(&value, KIND_PENDING);
	fields_put(&value, FIELD_VHOST, slice_make(work->vhost, work->vhost_size));
	fields_put(&value, FIELD_BY, work->actor.by);
	fields_put(&value, FIELD_FROM, work->actor.from);
	fields_put_number(&value, FIELD_PIECES, work->n_pieces);
	fields_put_number(&value, FIELD_FLAGS, work->skips_unbuilt ? FLAG_SKIPS_UNBUILT : 0);
	change.value = buffer_slice(&value);
	if (value.failed)
		fail_writing(work, -ENOMEM);
	else
		commit(work, &change, 1, pending_stored);
	buffer_fini(&value);
}

static void piece_stored(struct store_commit *store_commit, enum store_result result,
			 uint64_t revision)
{
	struct import_work *work = committed(store_commit);

	(void)revision;
	work->piece++;
	if (result != STORE_DURABLE)
		fail_writing(work, -EIO);
	else if (work->piece < work->n_pieces)
		write_piece(work);
	else
		write_pending(work);
}

static void write_piece(struct import_work *work)
{
	size_t begin = work->piece * PIECE_SIZE, left = work->size - begin;
	struct store_change change = {.expected_revision = STORE_ANY_REVISION};
	struct buffer value;
	char key[KEY_MAX];

	if (import_must_stop(work))
		return;
	(void)snprintf(key, sizeof(key), PIECE_FORMAT, work->piece);
	buffer_init(&value);
	fields_begin(&value, KIND_PIECE);
	fields_put(&value, FIELD_TEXT,
		   slice_make(work->text + begin, left < PIECE_SIZE ? left : PIECE_SIZE));
	change.key = slice_cstr(key);
	change.value = buffer_slice(&value);
	if (value.failed)
		fail_writing(work, -ENOMEM);
	else
		commit(work, &change, 1, piece_stored);
	buffer_fini(&value);
}

void import_write_down(struct import_work *work)
{
	work->n_pieces = (work->size + PIECE_SIZE - 1) / PIECE_SIZE;
	work->piece = 0;
	write_piece(work);
}

/* ---- Crossing out ---- */

static void remove_pieces(struct import_work *work);

static void pieces_removed(struct store_commit *store_commit, enum store_result result,
			   uint64_t revision)
{
	struct import_work *work = committed(store_commit);

	(void)revision;
	if (result != STORE_DURABLE && work->admin->n_stale_pieces == 0)
		work->admin->n_stale_pieces = work->piece + REMOVE_BATCH;
	remove_pieces(work);
}

/* From the last one down, work.piece of them are left. */
static void remove_pieces(struct import_work *work)
{
	struct store_change changes[REMOVE_BATCH];
	char keys[REMOVE_BATCH][KEY_MAX];
	size_t n = 0;

	for (; n < REMOVE_BATCH && work->piece > 0; n++) {
		(void)snprintf(keys[n], sizeof(keys[n]), PIECE_FORMAT, --work->piece);
		changes[n] = (struct store_change){.key = slice_cstr(keys[n]),
						   .expected_revision = STORE_ANY_REVISION};
	}
	if (n == 0)
		import_finish(work);
	else
		commit(work, changes, n, pieces_removed);
}

static void pending_removed(struct store_commit *store_commit, enum store_result result,
			    uint64_t revision)
{
	struct import_work *work = committed(store_commit);

	(void)revision;
	if (result == STORE_DURABLE) {
		if (work->only_if_changed && work->result == 0)
			import_remember_loaded(work);
		remove_pieces(work);
		return;
	}
	/* It will be done again, to the same end unless something is changed meanwhile. */
	log_error("admin", "an import of definitions could not be crossed out in the store: it is "
			   "done again at the next start");
	plan_warn(work->plan, "the store did not take that the import has ended: it is done again "
			      "at the next start");
	import_finish(work);
}

/* That it is done and that the file need not be done again are one change. */
static void remove_pending(struct import_work *work)
{
	struct store_change changes[2] = {
		{.key = SLICE_LITERAL(KEY_PENDING), .expected_revision = STORE_ANY_REVISION}};
	bool is_loaded = work->only_if_changed && work->result == 0;
	struct buffer key, value;

	buffer_init(&key);
	buffer_init(&value);
	if (is_loaded)
		import_put_loaded(work, &key, &value);
	is_loaded &= !key.failed && !value.failed;
	changes[1] = (struct store_change){.key = buffer_slice(&key),
					   .value = buffer_slice(&value),
					   .expected_revision = STORE_ANY_REVISION};
	commit(work, changes, is_loaded ? 2 : 1, pending_removed);
	buffer_fini(&key);
	buffer_fini(&value);
}

void import_cross_out(struct import_work *work)
{
	if (work->is_written_down || work->admin->n_stale_pieces > 0)
		work->piece = work->n_pieces;
	if (work->piece < work->admin->n_stale_pieces)
		work->piece = work->admin->n_stale_pieces;
	work->admin->n_stale_pieces = 0;
	if (work->is_written_down)
		remove_pending(work);
	else
		remove_pieces(work);
}

/* ---- What was found at the start ---- */

struct pending_import {
	struct buffer text;
	struct buffer names; /* vhost, by, from, one behind the other */
	size_t vhost_size, by_size, from_size;
	size_t n_found, n_pieces; /* n_pieces 0: nothing is pending */
	size_t n_stale;		  /* above the highest number that is there */
	uint64_t flags;
	bool is_damaged, is_foreign;
	char *damage; /* what is to be said of one that cannot be done; NULL: it can */
};

static void read_pending(struct pending_import *pending, struct fields_reader *reader)
{
	struct slice vhost = SLICE_EMPTY, by = SLICE_EMPTY, from = SLICE_EMPTY;

	while (fields_next(reader)) {
		if (reader->field == FIELD_VHOST)
			vhost = reader->bytes;
		else if (reader->field == FIELD_BY)
			by = reader->bytes;
		else if (reader->field == FIELD_FROM)
			from = reader->bytes;
		else if (reader->field == FIELD_PIECES)
			pending->n_pieces = (size_t)fields_number(reader);
		else if (reader->field == FIELD_FLAGS)
			pending->flags = fields_number(reader);
	}
	pending->vhost_size = vhost.size;
	pending->by_size = by.size;
	pending->from_size = from.size;
	buffer_append_slice(&pending->names, vhost);
	buffer_append_slice(&pending->names, by);
	buffer_append_slice(&pending->names, from);
	pending->is_damaged |= pending->n_pieces == 0;
}

static void read_piece(struct pending_import *pending, struct fields_reader *reader)
{
	pending->n_found++;
	while (fields_next(reader))
		if (reader->field == FIELD_TEXT)
			buffer_append_slice(&pending->text, reader->bytes);
}

static void visit_piece(struct pending_import *pending, struct slice key,
			struct fields_reader *reader)
{
	char expected[KEY_MAX];

	(void)snprintf(expected, sizeof(expected), PIECE_FORMAT, pending->n_found);
	pending->is_damaged |= !slice_equal(key, slice_cstr(expected));
	read_piece(pending, reader);
	pending->is_damaged |= !fields_are_good(reader);
}

/* "import/piece/00000007": 8 */
static size_t number_after(struct slice key)
{
	size_t prefix = strlen(KEY_PIECE), number = 0;

	for (size_t i = prefix; i < key.size && i < prefix + 8; i++)
		number = number * 10 + (key.data[i] - '0') % 10u;
	return number + 1;
}

/* The pending one comes first, then the pieces in the order of their numbers. */
static void visit(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct pending_import *pending = context;
	bool is_piece = slice_starts_with(key, SLICE_LITERAL(KEY_PIECE));
	struct fields_reader reader;

	(void)revision;
	if (is_piece)
		pending->n_stale = number_after(key);
	else
		pending->is_foreign |= !slice_equal(key, SLICE_LITERAL(KEY_PENDING));
	if (is_piece && pending->n_found == pending->n_pieces)
		return;
	if (fields_open(&reader, value) != 0) {
		pending->is_damaged = true;
	} else if (is_piece && reader.kind == KIND_PIECE) {
		visit_piece(pending, key, &reader);
	} else if (!is_piece && reader.kind == KIND_PENDING) {
		read_pending(pending, &reader);
		pending->is_damaged |= !fields_are_good(&reader);
	} else {
		pending->is_damaged = true;
	}
}

static void pending_free(struct pending_import *pending)
{
	if (!pending)
		return;
	buffer_fini(&pending->text);
	buffer_fini(&pending->names);
	mem_free(pending->damage);
	mem_free(pending);
}

void import_drop_pending(struct admin *admin)
{
	pending_free(admin->pending);
	admin->pending = NULL;
}

static int load(struct admin *admin, struct pending_import *pending)
{
	int r = store_definitions_load(admin->store, SLICE_LITERAL(IMPORT_KEY_PREFIX), visit,
				       pending);

	if (r == 0)
		r = import_restore_loaded(admin);
	if (r == 0 && (pending->text.failed || pending->names.failed))
		r = -ENOMEM;
	if (r == 0 && pending->is_foreign)
		r = -EBADMSG;
	pending->is_damaged |= pending->n_found != pending->n_pieces;
	return r;
}

/* The text is not needed any more: it is not whole. */
static int set_damaged_aside(struct admin *admin, struct pending_import *pending,
			     const char *folder)
{
	char *path;
	int r = import_copy_damaged(admin->store, folder, &path);

	buffer_fini(&pending->text);
	if (r != 0)
		return r;
	pending->damage = mem_printf("it is damaged: what there is of its file is copied to %s.json",
				     path);
	mem_free(path);
	return 0;
}

int import_restore(struct admin *admin, const char *damaged_folder, char *ret_reason, size_t size)
{
	struct pending_import *pending = mem_zalloc(sizeof(*pending));
	bool is_damaged;
	int r;

	buffer_init(&pending->text);
	buffer_init(&pending->names);
	r = load(admin, pending);
	admin->n_stale_pieces = pending->n_stale;
	if (r == 0 && pending->is_damaged)
		r = set_damaged_aside(admin, pending, damaged_folder);
	if (r == 0 && (pending->n_pieces > 0 || pending->is_damaged)) {
		admin->pending = pending;
		return 0;
	}
	is_damaged = pending->is_damaged && !pending->is_foreign;
	pending_free(pending);
	if (r != 0)
		(void)snprintf(ret_reason, size,
			       "cannot bring back an import of definitions that was cut off%s: %s",
			       is_damaged ? ", nor copy it, as it is damaged" : "",
			       strerror(-r));
	return r != 0 ? -1 : 0;
}

bool import_is_pending(const struct admin *admin)
{
	return admin->pending != NULL;
}

char *import_take_damage(struct pending_import *pending)
{
	char *damage = pending->damage;

	pending->damage = NULL;
	return damage;
}

size_t import_fill_pending(struct pending_import *pending, struct import *import)
{
	const uint8_t *names = pending->names.data;
	struct slice vhost = slice_make(names, pending->vhost_size);

	import->text = (char *)pending->text.data;
	import->size = pending->text.size;
	buffer_init(&pending->text);
	import->path = NULL;
	import->skips_unbuilt = (pending->flags & FLAG_SKIPS_UNBUILT) != 0;
	import->vhost = vhost.size > 0 ? vhost : SLICE_EMPTY;
	import->actor.by = slice_make(names + pending->vhost_size, pending->by_size);
	import->actor.from =
		slice_make(names + pending->vhost_size + pending->by_size, pending->from_size);
	return pending->n_pieces;
}
