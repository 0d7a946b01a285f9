/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_LEDGER_H
#define KERNEL_STORE_LOG_LEDGER_H

/*
 * What of a log is alive: the index of its messages, and for each segment how many of them it has,
 * and what it must outlive. Belongs to the log's loop; at the start, to who reads the log.
 *
 * A segment may go when no message in it is live, and when no segment is left that its ranges and
 * moved messages concern: else those would come back to life. `floor` is the lowest serial of
 * these; so it may go when there is none left from there up to itself.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/log/index.h"
#include "store/log/record.h"
#include "store/log/segment.h"

struct ledger {
	struct index index;
	struct segment **segments; /* by serial - first_serial; NULL: gone */
	uint64_t first_serial;
	size_t n_segments, capacity;
	size_t n_left;	 /* not gone */
	bool may_retire; /* something has changed since ledger_retire() */
};

void ledger_init(struct ledger *ledger);
void ledger_fini(struct ledger *ledger);

/* Serials ascend. The segment before is closed by that. It is the ledger's from here on. */
void ledger_add_segment(struct ledger *ledger, struct segment *segment);
/* Takes it out and frees it. */
void ledger_drop_segment(struct ledger *ledger, struct segment *segment);

struct segment *ledger_segment_at(const struct ledger *ledger, uint64_t place);
static inline uint64_t ledger_place(const struct segment *segment, uint64_t offset)
{
	return index_place((uint32_t)(segment->serial & INDEX_SEGMENT_MAX), offset);
}

/*
 * What a record at `place` says. A message that is live already is moved there. -ENOMEM: nothing
 * was done.
 */
int ledger_enqueue(struct ledger *ledger, uint64_t place, const struct record_target *target,
		   bool is_transient) MUST_USE;
void ledger_settle(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t first,
		   uint64_t last);
void ledger_requeue(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t first,
		    uint64_t last);
void ledger_purge(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t last);

/* A message was written again. False: it is not at `from` any more, and the copy is dead. */
bool ledger_move(struct ledger *ledger, uint64_t queue_id, uint64_t seq, uint64_t from,
		 uint64_t to);

/* Ranges of the one were written again in the other. */
void ledger_carry(const struct segment *from, struct segment *to);

/* All ranges in it that concern a segment that is left were carried, and nothing is live in it. */
void ledger_let_go(struct ledger *ledger, struct segment *segment);

/* Calls `retire` for each segment that may go now, in that order; they are marked. */
void ledger_retire(struct ledger *ledger, void (*retire)(void *context, struct segment *segment),
		   void *context);

#endif
