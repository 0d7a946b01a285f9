/* SPDX-License-Identifier: MIT */
#include "store/log/group.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"
#include "store/disk.h"
#include "store/engine.h"
#include "store/log/index.h"
#include "store/log/record.h"

#define CAPACITY_KEPT ((size_t)256 * 1024) /* more is given back after the group */
#define PIECES_KEPT   ((size_t)1024)

/* A run of `bytes`, or bytes of someone else. */
struct group_piece {
	const uint8_t *outer; /* NULL: in `bytes` */
	size_t at, size;
};

void group_init(struct group *group)
{
	*group = (struct group){.segment = NULL};
}

void group_fini(struct group *group)
{
	account_add(ACCOUNT_LOG, -(ptrdiff_t)group->capacity);
	mem_free(group->bytes);
	mem_free(group->pieces);
	mem_free(group->parts);
	group_init(group);
}

void group_begin(struct group *group, struct segment *segment, uint64_t synced)
{
	if (group->capacity > CAPACITY_KEPT || group->pieces_capacity > PIECES_KEPT ||
	    group->parts_capacity > PIECES_KEPT)
		group_fini(group);
	group->segment = segment;
	group->begin = segment->end;
	group->synced = synced;
	group->size = 0;
	group->n_bytes = group->n_pieces = 0;
}

/* ---- Size ---- */

static bool are_joined(const struct store_record *first, const struct store_record *second)
{
	return first->type == second->type && first->queue_id == second->queue_id;
}

uint64_t group_append_size(const struct store_append *append)
{
	uint64_t size = RECORD_BATCH_SIZE;

	if (append->n_records > RECORD_SIZE_MAX / 128)
		return UINT64_MAX;
	for (size_t i = 0; i < append->n_records; i++) {
		const struct store_record *record = &append->records[i];

		if (record->type == STORE_ENQUEUE)
			size += 32;
		else if (record->type != STORE_PUBLISH)
			size += RECORD_HEAD_SIZE + RECORD_RANGES_SIZE(1);
		else if (record->body.bytes.size <= RECORD_SIZE_MAX / 2)
			size += RECORD_HEAD_SIZE + 8 + RECORD_ALIGN + record->body.bytes.size;
		else
			return UINT64_MAX;
	}
	return size;
}

/* ---- Adding ---- */

/* Room for n bytes more that lie together; NULL when memory is out. They are zero. */
static uint8_t *extend(struct group *group, size_t n)
{
	if (n > group->capacity - group->n_bytes) {
		size_t wanted = group->capacity > 0 ? group->capacity * 2 : 16384;

		while (wanted < group->n_bytes + n)
			wanted *= 2;
		uint8_t *grown = mem_try_realloc(group->bytes, wanted);
		if (!grown)
			return NULL;
		account_add(ACCOUNT_LOG, (ptrdiff_t)(wanted - group->capacity));
		group->bytes = grown;
		group->capacity = wanted;
	}
	uint8_t *at = group->bytes + group->n_bytes;
	memset(at, 0, n);
	return at;
}

static int add_piece(struct group *group, const uint8_t *outer, size_t size)
{
	struct group_piece *last = group->n_pieces > 0 ? &group->pieces[group->n_pieces - 1] : NULL;

	if (!outer && last && !last->outer) {
		last->size += size;
	} else {
		if (group->n_pieces == group->pieces_capacity) {
			size_t wanted = group->pieces_capacity ? group->pieces_capacity * 2 : 16;
			struct group_piece *grown =
				mem_try_realloc(group->pieces, wanted * sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			group->pieces = grown;
			group->pieces_capacity = wanted;
		}
		group->pieces[group->n_pieces++] = (struct group_piece){
			.outer = outer, .at = outer ? 0 : group->n_bytes, .size = size};
	}
	if (!outer)
		group->n_bytes += size;
	group->size += size;
	return 0;
}

/* The record's head and `inner` bytes are in place behind n_bytes; seals it and takes it in. */
static int add_record(struct group *group, uint8_t *head, uint8_t type, uint8_t flags, size_t inner,
		      struct slice outer)
{
	size_t size = RECORD_HEAD_SIZE + inner + outer.size;
	size_t padding = record_padded(size) - size;
	int r;

	record_seal(head, group->segment->seed, group->begin + group->size, type, flags, inner,
		    outer);
	if (outer.size == 0)
		return add_piece(group, NULL, size + padding);
	r = add_piece(group, NULL, size - outer.size);
	if (r == 0)
		r = add_piece(group, outer.data, outer.size);
	if (r == 0 && padding > 0)
		r = extend(group, padding) ? add_piece(group, NULL, padding) : -ENOMEM;
	return r;
}

/*
 * Decides which of the enqueues behind a publish are written: place is 1 for those. What is marked
 * later is written all the same.
 */
static size_t choose_targets(struct store_record *publish, size_t n_left, uint32_t *ret_n,
			     uint8_t *ret_flags)
{
	size_t i;

	*ret_n = 0;
	*ret_flags |= publish->is_transient ? RECORD_TRANSIENT : 0;
	for (i = 1; i < n_left && publish[i].type == STORE_ENQUEUE; i++) {
		bool is_written =
			!atomic_load_explicit(&publish[i].is_elided, memory_order_relaxed);

		publish[i].place = is_written;
		*ret_n += is_written;
		if (is_written && publish[i].expires_ms > 0)
			*ret_flags |= RECORD_EXPIRES;
		if (is_written && publish[i].deliveries > 0)
			*ret_flags |= RECORD_DELIVERED;
	}
	return i;
}

static void put_targets(uint8_t *payload, uint8_t flags, struct store_record *publish, size_t n,
			uint64_t place)
{
	uint32_t index = 0;

	for (size_t i = 1; i < n; i++) {
		struct store_record *record = &publish[i];
		const struct record_target target = {.queue_id = record->queue_id,
						     .seq = record->seq_first,
						     .expires_ms = record->expires_ms,
						     .deliveries = record->deliveries};

		if (record->place == 0)
			continue;
		record->place = place;
		record_put_target(payload, index++, flags, &target);
	}
}

/* A body and its targets; *ret_used records of the append. */
static int add_message(struct group *group, struct store_record *publish, size_t n_left,
		       size_t *ret_used)
{
	struct slice body = publish->body.bytes, outer = SLICE_EMPTY;
	uint64_t place = index_place((uint32_t)(group->segment->serial & INDEX_SEGMENT_MAX),
				     group->begin + group->size);
	uint8_t flags = group->flags;
	uint32_t n;

	*ret_used = choose_targets(publish, n_left, &n, &flags);
	publish->place = 0;
	if (n == 0)
		return 0;

	size_t targets = record_targets_size(n, flags), inner = targets;
	if (body.size > GROUP_COPY_MAX)
		outer = body;
	else
		inner += body.size;
	uint8_t *head = extend(group, RECORD_HEAD_SIZE + inner + RECORD_ALIGN);
	if (!head)
		return -ENOMEM;
	uint8_t *payload = head + RECORD_HEAD_SIZE;
	record_put_target_count(payload, n);
	put_targets(payload, flags, publish, *ret_used, place);
	if (outer.size == 0 && body.size > 0)
		memcpy(payload + targets, body.data, body.size);
	publish->place = place;
	return add_record(group, head, RECORD_MESSAGE, flags, inner, outer);
}

static uint8_t type_of_range(enum store_record_type type)
{
	switch (type) {
	case STORE_SETTLE:
		return RECORD_SETTLE;
	case STORE_EXPIRE:
		return RECORD_EXPIRE;
	case STORE_REQUEUE:
		return RECORD_REQUEUE;
	case STORE_PURGE:
		return RECORD_PURGE;
	case STORE_PUBLISH:
	case STORE_ENQUEUE:
		break;
	}
	bug_on(true);
	return 0;
}

/* Ranges of one kind and queue that follow each other are one record. */
static int add_ranges(struct group *group, struct store_record *first, size_t n_left,
		      size_t *ret_used)
{
	uint64_t place = index_place((uint32_t)(group->segment->serial & INDEX_SEGMENT_MAX),
				     group->begin + group->size);
	size_t n = 1;

	while (n < n_left && are_joined(first, &first[n]))
		n++;
	*ret_used = n;
	uint8_t *head = extend(group, RECORD_HEAD_SIZE + RECORD_RANGES_SIZE(n) + RECORD_ALIGN);
	if (!head)
		return -ENOMEM;
	uint8_t *p = head + RECORD_HEAD_SIZE;
	put_le64(p, first->queue_id);
	for (size_t i = 0; i < n; i++) {
		put_le64(p + RECORD_RANGES_SIZE(i), first[i].seq_first);
		put_le64(p + RECORD_RANGES_SIZE(i) + 8, first[i].seq_last);
		first[i].place = place;
	}
	return add_record(group, head, type_of_range(first->type), group->flags,
			  RECORD_RANGES_SIZE(n), SLICE_EMPTY);
}

static int add_records(struct group *group, struct store_append *append)
{
	size_t used;

	for (size_t i = 0; i < append->n_records; i += used) {
		struct store_record *record = &append->records[i];
		size_t n_left = append->n_records - i;
		int r = 0;

		used = 1;
		if (store_is_range(record))
			r = add_ranges(group, record, n_left, &used);
		else
			r = add_message(group, record, n_left, &used);
		if (r < 0)
			return r;
	}
	return 0;
}

struct mark {
	size_t n_bytes, n_pieces, last_size;
	uint64_t size;
};

static struct mark mark(const struct group *group)
{
	return (struct mark){
		.n_bytes = group->n_bytes,
		.n_pieces = group->n_pieces,
		.last_size = group->n_pieces > 0 ? group->pieces[group->n_pieces - 1].size : 0,
		.size = group->size,
	};
}

static void take_back(struct group *group, const struct mark *to)
{
	group->n_bytes = to->n_bytes;
	group->n_pieces = to->n_pieces;
	group->size = to->size;
	if (to->n_pieces > 0)
		group->pieces[to->n_pieces - 1].size = to->last_size;
}

int group_add(struct group *group, struct store_append *append)
{
	const struct mark before = mark(group);
	int r = extend(group, RECORD_BATCH_SIZE) ? 0 : -ENOMEM;

	group->flags = append->is_atomic ? RECORD_ATOMIC : 0;
	if (r == 0)
		r = add_piece(group, NULL, RECORD_BATCH_SIZE);
	if (r == 0)
		r = add_records(group, append);
	uint64_t size = group->size - before.size - RECORD_BATCH_SIZE;
	if (r < 0 || size == 0) {
		take_back(group, &before);
		for (size_t i = 0; i < append->n_records; i++)
			append->records[i].place = 0;
		return r;
	}
	uint8_t *head = group->bytes + before.n_bytes;
	record_put_pair(head + RECORD_HEAD_SIZE, size, group->synced);
	record_seal(head, group->segment->seed, group->begin + before.size, RECORD_BATCH,
		    group->flags, 16, SLICE_EMPTY);
	return 0;
}

int group_add_end(struct group *group)
{
	uint8_t *head = extend(group, RECORD_BATCH_SIZE);

	if (!head)
		return -ENOMEM;
	record_put_pair(head + RECORD_HEAD_SIZE, 0, group->synced);
	return add_record(group, head, RECORD_BATCH, 0, RECORD_BATCH_SIZE - RECORD_HEAD_SIZE,
			  SLICE_EMPTY);
}

/* ---- Writing ---- */

int group_write(struct group *group)
{
	if (group->size == 0)
		return 0;
	if (group->n_pieces > group->parts_capacity) {
		struct iovec *grown =
			mem_try_realloc(group->parts, group->n_pieces * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		group->parts = grown;
		group->parts_capacity = group->n_pieces;
	}
	for (size_t i = 0; i < group->n_pieces; i++) {
		const struct group_piece *piece = &group->pieces[i];
		const uint8_t *data = piece->outer ? piece->outer : group->bytes + piece->at;

		/* writev only reads, but its structure does not say so */
		group->parts[i] =
			(struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = piece->size};
	}
	int r = disk_write(group->segment->fd, group->parts, group->n_pieces, group->begin);

	if (r == 0)
		group->segment->end = group->begin + group->size;
	return r;
}
