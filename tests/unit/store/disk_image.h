/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_DISK_IMAGE_H
#define TESTS_UNIT_STORE_DISK_IMAGE_H

/* A segment's file as bytes, and where its records are: for tests that damage it. */

#include <stddef.h>
#include <stdint.h>

#include "disk_tree.h"
#include "store/log/record.h"
#include "store/log/segment.h"

struct image_record {
	uint64_t offset;
	uint32_t size; /* without padding */
	uint8_t type, flags;
	uint64_t queue_id, seq;	     /* MESSAGE: of the first target; ranges: queue and first */
	uint64_t batch_size, synced; /* BATCH */
};

#define IMAGE_RECORDS_MAX 512
struct image {
	struct tree_file file;
	struct segment_folder folder; /* what the header says; no path */
	uint64_t serial, seed, end;
	struct image_record records[IMAGE_RECORDS_MAX];
	size_t n_records;
};

/* Fails the test if the file does not begin with a sound header. */
void image_load(struct image *image, const char *path);
void image_free(struct image *image);

/* The message's record; fails the test if there is none. */
const struct image_record *image_message(const struct image *image, uint64_t queue_id,
					 uint64_t seq);
/* The n-th record of the type, from 0. */
const struct image_record *image_nth(const struct image *image, uint8_t type, size_t n);

/* Whether the record is the same in these bytes. */
bool image_is_intact(const struct image *image, const struct image_record *record,
		     const uint8_t *bytes, size_t size);

#endif
