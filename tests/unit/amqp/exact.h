/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_AMQP_EXACT_H
#define TESTS_UNIT_AMQP_EXACT_H

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/* A copy of the first `size` bytes on a heap block of just that size, so that a sanitizer sees any
 * read beyond the end. Released with exact_free(). */
static inline struct slice exact_copy(struct slice bytes, size_t size)
{
	uint8_t *copy = malloc(size);

	if (copy == NULL && size > 0)
		abort();
	if (size > 0)
		memcpy(copy, bytes.data, size);
	return slice_make(copy, size);
}

static inline void exact_free(struct slice copy)
{
	union {
		const uint8_t *borrowed;
		uint8_t *owned;
	} data = {.borrowed = copy.data};

	free(data.owned);
}

#endif
