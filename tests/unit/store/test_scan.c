/* SPDX-License-Identifier: MIT */
#include "store/log/scan.h"

#include "disk_scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"

#include "../unit.h"

/* A segment of serial 1, made by hand: after the header so many records of this payload size. */
#define BODY	  30
#define RECORD	  (RECORD_HEAD_SIZE + BODY)
#define PADDED	  48
#define N	  10
#define AT(i)	  (SEGMENT_HEADER_SIZE + (uint64_t)(i)*PADDED)
#define FILE_SIZE 1024

static struct segment_folder folder;
static uint8_t bytes[FILE_SIZE];
static struct scan scan;

static void begin(void)
{
	static char path[256];
	uint64_t seed;

	snprintf(path, sizeof(path), "%s", disk_stage_path("scan"));
	tree_remove(path);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
	folder = (struct segment_folder){.path = path, .generation = 1};
	seed = segment_seed(&folder, 1);
	memset(bytes, 0, sizeof(bytes));
	for (unsigned i = 0; i < N; i++) {
		memset(bytes + AT(i) + RECORD_HEAD_SIZE, (int)i + 1, BODY);
		record_seal(bytes + AT(i), seed, AT(i), RECORD_SETTLE, 0, BODY, SLICE_EMPTY);
	}
	scan_init(&scan);
}

static void look(size_t size, uint64_t known_end)
{
	char *path = segment_path(&folder, 1);

	tree_write(path, bytes, size);
	mem_free(path);
	CU_ASSERT_EQUAL_FATAL(scan_segment(&scan, &folder, 1, known_end), 0);
	CU_ASSERT_EQUAL(scan.file_size, size);
	/* one behind the other up to the end */
	uint64_t at = SEGMENT_HEADER_SIZE;
	for (size_t i = 0; i < scan.n_spans; i++) {
		CU_ASSERT_EQUAL(scan.spans[i].offset, at);
		at += scan.spans[i].size;
	}
	CU_ASSERT_TRUE(at == scan.end || (at > scan.end && at - scan.end < RECORD_ALIGN));
}

static void all_of_them(void)
{
	begin();
	for (unsigned turn = 0; turn < 2; turn++) {
		look(FILE_SIZE, turn == 0 ? SCAN_END_UNKNOWN : AT(N));
		CU_ASSERT_EQUAL(scan.n_spans, N);
		CU_ASSERT_EQUAL(scan.end, AT(N));
		CU_ASSERT_EQUAL(scan.torn, 0);
		for (unsigned i = 0; i < N; i++) {
			struct record record = scan_record(&scan, &scan.spans[i]);

			CU_ASSERT_EQUAL(record.type, RECORD_SETTLE);
			CU_ASSERT_EQUAL(record.payload.size, BODY);
			CU_ASSERT_EQUAL(record.payload.data[0], i + 1);
		}
	}
	look(FILE_SIZE, AT(4));
	CU_ASSERT_EQUAL(scan.n_spans, 4);
	CU_ASSERT_EQUAL(scan.end, AT(4));
	scan_fini(&scan);
}

static void truncation(void)
{
	begin();
	for (size_t size = 0; size <= FILE_SIZE; size++) {
		size_t n = 0;

		while (n < N && AT(n) + RECORD <= size)
			n++;
		look(size, SCAN_END_UNKNOWN);
		CU_ASSERT_EQUAL(scan.n_spans, n);
		CU_ASSERT_TRUE(n == N || scan.end <= size || size < SEGMENT_HEADER_SIZE);
		bool has_head = n < N && size >= AT(n) + RECORD_HEAD_SIZE;
		CU_ASSERT_EQUAL(scan.torn, has_head ? RECORD : 0);
	}
	scan_fini(&scan);
}

/* What is missing of what is known to have been there is damage, as far as there are bytes. */
static void truncation_before_the_known_end(void)
{
	begin();
	for (size_t size = SEGMENT_HEADER_SIZE; size < AT(N); size++) {
		unsigned n_valid = 0, n_damaged = 0;

		look(size, AT(N));
		for (size_t i = 0; i < scan.n_spans; i++) {
			n_valid += !scan.spans[i].is_damaged;
			n_damaged += scan.spans[i].is_damaged;
		}
		CU_ASSERT_EQUAL(n_valid, (size - SEGMENT_HEADER_SIZE + PADDED - RECORD) / PADDED);
		CU_ASSERT_TRUE(n_damaged <= 1);
		CU_ASSERT_EQUAL(scan.torn, 0);
	}
	scan_fini(&scan);
}

/* One span for the one record, whatever of it is damaged. */
static void damage_costs_one(void)
{
	begin();
	for (uint64_t at = AT(3); at < AT(3) + RECORD; at++) {
		bytes[at] ^= 0x40;
		for (unsigned turn = 0; turn < 2; turn++) {
			look(FILE_SIZE, turn == 0 ? SCAN_END_UNKNOWN : AT(N));
			CU_ASSERT_EQUAL_FATAL(scan.n_spans, N);
			for (unsigned i = 0; i < N; i++)
				CU_ASSERT_EQUAL(scan.spans[i].is_damaged, i == 3);
		}
		bytes[at] ^= 0x40;
	}
	scan_fini(&scan);
}

static void damage_at_the_end(void)
{
	begin();
	bytes[AT(N - 1) + 20] ^= 1; /* its head is sound */
	look(FILE_SIZE, SCAN_END_UNKNOWN);
	CU_ASSERT_EQUAL(scan.n_spans, N - 1);
	CU_ASSERT_EQUAL(scan.end, AT(N - 1));
	CU_ASSERT_EQUAL(scan.torn, RECORD);
	look(FILE_SIZE, AT(N));
	CU_ASSERT_EQUAL(scan.n_spans, N);
	CU_ASSERT_TRUE(scan.spans[N - 1].is_damaged);
	CU_ASSERT_EQUAL(scan.end, AT(N));
	CU_ASSERT_EQUAL(scan.torn, 0);
	scan_fini(&scan);
}

/* Nothing can be read, but for one record in the middle. */
static void alone_in_the_dark(void)
{
	begin();
	memset(bytes + SEGMENT_HEADER_SIZE, 0xee, AT(5) - SEGMENT_HEADER_SIZE);
	memset(bytes + AT(6), 0xee, FILE_SIZE - AT(6));
	look(FILE_SIZE, SCAN_END_UNKNOWN);
	CU_ASSERT_EQUAL_FATAL(scan.n_spans, 2);
	CU_ASSERT_TRUE(scan.spans[0].is_damaged);
	CU_ASSERT_FALSE(scan.spans[1].is_damaged);
	CU_ASSERT_EQUAL(scan.spans[1].offset, AT(5));
	CU_ASSERT_EQUAL(scan.end, AT(6));
	scan_fini(&scan);
}

static void how_far_it_was_synced(void)
{
	begin();
	CU_ASSERT_EQUAL(scan.synced, 0);
	for (unsigned i = 2; i < N; i += 3) {
		record_put_pair(bytes + AT(i) + RECORD_HEAD_SIZE, 0, i == 8 ? AT(1) : AT(i));
		record_seal(bytes + AT(i), segment_seed(&folder, 1), AT(i), RECORD_BATCH, 0, 16,
			    SLICE_EMPTY);
		memset(bytes + AT(i) + 32, 0, PADDED - 32);
	}
	look(FILE_SIZE, SCAN_END_UNKNOWN);
	CU_ASSERT_EQUAL(scan.synced, AT(5)); /* the farthest */
	scan_fini(&scan);
}

static void missing_file(void)
{
	struct record_open before;

	begin();
	CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 1, SCAN_END_UNKNOWN), -ENOENT);
	CU_ASSERT_EQUAL(scan.n_spans, 0);
	CU_ASSERT_FALSE(scan_read_open(&folder, 1, &before));
	scan_fini(&scan);
}

static void no_memory(void)
{
	begin();
	look(FILE_SIZE, SCAN_END_UNKNOWN);
	for (int n = 1; n <= 2; n++) { /* the bytes, the spans */
		scan_fini(&scan);
		mem_fault_after(n);
		CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 1, SCAN_END_UNKNOWN), -ENOMEM);
		mem_fault_after(-1);
		CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 1, SCAN_END_UNKNOWN), 0);
		CU_ASSERT_EQUAL(scan.n_spans, N);
	}
	scan_fini(&scan);
}

/* The first record, cut off anywhere, or of another kind. */
static void first_record(void)
{
	const struct record_open said = {.serial = 9, .end = 4096, .synced = 2048};
	uint64_t seed;
	struct record_open got;
	char *path;

	begin();
	seed = segment_seed(&folder, 1);
	path = segment_path(&folder, 1);
	record_put_open(bytes + AT(0) + RECORD_HEAD_SIZE, &said);
	record_seal(bytes + AT(0), seed, AT(0), RECORD_OPEN, 0, 24, SLICE_EMPTY);
	for (size_t size = 0; size <= FILE_SIZE; size++) {
		tree_write(path, bytes, size);
		CU_ASSERT_EQUAL(scan_read_open(&folder, 1, &got), size >= AT(0) + RECORD_OPEN_SIZE);
	}
	CU_ASSERT_EQUAL(got.serial, 9);
	CU_ASSERT_EQUAL(got.end, 4096);
	CU_ASSERT_EQUAL(got.synced, 2048);
	record_seal(bytes + AT(0), seed, AT(0), RECORD_SETTLE, 0, 24, SLICE_EMPTY);
	tree_write(path, bytes, FILE_SIZE);
	CU_ASSERT_FALSE(scan_read_open(&folder, 1, &got));
	mem_free(path);
	scan_fini(&scan);
}

/* Each is damage if anything that follows can be read: that is not looked for each time. */
static void many_damaged_ones_in_a_row(void)
{
	enum { MANY = 40000 };
	uint8_t *many = mem_zalloc(AT(MANY + 1));
	clock_t begun = clock();

	begin();
	for (unsigned i = 0; i <= MANY; i++) {
		record_seal(many + AT(i), segment_seed(&folder, 1), AT(i), RECORD_SETTLE, 0, BODY,
			    SLICE_EMPTY);
		many[AT(i) + RECORD_HEAD_SIZE] = i < MANY;
	}
	char *path = segment_path(&folder, 1);
	tree_write(path, many, AT(MANY + 1));
	mem_free(path);
	CU_ASSERT_EQUAL_FATAL(scan_segment(&scan, &folder, 1, SCAN_END_UNKNOWN), 0);
	CU_ASSERT_EQUAL(scan.n_spans, MANY + 1);
	CU_ASSERT_TRUE(scan.spans[MANY - 1].is_damaged);
	CU_ASSERT_FALSE(scan.spans[MANY].is_damaged);
	CU_ASSERT_TRUE((clock() - begun) / CLOCKS_PER_SEC < 10);
	scan_fini(&scan);
	mem_free(many);
}

UNIT_MAIN("store/scan", UNIT_TEST(all_of_them), UNIT_TEST(truncation),
	  UNIT_TEST(truncation_before_the_known_end), UNIT_TEST(damage_costs_one),
	  UNIT_TEST(damage_at_the_end), UNIT_TEST(alone_in_the_dark),
	  UNIT_TEST(how_far_it_was_synced), UNIT_TEST(missing_file), UNIT_TEST(no_memory),
	  UNIT_TEST(first_record), UNIT_TEST(many_damaged_ones_in_a_row))
