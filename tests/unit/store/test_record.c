/* SPDX-License-Identifier: MIT */
#include "store/log/record.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"

#define SEED   UINT64_C(0x0123456789abcdef)
#define OFFSET 104

/* A sealed record with a payload of `size` bytes; released with free(). */
static uint8_t *seal(uint8_t type, uint8_t flags, const uint8_t *payload, size_t size)
{
	uint8_t *bytes = malloc(RECORD_HEAD_SIZE + size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	if (size > 0)
		memcpy(bytes + RECORD_HEAD_SIZE, payload, size);
	record_seal(bytes, SEED, OFFSET, type, flags, size, SLICE_EMPTY);
	return bytes;
}

static enum record_state look(const uint8_t *bytes, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1); /* so that reading beyond is seen */
	struct record record;
	uint32_t found;
	enum record_state state;

	memcpy(exact, bytes, size);
	state = record_look(slice_make(exact, size), SEED, OFFSET, &record, &found);
	free(exact);
	return state;
}

static void what_is_sealed_is_found(void)
{
	static const uint8_t payload[] = "some bytes";
	uint8_t *bytes = seal(RECORD_MESSAGE, RECORD_EXPIRES, payload, sizeof(payload));
	struct record record;
	uint32_t size;

	CU_ASSERT_EQUAL(record_look(slice_make(bytes, RECORD_HEAD_SIZE + sizeof(payload)), SEED,
				    OFFSET, &record, &size),
			RECORD_VALID);
	CU_ASSERT_EQUAL(size, RECORD_HEAD_SIZE + sizeof(payload));
	CU_ASSERT_EQUAL(record.type, RECORD_MESSAGE);
	CU_ASSERT_EQUAL(record.flags, RECORD_EXPIRES);
	CU_ASSERT_TRUE(slice_equal(record.payload, slice_make(payload, sizeof(payload))));
	free(bytes);
}

/* A body that lies elsewhere makes the same record. */
static void outer_bytes_are_the_same(void)
{
	static const uint8_t payload[40] = {1, 2, 3, 4, 5};
	uint8_t *whole = seal(RECORD_MESSAGE, 0, payload, sizeof(payload));
	uint8_t head[RECORD_HEAD_SIZE + 8];

	memcpy(head + RECORD_HEAD_SIZE, payload, 8);
	record_seal(head, SEED, OFFSET, RECORD_MESSAGE, 0, 8, slice_make(payload + 8, 32));
	CU_ASSERT_EQUAL(memcmp(head, whole, sizeof(head)), 0);
	free(whole);
}

static void passes_only_where_it_was_written(void)
{
	static const uint8_t payload[24] = {7};
	uint8_t *bytes = seal(RECORD_SETTLE, 0, payload, sizeof(payload));
	struct slice all = slice_make(bytes, RECORD_HEAD_SIZE + sizeof(payload));
	struct record record;
	uint32_t size;

	CU_ASSERT_EQUAL(record_look(all, SEED, OFFSET + 8, &record, &size), RECORD_NONE);
	CU_ASSERT_EQUAL(record_look(all, SEED + 1, OFFSET, &record, &size), RECORD_NONE);
	CU_ASSERT_EQUAL(record_look(all, SEED, OFFSET, &record, &size), RECORD_VALID);
	free(bytes);
}

static void truncation(void)
{
	static const uint8_t payload[50] = {9, 9, 9};
	const size_t whole = RECORD_HEAD_SIZE + sizeof(payload);
	uint8_t *bytes = seal(RECORD_MESSAGE, 0, payload, sizeof(payload));

	for (size_t size = 0; size < whole; size++)
		CU_ASSERT_EQUAL(look(bytes, size),
				size < RECORD_HEAD_SIZE ? RECORD_NONE : RECORD_SHORT);
	CU_ASSERT_EQUAL(look(bytes, whole), RECORD_VALID);
	free(bytes);
}

static void every_bit_counts(void)
{
	static const uint8_t payload[30] = {1};
	const size_t whole = RECORD_HEAD_SIZE + sizeof(payload);
	uint8_t *bytes = seal(RECORD_PURGE, RECORD_ATOMIC, payload, sizeof(payload));

	for (size_t bit = 0; bit < whole * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_EQUAL(look(bytes, whole),
				bit / 8 < RECORD_HEAD_SIZE ? RECORD_NONE : RECORD_DAMAGED);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CU_ASSERT_EQUAL(look(bytes, whole), RECORD_VALID);
	free(bytes);
}

static void zeros_are_no_record(void)
{
	static const uint8_t zeros[256];

	for (size_t size = 0; size <= sizeof(zeros); size++)
		CU_ASSERT_EQUAL(look(zeros, size), RECORD_NONE);
}

/* What a later version may write; its size is known, so that what follows is found. */
static void unknown_types_and_flags_are_damage(void)
{
	static const uint8_t payload[16];

	for (unsigned type = 0; type < 256; type++) {
		uint8_t *bytes = seal((uint8_t)type, 0, payload, sizeof(payload));
		bool is_known = type >= RECORD_OPEN && type <= RECORD_EXPIRE;

		CU_ASSERT_EQUAL(look(bytes, RECORD_HEAD_SIZE + sizeof(payload)),
				is_known ? RECORD_VALID : RECORD_DAMAGED);
		free(bytes);
	}
	for (unsigned flags = 0; flags < 256; flags++) {
		uint8_t *bytes = seal(RECORD_BATCH, (uint8_t)flags, payload, sizeof(payload));

		CU_ASSERT_EQUAL(look(bytes, RECORD_HEAD_SIZE + sizeof(payload)),
				flags <= RECORD_FLAGS_ALL ? RECORD_VALID : RECORD_DAMAGED);
		free(bytes);
	}
}

/* ---- Payloads, of exactly their size, so that reading beyond is seen ---- */

static struct record record_of(uint8_t flags, const uint8_t *payload, size_t size,
			       uint8_t **ret_copy)
{
	*ret_copy = malloc(size > 0 ? size : 1);
	memcpy(*ret_copy, payload, size);
	return (struct record){
		.type = RECORD_MESSAGE, .flags = flags, .payload = slice_make(*ret_copy, size)};
}

static void open_and_batch(void)
{
	const struct record_open said = {.serial = 7, .end = UINT64_MAX - 1, .synced = 104};
	struct record_open got;
	uint64_t first, second;
	uint8_t payload[40] = {0};

	record_put_open(payload, &said);
	for (size_t size = 0; size <= sizeof(payload); size++) {
		uint8_t *copy;
		struct record record = record_of(0, payload, size, &copy);

		CU_ASSERT_NOT_EQUAL(record_get_open(&record, &got), 0); /* of another type */
		record.type = RECORD_OPEN;
		CU_ASSERT_EQUAL(record_get_open(&record, &got) == 0, size == 24);
		CU_ASSERT_EQUAL(record_get_pair(&record, &first, &second) == 0, size == 16);
		free(copy);
	}
	CU_ASSERT_EQUAL(got.serial, said.serial);
	CU_ASSERT_EQUAL(got.end, said.end);
	CU_ASSERT_EQUAL(got.synced, said.synced);
	record_put_pair(payload, UINT64_C(1) << 40, 64);
	const struct record batch = {.payload = slice_make(payload, 16)};
	CU_ASSERT_EQUAL(record_get_pair(&batch, &first, &second), 0);
	CU_ASSERT_EQUAL(first, UINT64_C(1) << 40);
	CU_ASSERT_EQUAL(second, 64);
}

static const struct record_target targets[] = {
	{.queue_id = 1, .seq = 2, .expires_ms = 3, .deliveries = 4},
	{.queue_id = UINT64_MAX, .seq = UINT64_MAX - 1, .expires_ms = UINT64_MAX, .deliveries = 9},
	{.queue_id = 5},
};

static void check_targets(uint8_t flags, const struct record_message *message)
{
	for (uint32_t i = 0; i < 3; i++) {
		struct record_target got = record_get_target(message, i);

		CU_ASSERT_EQUAL(got.queue_id, targets[i].queue_id);
		CU_ASSERT_EQUAL(got.seq, targets[i].seq);
		CU_ASSERT_EQUAL(got.expires_ms, flags & RECORD_EXPIRES ? targets[i].expires_ms : 0);
		CU_ASSERT_EQUAL(got.deliveries,
				flags & RECORD_DELIVERED ? targets[i].deliveries : 0);
	}
}

/* With each combination of what targets have; a message may be cut within its body only. */
static void messages(void)
{
	static const uint8_t variants[] = {0, RECORD_EXPIRES, RECORD_DELIVERED,
					   RECORD_EXPIRES | RECORD_DELIVERED};

	for (unsigned v = 0; v < 4; v++) {
		uint8_t payload[256] = {0}, flags = variants[v];
		size_t before = record_targets_size(3, flags), whole = before + 10;

		record_put_target_count(payload, 3);
		for (uint32_t i = 0; i < 3; i++)
			record_put_target(payload, i, flags, &targets[i]);
		memcpy(payload + before, "ten bytes.", 10);
		for (size_t size = 0; size <= whole; size++) {
			struct record_message message;
			uint8_t *copy;
			struct record record = record_of(flags, payload, size, &copy);
			int r = record_get_message(&record, &message);

			CU_ASSERT_EQUAL(r == 0, size >= before);
			if (r == 0) {
				CU_ASSERT_EQUAL(message.n_targets, 3);
				CU_ASSERT_EQUAL(message.body.size, size - before);
				check_targets(flags, &message);
			}
			free(copy);
		}
	}
}

/* A count of targets that nobody can have written. */
static void counts_are_not_trusted(void)
{
	static const uint32_t counts[] = {
		4, 1000, UINT32_C(1) << 26, UINT32_C(1) << 28, UINT32_C(1) << 31, UINT32_MAX};

	for (unsigned i = 0; i < 6; i++) {
		uint8_t payload[8 + 3 * 16] = {0}, *copy;
		struct record_message message;

		record_put_target_count(payload, counts[i]);
		struct record record = record_of(0, payload, sizeof(payload), &copy);
		CU_ASSERT_NOT_EQUAL(record_get_message(&record, &message), 0);
		free(copy);
	}
}

static void ranges(void)
{
	uint8_t payload[RECORD_RANGES_SIZE(4)] = {0};
	uint64_t queue_id = 0, first, last;
	uint32_t n = 0;

	put_le64(payload, 11);
	for (uint32_t i = 0; i < 4; i++) {
		put_le64(payload + RECORD_RANGES_SIZE(i), 100 + i);
		put_le64(payload + RECORD_RANGES_SIZE(i) + 8, UINT64_MAX - i);
	}
	for (size_t size = 0; size <= sizeof(payload); size++) {
		uint8_t *copy;
		struct record record = record_of(0, payload, size, &copy);
		int r = record_get_ranges(&record, &queue_id, &n);

		CU_ASSERT_EQUAL(r == 0, size >= 24 && size % 16 == 8);
		for (uint32_t i = 0; r == 0 && i < n; i++) {
			record_get_range(&record, i, &first, &last);
			CU_ASSERT_EQUAL(first, 100 + i);
			CU_ASSERT_EQUAL(last, UINT64_MAX - i);
		}
		free(copy);
	}
	CU_ASSERT_EQUAL(queue_id, 11);
	CU_ASSERT_EQUAL(n, 4);
}

UNIT_MAIN("store/record", UNIT_TEST(what_is_sealed_is_found), UNIT_TEST(outer_bytes_are_the_same),
	  UNIT_TEST(passes_only_where_it_was_written), UNIT_TEST(truncation),
	  UNIT_TEST(every_bit_counts), UNIT_TEST(zeros_are_no_record),
	  UNIT_TEST(unknown_types_and_flags_are_damage), UNIT_TEST(open_and_batch),
	  UNIT_TEST(messages), UNIT_TEST(counts_are_not_trusted), UNIT_TEST(ranges))
