/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_LOG_H
#define KERNEL_BROKER_QUEUE_LOG_H

/*
 * From the queues of a loop to its log.
 *
 * A persistent message in a durable queue is a record, its body once for all queues of the loop
 * that get it together. What is published in a turn goes in one append at the turn's end. Its
 * publisher hears of it (endpoint_ops.published) when the append is durable. A message that is
 * settled before its record is written is left out, as far as that is still possible, and its
 * publisher hears at the turn's end.
 *
 * Settles of logged messages are records too, in ranges. Nobody waits for them: they go with the
 * next publish, or lazily when QUEUE_LOG_SETTLE_MS have passed or there are QUEUE_LOG_RANGES_MAX.
 * When an append fails, its settles are appended again.
 *
 * All on the loop of the log.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/ring.h"
#include "broker/message/message.h"
#include "loop/slots.h"
#include "store/store.h"

#define QUEUE_LOG_SETTLE_MS  50u
#define QUEUE_LOG_RANGES_MAX 4096u

struct queue_log;

/* store_log is borrowed, and led from the first append on. */
struct queue_log *queue_log_create(struct store_log *store_log);

/*
 * What was gathered is appended; that, and appends under way, complete later, at the latest when
 * the store ends. Nobody is told.
 */
void queue_log_destroy(struct queue_log *log);

/*
 * Who hears how it went with what queues published (queue_log_state.queue): `failed` for each
 * message that is not in the log after all, then `completed` for each queue of the append, with the
 * first of its numbers there. The queue may be gone. An append may be told of in several parts.
 */
struct queue_log_listener {
	void (*failed)(struct actor_ref queue, uint64_t seq);
	void (*completed)(struct actor_ref queue, uint64_t first_seq);
};
void queue_log_listen(struct queue_log *log, const struct queue_log_listener *listener);

/* A queue's entries in one append. */
struct queue_log_run {
	uint64_t tag;	      /* of the append */
	uint32_t first, last; /* a list, without those settled already */
};

/* What a queue knows of its records. Belongs to the queue. */
struct queue_log_state {
	uint64_t queue_id;
	struct actor_ref queue;	     /* ACTOR_REF_NONE: the listener hears nothing of it */
	uint64_t range_tag;	     /* the gathered append that the index below is of */
	uint32_t range;		     /* its latest range of settles there */
	struct queue_log_run latest; /* the append to which it was published last */
	struct ring older;	     /* earlier ones under way: tag, first and last */
};

void queue_log_state_init(struct queue_log_state *state, uint64_t queue_id);
void queue_log_state_fini(struct queue_log_state *state);

/*
 * The queue holds the message as `seq`. expires_wall_ms 0: never. publisher_seq 0: the publisher
 * wants no word. The message is referenced while it is needed.
 */
void queue_log_publish(struct queue_log *log, struct queue_log_state *state, uint64_t seq,
		       struct message *message, uint64_t expires_wall_ms,
		       struct actor_ref publisher, uint64_t publisher_seq);

/*
 * The same for a message that goes to the log only to be read back in this run: it need not be
 * durable, and its publisher does not wait for it.
 */
void queue_log_publish_transient(struct queue_log *log, struct queue_log_state *state, uint64_t seq,
				 struct message *message);

/*
 * What the queue has published up to this number is in the log, has failed, or is settled;
 * UINT64_MAX: all of it.
 */
uint64_t queue_log_completed(const struct queue_log *log, struct queue_log_state *state);

/*
 * Back pressure: publishing is faster than the disk, and what has been published and has not
 * completed is in memory. It never says no; but while there is more than QUEUE_LOG_UNDER_WAY_MAX,
 * publishers are to wait.
 */
#define QUEUE_LOG_UNDER_WAY_MAX (UINT64_C(16) << 20)

/* Bytes of all that was ever published to it, with what it takes to keep that, about. */
uint64_t queue_log_added(const struct queue_log *log);

bool queue_log_is_behind(const struct queue_log *log);

/* Waits until it has caught up, or ends. caught_up() never runs inside the call. */
struct queue_log_waiter {
	void (*caught_up)(struct queue_log_waiter *waiter);
	struct list link; /* the log's */
};
void queue_log_wait(struct queue_log *log, struct queue_log_waiter *waiter);

/* All that was published since the last append comes back as a whole or not at all. */
void queue_log_make_atomic(struct queue_log *log);

/* A logged message is settled (STORE_SETTLE), expired (STORE_EXPIRE), or back (STORE_REQUEUE). */
void queue_log_settle(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t seq);

/* The same for a range; some in it may have been settled before, or never been logged. */
void queue_log_settle_range(struct queue_log *log, struct queue_log_state *state,
			    enum store_record_type type, uint64_t first, uint64_t last);

/* The queue is empty up to `last`. */
void queue_log_purge(struct queue_log *log, struct queue_log_state *state, uint64_t last);

/* Appends now what is gathered; as soon as the log is led, when it is not yet. */
void queue_log_flush(struct queue_log *log);

/*
 * All that was published and settled before is durable when done() runs, or the barrier has failed.
 * Flushes. done() never runs inside the call, and runs also when the log ends before.
 */
struct queue_log_barrier {
	void (*done)(struct queue_log_barrier *barrier);
	bool has_failed;

	/* the log's */
	struct store_barrier store;
	struct list link;
	struct queue_log *log;
	uint64_t n_failed;
};
void queue_log_barrier(struct queue_log *log, struct queue_log_barrier *barrier);

#endif
