/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_FILE_H
#define KERNEL_PLUGIN_FILE_H

/*
 * The shared object of a plugin. It is opened through a private copy, so that what happens to the
 * installed file does no harm, under a name of its own, as dlopen() hands back what is open under a
 * name or as a file already. Any thread, one at a time for each file.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct shunt_plugin;

struct plugin_file {
	char *path; /* as it was found; messages name this one */
	char *copy; /* NULL: the file itself is open */
	bool has_copy;
	bool copy_failed; /* not the file is at fault, but the directory for copies */
	void *object;
	const struct shunt_plugin *exported;
};

/* Makes the directory for copies, and empties it. 0, or -1 with a reason. */
int plugin_files_prepare(const char *directory, char *ret_reason, size_t size) MUST_USE;

/*
 * path and copy are taken, on the heap; copy: where the private copy goes, NULL: none is made. 0,
 * or -1 with a reason. To be closed in either case.
 */
int plugin_file_open(struct plugin_file *file, char *path_take, char *copy_take, char *ret_reason,
		     size_t size) MUST_USE;
void plugin_file_close(struct plugin_file *file);

#endif
