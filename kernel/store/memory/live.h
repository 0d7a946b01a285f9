/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_MEMORY_LIVE_H
#define KERNEL_STORE_MEMORY_LIVE_H

/*
 * The live records of one log, in memory: bodies that some queue still holds, and which queue
 * holds which body as which sequence number. Owned by a log and touched on its loop
 * only. A body is held once, from the append until the last of its enqueues is settled.
 *
 * An append costs O(records), whatever lives here; a settle O(1) at the ends of a queue, O(log n)
 * within it, and as much for each message it settles.
 */

#include "base/list.h"
#include "base/map.h"
#include "store/memory/node.h"
#include "store/store.h"

struct live {
	struct list order; /* nodes in the order of the log */
	struct node_pool nodes;
	struct map queues;
	struct live_queue *recent;    /* the queue that was last looked for; it stays while empty */
	struct live_node **published; /* by record, during an append */
	size_t published_capacity;
	uint64_t n_messages; /* once for each queue */
};

void live_init(struct live *live);
void live_fini(struct live *live);

/*
 * All records or none. Returns 0 or -ENOMEM. A sequence number that the queue holds already is a
 * bug of the caller.
 */
int live_apply(struct live *live, const struct store_record *records, size_t n_records)
	__attribute__((warn_unused_result));
void live_settle(struct live *live, uint64_t queue_id, uint64_t seq_first, uint64_t seq_last);
/* Returns 0 or -ENOENT. The bytes are valid until something is applied or settled. */
int live_read(struct live *live, uint64_t queue_id, uint64_t seq, struct slice *ret_body)
	__attribute__((warn_unused_result));
void live_replay(const struct live *live, struct store_recovery *recovery);
/* Gives back the room that queues do not need any more. */
void live_compact(struct live *live);

#endif
