/* SPDX-License-Identifier: MIT */
#include "siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(struct sip *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static void sip_take(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

/* Little-endian; of less than eight bytes the others are 0. */
static uint64_t word_at(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size && i < 8; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

uint64_t siphash(uint64_t key0, uint64_t key1, struct shunt_bytes text)
{
	struct sip s = {
		key0 ^ 0x736f6d6570736575u,
		key1 ^ 0x646f72616e646f6du,
		key0 ^ 0x6c7967656e657261u,
		key1 ^ 0x7465646279746573u,
	};
	size_t at = 0;

	for (; text.size - at >= 8; at += 8)
		sip_take(&s, word_at(text.data + at, 8));
	sip_take(&s, (uint64_t)text.size << 56 |
			     (at < text.size ? word_at(text.data + at, text.size - at) : 0));
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
