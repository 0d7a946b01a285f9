/* SPDX-License-Identifier: MIT */
#include "admin/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/import_state.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

/* ---- Failing, and the end ---- */

void import_fail(struct import_work *work, int result, const struct plan_origin *origin,
		 const char *format, ...)
{
	struct import *import = work->import;
	size_t used = 0;
	va_list args;

	if (work->result != 0)
		return;
	work->result = result;
	if (origin)
		used = (size_t)snprintf(import->reason, sizeof(import->reason),
					"%s[%zu]: ", origin->section, origin->index);
	va_start(args, format);
	(void)vsnprintf(import->reason + used, sizeof(import->reason) - used, format, args);
	va_end(args);
}

/* On a worker: a long plan takes long to free. */
static void free_plan(struct work *base)
{
	struct import_work *work = container_of(base, struct import_work, work);

	plan_destroy(work->plan);
	work->plan = NULL;
	if (work->text)
		explicit_bzero(work->text, work->size);
	mem_free(work->text);
	work->text = NULL;
}

static void work_free(struct import_work *work)
{
	free_plan(&work->work);
	loop_cancel(&work->check);
	loop_cancel(&work->task);
	mem_free(work->path);
	mem_free(work->vhost);
	mem_free(work->damage);
	mem_free(work);
}

static void freed(struct work *base)
{
	struct import_work *work = container_of(base, struct import_work, work);
	struct import *import = work->import;

	work->admin->import = NULL;
	work_free(work);
	import->done(import);
}

static void log_end(const struct import_work *work)
{
	const struct import *import = work->import;

	if (work->result != 0) {
		char reason[1200];

		log_warning("admin", "definitions not imported: reason=%s",
			    log_quote(reason, sizeof(reason), slice_cstr(import->reason)));
		return;
	}
	if (work->is_unchanged)
		return;
	audit(&work->actor, NULL, "definitions.imported",
	      "vhosts=%zu users=%zu permissions=%zu topic_permissions=%zu parameters=%zu "
	      "exchanges=%zu queues=%zu bindings=%zu warnings=%zu",
	      import->counts[PLAN_VHOSTS], import->counts[PLAN_USERS],
	      import->counts[PLAN_PERMISSIONS], import->counts[PLAN_TOPIC_PERMISSIONS],
	      import->counts[PLAN_PARAMETERS], import->counts[PLAN_EXCHANGES],
	      import->counts[PLAN_QUEUES], import->counts[PLAN_BINDINGS], import->n_warnings);
}

void import_finish(struct import_work *work)
{
	struct import *import = work->import;

	if (work->admin->is_ending)
		return;
	import->result = work->result;
	import->is_unchanged = work->is_unchanged;
	if (work->plan) {
		buffer_append_slice(&import->warnings, buffer_slice(&work->plan->warnings));
		import->n_warnings = work->plan->n_warnings;
		for (enum plan_kind kind = 0; kind < PLAN_KINDS; kind++)
			import->counts[kind] = plan_count(work->plan, kind);
	}
	log_end(work);
	work->work.run = free_plan;
	work->work.done = freed;
	workers_submit(work->admin->workers, &work->work);
}

void import_give_up(struct import_work *work)
{
	struct import *import = work->import;
	size_t used = strlen(import->reason);

	if (!work->is_resumed || !import_is_refusal(work->result)) {
		import_finish(work);
		return;
	}
	(void)snprintf(import->reason + used, sizeof(import->reason) - used,
		       "; what was done of it before it was cut off stays");
	import_cross_out(work);
}

/* ---- Reading: on a worker ---- */

static int read_all(int fd, char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, text, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

static int read_open_file(struct import_work *work, int fd)
{
	struct stat file;
	int r;

	if (fstat(fd, &file) != 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return S_ISDIR(file.st_mode) ? -EISDIR : -EINVAL;
	if ((uint64_t)file.st_size > IMPORT_SIZE_MAX)
		return -EFBIG;
	work->size = (size_t)file.st_size;
	work->text = mem_try_alloc(work->size + 1);
	if (!work->text)
		return -ENOMEM;
	r = read_all(fd, work->text, work->size);
	return r;
}

static int read_file(struct import_work *work)
{
	int fd = open(work->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;

	if (fd < 0)
		return -errno;
	r = read_open_file(work, fd);
	close(fd);
	return r;
}

int import_check_file(const char *path, char *ret_reason, size_t size)
{
	const struct plan_options options = {.vhost = SLICE_EMPTY};
	struct import_work work = {.path = (char *)(uintptr_t)path};
	struct plan *plan = NULL;
	int r = read_file(&work);

	if (r != 0)
		(void)snprintf(ret_reason, size, "cannot read the file: %s", strerror(-r));
	else
		r = plan_read(slice_make(work.text, work.size), &options, &plan, NULL, ret_reason,
			      size);
	plan_destroy(plan);
	if (work.text)
		explicit_bzero(work.text, work.size);
	mem_free(work.text);
	return r;
}

/* What is written down has hashes in place of passwords. */
static void replace_text(struct import_work *work, struct buffer *text)
{
	if (text->size == 0)
		return;
	explicit_bzero(work->text, work->size);
	mem_free(work->text);
	work->text = (char *)text->data;
	work->size = text->size;
	buffer_init(text);
}

static struct import_hash hash_of(struct slice text)
{
	return (struct import_hash){{slice_stable_hash(text, 1), slice_stable_hash(text, 2)}};
}

/* What is done is another thing if a text comes with other options. */
static struct import_hash hash_of_work(const struct import_work *work)
{
	struct import_hash hash = hash_of(slice_make(work->text, work->size)), options;

	if (work->path[0] != '\0')
		return hash;
	options = hash_of(slice_make(work->vhost, work->vhost_size));
	hash.halves[0] ^= options.halves[0] ^ work->skips_unbuilt;
	hash.halves[1] ^= options.halves[1];
	return hash;
}

static void read_definitions(struct work *base)
{
	struct import_work *work = container_of(base, struct import_work, work);
	const struct plan_options options = {slice_make(work->vhost, work->vhost_size),
					     work->skips_unbuilt};
	struct import *import = work->import;
	struct buffer text;
	int r;

	if (work->damage) {
		import_fail(work, -EBADMSG, NULL, "%s", work->damage);
		return;
	}
	r = work->text ? 0 : read_file(work);
	if (r != 0) {
		import_fail(work, r, NULL, "cannot read the file: %s", strerror(-r));
		return;
	}
	if (work->only_if_changed) {
		work->hash = hash_of_work(work);
		work->is_unchanged = import_hash_equal(&work->hash, &work->hash_before);
	}
	if (work->is_unchanged)
		return;
	buffer_init(&text);
	work->result = plan_read(slice_make(work->text, work->size), &options, &work->plan, &text,
				 import->reason, sizeof(import->reason));
	if (work->result == 0)
		replace_text(work, &text);
	buffer_fini(&text);
}

static void was_read(struct work *base)
{
	struct import_work *work = container_of(base, struct import_work, work);

	if (work->admin->is_ending)
		return; /* perhaps it was not even read */
	if (work->result != 0)
		import_give_up(work);
	else if (work->is_unchanged)
		import_finish(work);
	else
		import_check(work);
}

/* ---- The beginning ---- */

static void copy_text(char *to, size_t size, struct slice from)
{
	(void)snprintf(to, size, SLICE_FMT, SLICE_ARG(from));
}

static void copy_order(struct import_work *work, const struct import *import)
{
	work->text = import->text;
	work->size = import->size;
	work->skips_unbuilt = import->skips_unbuilt;
	work->path = mem_strdup(import->path ? import->path : "");
	work->only_if_changed = import->only_if_changed;
	if (work->only_if_changed)
		work->hash_before = import_loaded_hash(work->admin, work->path);
	if (import->vhost.data) {
		work->vhost = mem_alloc(import->vhost.size + 1);
		work->vhost_size = import->vhost.size;
		slice_copy(work->vhost, import->vhost);
	}
	copy_text(work->by, sizeof(work->by), import->actor.by);
	copy_text(work->from, sizeof(work->from), import->actor.from);
	work->actor = (struct audit_actor){slice_cstr(work->by), slice_cstr(work->from)};
}

struct refusal {
	struct loop_task task;
	struct import *import;
};

static void tell_refusal(struct loop_task *task)
{
	struct refusal *refusal = container_of(task, struct refusal, task);
	struct import *import = refusal->import;

	mem_free(refusal);
	import->done(import);
}

static void refuse(struct import *import, int result, const char *reason)
{
	struct refusal *refusal = mem_zalloc(sizeof(*refusal));

	import->result = result;
	(void)snprintf(import->reason, sizeof(import->reason), "%s", reason);
	admin_dispose(import->admin, import->text, import->size);
	import->text = NULL;
	refusal->import = import;
	loop_task_init(&refusal->task, tell_refusal);
	loop_defer(&refusal->task);
}

static void prepare(struct import *import)
{
	OWN(0);
	import->result = 0;
	import->reason[0] = '\0';
	import->n_warnings = 0;
	import->is_unchanged = false;
	memset(import->counts, 0, sizeof(import->counts));
	buffer_init(&import->warnings);
}

/* NULL: it was refused. */
static struct import_work *create(struct import *import)
{
	struct admin *admin = import->admin;
	struct import_work *work;

	prepare(import);
	if (admin->import) {
		refuse(import, -EBUSY, "another import of definitions is under way");
		return NULL;
	}
	if (!admin_workers(admin)) {
		refuse(import, -ENOMEM, "cannot start a thread");
		return NULL;
	}
	work = mem_zalloc(sizeof(*work));
	admin->import = work;
	work->admin = admin;
	work->import = import;
	map_init(&work->tallies);
	loop_task_init(&work->check, NULL);
	loop_task_init(&work->task, NULL);
	copy_order(work, import);
	import->text = NULL;
	work->work.run = read_definitions;
	work->work.done = was_read;
	return work;
}

void import_submit(struct import *import)
{
	struct import_work *work = create(import);

	if (work)
		workers_submit(work->admin->workers, &work->work);
}

void import_resume(struct import *import)
{
	struct admin *admin = import->admin;
	struct import_work *work;
	size_t n_pieces;

	bug_on(!admin->pending || admin->import);
	n_pieces = import_fill_pending(admin->pending, import);
	work = create(import);
	if (work) {
		work->is_resumed = work->is_written_down = true;
		work->n_pieces = n_pieces;
		work->damage = import_take_damage(admin->pending);
		workers_submit(admin->workers, &work->work);
	}
	import_drop_pending(admin);
}

void import_end(struct admin *admin)
{
	struct import_work *work = admin->import;

	import_drop_pending(admin);
	import_drop_loaded(admin);
	if (!work)
		return;
	import_forget_check(work);
	import_fail(work, -ECANCELED, NULL, "the broker has been stopped");
	work->import->result = work->result;
	freed(&work->work);
}
