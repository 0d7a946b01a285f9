/* SPDX-License-Identifier: MIT */
#include "amqp/cursor.h"

#define ALL_HIGH_BITS UINT64_C(0x8080808080808080)

/* Names are ASCII nearly always: eight bytes at a time. */
static const uint8_t *skip_ascii(const uint8_t *p, const uint8_t *end)
{
	uint64_t word;

	while ((size_t)(end - p) >= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		if ((word & ALL_HIGH_BITS) != 0)
			break;
		p += sizeof(word);
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

/*
 * Length of the sequence that a byte above 0x7f begins, and the range of the second byte, which
 * keeps out overlong forms, surrogates and what is above U+10FFFF. 0: no sequence begins so.
 */
static size_t sequence_length(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

size_t amqp_utf8_length(struct slice bytes)
{
	uint8_t low;
	uint8_t high;
	size_t length;
	size_t i;

	if (bytes.size == 0)
		return 0;
	if (bytes.data[0] < 0x80)
		return 1;
	length = sequence_length(bytes.data[0], &low, &high);
	if (length == 0 || length > bytes.size)
		return 0;
	if (bytes.data[1] < low || bytes.data[1] > high)
		return 0;
	for (i = 2; i < length; i++) {
		if ((bytes.data[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

bool amqp_is_utf8(struct slice bytes)
{
	const uint8_t *p = bytes.data;
	const uint8_t *end;
	size_t length;

	if (bytes.size == 0)
		return true;
	end = p + bytes.size;
	while ((p = skip_ascii(p, end)) < end) {
		length = amqp_utf8_length((struct slice){p, (size_t)(end - p)});
		if (length == 0)
			return false;
		p += length;
	}
	return true;
}
