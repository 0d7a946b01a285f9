/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_RECORD_H
#define KERNEL_STORE_LOG_RECORD_H

/*
 * Records of the log, from and to bytes; docs/store-format.md has them to the byte. All numbers are
 * little endian, records begin at multiples of 8.
 *
 * A record's head has two checks: one of the head itself, so that a search for records costs little
 * where there are none, and one of what follows. Both begin with the segment's seed and the
 * record's offset, so no record passes anywhere but where it was written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

#define RECORD_VERSION	 1u
#define RECORD_HEAD_SIZE 16u
#define RECORD_ALIGN	 8u
#define RECORD_SIZE_MAX	 (UINT32_C(1) << 30)

enum record_type {
	RECORD_OPEN = 1,    /* what is known of the segment before */
	RECORD_BATCH = 2,   /* the append that follows: its size, and what is synced */
	RECORD_MESSAGE = 3, /* a body and the queues that hold it */
	RECORD_SETTLE = 4,  /* ranges of a queue, as the following ones */
	RECORD_REQUEUE = 5,
	RECORD_PURGE = 6,
	RECORD_EXPIRE = 7,
};

enum {
	RECORD_ATOMIC = 1,     /* BATCH, and all records of it: all or nothing */
	RECORD_TRANSIENT = 2,  /* MESSAGE: for this run only */
	RECORD_EXPIRES = 4,    /* MESSAGE: targets have an expiry */
	RECORD_DELIVERED = 8,  /* MESSAGE: targets have a count of deliveries */
	RECORD_FLAGS_ALL = 15, /* others are of a later version */
};

static inline uint64_t record_padded(uint64_t size)
{
	return (size + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
	p[2] = (uint8_t)(value >> 16);
	p[3] = (uint8_t)(value >> 24);
}

static inline void put_le64(uint8_t *p, uint64_t value)
{
	put_le32(p, (uint32_t)value);
	put_le32(p + 4, (uint32_t)(value >> 32));
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

/* ---- The head ---- */

struct record {
	uint8_t type, flags;
	struct slice payload; /* behind the head */
};

/*
 * Fills in the head at `head`; what follows it is `inner`, at head + RECORD_HEAD_SIZE, and then
 * `outer`, which lies elsewhere and may be empty.
 */
void record_seal(uint8_t *head, uint64_t seed, uint64_t offset, uint8_t type, uint8_t flags,
		 size_t inner_size, struct slice outer);

/* How much of the record there is. */
enum record_state {
	RECORD_NONE,	/* no head here */
	RECORD_DAMAGED, /* a head, and what follows is not what it was */
	RECORD_VALID,
	RECORD_SHORT, /* a head, and the bytes end before the record does */
};

/*
 * Looks at the bytes, which are the segment's from `offset` on. *ret_size is the record's whole
 * size without padding unless there is none; *ret is filled if it is valid.
 */
enum record_state record_look(struct slice bytes, uint64_t seed, uint64_t offset,
			      struct record *ret, uint32_t *ret_size);

/* ---- What follows the head ---- */

#define RECORD_OPEN_SIZE  (RECORD_HEAD_SIZE + 24u)
#define RECORD_BATCH_SIZE (RECORD_HEAD_SIZE + 16u)

/* Of the segment before: its serial (0: there is none), where its records end, and up to which
 * offset it is known that all of it was synced as it was written. */
struct record_open {
	uint64_t serial, end, synced;
};
void record_put_open(uint8_t *payload, const struct record_open *open);
int record_get_open(const struct record *record, struct record_open *ret) MUST_USE;

/* BATCH: bytes that follow, up to which offset of the segment all was synced. */
void record_put_pair(uint8_t *payload, uint64_t first, uint64_t second);
int record_get_pair(const struct record *record, uint64_t *ret_first,
		    uint64_t *ret_second) MUST_USE;

struct record_target {
	uint64_t queue_id, seq;
	uint64_t expires_ms; /* 0: never */
	unsigned deliveries;
};

/* The bytes between a MESSAGE's head and its body. */
static inline size_t record_targets_size(uint32_t n, uint8_t flags)
{
	return 8 + n * (size_t)(16 + (flags & RECORD_EXPIRES ? 8 : 0) +
				(flags & RECORD_DELIVERED ? 8 : 0));
}
void record_put_target_count(uint8_t *payload, uint32_t n);
void record_put_target(uint8_t *payload, uint32_t index, uint8_t flags,
		       const struct record_target *target);

/* -EBADMSG: what a MESSAGE never holds. */
struct record_message {
	uint8_t flags;
	uint32_t n_targets;
	const uint8_t *targets;
	struct slice body;
};
int record_get_message(const struct record *record, struct record_message *ret) MUST_USE;
struct record_target record_get_target(const struct record_message *message, uint32_t index);

/* SETTLE and the like: a queue's id, then pairs of first and last. */
#define RECORD_RANGES_SIZE(n) (8u + (size_t)(n)*16u)
int record_get_ranges(const struct record *record, uint64_t *ret_queue_id,
		      uint32_t *ret_n) MUST_USE;
static inline void record_get_range(const struct record *record, uint32_t index,
				    uint64_t *ret_first, uint64_t *ret_last)
{
	*ret_first = get_le64(record->payload.data + RECORD_RANGES_SIZE(index));
	*ret_last = get_le64(record->payload.data + RECORD_RANGES_SIZE(index) + 8);
}

#endif
