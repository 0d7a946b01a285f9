/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_LOG_BATCH_H
#define KERNEL_BROKER_QUEUE_LOG_BATCH_H

/*
 * What goes to a log in one append: bodies, entries (a queue holds a body), and ranges of settles.
 * They become store records when the append is made; the batch is kept until that has completed,
 * and then used again. Belongs to a queue_log.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/message/message.h"
#include "loop/slots.h"
#include "store/store.h"

struct queue_log;

#define LOG_NONE UINT32_MAX

struct log_body {
	struct message *message;
	uint32_t record; /* where it is in `records`, LOG_NONE: not there yet */
	bool is_transient;
};

struct log_entry {
	uint64_t seq, expires_wall_ms;
	struct actor_ref publisher;
	uint64_t publisher_seq; /* 0: nobody waits for it (any more) */
	uint32_t body;
	uint32_t queue;	 /* in `queues` */
	uint32_t record; /* where it is in `records`, once built */
	uint32_t next;	 /* of the same queue, without those settled */
	bool is_settled; /* meanwhile: it is left out, if that is still possible */
	bool is_transient;
};

/* A queue that has entries. */
struct log_queue {
	struct actor_ref ref;
	uint64_t id;
	uint64_t first_seq;
};

struct log_range {
	enum store_record_type type;
	uint32_t before; /* the one before of the same queue */
	uint64_t queue_id, first, last;
};

/* What an entry costs beside its message, about. */
#define LOG_ENTRY_COST                                                                             \
	(sizeof(struct log_entry) + sizeof(struct log_body) + 2 * sizeof(struct store_record))

struct log_batch {
	struct store_append append;
	struct list link; /* queue_log.spare */
	struct queue_log *log;
	uint64_t tag;	    /* of its entries */
	uint64_t range_tag; /* of its ranges, which may stay when entries have gone */
	struct log_body *bodies;
	struct log_entry *entries;
	struct log_queue *queues;
	struct log_range *ranges;
	struct store_record *records;
	uint32_t n_bodies, n_entries, n_queues, n_ranges, n_records;
	uint32_t bodies_capacity, entries_capacity, queues_capacity, ranges_capacity,
		records_capacity;
	uint64_t bytes;	    /* of its messages and entries, about; settled or not */
	uint32_t n_live;    /* entries that are not settled */
	uint32_t n_durable; /* those of them that must be */
	bool is_built;	    /* it has become records */
	bool is_atomic;
};

struct log_batch *log_batch_create(struct queue_log *log);
void log_batch_destroy(struct log_batch *batch);

/* As new. */
void log_batch_clear(struct log_batch *batch);

/* Without its ranges; what holds much memory is not kept. */
void log_batch_clear_entries(struct log_batch *batch);
void log_batch_drop_bodies(struct log_batch *batch);
bool log_batch_is_large(const struct log_batch *batch);

/* A queue that will have entries. Returns its index. */
uint32_t log_batch_queue(struct log_batch *batch, const struct log_queue *queue);

/* References the message. Returns the entry's index. */
uint32_t log_batch_publish(struct log_batch *batch, struct message *message,
			   const struct log_entry *entry);

/*
 * An entry is settled, before the batch is built or after; the publisher's number is for the caller
 * to look at.
 */
void log_batch_settle(struct log_batch *batch, struct log_entry *entry);

/*
 * Adds a range of the queue whose latest one is `latest`, or extends one of the latest. Returns
 * which is the latest now.
 */
uint32_t log_batch_range(struct log_batch *batch, uint32_t latest, const struct log_range *range);

/* A body comes just before its first enqueue; settles come after what they may settle. */
void log_batch_build(struct log_batch *batch);

#endif
