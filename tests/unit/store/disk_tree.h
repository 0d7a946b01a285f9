/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_DISK_TREE_H
#define TESTS_UNIT_STORE_DISK_TREE_H

/* Files and folders of tests: whole files as bytes, copies, and what has changed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_file {
	uint8_t *bytes; /* released with free() */
	size_t size;
};

/* All of these fail the test if they cannot do what they say. */
struct tree_file tree_read(const char *path);
void tree_write(const char *path, const uint8_t *bytes, size_t size);
bool tree_exists(const char *path);
/* What was at `to` goes first. */
void tree_copy(const char *from, const char *to);
void tree_remove(const char *path);

/*
 * A line for each file and folder below the path, with a hash of its bytes, in the order of their
 * names; released with free(). The definitions' database is left out: SQLite changes its files when
 * it only opens them.
 */
char *tree_describe(const char *path);

/* How many names there are in the folder that begin so; 0 if there is no such folder. */
unsigned tree_count(const char *path, const char *prefix);

#endif
