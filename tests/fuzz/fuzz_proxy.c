/* SPDX-License-Identifier: MIT */
/*
 * A PROXY header. What is told of one does not depend on how much of it was there when it was first
 * looked at: fewer bytes say "more" or what all of them say.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "net/proxy.h"

static int parse(struct slice bytes, struct proxy_header *ret)
{
	uint8_t *copy = fuzz_exact_copy(bytes, bytes.size);
	int r = proxy_header_parse(slice_make(copy, bytes.size), ret);

	free(copy);
	return r;
}

static void check(const struct proxy_header *header)
{
	fuzz_check(header->size > 0 && header->size <= 16 + 65535);
	fuzz_check(memchr(header->source.host, '\0', sizeof(header->source.host)) != NULL);
	fuzz_check(memchr(header->destination.host, '\0', sizeof(header->destination.host)) !=
		   NULL);
	fuzz_check((header->source.host[0] != '\0') == (header->kind == PROXY_ADDRESSES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole = {.size = 0}, part = {.size = 0};
	int all;

	if (size > PROXY_LOOK_MAX)
		size = PROXY_LOOK_MAX;
	all = parse(slice_make(data, size), &whole);
	fuzz_check(all == 1 || all == 0 || all == -EPROTO);
	fuzz_check(size < PROXY_LOOK_MAX || all != 0);
	if (all == 1)
		check(&whole);
	for (size_t cut = 0; cut < size; cut++) {
		int r = parse(slice_make(data, cut), &part);

		if (r == 0)
			continue;
		fuzz_check(r == all);
		if (r == 1)
			fuzz_check(part.size == whole.size && part.kind == whole.kind &&
				   strcmp(part.source.host, whole.source.host) == 0);
	}
	return 0;
}
