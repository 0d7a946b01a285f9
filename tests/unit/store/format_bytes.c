/* SPDX-License-Identifier: MIT */
#include "format_bytes.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "../unit.h"

const uint8_t image_store_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* ---- Numbers ---- */

static void put_number(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t number_at(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	for (size_t i = size; i-- > 0;)
		value = value << 8 | from[i];
	return value;
}

uint32_t u32_at(const uint8_t *bytes)
{
	return (uint32_t)number_at(bytes, 4);
}

uint64_t u64_at(const uint8_t *bytes)
{
	return number_at(bytes, 8);
}

static uint8_t *more(struct payload *payload, size_t size)
{
	CU_ASSERT_TRUE_FATAL(size <= sizeof(payload->bytes) - payload->size);
	payload->size += size;
	return payload->bytes + payload->size - size;
}

void put_u32(struct payload *payload, uint32_t value)
{
	put_number(more(payload, 4), value, 4);
}

void put_u64(struct payload *payload, uint64_t value)
{
	put_number(more(payload, 8), value, 8);
}

void put_text(struct payload *payload, const char *text)
{
	memcpy(more(payload, strlen(text)), text, strlen(text));
}

/* ---- The header ---- */

static uint64_t seed_of(uint32_t generation, uint32_t log, uint64_t serial)
{
	uint8_t bytes[32];

	memcpy(bytes, image_store_id, 16);
	put_number(bytes + 16, serial, 8);
	put_number(bytes + 24, generation, 4);
	put_number(bytes + 28, log, 4);
	return XXH3_64bits(bytes, sizeof(bytes));
}

void image_seal_header(struct image *image)
{
	put_number(image->bytes + 56, XXH3_64bits(image->bytes, 56), 8);
}

void image_begin(struct image *image, uint32_t generation, uint32_t log, uint64_t serial)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->bytes, "SHUNTLOG", 8);
	put_number(image->bytes + 8, 1, 4);
	put_number(image->bytes + 12, 64, 4);
	memcpy(image->bytes + 16, image_store_id, 16);
	put_number(image->bytes + 32, serial, 8);
	put_number(image->bytes + 40, generation, 4);
	put_number(image->bytes + 44, log, 4);
	put_number(image->bytes + 48, IMAGE_SIZE, 8);
	image_seal_header(image);
	image->end = 64;
	image->seed = seed_of(generation, log, serial);
}

/* ---- Records ---- */

size_t image_add(struct image *image, unsigned type, unsigned flags, const struct payload *payload)
{
	size_t at = image->end, size = 16 + payload->size;
	uint8_t *head = image->bytes + at;

	CU_ASSERT_TRUE_FATAL(size + 8 <= IMAGE_SIZE - at);
	memcpy(head + 16, payload->bytes, payload->size);
	put_number(head + 4, size, 4);
	put_number(head + 8, XXH3_64bits_withSeed(head + 16, payload->size, image->seed + at), 4);
	head[12] = (uint8_t)type;
	head[13] = (uint8_t)flags;
	put_number(head, XXH3_64bits_withSeed(head + 4, 12, image->seed + at), 4);
	image->end = (at + size + 7) / 8 * 8;
	return at;
}

size_t image_add_pair(struct image *image, unsigned type, unsigned flags, uint64_t first,
		      uint64_t second)
{
	struct payload payload = {.size = 0};

	put_u64(&payload, first);
	put_u64(&payload, second);
	return image_add(image, type, flags, &payload);
}

size_t image_add_range(struct image *image, unsigned type, unsigned flags, uint64_t queue_id,
		       uint64_t first, uint64_t last)
{
	struct payload payload = {.size = 0};

	put_u64(&payload, queue_id);
	put_u64(&payload, first);
	put_u64(&payload, last);
	return image_add(image, type, flags, &payload);
}

size_t image_add_message(struct image *image, unsigned flags, uint64_t queue_id, uint64_t seq,
			 const char *body)
{
	struct payload payload = {.size = 0};

	put_u32(&payload, 1);
	put_u32(&payload, 0);
	put_u64(&payload, queue_id);
	put_u64(&payload, seq);
	put_text(&payload, body);
	return image_add(image, T_MESSAGE, flags, &payload);
}

bool image_look(const struct image *image, size_t offset, struct seen *ret)
{
	const uint8_t *head = image->bytes + offset;

	if (offset > IMAGE_SIZE - 16)
		return false;
	size_t size = u32_at(head + 4);
	uint64_t seed = image->seed + offset;
	if (size < 16 || size > IMAGE_SIZE - offset ||
	    u32_at(head) != (uint32_t)XXH3_64bits_withSeed(head + 4, 12, seed) ||
	    u32_at(head + 8) != (uint32_t)XXH3_64bits_withSeed(head + 16, size - 16, seed))
		return false;
	*ret = (struct seen){
		.type = head[12],
		.flags = head[13],
		.payload = head + 16,
		.payload_size = size - 16,
		.next = (offset + size + 7) / 8 * 8,
	};
	return true;
}

/* ---- Files ---- */

void image_save(const struct image *image, const char *path)
{
	FILE *file = fopen(path, "wb");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(image->bytes, 1, IMAGE_SIZE, file), IMAGE_SIZE);
	CU_ASSERT_EQUAL(fclose(file), 0);
}

void image_load(struct image *image, const char *path, uint32_t generation, uint32_t log,
		uint64_t serial)
{
	FILE *file = fopen(path, "rb");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	memset(image, 0, sizeof(*image));
	CU_ASSERT_TRUE(fread(image->bytes, 1, IMAGE_SIZE, file) > 64);
	CU_ASSERT_EQUAL(fclose(file), 0);
	image->seed = seed_of(generation, log, serial);
}
