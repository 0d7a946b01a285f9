/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_BROKER_H
#define KERNEL_BROKER_BROKER_H

/*
 * What all of the broker floor shares: made once by the server before the loops run, and ended
 * after they stopped.
 */

#include <stdint.h>

#include "base/list.h"
#include "broker/queue/backlog.h"
#include "loop/loop.h"
#include "loop/slots.h"

struct topology;
struct store;
struct store_commit;
struct store_log;
struct router;
struct alarms;
struct queue_log;
struct reaper;
struct vhost_closing;

/* A loop's own part; only that loop touches it. On cache lines of its own. */
struct broker_loop {
	_Alignas(128) struct list queues; /* struct queue.on_loop */
	uint64_t n_queues;
	uint64_t n_commits;	/* of definitions, under way */
	struct router *router;	/* scratch space of routing */
	struct queue_log *log;	/* what goes to the loop's log: broker/queue/log.h */
	struct chunk_pool pool; /* of the backlogs of its queues */
	/* How much memory its queues may use now: broker/queue/page_out.c. */
	uint64_t queue_budget, transient_budget;
	uint64_t looked_ms, swept_ms;
	struct loop_task sweep;
	struct actor_ref sweep_queue; /* where it is */
	uint64_t sweep_below;
};

/*
 * Bytes of messages that a queue keeps in memory: what is beyond is dropped there when it is in the
 * log, to be read back. Messages that need not be in the log go there, too, when a queue has more
 * of them than the second. When the memory of all is short, both are QUEUE_MEMORY_MIN, and the
 * first is 0 when it is very short.
 */
#define QUEUE_MEMORY_MAX    (UINT64_C(16) << 20)
#define QUEUE_TRANSIENT_MAX (UINT64_C(256) << 20)
#define QUEUE_MEMORY_MIN    (UINT64_C(1) << 20)

struct broker {
	struct topology *topology;
	struct store *store;
	struct alarms *alarms;
	struct reaper *reaper; /* of instances that were replaced */
	unsigned n_loops;
	struct broker_loop *loops;			/* n_loops of them */
	uint64_t queue_memory_max, queue_transient_max; /* set before the loops run */
	/* Connections go to the loops of their queues, so that queues are spread evenly; set before
	 * the loops run. */
	bool connections_follow;
	_Atomic uint64_t
		next_transient_id; /* of queues that are not durable: STORE_TRANSIENT_ID.. */
	struct list vhost_changes; /* struct vhost_work.active: under way. Loop 0's */
	/* Closes the connections of a vhost that is being deleted (broker/vhost/vhost.h). Set before the
	 * loops run; NULL: there never are any. */
	void (*vhost_closing)(void *context, struct vhost_closing *closing);
	void *vhost_closing_context;
};

/*
 * The pool of loops must exist and must not run yet. store is borrowed. The memory alarm has no
 * limit at first. default_vhost NULL: without a vhost, for broker/restore/restore.h. Never fails but for
 * memory.
 */
struct broker *broker_create(unsigned n_loops, struct store *store, const char *default_vhost);

/*
 * After loop_run() and before loop_pool_destroy(), on loop 0's thread: lets changes of the topology
 * that wait for the store end, has the logs take what queues have left for them, ends the queues,
 * telling nobody (endpoints must be gone), then the rest. What was left to the store it has when
 * store_destroy() returns.
 */
void broker_destroy(struct broker *broker);

/*
 * A commit of definitions on the calling loop, which the broker's end waits for. Its done() calls
 * broker_committed() first.
 */
void broker_commit(struct broker *broker, struct store_commit *commit);
void broker_committed(struct broker *broker);

/* The calling loop's part. */
static inline struct broker_loop *broker_loop_self(struct broker *broker)
{
	return &broker->loops[loop_index(loop_self())];
}

#endif
