/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_GROUP_H
#define KERNEL_STORE_LOG_GROUP_H

/*
 * What is written to a segment in one go: the records of several appends, one behind the other.
 * Small bodies are copied, large ones stay where they are. Belongs to the writer; used again for
 * each group.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "store/log/segment.h"
#include "store/store.h"

/* Larger bodies are written from where they are, and must stay there until then. */
#define GROUP_COPY_MAX ((size_t)4096)

struct group_piece;

struct group {
	struct segment *segment;
	uint64_t begin;	 /* offset in the segment */
	uint64_t synced; /* up to which offset the segment is */
	uint64_t size;	 /* bytes, all pieces together */
	uint8_t flags;	 /* of the records of the append that is being added */
	uint8_t *bytes;	 /* heads, and what was copied */
	size_t n_bytes, capacity;
	struct group_piece *pieces;
	size_t n_pieces, pieces_capacity;
	struct iovec *parts;
	size_t parts_capacity;
};

void group_init(struct group *group);
void group_fini(struct group *group);

/* Begins anew, behind the segment's end. */
void group_begin(struct group *group, struct segment *segment, uint64_t synced);

/* Bytes that the append takes at most. UINT64_MAX: a record would be too large. */
uint64_t group_append_size(const struct store_append *append);

/*
 * Adds the append's records and notes each one's place in it (0: left out). There is room in the
 * segment. 0, or -ENOMEM with nothing added.
 */
int group_add(struct group *group, struct store_append *append) MUST_USE;

/* Adds a BATCH of nothing: it says how far the segment was synced when it came to its end. */
int group_add_end(struct group *group) MUST_USE;

/* Writes all of it; the segment's end moves behind it. */
int group_write(struct group *group) MUST_USE;

#endif
