/* SPDX-License-Identifier: MIT */
#include "store/log/segment.h"

#include "disk_scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/disk.h"
#include "store/log/scan.h"

#include "../unit.h"

#define SIZE SEGMENT_SIZE_MIN

/* A folder, empty at first; the same one each time it is opened. */
static struct segment_folder open_folder(bool is_new, uint64_t **ret_serials, size_t *ret_n)
{
	struct segment_folder folder = {
		.path = mem_strdup(disk_stage_path("segments")),
		.generation = 3,
		.log = 2,
		.segment_size = SIZE,
	};

	memset(folder.store_id, 0xab, sizeof(folder.store_id));
	if (is_new) {
		tree_remove(folder.path);
		CU_ASSERT_EQUAL_FATAL(mkdir(folder.path, 0700), 0);
	}
	*ret_serials = NULL;
	CU_ASSERT_EQUAL(segment_folder_open(&folder, ret_serials, ret_n), 0);
	return folder;
}

static struct segment_folder new_folder(void)
{
	uint64_t *serials;
	size_t n;
	struct segment_folder folder = open_folder(true, &serials, &n);

	CU_ASSERT_EQUAL(n, 0);
	mem_free(serials);
	return folder;
}

static struct segment *create(struct segment_folder *folder, uint64_t room)
{
	const struct record_open before = {
		.serial = folder->last_serial, .end = 500, .synced = 400};
	struct segment *segment = NULL;

	CU_ASSERT_EQUAL_FATAL(segment_create(folder, room, false, &before, &segment), 0);
	return segment;
}

static void a_new_one(void)
{
	struct segment_folder folder = new_folder();
	struct segment *segment = create(&folder, 100);
	char *path = segment_path(&folder, 1);
	struct tree_file file = tree_read(path);
	struct record_open before;

	CU_ASSERT_EQUAL(segment->serial, 1);
	CU_ASSERT_EQUAL(segment->size, SIZE);
	CU_ASSERT_EQUAL(segment->end, SEGMENT_HEADER_SIZE + RECORD_OPEN_SIZE);
	CU_ASSERT_EQUAL(file.size, SIZE);
	CU_ASSERT_EQUAL(segment_read_header(&folder, 1, file.bytes), SEGMENT_HEADER_OURS);
	CU_ASSERT_FALSE(scan_read_open(&folder, 1, &before)); /* it is the first */
	CU_ASSERT_EQUAL(folder.n_spares, 1);		      /* for settles */
	CU_ASSERT_EQUAL(folder.disk_bytes, 2 * SIZE);
	segment_free(segment);
	segment = create(&folder, 100);
	CU_ASSERT_EQUAL(segment->serial, 2);
	CU_ASSERT_TRUE(scan_read_open(&folder, 2, &before));
	CU_ASSERT_EQUAL(before.serial, 1);
	CU_ASSERT_EQUAL(before.end, 500);
	CU_ASSERT_EQUAL(before.synced, 400);
	segment_free(segment);
	free(file.bytes);
	mem_free(path);
	segment_folder_fini(&folder);
}

static void larger_where_it_must_be(void)
{
	struct segment_folder folder = new_folder();
	uint64_t fits = SIZE - SEGMENT_HEADER_SIZE - RECORD_OPEN_SIZE;
	struct segment *segment = create(&folder, fits);

	CU_ASSERT_EQUAL(segment->size, SIZE);
	segment_free(segment);
	segment = create(&folder, fits + 1);
	CU_ASSERT_EQUAL(segment->size, SIZE + 1);
	CU_ASSERT_EQUAL(folder.disk_bytes, 3 * SIZE + 1);
	segment_close(segment);
	CU_ASSERT_EQUAL(segment_retire(&folder, segment), 0); /* of no use as a spare */
	CU_ASSERT_EQUAL(folder.disk_bytes, 2 * SIZE);
	CU_ASSERT_EQUAL(folder.n_spares, 1);
	CU_ASSERT_EQUAL(segment_retire(&folder, segment), 0); /* it is gone */
	segment_free(segment);
	segment_folder_fini(&folder);
}

/* Fills the segment with messages, as many as fit. */
static unsigned fill(struct segment *segment)
{
	unsigned n = 0;

	for (;; n++) {
		uint8_t bytes[RECORD_HEAD_SIZE + 24 + 40] = {0};
		const struct record_target target = {.queue_id = 1, .seq = n + 1};
		struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};

		if (sizeof(bytes) > segment->size - segment->end)
			return n;
		record_put_target_count(bytes + RECORD_HEAD_SIZE, 1);
		record_put_target(bytes + RECORD_HEAD_SIZE, 0, 0, &target);
		record_seal(bytes, segment->seed, segment->end, RECORD_MESSAGE, 0, 64, SLICE_EMPTY);
		CU_ASSERT_EQUAL_FATAL(disk_write(segment->fd, &part, 1, segment->end), 0);
		segment->end += sizeof(bytes);
	}
}

/* The old records are all there behind the new ones, and none of them counts. */
static void spare_is_recycled(void)
{
	struct segment_folder folder = new_folder();
	struct segment *old = create(&folder, 100), *segment;
	unsigned n = fill(old);
	struct scan scan;

	scan_init(&scan);
	CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 1, SCAN_END_UNKNOWN), 0);
	CU_ASSERT_EQUAL(scan.n_spans, n + 1);
	segment_close(old);
	CU_ASSERT_EQUAL(segment_retire(&folder, old), 0);
	CU_ASSERT_EQUAL(folder.n_spares, 2);
	segment_free(old);

	segment = create(&folder, 100);
	CU_ASSERT_EQUAL(segment->serial, 2);
	CU_ASSERT_EQUAL(folder.n_spares, 1);
	CU_ASSERT_EQUAL(folder.disk_bytes, 2 * SIZE);
	CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 2, SCAN_END_UNKNOWN), 0);
	CU_ASSERT_EQUAL(scan.header, SEGMENT_HEADER_OURS);
	CU_ASSERT_EQUAL(scan.n_spans, 1);
	CU_ASSERT_EQUAL(scan.end, segment->end);
	CU_ASSERT_EQUAL(scan.torn, 0);
	/* the old bytes are there indeed */
	CU_ASSERT_EQUAL(get_le32(scan.bytes + segment->end + 4), 80);
	scan_fini(&scan);
	segment_free(segment);
	segment_folder_fini(&folder);
}

/* Renamed, and nothing written yet: a segment of which there is nothing. */
static void spare_that_was_only_renamed(void)
{
	struct segment_folder folder = new_folder();
	struct segment *old = create(&folder, 100);
	char *from = segment_path(&folder, 1), *to = segment_path(&folder, 2);
	struct scan scan;

	(void)fill(old);
	segment_free(old);
	CU_ASSERT_EQUAL(disk_rename(from, to), 0);
	scan_init(&scan);
	CU_ASSERT_EQUAL(scan_segment(&scan, &folder, 2, SCAN_END_UNKNOWN), 0);
	CU_ASSERT_EQUAL(scan.header, SEGMENT_HEADER_NONE);
	CU_ASSERT_EQUAL(scan.n_spans, 0);
	CU_ASSERT_EQUAL(scan.end, SEGMENT_HEADER_SIZE);
	scan_fini(&scan);
	mem_free(from);
	mem_free(to);
	segment_folder_fini(&folder);
}

static void make_file(const char *name, size_t size)
{
	char path[80];
	uint8_t *bytes = calloc(1, size + 1);

	snprintf(path, sizeof(path), "segments/%s", name);
	tree_write(disk_stage_path(path), bytes, size);
	free(bytes);
}

static void taking_stock(void)
{
	struct segment_folder folder = new_folder();
	uint64_t *serials;
	size_t n;

	segment_folder_fini(&folder);
	make_file("000000000000000a.log", 10);
	make_file("0000000000000002.log", 10);
	make_file("00000000000000ff.log", 10);
	make_file("0000000000000000.log", 10); /* no serial number */
	make_file("000000000000000A.log", 10);
	make_file("000000000000000b.lo", 10);
	make_file("000000000000000b.logs", 10);
	make_file("spare-3.log", SIZE);
	make_file("spare-11.log", SIZE);
	make_file("spare-12.log", SIZE - 1);
	make_file("spare-99999999999999999999999.log", SIZE);
	make_file("spare-4.logs", SIZE);
	make_file("spare-x.log", SIZE);
	folder = open_folder(false, &serials, &n);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	CU_ASSERT_EQUAL(serials[0], 2);
	CU_ASSERT_EQUAL(serials[1], 10);
	CU_ASSERT_EQUAL(serials[2], 255);
	CU_ASSERT_EQUAL(folder.last_serial, 255);
	CU_ASSERT_EQUAL(folder.last_spare, 12);
	CU_ASSERT_EQUAL(tree_count(folder.path, ""), 13); /* nothing has gone */
	segment_folder_tidy(&folder);
	CU_ASSERT_EQUAL(folder.n_spares, 2);
	CU_ASSERT_EQUAL(folder.disk_bytes, 2 * SIZE);
	CU_ASSERT_EQUAL(tree_count(folder.path, ""), 12);
	CU_ASSERT_FALSE(tree_exists(disk_stage_path("segments/spare-12.log")));
	mem_free(serials);
	segment_folder_fini(&folder);
}

static void missing_folder(void)
{
	struct segment_folder folder = {.path = mem_strdup(disk_stage_path("none"))};
	uint64_t *serials = NULL;
	size_t n;

	CU_ASSERT_EQUAL(segment_folder_open(&folder, &serials, &n), -ENOENT);
	segment_folder_fini(&folder);
}

/* ---- The header ---- */

static void header_says_whose_it_is(void)
{
	struct segment_folder folder = new_folder(), other = folder;
	struct tree_file file;
	char *path = segment_path(&folder, 1);

	segment_free(create(&folder, 100));
	other = folder;
	file = tree_read(path);
	CU_ASSERT_EQUAL(segment_read_header(&other, 1, file.bytes), SEGMENT_HEADER_OURS);
	CU_ASSERT_EQUAL(segment_read_header(&other, 2, file.bytes), SEGMENT_HEADER_NONE);
	other.log++;
	CU_ASSERT_EQUAL(segment_read_header(&other, 1, file.bytes), SEGMENT_HEADER_FOREIGN);
	CU_ASSERT_NOT_EQUAL(segment_seed(&other, 1), segment_seed(&folder, 1));
	other = folder;
	other.generation++;
	CU_ASSERT_EQUAL(segment_read_header(&other, 1, file.bytes), SEGMENT_HEADER_FOREIGN);
	CU_ASSERT_NOT_EQUAL(segment_seed(&other, 1), segment_seed(&folder, 1));
	other = folder;
	other.store_id[15] ^= 1;
	CU_ASSERT_EQUAL(segment_read_header(&other, 1, file.bytes), SEGMENT_HEADER_FOREIGN);
	CU_ASSERT_NOT_EQUAL(segment_seed(&other, 1), segment_seed(&folder, 1));
	CU_ASSERT_NOT_EQUAL(segment_seed(&folder, 2), segment_seed(&folder, 1));
	for (size_t bit = 0; bit < SEGMENT_HEADER_SIZE * 8; bit++) {
		file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_EQUAL(segment_read_header(&folder, 1, file.bytes), SEGMENT_HEADER_NONE);
		file.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(file.bytes);
	mem_free(path);
	segment_folder_fini(&folder);
}

UNIT_MAIN("store/segment", UNIT_TEST(a_new_one), UNIT_TEST(larger_where_it_must_be),
	  UNIT_TEST(spare_is_recycled), UNIT_TEST(spare_that_was_only_renamed),
	  UNIT_TEST(taking_stock), UNIT_TEST(missing_folder), UNIT_TEST(header_says_whose_it_is))
