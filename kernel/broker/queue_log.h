/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_LOG_H
#define KERNEL_BROKER_QUEUE_LOG_H

/*
 * From the queues of a loop to its log: what they publish and settle in a turn goes in one append
 * at the turn's end.
 *
 * A persistent message in a durable queue is a record, its body once for all queues of the loop
 * that get it together. Its publisher hears of it (endpoint_ops.published) when the append is
 * durable. A message that is settled in the turn in which it came never gets to the log, and its
 * publisher hears at the turn's end. Settles of logged messages are records too, in ranges; nobody
 * waits for them.
 *
 * All on the loop of the log.
 */

#include <stdint.h>

#include "base/ring.h"
#include "broker/message.h"
#include "loop/slots.h"
#include "store/store.h"

struct queue_log;

/* store_log is borrowed, and led from the first record on. */
struct queue_log *queue_log_create(struct store_log *store_log);

/*
 * What was gathered is appended; that, and appends under way, complete later, at the latest when
 * the store ends. Nobody is told.
 */
void queue_log_destroy(struct queue_log *log);

/* What a queue knows of its records. Belongs to the queue. */
struct queue_log_state {
	uint64_t queue_id;
	uint64_t tag;	       /* the gathered batch that the indexes below are of */
	uint32_t first, last;  /* its records there: a list, without those settled already */
	uint32_t range;	       /* its latest range of settles there */
	struct ring under_way; /* pairs: tag of an append, first sequence number in it */
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

/* A logged message is settled (STORE_SETTLE), expired (STORE_EXPIRE), or back (STORE_REQUEUE). */
void queue_log_settle(struct queue_log *log, struct queue_log_state *state,
		      enum store_record_type type, uint64_t seq);

/* The same for a range; some in it may have been settled before, or never been logged. */
void queue_log_settle_range(struct queue_log *log, struct queue_log_state *state,
			    enum store_record_type type, uint64_t first, uint64_t last);

/* The queue is empty up to `last`. */
void queue_log_purge(struct queue_log *log, struct queue_log_state *state, uint64_t last);

#endif
