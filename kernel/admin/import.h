/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_IMPORT_H
#define KERNEL_ADMIN_IMPORT_H

/*
 * Definitions in RabbitMQ's JSON (rabbitmqctl export_definitions): in and out. At home.
 *
 * An import is all or nothing. First everything is looked at: what is not understood, or would be
 * refused, ends it, with the path of the offending value ("queues[3].arguments.x-expires: ...").
 * Then it is put into the store as one pending import, and done, step by step; a crash meanwhile
 * makes the next start do it again before anything else. If a step fails all the same (no room on
 * the disk), what was done before is undone. What exists is kept, as in RabbitMQ: queues, exchanges
 * and vhosts as they are, users, permissions, parameters and policies take the imported values.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "access/audit.h"
#include "base/compiler.h"

struct admin;

struct import {
	struct admin *admin;
	const json_t *definitions; /* the importer's reference, until done() */
	struct audit_actor actor;
	void (*done)(struct import *import);
	void *context;
	/* answers: 0; -EINVAL: refused before anything was done; -EIO, -ENOMEM: undone */
	int result;
	char reason[512];
	char warnings[512]; /* what was taken otherwise than the file says; "" */
	void *work;	    /* its own */
};
void import_submit(struct import *import);

/* What RabbitMQ can import; the caller's reference. ret_warnings: a line for each user that goes
 * without its password, as RabbitMQ cannot read its hash. */
json_t *export_definitions(struct admin *admin, char *ret_warnings, size_t size);

#endif
