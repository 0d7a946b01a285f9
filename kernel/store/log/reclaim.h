/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_RECLAIM_H
#define KERNEL_STORE_LOG_RECLAIM_H

/*
 * Getting room back from segments that cannot go by themselves: those in which little is alive, and
 * those that only others keep from going. What they hold that counts is appended anew, a piece at a
 * time, with pauses, so that it takes a bounded share of the disk. On the log's loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/timer.h"
#include "store/log/scan.h"
#include "store/store.h"

struct disk_log;
struct ledger;
struct segment;
struct reclaim_job;

struct reclaim {
	struct disk_log *log;
	struct loop_timer timer;
	bool is_forced; /* however little it gains */
	bool is_at_it;	/* the last look has found something */
	bool is_stopped;
	struct segment *segment; /* being moved, pinned; NULL: none */
	struct reclaim_job *job; /* its bytes */
	size_t next_span;
	uint32_t next_range;	    /* of that span */
	unsigned n_steps;	    /* of the piece */
	bool has_left_out;	    /* messages that are alive still, and will be settled */
	uint64_t not_before_ms;	    /* the last try came to nothing */
	struct store_append append; /* the piece under way */
	bool is_appending;
	struct store_record *records;
	uint64_t *places; /* where each was before; 0: a range */
	size_t n_records, capacity;
};

void reclaim_init(struct reclaim *reclaim, struct disk_log *log);
/* Nothing new is begun; what is under way comes to its end. */
void reclaim_stop(struct reclaim *reclaim);
void reclaim_fini(struct reclaim *reclaim);

/* Something in the log has changed: look soon whether there is something to do. */
void reclaim_look(struct reclaim *reclaim);
/* Now, and whatever it gains. */
void reclaim_all(struct reclaim *reclaim);

/* What to move next; NULL: nothing is worth it. (reclaim_choose.c) */
struct segment *reclaim_choose(const struct reclaim *reclaim);
bool reclaim_is_worth_it(const struct reclaim *reclaim);
/* Ranges were carried to that segment, for the sake of others before it. */
void reclaim_note_carried(const struct ledger *ledger, struct segment *to);

static inline bool reclaim_is_own(const struct reclaim *reclaim, const struct store_append *append)
{
	return append == &reclaim->append;
}

#endif
