/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_STORE_H
#define KERNEL_STORE_STORE_H

/*
 * The store's door: everything the broker asks of durable storage, as asynchronous operations. What
 * stands behind it is an engine: an embedded log with SQLite beside it (store/disk_store.c), one
 * that keeps all in memory for tests, a replicated one some day.
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
	/* A body, once; its enqueues follow directly behind it. */
	STORE_PUBLISH,
	/* queue_id holds as seq_first the body of `publish`, the STORE_PUBLISH before it. */
	STORE_ENQUEUE,
	/* queue_id is done with seq_first..seq_last (acknowledged, rejected, dropped). */
	STORE_SETTLE,
	/* seq_first..seq_last were delivered once more: they come back marked redelivered. */
	STORE_REQUEUE,
	/* All of queue_id up to seq_last is gone; UINT64_MAX: and the queue with it. */
	STORE_PURGE,
	/* As STORE_SETTLE, by time. */
	STORE_EXPIRE,
};

struct store_record {
	enum store_record_type type;
	uint32_t publish;   /* STORE_ENQUEUE: which record of this append holds the body */
	uint64_t queue_id;  /* never used again after the queue is deleted */
	uint64_t seq_first; /* the queue's own sequence numbers, from 1 */
	uint64_t seq_last;
	uint64_t expires_ms;	/* STORE_ENQUEUE: wall clock, 0 = never */
	struct store_body body; /* STORE_PUBLISH */
	/*
	 * STORE_PUBLISH: kept for this run only, to be read back. It is not there after a restart,
	 * and need not be durable.
	 */
	bool is_transient;
	/*
	 * STORE_ENQUEUE: the caller may set it at any time while the append is under way, when the
	 * message is settled already. The engine leaves out what it has not written yet. Whether it
	 * does cannot be known, so the settle is appended all the same.
	 */
	_Atomic bool is_elided;
	unsigned deliveries; /* STORE_ENQUEUE: the engine's, when it moves a message; else 0 */
	uint64_t place;	     /* the engine's */
};

/*
 * An append, and later its completion. The caller fills the upper part, keeps the structure and the
 * records in place until done() runs, and owns them again then.
 */
struct store_append {
	struct store_record *records;
	size_t n_records;
	/*
	 * Nobody waits for it to be durable: done() may come when it is written, so that it
	 * survives the end of the process. It is durable with the next sync, soon.
	 */
	bool is_lazy;
	/* A transaction: all of it or nothing comes back, also when the power fails meanwhile. */
	bool is_atomic;
	void (*done)(struct store_append *append, enum store_result result);

	/* the engine's */
	struct store_append *next;
	struct store_log *log;
	enum store_result result;
	unsigned n_tries;
};

/*
 * Appends in the order of the calls. `epoch` is what store_log_lead gave. When it ends with
 * STORE_ERROR or STORE_FENCED nothing of it was done; with STORE_UNKNOWN it counts as done in this
 * run, and may be missing after a restart.
 */
void store_log_append(struct store_log *log, uint64_t epoch, struct store_append *append);

/*
 * A read of a queue's bodies. `body` is called once for each number, in their order, before done(),
 * and its bytes are valid during that call only. STORE_ERROR: the log does not hold it (it is
 * settled, or its append has not completed), or it cannot be read. Ascending numbers are read
 * ahead.
 */
struct store_read {
	uint64_t queue_id;
	const uint64_t *seqs;
	size_t n_seqs;
	void (*body)(struct store_read *read, size_t index, enum store_result result,
		     struct slice body);
	void (*done)(struct store_read *read);

	/* the engine's */
	struct store_read *next;
	struct store_log *log;
	void *work;
};
void store_log_read(struct store_log *log, struct store_read *read);

/*
 * Replays what is live in the log: `queue` for every queue that it knows of, with the highest
 * sequence number that any record there names; then `message` once for each live message, a
 * queue's mostly in the order of its numbers, but not always. The body's bytes are valid during the
 * call. Transient ones are not among them. The callbacks must not call the log. For the start,
 * before appends: it may take long, and the loop waits.
 */
struct store_recovered {
	uint64_t queue_id;
	uint64_t seq;
	uint64_t expires_ms; /* wall clock, 0 = never */
	unsigned deliveries; /* how often it was requeued, as far as the engine counts (127) */
	struct slice body;
};
struct store_recovery {
	void (*queue)(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq);
	void (*message)(struct store_recovery *recovery, const struct store_recovered *message);
	void (*done)(struct store_recovery *recovery, enum store_result result);
	struct store_recovery *next;
	struct store_log *log;
};
void store_log_recover(struct store_log *log, struct store_recovery *recovery);

/* All that was appended before, lazily too, is durable when done() runs. */
struct store_barrier {
	void (*done)(struct store_barrier *barrier, enum store_result result);
	struct store_barrier *next;
	struct store_log *log;
};
void store_log_barrier(struct store_log *log, struct store_barrier *barrier);

/*
 * The room of what is settled comes back by itself, as does that of mostly dead places. This asks
 * for the latter at once, however little it gains.
 */
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
	uint64_t appends, records, syncs;
	uint64_t bytes;		/* of bodies appended */
	uint64_t live_messages; /* counted once for each queue that holds it */
	uint64_t disk_bytes;	/* files of the log, with what is kept for later */
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
 * The first of n consecutive ids of queues, never given out before, not even before a restart; any
 * thread. 0: none left for now. Below STORE_TRANSIENT_ID.
 */
uint64_t store_ids(struct store *store, unsigned n);

/* Ids from here on are the caller's own, for queues that do not outlive the process. */
#define STORE_TRANSIENT_ID (UINT64_C(1) << 63)

/*
 * Whether the store's last user ended it in good order, with everything appended. If not, messages
 * may have been delivered without a record of it. True for a new store.
 */
bool store_is_clean(const struct store *store);

struct store_log *store_log_of(struct store *store, unsigned loop);

/*
 * Ends in good order: after every append has been written and synced, and every completion under
 * way has been delivered, in the name of its loop; loops must have stopped, and their pool must
 * still be there. NULL is fine.
 */
void store_destroy(struct store *store);

/* The engine that keeps everything in memory and nothing beyond the process. */
struct store *store_memory_create(unsigned n_logs);

/* When a log is synced (not the definitions, which always are). */
enum store_sync {
	STORE_SYNC_ALWAYS,   /* before an append completes */
	STORE_SYNC_INTERVAL, /* every sync_interval_ms; appends complete when written */
	STORE_SYNC_NEVER,    /* by the operating system, when it likes, and at the end */
};

/*
 * What the operator should hear of: something damaged was found, cut off, or set aside. From any
 * thread. `path` and `reason` are valid during the call; offset and size are bytes of the file.
 */
struct store_report {
	bool is_error; /* else it is what a crash leaves behind, and nothing confirmed is lost */
	const char *path;
	uint64_t offset, size;
	const char *reason;
};

struct store_options {
	const char *path; /* of the data directory, which exists and is ours alone */
	unsigned n_logs;
	enum store_sync sync;
	unsigned sync_interval_ms;
	uint64_t segment_size; /* bytes, 64 KiB to 1 GiB */
	void (*report)(void *context, const struct store_report *report);
	void *context;
};

/*
 * The engine on disk: opens what is in the directory, or begins anew in an empty one, and reads all
 * of its logs. 0, or a negative errno value with one line of reason; then nothing has been dropped.
 * Takes as long as reading the logs does.
 */
int store_disk_open(const struct store_options *options, struct store **ret_store, char *ret_reason,
		    size_t reason_size) __attribute__((warn_unused_result));

#endif
