/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_STATE_H
#define KERNEL_BROKER_QUEUE_STATE_H

/*
 * The inside of a queue, for the files that make it up (queue*.c). Everything is on the queue's
 * loop.
 */

#include "base/compiler.h"
#include "broker/queue/backlog.h"
#include "broker/broker.h"
#include "broker/queue/consumer.h"
#include "broker/queue/queue.h"
#include "broker/queue/log.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"

/*
 * Messages that are handed out before others of the loop get their turn; also the most in one
 * letter.
 */
#define QUEUE_BURST 256u

struct queue_burst;

struct queue {
	/* What every message touches comes first. */
	struct backlog backlog;
	struct consumer_set consumers;
	struct loop_task run; /* deliveries and expiry, at the turn's end */
	uint64_t message_ttl_ms;
	unsigned n_holds; /* queue_hold() */
	bool durable;
	bool has_more;	  /* the last burst was full */
	bool is_lagging;  /* deliveries, behind the publishes: loop/lag.h */
	bool is_gone;	  /* ended in this turn; no more than memory */
	bool is_forsaken; /* auto-delete: the last consumer has gone */
	bool is_ending;	  /* its deletion has been asked for */
	struct broker *broker;
	struct broker_loop *home;
	struct queue_log_state log;
	bool has_transient_records; /* in the log, of a queue that perhaps is not durable */
	/* Reading back: load.c. */
	bool is_reading;
	uint64_t read_first;		       /* of what was read last */
	uint64_t read_through;		       /* backlog.away_from after that */
	struct queue_request *gets, *last_get; /* that wait for a body, by queue_request.next */
	struct queue_burst *burst;	       /* being handed over, NULL: none */
	struct actor_ref ref;
	struct queue_entry *entry;
	uint64_t id;
	struct queue_options options;
	struct list on_loop;
	uint64_t n_disk_reads, n_disk_writes; /* of messages */
	struct loop_timer timer; /* expiry of the message at the head, or of the queue */
	uint64_t used_at_ms;	 /* x-expires counts from here while there are no consumers */
};

/* ---- queue.c ---- */

/* A message leaves for good; type says why. Its slot is gone already. */
static inline void queue_log_gone(struct queue *queue, uint64_t seq, bool logged,
				  enum store_record_type type)
{
	if (UNLIKELY(logged))
		queue_log_settle(queue->home->log, &queue->log, type, seq);
}

/* The log may hold something of it. */
static inline bool queue_is_in_log(const struct queue *queue)
{
	return queue->durable || queue->has_transient_records;
}

/* Ends a queue at the broker's end: nobody is told, nothing is logged. */
void queue_abandon(struct queue *queue);

/* ---- deliver.c ---- */

void queue_run(struct loop_task *task);

/* There may be something to deliver. */
static inline void queue_wake(struct queue *queue)
{
	if (!loop_task_is_armed(&queue->run) &&
	    (queue->consumers.n_able > 0 || !list_is_empty(&queue->consumers.asking) ||
	     !list_is_empty(&queue->consumers.holding)))
		loop_defer(&queue->run);
}

/*
 * Deliveries to the consumer that wait in the burst go now: before an answer that must follow them.
 */
void queue_flush_consumer(struct queue *queue, struct consumer *c);

/* Takes a consumer out. What it has not settled stays taken. */
void queue_remove_consumer(struct queue *queue, struct consumer *c);

/* ---- page_out.c ---- */

/* A loop's part of it. */
void queue_paging_init(struct broker_loop *part);
void queue_paging_fini(struct broker_loop *part);

/* How much memory there is, at most once a millisecond: sets the loop's budgets. */
void queue_look_at_memory(struct queue *queue);

#define QUEUE_LOOK_EVERY 64u /* messages */

/* A message that need not be in the log goes there all the same, to leave memory. */
static inline bool queue_must_page(struct queue *queue)
{
	if (UNLIKELY(queue->backlog.next_seq % QUEUE_LOOK_EVERY == 0))
		queue_look_at_memory(queue);
	return UNLIKELY(queue->backlog.all.alloc_bytes > queue->home->transient_budget);
}

/*
 * The message at the head, in memory, is delivered and becomes taken. Returns it with a reference
 * for the delivery.
 */
static inline struct message *queue_take(struct queue *queue, uint64_t seq, struct slot *slot)
{
	struct message *m = slot_message_there(slot);

	backlog_take(&queue->backlog, seq, slot);
	if (UNLIKELY(backlog_is_above(&queue->backlog, queue->home->queue_budget)) &&
	    backlog_can_page_out(&queue->backlog, seq, slot))
		return backlog_page_out(&queue->backlog, seq, slot);
	return message_ref(m);
}

/* ---- load.c ---- */

void queue_load(struct queue *queue);

/* Reads back what is wanted next, if there is somebody who wants it. */
static inline void queue_read_ahead(struct queue *queue)
{
	const struct backlog *b = &queue->backlog;

	if (UNLIKELY(b->all.away_count > b->taken.away_count) && !queue->is_reading)
		queue_load(queue);
}

/* ---- get.c ---- */

/* False: it waits for the body of the message at the head, and is answered later. */
bool queue_get(struct queue *queue, struct queue_request *request);

void queue_answer_gets(struct queue *queue);

/* Answers those that wait, as far as that is possible now. May run anything. */
static inline void queue_serve_gets(struct queue *queue)
{
	if (UNLIKELY(queue->gets != NULL))
		queue_answer_gets(queue);
}

/* The queue is gone. */
void queue_end_gets(struct queue *queue);

/* ---- request.c ---- */

/* The answer goes to where the request came from. */
void queue_request_answer(struct queue_request *request);
void queue_request_fail_not_found(struct queue_request *request);
void queue_set_counts(const struct queue *queue, struct queue_request *request);

/* ---- expiry.c ---- */

/*
 * Drops what expires at the head until then (by loop_now_ms()), not without limit; false when there
 * is more.
 */
bool queue_expire_head(struct queue *queue, uint64_t until);

/* Sees to it that the timer fires when the head or the queue expires next. */
void queue_expiry_arm(struct queue *queue);

/* Unused long enough: time to go (x-expires). */
bool queue_is_unused(const struct queue *queue);
void queue_timer_fired(struct loop_timer *timer);

/* ---- settle.c ---- */

/* Any loop. The consumer's endpoint is gone: takes it out, without a word. */
void queue_forget_consumer(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer);

/* On the queue's loop: what was taken is settled. Returns how many of the numbers were known. */
uint32_t queue_settle_slots(struct queue *queue, enum queue_outcome outcome, const uint64_t *seqs,
			    size_t count);

#endif
