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
struct store;
struct parameters;

struct admin {
	struct broker *broker;	       /* borrowed, as are the next two */
	struct access *access;
	struct store *store;
	struct parameters *parameters; /* admin/parameters.h: owned */
};

/* Before the loops run, when the store's definitions have been restored: takes the parameters, and
 * forgets permissions in vhosts that are not there. 0, or -1 with one line of reason. */
int admin_create(struct broker *broker, struct access *access, struct store *store,
		 struct admin **ret_admin, char *ret_reason, size_t size) MUST_USE;
/* After the broker's end. NULL is fine. */
void admin_destroy(struct admin *admin);

#endif
