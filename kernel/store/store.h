/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_STORE_H
#define KERNEL_STORE_STORE_H

/*
 * The store's door: everything the broker asks of durable storage, as asynchronous operations. What
 * stands behind it is an engine: one that keeps all in memory today, an embedded log with SQLite
 * beside it, a replicated one some day.
 *
 * Threads: there is one log per loop. A log's functions are called on its loop only; definitions
 * may be called from every loop. Completions arrive on the loop that made the call and never inside
 * the call.
 *
 * What must come before what is the caller's business, said in tags: a publisher's confirm only
 * after its append is STORE_DURABLE; a settle may be lazy, losing one means one more delivery and
 * never a loss.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct store;
struct store_log;

/* How an operation ended. */
enum store_result {
	/* Done, and it will be there after a crash, as far as the engine promises that at all. */
	STORE_DURABLE,
	/* Refused: the epoch is not the log's any more; nothing was done. */
	STORE_FENCED,
	/* May or may not have been done (connection to the engine lost, sync failed). */
	STORE_UNKNOWN,
	/* Not done: no room, damage, out of memory. */
	STORE_ERROR,
};

/* Where a body lies in its log; opaque to the caller, 0 is none. */
typedef uint64_t store_location;

/*
 * A body as the caller has it: immutable bytes, counted by the caller. The store calls hold once if
 * it keeps the pointer beyond the call, and drop once when it lets go; drop may come on any thread.
 */
struct store_body {
	struct slice bytes;
	void *owner;
	void (*hold)(void *owner);
	void (*drop)(void *owner);
};

enum store_record_type {
	/* A body, once; its first enqueues follow in the same append. */
	STORE_PUBLISH,
	/* queue_id holds as seq_first the body of `publish`, a STORE_PUBLISH of this append. */
	STORE_ENQUEUE,
	/* queue_id is done with seq_first..seq_last (acknowledged, rejected, dropped). */
	STORE_SETTLE,
	/* seq_first..seq_last were delivered once: they come back marked redelivered. */
	STORE_REQUEUE,
	/* All of queue_id up to seq_last is gone; UINT64_MAX: and the queue with it. */
	STORE_PURGE,
	/* As STORE_SETTLE, by time. */
	STORE_EXPIRE,
	/* queue_id's sequence numbers go on after seq_last. */
	STORE_CHECKPOINT,
};

struct store_record {
	enum store_record_type type;
	uint64_t queue_id;  /* never used again after the queue is deleted */
	uint64_t seq_first; /* the queue's own sequence numbers */
	uint64_t seq_last;
	uint32_t publish;	/* STORE_ENQUEUE: which record of this append holds the body */
	uint64_t expires_ms;	/* STORE_ENQUEUE: wall clock, 0 = never */
	struct store_body body; /* STORE_PUBLISH */
};

/*
 * An append, and later its completion. The caller fills the upper part, keeps the structure (and
 * the records) in place until done() runs, and owns it again then.
 */
struct store_append {
	const struct store_record *records;
	size_t n_records;
	uint64_t tag; /* for store_log_elide; unique among the log's appends under way */
	void (*done)(struct store_append *append, enum store_result result);
	/* If not NULL: room for one per record, filled for STORE_PUBLISH before done(). */
	store_location *locations;

	/* the engine's */
	struct store_append *next;
	uint64_t position; /* grows along the log; valid when durable */
	struct store_log *log;
	enum store_result result;
};

/* Appends all records or none, in the order of the calls. `epoch` is what store_log_lead gave. */
void store_log_append(struct store_log *log, uint64_t epoch, struct store_append *append);

/*
 * The message of the append's queue_id/seq is settled already, while the append is under way: the
 * engine leaves its records out if it has not written them yet, and records a settle otherwise.
 * Either way the caller has nothing more to do for it, and the append is completed as durable all
 * the same.
 */
void store_log_elide(struct store_log *log, uint64_t tag, uint64_t queue_id, uint64_t seq);

/*
 * A read of bodies by location, in the order given; the engine reads ahead. `body` is called once
 * for each location, before done(), and its bytes are valid during that call only. A location is
 * good until the last queue that held the body has settled it; then a read, also one under way, may
 * end with STORE_ERROR.
 */
struct store_read {
	const store_location *locations;
	size_t n_locations;
	void (*body)(struct store_read *read, size_t index, enum store_result result,
		     struct slice body);
	void (*done)(struct store_read *read);
	struct store_read *next;
	struct store_log *log;
};
void store_log_read(struct store_log *log, struct store_read *read);

/*
 * Replays what is live in the log, in order: one call of `record` each; bodies are valid during the
 * call only. A STORE_PUBLISH comes before the STORE_ENQUEUEs of its body, which name it by
 * `location` (record->publish means nothing here); a message that comes back redelivered has a
 * STORE_REQUEUE behind its enqueue. `record` must not call the log.
 */
struct store_recovery {
	void (*record)(struct store_recovery *recovery, const struct store_record *record,
		       store_location location);
	void (*done)(struct store_recovery *recovery, enum store_result result);
	struct store_recovery *next;
	struct store_log *log;
};
void store_log_recover(struct store_log *log, struct store_recovery *recovery);

/* All that was appended before is durable when done() runs. */
struct store_barrier {
	void (*done)(struct store_barrier *barrier, enum store_result result);
	struct store_barrier *next;
	struct store_log *log;
};
void store_log_barrier(struct store_log *log, struct store_barrier *barrier);

/*
 * Gives back the room of what is settled up to position; moves live records out of mostly dead
 * places.
 */
void store_log_trim(struct store_log *log, uint64_t position);
void store_log_compact(struct store_log *log);

/*
 * Leadership over a log: acquired once at start; `lost` is called when another takes it (never by
 * the embedded store).
 */
struct store_lead {
	void (*acquired)(struct store_lead *lead, enum store_result result, uint64_t epoch);
	void (*lost)(struct store_lead *lead);
	struct store_lead *next;
	struct store_log *log;
};
void store_log_lead(struct store_log *log, struct store_lead *lead);
void store_log_release(struct store_log *log);

struct store_log_stats {
	uint64_t appends, records, bytes, syncs, live_bodies, live_bytes;
};
void store_log_stats(const struct store_log *log, struct store_log_stats *ret_stats);

/*
 * Definitions: named values with a revision that grows with every change. Keys are
 * "kind/vhost/name"-like byte strings. A put or delete names the revision it expects (0: must not
 * exist; STORE_ANY_REVISION: whatever is there) and is STORE_FENCED when it is another. Several
 * changes in one call commit together or not at all: all expectations are about what was there
 * before the call, and all keys get the same new revision. Commits take effect in the order of the
 * calls, also of calls on several loops of which one happened before the other.
 */
#define STORE_ANY_REVISION UINT64_MAX

struct store_change {
	struct slice key;
	struct slice value; /* data NULL: delete */
	uint64_t expected_revision;
};

struct store_commit {
	const struct store_change *changes; /* copied during the call */
	size_t n_changes;
	void (*done)(struct store_commit *commit, enum store_result result, uint64_t revision);
	struct store_commit *next;
	unsigned loop;
	enum store_result result;
	uint64_t revision;
};
void store_commit(struct store *store, struct store_commit *commit);

/*
 * Calls `visit` for every definition whose key begins with prefix, in the order of the keys' bytes,
 * then returns; used at start, before loops run. `visit` must not change definitions. Returns 0 or
 * a negative errno value.
 */
int store_definitions_load(struct store *store, struct slice prefix,
			   void (*visit)(void *context, struct slice key, struct slice value,
					 uint64_t revision),
			   void *context);

/*
 * Calls `changed` on the watcher's loop after every later commit that touched a key with the
 * prefix, in the order of the revisions, once for each such key; value.data is NULL for a deletion.
 * Watched and unwatched on the same loop; not called after the latter. The prefix's bytes stay in
 * place meanwhile.
 */
struct store_watch {
	struct slice prefix;
	void (*changed)(struct store_watch *watch, struct slice key, struct slice value,
			uint64_t revision);
	struct store_watch *next;
	unsigned loop;
	uint64_t since;
};
void store_watch(struct store *store, struct store_watch *watch);
void store_unwatch(struct store *store, struct store_watch *watch);

/*
 * The first of n consecutive 64-bit ids, never given out before, not even before a restart; any
 * thread. 0 is none.
 */
uint64_t store_ids(struct store *store, unsigned n);

struct store_log *store_log_of(struct store *store, unsigned loop);

/*
 * Ends after every completion under way has been delivered, in the name of its loop; loops must
 * have stopped, and their pool must still be there. NULL is fine.
 */
void store_destroy(struct store *store);

/* The engine that keeps everything in memory and nothing beyond the process. */
struct store *store_memory_create(unsigned n_logs);

#endif
