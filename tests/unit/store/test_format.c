/* SPDX-License-Identifier: MIT */

/*
 * The engine against docs/store-format.md: segments that were made by the document's rules are
 * read, and what the engine writes can be read by them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk_stage.h"
#include "format_stage.h"

#include "../unit.h"

/* The document's example. */
static const uint8_t golden[312] = {
	/* clang-format off */
	0x53, 0x48, 0x55, 0x4e, 0x54, 0x4c, 0x4f, 0x47,
	0x01, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00,
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
	0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x5e, 0x0c, 0xaa, 0xf5, 0x24, 0xbe, 0x66, 0xfa,
	0xa4, 0xbe, 0x6c, 0xe8, 0x28, 0x00, 0x00, 0x00,
	0xef, 0x0a, 0x2b, 0x9f, 0x01, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xe3, 0x19, 0x78, 0xb9, 0x20, 0x00, 0x00, 0x00,
	0x81, 0xd0, 0x96, 0x76, 0x02, 0x00, 0x00, 0x00,
	0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x5e, 0x7e, 0xa5, 0x77, 0x54, 0x00, 0x00, 0x00,
	0xc3, 0x89, 0x1b, 0x9d, 0x03, 0x04, 0x00, 0x00,
	0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x71, 0x10,
	0x00, 0x02, 0x68, 0x69, 0x00, 0x00, 0x00, 0x00,
	0xbd, 0x2a, 0x97, 0x61, 0x20, 0x00, 0x00, 0x00,
	0xca, 0x4e, 0x99, 0x4c, 0x02, 0x00, 0x00, 0x00,
	0x38, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xe0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x87, 0x32, 0x22, 0xb7, 0x38, 0x00, 0x00, 0x00,
	0x24, 0x99, 0x60, 0xf6, 0x04, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* clang-format on */
};

#define EXPIRES_MS UINT64_C(1700000000000)
#define STORED	   "\0\0\0\3\0\1q\x10\0\2hi" /* a message as the broker stores it */

/* ---- Reading by the rules what the engine wrote ---- */

/* The next record, which must be of that kind and size. */
static const uint8_t *expect(size_t *at, unsigned type, unsigned flags, size_t size)
{
	struct seen seen = {.type = 0};

	CU_ASSERT_TRUE_FATAL(image_look(&the_image, *at, &seen));
	CU_ASSERT_EQUAL(seen.type, type);
	CU_ASSERT_EQUAL(seen.flags, flags);
	CU_ASSERT_EQUAL(seen.payload_size, size);
	*at = seen.next;
	return seen.payload;
}

static void expect_numbers(size_t *at, unsigned type, unsigned flags, const uint64_t *numbers,
			   size_t n)
{
	const uint8_t *payload = expect(at, type, flags, 8 * n);

	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(u64_at(payload + 8 * i), numbers[i]);
}
#define EXPECT(at, type, flags, ...)                                                               \
	expect_numbers(at, type, flags, (const uint64_t[]){__VA_ARGS__},                           \
		       sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* ---- The example ---- */

static void append_example(void)
{
	static struct body body;
	struct entry entry;
	uint32_t publish;

	body_set(&body, 0);
	entry_begin(&entry);
	publish = entry_publish(&entry, &body);
	memcpy(body.bytes, STORED, 12);
	entry.records[publish].body.bytes.size = 12;
	entry_enqueue(&entry, publish, 1, 1, 0);
	entry_enqueue(&entry, publish, 2, 1, EXPIRES_MS);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	entry_begin(&entry);
	entry_add(&entry, STORE_SETTLE, 1, 1, 1);
	entry_add(&entry, STORE_SETTLE, 1, 3, 4);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

static void the_engine_writes_the_golden_bytes(void)
{
	format_begin();
	stage_set(1);
	stage_lead();
	append_example();
	stage_clear();
	image_load(&the_image, format_segment(1, 0, 1), 1, 0, 1);
	CU_ASSERT_EQUAL(memcmp(the_image.bytes, golden, sizeof(golden)), 0);
	/* and that all was synced at the end */
	size_t rest = sizeof(golden);
	EXPECT(&rest, T_BATCH, 0, 0, sizeof(golden));
	while (rest < IMAGE_SIZE && the_image.bytes[rest] == 0)
		rest++;
	CU_ASSERT_EQUAL(rest, IMAGE_SIZE);
}

static void the_engine_reads_the_golden_bytes(void)
{
	const struct replay *replay;

	format_begin();
	memset(&the_image, 0, sizeof(the_image));
	memcpy(the_image.bytes, golden, sizeof(golden));
	image_save(&the_image, format_segment(1, 0, 1));
	replay = format_start();
	CU_ASSERT_EQUAL(replay->n_messages, 1);
	CU_ASSERT_TRUE(is_message(replay, 0, 2, 1, 0));
	CU_ASSERT_EQUAL(replay->messages[0].expires_ms, EXPIRES_MS);
	CU_ASSERT_EQUAL(replay->last_seqs[1], 4);
	CU_ASSERT_EQUAL(replay->last_seqs[2], 1);
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	stage_clear();
}

static void the_document_shows_the_golden_bytes(void)
{
	static char text[200000];
	const char *srcdir = getenv("srcdir");
	char name[512], row[64];
	FILE *file;

	snprintf(name, sizeof(name), "%s/docs/store-format.md", srcdir ? srcdir : "..");
	file = fopen(name, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_TRUE(fread(text, 1, sizeof(text) - 1, file) > 0);
	CU_ASSERT_EQUAL(fclose(file), 0);
	for (size_t at = 0; at < sizeof(golden); at += 8) {
		int n = snprintf(row, sizeof(row), "\n%04zx ", at);

		for (size_t i = at; i < at + 8; i++)
			n += snprintf(row + n, sizeof(row) - (size_t)n, " %02x", golden[i]);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, row));
	}
}

/* ---- Reading what was made by the rules ---- */

static void add_every_record(void)
{
	struct payload two = {.size = 0}, transient = {.size = 0};

	(void)image_add_pair(&the_image, T_BATCH, 0, 0, 0); /* sizes matter for transactions only */
	put_u32(&two, 2);
	put_u32(&two, 0);
	for (unsigned queue_id = 1; queue_id <= 2; queue_id++) {
		put_u64(&two, queue_id);
		put_u64(&two, 5);
		put_u64(&two, queue_id == 1 ? 0 : EXPIRES_MS);
		put_u64(&two, queue_id == 1 ? 3 : 0);
	}
	put_text(&two, "one body");
	(void)image_add(&the_image, T_MESSAGE, F_EXPIRES | F_DELIVERED, &two);
	put_u32(&transient, 1);
	put_u32(&transient, 0);
	put_u64(&transient, UINT64_C(1) << 63); /* a queue of that run only */
	put_u64(&transient, 1);
	(void)image_add(&the_image, T_MESSAGE, F_TRANSIENT, &transient);
	for (unsigned seq = 6; seq <= 9; seq++)
		(void)image_add_message(&the_image, 0, 2, seq, "x");
	(void)image_add_range(&the_image, T_REQUEUE, 0, 2, 6, 9);
	(void)image_add_range(&the_image, T_REQUEUE, 0, 1, 1, 5);
	(void)image_add_range(&the_image, T_SETTLE, 0, 2, 7, 7);
	(void)image_add_range(&the_image, T_EXPIRE, 0, 2, 9, 9);
	(void)image_add_message(&the_image, 0, 3, 1, "y");
	(void)image_add_message(&the_image, 0, 3, 2, "y");
	(void)image_add_range(&the_image, T_PURGE, 0, 3, 0, 1);
	(void)image_add_message(&the_image, 0, 4, 7, "z");
	(void)image_add_range(&the_image, T_PURGE, 0, 4, 0, UINT64_MAX);
}

static void every_record_is_read(void)
{
	const struct replay *replay;

	format_begin();
	format_first();
	add_every_record();
	image_save(&the_image, format_segment(1, 0, 1));
	replay = format_start();
	CU_ASSERT_EQUAL(replay->n_messages, 5);
	CU_ASSERT_TRUE(is_message(replay, 0, 1, 5, 'o'));
	CU_ASSERT_EQUAL(replay->messages[0].deliveries, 4);
	CU_ASSERT_EQUAL(replay->messages[0].expires_ms, 0);
	CU_ASSERT_TRUE(is_message(replay, 1, 2, 5, 'o'));
	CU_ASSERT_EQUAL(replay->messages[1].deliveries, 0);
	CU_ASSERT_EQUAL(replay->messages[1].expires_ms, EXPIRES_MS);
	CU_ASSERT_TRUE(is_message(replay, 2, 2, 6, 'x'));
	CU_ASSERT_EQUAL(replay->messages[2].deliveries, 1);
	CU_ASSERT_TRUE(is_message(replay, 3, 2, 8, 'x'));
	CU_ASSERT_TRUE(is_message(replay, 4, 3, 2, 'y'));
	CU_ASSERT_EQUAL(replay->last_seqs[2], 9);
	CU_ASSERT_EQUAL(replay->last_seqs[4], 0); /* forgotten */
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	stage_clear();
}

/* What lies behind the end that the next segment tells of is not the log's. */
static void a_segment_ends_where_the_next_one_says(void)
{
	const struct replay *replay;
	size_t end;

	format_begin();
	format_first();
	(void)image_add_message(&the_image, 0, 1, 1, "a");
	end = the_image.end;
	(void)image_add_message(&the_image, 0, 1, 2, "b");
	image_save(&the_image, format_segment(1, 0, 1));
	image_begin(&the_image, 1, 0, 2);
	format_add_open(1, end, end);
	(void)image_add_message(&the_image, 0, 1, 3, "c");
	image_save(&the_image, format_segment(1, 0, 2));
	replay = format_start();
	CU_ASSERT_EQUAL(replay->n_messages, 2);
	CU_ASSERT_TRUE(is_message(replay, 0, 1, 1, 'a'));
	CU_ASSERT_TRUE(is_message(replay, 1, 1, 3, 'c'));
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	stage_clear();
}

/* The file got its name, and then the power went. */
static void a_segment_that_was_never_written_is_no_damage(void)
{
	format_begin();
	memset(&the_image, 0, sizeof(the_image));
	image_save(&the_image, format_segment(1, 0, 1));
	image_begin(&the_image, 1, 0, 2);
	format_add_open(1, 64, 0);
	(void)image_add_message(&the_image, 0, 1, 1, "a");
	image_save(&the_image, format_segment(1, 0, 2));
	CU_ASSERT_EQUAL(format_start()->n_messages, 1);
	CU_ASSERT_EQUAL(disk_reports.n, 0);
	stage_clear();
}

/* ---- What the engine writes ---- */

static void append_ranges(void)
{
	struct entry entry;

	entry_begin(&entry);
	entry_add(&entry, STORE_REQUEUE, 1, 1, 2);
	entry_add(&entry, STORE_EXPIRE, 1, 1, 1);
	entry_add(&entry, STORE_PURGE, 2, 0, UINT64_MAX);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

static void append_transaction(struct body *body)
{
	struct entry entry;

	entry_begin(&entry);
	entry.append.is_atomic = true;
	for (uint64_t seq = 1; seq <= 2; seq++)
		entry_enqueue(&entry, entry_publish(&entry, body), 1, seq,
			      seq == 2 ? EXPIRES_MS : 0);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

static void append_transient(struct body *body)
{
	struct entry entry;
	uint32_t publish;

	entry_begin(&entry);
	publish = entry_publish(&entry, body);
	entry.records[publish].is_transient = true;
	entry_enqueue(&entry, publish, 2, 9, 0);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
}

/* Bodies have 16 bytes. */
static void what_is_appended_can_be_read_by_the_rules(void)
{
	size_t at = 64;
	struct body body;

	format_begin();
	stage_set(1);
	stage_lead();
	body_set(&body, 'b');
	append_transaction(&body);
	append_transient(&body);
	append_ranges();
	stage_clear();
	image_load(&the_image, format_segment(1, 0, 1), 1, 0, 1);
	EXPECT(&at, T_OPEN, 0, 0, 0, 0);
	EXPECT(&at, T_BATCH, F_ATOMIC, 56 + 64, 0);
	const uint64_t b = UINT64_C(0x6262626262626262);
	EXPECT(&at, T_MESSAGE, F_ATOMIC, 1, 1, 1, b, b);
	EXPECT(&at, T_MESSAGE, F_ATOMIC | F_EXPIRES, 1, 1, 2, EXPIRES_MS, b, b);
	const uint64_t synced = at;
	EXPECT(&at, T_BATCH, 0, 56, synced);
	EXPECT(&at, T_MESSAGE, F_TRANSIENT, 1, 2, 9, b, b);
	const uint64_t synced_next = at;
	EXPECT(&at, T_BATCH, 0, 3 * 40, synced_next);
	EXPECT(&at, T_REQUEUE, 0, 1, 1, 2);
	EXPECT(&at, T_EXPIRE, 0, 1, 1, 1);
	EXPECT(&at, T_PURGE, 0, 2, 0, UINT64_MAX);
	const uint64_t synced_last = at;
	EXPECT(&at, T_BATCH, 0, 0, synced_last);
	CU_ASSERT_FALSE(image_look(&the_image, at, &(struct seen){.type = 0}));
}

/* What is moved says how often it was delivered; queue 1 is in log 1 of two. */
static void what_is_written_anew_can_be_read_by_the_rules(void)
{
	const uint64_t b = UINT64_C(0x6262626262626262);
	size_t at = 64;
	struct body body;

	format_begin();
	stage_set(1);
	stage_lead();
	body_set(&body, 'b');
	append_transaction(&body);
	append_ranges();
	stage_clear();
	stage_set(2);
	stage_clear();
	CU_ASSERT_NOT_EQUAL(access(format_path("log-1-0"), F_OK), 0);
	image_load(&the_image, format_segment(2, 1, 1), 2, 1, 1);
	EXPECT(&at, T_OPEN, 0, 0, 0, 0);
	EXPECT(&at, T_BATCH, 0, 72, 0);
	EXPECT(&at, T_MESSAGE, F_EXPIRES | F_DELIVERED, 1, 1, 2, EXPIRES_MS, 1, b, b);
	CU_ASSERT_FALSE(image_look(&the_image, at, &(struct seen){.type = 0}));
}

/* Also behind a segment that an earlier run has left. */
static void the_next_segment_says_where_the_one_before_ends(void)
{
	size_t at = 64;
	struct body body;

	format_begin();
	format_first();
	(void)image_add_message(&the_image, 0, 1, 1, "a");
	(void)image_add_pair(&the_image, T_BATCH, 0, 48, the_image.end);
	const uint64_t synced = the_image.end - 32;
	(void)image_add_message(&the_image, 0, 1, 2, "b");
	const uint64_t end = the_image.end;
	image_save(&the_image, format_segment(1, 0, 1));
	(void)format_start();
	body_set(&body, 0);
	put(&body, 1, 3);
	stage_clear();
	image_load(&the_image, format_segment(1, 0, 2), 1, 0, 2);
	EXPECT(&at, T_OPEN, 0, 1, end, synced);
	EXPECT(&at, T_BATCH, 0, 56, 0);
}

UNIT_MAIN("store/format", UNIT_TEST(the_engine_writes_the_golden_bytes),
	  UNIT_TEST(the_engine_reads_the_golden_bytes),
	  UNIT_TEST(the_document_shows_the_golden_bytes), UNIT_TEST(every_record_is_read),
	  UNIT_TEST(a_segment_ends_where_the_next_one_says),
	  UNIT_TEST(a_segment_that_was_never_written_is_no_damage),
	  UNIT_TEST(what_is_appended_can_be_read_by_the_rules),
	  UNIT_TEST(what_is_written_anew_can_be_read_by_the_rules),
	  UNIT_TEST(the_next_segment_says_where_the_one_before_ends))
