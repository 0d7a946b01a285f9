/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_ADMIN_H
#define KERNEL_ADMIN_ADMIN_H

/*
 * Administration: what operators change, whoever brings it (the control socket; a management plugin
 * some day). It puts together what the broker, access and connections know of users, vhosts,
 * limits, parameters and policies. All at home (loop 0).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct access;
struct broker;
struct import_work;
struct loaded_file;
struct parameters;
struct pending_import;
struct store;
struct workers;

struct admin {
	struct broker *broker; /* borrowed, as are the next two */
	struct access *access;
	struct store *store;
	struct parameters *parameters; /* admin/parameters.h: owned */
	struct workers *workers;       /* for files; NULL until the first: admin_workers() */
	bool is_ending;
	/* admin/import.h */
	struct pending_import *pending; /* found at the start; NULL: none */
	struct import_work *import;	/* under way; NULL: none */
	struct loaded_file *loaded;	/* files that need not be imported again as they are */
	size_t n_stale_pieces;		/* of earlier ones, that are in the store still */
};

/*
 * Before the loops run, when the store's definitions have been restored: takes the parameters and a
 * pending import, and forgets permissions and parameters in vhosts that are not there. A
 * damaged import is copied to the folder. 0, or -1 with one line of reason.
 */
int admin_create(struct broker *broker, struct access *access, struct store *store,
		 const char *damaged_folder, struct admin **ret_admin, char *ret_reason, size_t size) MUST_USE;
/* After the broker's end. NULL is fine. */
void admin_destroy(struct admin *admin);

/* One thread of its own, as reading a file takes long, and logins need theirs. NULL: there is none
 * to be had. workers.c's rules: ended by admin_end(). */
struct workers *admin_workers(struct admin *admin);
/* Wipes and frees it, on the worker if it is long, as that takes long. From mem_alloc() and the
 * like; NULL is fine. */
void admin_dispose(struct admin *admin, void *bytes, size_t size);
/* After the loops have stopped, before the broker's end. */
void admin_end(struct admin *admin);

#endif
