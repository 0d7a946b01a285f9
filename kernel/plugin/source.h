/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_SOURCE_H
#define KERNEL_PLUGIN_SOURCE_H

/*
 * The text of a script as its file held it. It stays as it is, and is kept as long as the script
 * runs and may be needed again: for another version of its language, and to go back to.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define SCRIPT_SOURCE_MAX ((size_t)1 << 20)

struct script_source {
	unsigned refs; /* home's, once it has come there */
	char *path;
	char *bytes; /* with a zero behind them */
	size_t size;
	uint64_t hash;
};

/* Any thread. 0 and the caller's reference, or -1 with a reason that begins with the path. */
int script_source_read(const char *path, struct script_source **ret_source, char *ret_reason,
		       size_t size) MUST_USE;

/* Home. NULL is fine. */
struct script_source *script_source_ref(struct script_source *source);
void script_source_unref(struct script_source *source);

#endif
