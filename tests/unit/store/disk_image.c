/* SPDX-License-Identifier: MIT */
#include "disk_image.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

static void note_content(struct image_record *note, const struct record *record)
{
	struct record_message message;
	uint64_t last;
	uint32_t n;

	if (record->type == RECORD_BATCH) {
		CU_ASSERT_EQUAL(record_get_pair(record, &note->batch_size, &note->synced), 0);
	} else if (record->type == RECORD_MESSAGE) {
		CU_ASSERT_EQUAL_FATAL(record_get_message(record, &message), 0);
		struct record_target target = record_get_target(&message, 0);

		note->queue_id = target.queue_id;
		note->seq = target.seq;
	} else if (record->type != RECORD_OPEN) {
		CU_ASSERT_EQUAL_FATAL(record_get_ranges(record, &note->queue_id, &n), 0);
		record_get_range(record, 0, &note->seq, &last);
	}
}

static void walk(struct image *image)
{
	struct record record;
	uint32_t size;

	image->end = SEGMENT_HEADER_SIZE;
	while (record_look(
		       slice_make(image->file.bytes + image->end, image->file.size - image->end),
		       image->seed, image->end, &record, &size) == RECORD_VALID) {
		CU_ASSERT_TRUE_FATAL(image->n_records < IMAGE_RECORDS_MAX);
		struct image_record *note = &image->records[image->n_records++];

		*note = (struct image_record){.offset = image->end,
					      .size = size,
					      .type = record.type,
					      .flags = record.flags};
		note_content(note, &record);
		image->end += record_padded(size);
	}
}

void image_load(struct image *image, const char *path)
{
	*image = (struct image){.file = tree_read(path)};
	CU_ASSERT_TRUE_FATAL(image->file.size >= SEGMENT_HEADER_SIZE);
	memcpy(image->folder.store_id, image->file.bytes + 16, SEGMENT_ID_SIZE);
	image->serial = get_le64(image->file.bytes + 32);
	image->folder.generation = get_le32(image->file.bytes + 40);
	image->folder.log = get_le32(image->file.bytes + 44);
	CU_ASSERT_EQUAL_FATAL(segment_read_header(&image->folder, image->serial, image->file.bytes),
			      SEGMENT_HEADER_OURS);
	image->seed = segment_seed(&image->folder, image->serial);
	walk(image);
}

void image_free(struct image *image)
{
	free(image->file.bytes);
}

const struct image_record *image_message(const struct image *image, uint64_t queue_id, uint64_t seq)
{
	for (size_t i = 0; i < image->n_records; i++)
		if (image->records[i].type == RECORD_MESSAGE &&
		    image->records[i].queue_id == queue_id && image->records[i].seq == seq)
			return &image->records[i];
	CU_FAIL_FATAL("no such message");
	return NULL;
}

const struct image_record *image_nth(const struct image *image, uint8_t type, size_t n)
{
	for (size_t i = 0; i < image->n_records; i++)
		if (image->records[i].type == type && n-- == 0)
			return &image->records[i];
	CU_FAIL_FATAL("no such record");
	return NULL;
}

bool image_is_intact(const struct image *image, const struct image_record *record,
		     const uint8_t *bytes, size_t size)
{
	return record->offset <= size && record->size <= size - record->offset &&
	       memcmp(bytes + record->offset, image->file.bytes + record->offset, record->size) ==
		       0;
}
