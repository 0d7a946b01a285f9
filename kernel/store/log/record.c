/* SPDX-License-Identifier: MIT */
#include "store/log/record.h"

#include <errno.h>
#define XXH_STATIC_LINKING_ONLY /* for a state on the stack; its layout is fixed since 0.8 */
#include <xxhash.h>

#include "base/bug.h"

enum {
	AT_HEAD_CHECK = 0,
	AT_SIZE = 4,
	AT_BODY_CHECK = 8,
	AT_TYPE = 12,
	AT_FLAGS = 13,
	AT_ZERO = 14,
};

static uint32_t head_check(const uint8_t *head, uint64_t seed)
{
	return (uint32_t)XXH3_64bits_withSeed(head + AT_SIZE, RECORD_HEAD_SIZE - AT_SIZE, seed);
}

static uint32_t body_check(const uint8_t *inner, size_t inner_size, struct slice outer,
			   uint64_t seed)
{
	XXH3_state_t state;

	if (outer.size == 0)
		return (uint32_t)XXH3_64bits_withSeed(inner, inner_size, seed);
	XXH3_INITSTATE(&state);
	(void)XXH3_64bits_reset_withSeed(&state, seed);
	(void)XXH3_64bits_update(&state, inner, inner_size);
	(void)XXH3_64bits_update(&state, outer.data, outer.size);
	return (uint32_t)XXH3_64bits_digest(&state);
}

void record_seal(uint8_t *head, uint64_t seed, uint64_t offset, uint8_t type, uint8_t flags,
		 size_t inner_size, struct slice outer)
{
	size_t size = RECORD_HEAD_SIZE + inner_size + outer.size;

	bug_on(size > RECORD_SIZE_MAX || offset % RECORD_ALIGN != 0);
	put_le32(head + AT_SIZE, (uint32_t)size);
	put_le32(head + AT_BODY_CHECK,
		 body_check(head + RECORD_HEAD_SIZE, inner_size, outer, seed + offset));
	head[AT_TYPE] = type;
	head[AT_FLAGS] = flags;
	head[AT_ZERO] = head[AT_ZERO + 1] = 0;
	put_le32(head + AT_HEAD_CHECK, head_check(head, seed + offset));
}

/* A sound head of a type that is not known was written by a later version; it counts as damage, as
 * what it did is not known. */
enum record_state record_look(struct slice bytes, uint64_t seed, uint64_t offset,
			      struct record *ret, uint32_t *ret_size)
{
	const uint8_t *head = bytes.data;

	if (bytes.size < RECORD_HEAD_SIZE)
		return RECORD_NONE;
	uint32_t size = get_le32(head + AT_SIZE);
	if (size < RECORD_HEAD_SIZE || size > RECORD_SIZE_MAX ||
	    get_le32(head + AT_HEAD_CHECK) != head_check(head, seed + offset))
		return RECORD_NONE;
	*ret_size = size;
	if (size > bytes.size)
		return RECORD_SHORT;
	if (get_le32(head + AT_BODY_CHECK) != body_check(head + RECORD_HEAD_SIZE,
							 size - RECORD_HEAD_SIZE, SLICE_EMPTY,
							 seed + offset) ||
	    head[AT_TYPE] < RECORD_OPEN || head[AT_TYPE] > RECORD_EXPIRE ||
	    (head[AT_FLAGS] & ~RECORD_FLAGS_ALL) != 0)
		return RECORD_DAMAGED;
	*ret = (struct record){
		.type = head[AT_TYPE],
		.flags = head[AT_FLAGS],
		.payload = slice_make(head + RECORD_HEAD_SIZE, size - RECORD_HEAD_SIZE),
	};
	return RECORD_VALID;
}

/* ---- What follows the head ---- */

void record_put_open(uint8_t *payload, const struct record_open *open)
{
	put_le64(payload, open->serial);
	put_le64(payload + 8, open->end);
	put_le64(payload + 16, open->synced);
}

int record_get_open(const struct record *record, struct record_open *ret)
{
	const uint8_t *payload = record->payload.data;

	if (record->type != RECORD_OPEN ||
	    record->payload.size != RECORD_OPEN_SIZE - RECORD_HEAD_SIZE)
		return -EBADMSG;
	*ret = (struct record_open){.serial = get_le64(payload),
				    .end = get_le64(payload + 8),
				    .synced = get_le64(payload + 16)};
	return 0;
}

void record_put_pair(uint8_t *payload, uint64_t first, uint64_t second)
{
	put_le64(payload, first);
	put_le64(payload + 8, second);
}

int record_get_pair(const struct record *record, uint64_t *ret_first, uint64_t *ret_second)
{
	if (record->payload.size != 16)
		return -EBADMSG;
	*ret_first = get_le64(record->payload.data);
	*ret_second = get_le64(record->payload.data + 8);
	return 0;
}

void record_put_target_count(uint8_t *payload, uint32_t n)
{
	put_le32(payload, n);
	put_le32(payload + 4, 0);
}

void record_put_target(uint8_t *payload, uint32_t index, uint8_t flags,
		       const struct record_target *target)
{
	uint8_t *p = payload + record_targets_size(index, flags);

	put_le64(p, target->queue_id);
	put_le64(p + 8, target->seq);
	p += 16;
	if (flags & RECORD_EXPIRES) {
		put_le64(p, target->expires_ms);
		p += 8;
	}
	if (flags & RECORD_DELIVERED)
		put_le64(p, target->deliveries);
}

int record_get_message(const struct record *record, struct record_message *ret)
{
	struct slice payload = record->payload;

	if (payload.size < 8)
		return -EBADMSG;
	uint32_t n = get_le32(payload.data);
	if (n > RECORD_SIZE_MAX / 16 || record_targets_size(n, record->flags) > payload.size)
		return -EBADMSG;
	size_t before = record_targets_size(n, record->flags);
	*ret = (struct record_message){
		.flags = record->flags,
		.n_targets = n,
		.targets = payload.data,
		.body = slice_make(payload.data + before, payload.size - before),
	};
	return 0;
}

struct record_target record_get_target(const struct record_message *message, uint32_t index)
{
	const uint8_t *p = message->targets + record_targets_size(index, message->flags);
	struct record_target target = {.queue_id = get_le64(p), .seq = get_le64(p + 8)};

	p += 16;
	if (message->flags & RECORD_EXPIRES) {
		target.expires_ms = get_le64(p);
		p += 8;
	}
	if (message->flags & RECORD_DELIVERED)
		target.deliveries = (unsigned)get_le64(p);
	return target;
}

int record_get_ranges(const struct record *record, uint64_t *ret_queue_id, uint32_t *ret_n)
{
	size_t size = record->payload.size;

	if (size < RECORD_RANGES_SIZE(1) || (size - 8) % 16 != 0)
		return -EBADMSG;
	*ret_queue_id = get_le64(record->payload.data);
	*ret_n = (uint32_t)((size - 8) / 16);
	return 0;
}
