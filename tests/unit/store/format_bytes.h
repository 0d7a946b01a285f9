/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_FORMAT_BYTES_H
#define TESTS_UNIT_STORE_FORMAT_BYTES_H

/*
 * Segments by the rules of docs/store-format.md, written and read without the engine's own code, so
 * that the two can be held against each other. Numbers here are the document's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SIZE 65536

enum {
	T_OPEN = 1,
	T_BATCH = 2,
	T_MESSAGE = 3,
	T_SETTLE = 4,
	T_REQUEUE = 5,
	T_PURGE = 6,
	T_EXPIRE = 7,
};

enum {
	F_ATOMIC = 1,
	F_TRANSIENT = 2,
	F_EXPIRES = 4,
	F_DELIVERED = 8,
};

/* Of all stores here: 00 01 .. 0f. */
extern const uint8_t image_store_id[16];

/* A segment in memory. */
struct image {
	uint8_t bytes[IMAGE_SIZE];
	size_t end; /* of its records */
	uint64_t seed;
};

/* A record's payload in the making. */
struct payload {
	uint8_t bytes[512];
	size_t size;
};
void put_u32(struct payload *payload, uint32_t value);
void put_u64(struct payload *payload, uint64_t value);
void put_text(struct payload *payload, const char *text);

uint32_t u32_at(const uint8_t *bytes);
uint64_t u64_at(const uint8_t *bytes);

/* Header only. */
void image_begin(struct image *image, uint32_t generation, uint32_t log, uint64_t serial);
/* The header's check again, after a change. */
void image_seal_header(struct image *image);
/* Returns the record's offset. */
size_t image_add(struct image *image, unsigned type, unsigned flags, const struct payload *payload);
/* OPEN and BATCH. */
size_t image_add_pair(struct image *image, unsigned type, unsigned flags, uint64_t first,
		      uint64_t second);
/* SETTLE and the like, with one range. */
size_t image_add_range(struct image *image, unsigned type, unsigned flags, uint64_t queue_id,
		       uint64_t first, uint64_t last);
/* MESSAGE for one queue, without expiry. */
size_t image_add_message(struct image *image, unsigned flags, uint64_t queue_id, uint64_t seq,
			 const char *body);

/* To and from the file; what is missing in it is zero. */
void image_save(const struct image *image, const char *path);
void image_load(struct image *image, const char *path, uint32_t generation, uint32_t log,
		uint64_t serial);

/* The record at the offset, if both checks are right; the payload is in the image. */
struct seen {
	unsigned type, flags;
	const uint8_t *payload;
	size_t payload_size;
	size_t next; /* where the next one begins */
};
bool image_look(const struct image *image, size_t offset, struct seen *ret);

#endif
