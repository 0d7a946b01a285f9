/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_DISK_STAGE_H
#define TESTS_UNIT_STORE_DISK_STAGE_H

/* Stores on disk for tests: in a folder of their own, which goes at the end of the program. */

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

/* What stores are opened with; path and n_logs are filled in. Reports are kept, see below. */
extern struct store_options disk_options;

/* A path in the program's folder. Static memory, eight of them. */
const char *disk_stage_path(const char *name);

/* An empty store in a new folder, for the contract. */
struct store *disk_stage_create(unsigned n_logs);

/* Removes the folder and all in it, or copies it. Fails the test if that does not go. */
void disk_stage_remove(const char *path);
void disk_stage_copy(const char *from, const char *to);

/* The newest segment of a log in the data directory; static memory. */
const char *disk_stage_newest(const char *path, unsigned generation, unsigned log);

struct disk_reports {
	unsigned n, n_errors;
	uint64_t offset, size; /* of the last */
	char path[256];
	char reason[256];
};
extern struct disk_reports disk_reports;

#endif
