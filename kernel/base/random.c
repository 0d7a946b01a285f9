/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/random.h>

#include "base/bug.h"
#include "base/compiler.h"

void random_bytes(void *out, size_t size)
{
	uint8_t *p = out;

	while (size > 0) {
		ssize_t n = getrandom(p, size, 0);
		bool failed = n < 0 && errno != EINTR;

		bug_on(failed);
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

void random_name(char out[RANDOM_NAME_SIZE])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t bytes[18] = {0};

	/* 16 random bytes make 21 digits and the two top bits of the 22nd. */
	random_bytes(bytes, 16);
	for (int i = 0, o = 0; o < RANDOM_NAME_SIZE - 1; i += 3) {
		uint32_t group =
			(uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

		for (int shift = 18; shift >= 0 && o < RANDOM_NAME_SIZE - 1; shift -= 6)
			out[o++] = digits[group >> shift & 63];
	}
	out[RANDOM_NAME_SIZE - 1] = '\0';
}

/* SplitMix64, of a state of each thread's own that begins somewhere. */
uint64_t random_quick(void)
{
	static _Thread_local uint64_t state;
	uint64_t z;

	if (UNLIKELY(state == 0))
		state = random_u64();
	z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
