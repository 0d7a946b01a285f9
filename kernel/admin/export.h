/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ADMIN_EXPORT_H
#define KERNEL_ADMIN_EXPORT_H

/*
 * The broker's definitions for RabbitMQ to import. At home: they are gathered there, in slices, and
 * sorted and written on a worker.
 *
 * What outlives a restart, that is: not what is transient or exclusive, or a binding of it, and not
 * what every vhost has by itself. What is changed meanwhile may be there or not.
 */

#include <stddef.h>

#include "base/buffer.h"

struct admin;

/* Filled by the asker, who keeps it until done(), which does not run inside the call. */
struct export
{
	struct admin *admin;
	void (*done)(struct export * export);
	void *context;
	/* Answers. 0, or -ENOMEM, -ECANCELED (the broker ends). */
	int result;
	/* Of each item a line of JSON, [SECTION, OBJECT], in RabbitMQ's order of sections, sorted;
	 * the asker's, as are the warnings: a line for what could not be written as it is. */
	struct buffer lines, warnings;
	size_t n_warnings; /* there may be more than there are lines */
};
void export_submit(struct export *export);

/* Frees the lines, which may be long, on the worker. */
void export_free_lines(struct export *export);

#endif
