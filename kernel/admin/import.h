/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_IMPORT_H
#define KERNEL_ADMIN_IMPORT_H

/*
 * Definitions in RabbitMQ's JSON (rabbitmqctl export_definitions) into the broker. At home; the
 * file is read on a thread of its own.
 *
 * An import is all or nothing. First everything is looked at: what is not understood, or would be
 * refused, ends it, with the path of the offending value ("queues[3].arguments.x-expires: ...").
 * Then it is put into the store as one pending import, and done, step by step; a crash meanwhile
 * makes the next start do it again before anything else. If a step fails all the same (no room on
 * the disk), what was done before is undone. What exists is kept, as in RabbitMQ: queues and
 * exchanges as they are; vhosts, users, permissions, parameters and policies take the imported
 * values.
 *
 * As in RabbitMQ, what has a reserved name ("amq.") is left out, and so is a binding whose ends are
 * neither in the file nor in the broker (its exports have bindings of exclusive queues and of
 * internal exchanges, but not those). Each with a warning.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "access/audit.h"
#include "admin/plan.h"
#include "base/buffer.h"
#include "base/compiler.h"

struct admin;

#define IMPORT_SIZE_MAX PLAN_SIZE_MAX /* of a file */

/* Filled by the asker, who keeps it until done(), which does not run inside the call. */
struct import {
	struct admin *admin;
	/* One of both. text: from mem_try_alloc(); the import takes it, wipes and frees it. */
	char *text;
	size_t size;
	const char *path;   /* a file; copied */
	struct slice vhost; /* of items that name none; data NULL: they are refused. Copied */
	/* Nothing is done if the file of this path, or the last text of all that came so, is as it
	 * was when it was imported so the last time. */
	bool only_if_changed;
	bool skips_unbuilt; /* queues that Shunt cannot have yet are left out, with warnings */
	struct audit_actor actor; /* copied */
	void (*done)(struct import *import);
	void *context;
	/*
	 * Answers. 0; refused before anything was done: -EINVAL, -EBUSY (another one is under way),
	 * -ENOENT and the like (the file); failed and undone: -EIO, -ENOMEM.
	 */
	int result;
	char reason[1024];
	struct buffer
		warnings;  /* lines: what was taken otherwise than the file says; the asker's */
	size_t n_warnings; /* there may be more than there are lines */
	size_t counts[PLAN_KINDS];
	bool is_unchanged; /* only_if_changed: nothing was done */
};
void import_submit(struct import *import);

/*
 * Looks at the file as the import of the path would before it looks at the broker. 0, or negative
 * with one line of reason. Any thread; takes as long as it takes.
 */
int import_check_file(const char *path, char *ret_reason, size_t size) MUST_USE;

/*
 * Before the loops run: whether an import was cut off. One that is damaged is copied to the folder,
 * made when needed, and pending all the same: import_resume() refuses it. 0, or -1 with one line of
 * reason.
 */
int import_restore(struct admin *admin, const char *damaged_folder, char *ret_reason,
		   size_t size) MUST_USE;
bool import_is_pending(const struct admin *admin);
/* Whether it would fail in the same way again; not for lack of room or memory. */
static inline bool import_is_refusal(int result)
{
	return result != 0 && result != -EIO && result != -ENOMEM && result != -ECANCELED;
}
/* Does it again: as import_submit() of what was pending; text, path, vhost and actor are not
 * looked at. If it is refused it is pending no more, and what was done of it stays. */
void import_resume(struct import *import);

/* After the loops have ended: drops what is under way, which stays pending in the store. */
void import_end(struct admin *admin);

#endif
