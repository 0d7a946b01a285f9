/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_SPANS_H
#define KERNEL_STORE_LOG_SPANS_H

/*
 * Which numbers of which queues a segment has ever held, roughly: the lowest and the highest of
 * each queue. With too many queues it answers yes to everything. Belongs to the segment's ledger.
 */

#include <stdbool.h>
#include <stdint.h>

struct span {
	uint64_t queue_id; /* 0: free */
	uint64_t first, last;
};

struct spans {
	struct span *table; /* open addressing by id; NULL: none yet */
	uint32_t n, size;   /* size: a power of two */
	bool is_full;
	uint32_t recent; /* index in the table */
};

void spans_fini(struct spans *spans);
void spans_add(struct spans *spans, uint64_t queue_id, uint64_t seq);
/* May any of these be in the segment? */
bool spans_overlap(const struct spans *spans, uint64_t queue_id, uint64_t first, uint64_t last);

#endif
