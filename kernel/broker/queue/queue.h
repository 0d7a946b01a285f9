/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_QUEUE_H
#define KERNEL_BROKER_QUEUE_QUEUE_H

/*
 * A queue: messages by sequence number, consumers, and the rules of who gets what when. It belongs
 * to one loop; those who are elsewhere hold a struct actor_ref and post letters, which the
 * functions taking a ref do by themselves (on the same loop they are direct calls).
 *
 * Every message has the queue's next 64-bit sequence number. The number finds its slot in O(1)
 * (chunks of slots), so that acknowledging is O(1) and a requeued message returns to its original
 * position.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/list.h"
#include "base/slice.h"
#include "broker/endpoint.h"
#include "broker/message/message.h"
#include "loop/mailbox.h"
#include "loop/slots.h"

struct broker;
struct queue;
struct queue_entry; /* its place in the directory: broker/topology/topology.h */

/* What x-arguments and the declare say. */
struct queue_options {
	bool durable, auto_delete;
	uint64_t owner;		 /* connection number of an exclusive queue, 0: not exclusive */
	uint64_t message_ttl_ms; /* UINT64_MAX: none */
	uint64_t expires_ms;	 /* 0: never */
	uint32_t delivery_limit; /* 0: none (x-delivery-limit) */
	bool quorum;		 /* declared with x-queue-type quorum */
};

/*
 * On the caller's loop, which becomes the queue's. `entry` is its directory entry, which outlives
 * it. The queue is in the loop's slots; entry->queue is set by the caller.
 */
struct queue *queue_create(struct broker *broker, struct queue_entry *entry, uint64_t id,
			   const struct queue_options *options);

/*
 * Ends the queue: its consumers are told (endpoint_ops.cancelled), waiting publishes are settled as
 * accepted, messages are dropped, the memory is retired. The directory entry must have been taken
 * out before. Returns the number of ready messages that went with it.
 */
uint64_t queue_destroy(struct queue *queue);

struct actor_ref queue_ref(const struct queue *queue);
struct queue_entry *queue_entry_of(const struct queue *queue);
const struct queue_options *queue_options_of(const struct queue *queue);

/* ---- Publishing (on the queue's loop) ---- */

enum queue_publish_result {
	QUEUE_ACCEPTED, /* taken, and whatever must be durable is */
	QUEUE_REJECTED, /* the publisher gets basic.nack */
	QUEUE_PENDING,	/* endpoint_ops.published tells later */
};

/*
 * Takes a reference of its own. seq 0: the publisher wants no word (then never QUEUE_PENDING). What
 * was pending is reported with taken_bytes 0: the message is the queue's from here on, and whoever
 * moved it here gives its bytes back.
 */
enum queue_publish_result queue_publish(struct queue *queue, struct message *message,
					struct actor_ref publisher, uint64_t seq);

/* The same, but the caller's reference becomes the queue's: for the last queue of a message, two
 * atomic operations less. */
enum queue_publish_result queue_publish_take(struct queue *queue, struct message *message,
					     struct actor_ref publisher, uint64_t seq);

/* ---- Settling (any loop) ---- */

enum queue_outcome {
	QUEUE_ACK,
	QUEUE_DISCARD, /* rejected without requeue */
	QUEUE_REQUEUE, /* back to its original position, marked redelivered, one delivery more on
			  its count */
	QUEUE_RETURN,  /* undelivered: as requeue, but not marked and not counted */
};

/*
 * The sequence numbers in `seqs` are done with by the endpoint's consumer (QUEUE_NO_CONSUMER for
 * basic.get). Order among them does not matter. Unknown numbers and a queue that is gone are
 * ignored.
 */
#define QUEUE_NO_CONSUMER 0u
void queue_settle(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		  enum queue_outcome outcome, const uint64_t *seqs, size_t count);

/* The consumer's connection has written `bytes` of deliveries to its socket: gives them back to the
 * consumer's credit. */
void queue_credit(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		  uint64_t bytes);

/*
 * The receiver may keep less than this before it gives any back: a consumer that owes less can
 * always be sent one message more, whatever its size.
 */
#define QUEUE_CREDIT_STEP (256u * 1024)

/* What a delivery costs of that credit. */
#define QUEUE_DELIVERY_OVERHEAD 64u
static inline uint64_t queue_delivery_bytes(const struct message *m)
{
	return (uint64_t)m->body_size + m->properties_size + QUEUE_DELIVERY_OVERHEAD;
}

/*
 * While it is held, a queue hands nothing out, and a basic.get waits: so very many messages return
 * to their places in steps, with QUEUE_REQUEUE or QUEUE_RETURN, and none that is behind them is
 * delivered before them. Each hold is released once.
 */
void queue_hold(struct actor_ref queue);
void queue_release(struct actor_ref queue);

/* The prefetch of a consumer that is there already changes; 0: unlimited. */
void queue_change_prefetch(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
			   uint32_t prefetch);

/* Channel-wide prefetch: the consumer may be sent `count` messages more. */
void queue_grant(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		 uint32_t count);

/* Channel-wide prefetch is in force for the consumer from now on, or no more; what it was granted
 * is forgotten. */
void queue_limit(struct actor_ref queue, struct actor_ref endpoint, uint32_t consumer,
		 bool needs_grants);

/* ---- Requests: asked from any loop, answered on the asker's ---- */

enum queue_operation {
	QUEUE_CONSUME,
	QUEUE_CANCEL,
	QUEUE_GET,
	QUEUE_PURGE,
	QUEUE_TOUCH, /* declared again or passively: counts are returned, and x-expires begins anew
		      */
};

/*
 * Filled by the asker, submitted with queue_request_submit(), and the asker's again when done()
 * runs, on the asker's loop; done() may run inside the submit. error.code is 0 on success. If the
 * asker has died meanwhile (slots_get(asker) is NULL), done() still runs and must give back what
 * the answer holds (message of QUEUE_GET: queue_settle with QUEUE_RETURN).
 */
struct queue_request {
	struct letter letter;
	enum queue_operation operation;
	struct actor_ref queue;
	struct actor_ref asker; /* the endpoint */
	uint64_t connection; /* connection number, for exclusive queues: 405 when it is another's */
	/* For the text of 404, when the queue is gone; the asker's until done(). */
	struct slice queue_name, vhost_name;
	void (*done)(struct queue_request *request);
	struct amqp_error error;
	union {
		struct {
			uint32_t consumer; /* the asker's number for it, not 0, unique in the
					      channel's life */
			uint32_t prefetch; /* 0: unlimited */
			int32_t priority;
			bool no_ack, exclusive;
			bool needs_grants;	/* channel-wide prefetch is in force */
			char tag[256];		/* consumer tag, for lists */
			struct slice arguments; /* owned by the request's maker until done() */
		} consume;
		struct {
			uint32_t consumer; /* cancelling an unknown one is fine. Unsettled messages
					      stay unsettled. */
		} cancel;
		struct {
			bool no_ack;
			/* answer */
			struct delivery delivery; /* message NULL: empty */
			uint32_t ready_count;
		} get;
	};
	struct queue_request *next; /* the queue's, while it waits there */
	/* answers */
	uint32_t message_count;	 /* purge: purged; touch: ready */
	uint32_t consumer_count; /* touch */
};
void queue_request_submit(struct queue_request *request);

/* ---- Looking (on the queue's loop) ---- */

/*
 * Deliveries and expiry are done at the turn's end. This does at once what is due of them, so that
 * counts are those which a client expects that published before it asked. Requests do it by
 * themselves. May run endpoint_ops.
 */
void queue_refresh(struct queue *queue);

struct queue_stats {
	uint64_t ready, unacknowledged, consumers, memory_bytes;
	uint64_t body_bytes, unacknowledged_bytes;
	/* Of these, not in memory: messages, and bytes of bodies. */
	uint64_t ready_away, unacknowledged_away, away_bytes;
	/* Of all, those that are there after a restart. */
	uint64_t persistent, persistent_bytes;
	uint64_t disk_reads, disk_writes; /* of messages, by this process */
};
void queue_stats(const struct queue *queue, struct queue_stats *ret_stats);

/* The timestamp of the message at the head. False: it has none, is not in memory, or there is no
 * message. */
bool queue_head_timestamp(struct queue *queue, uint64_t *ret_seconds);

/* A message that came now would be handed to a consumer at once. */
bool queue_has_able_consumer(const struct queue *queue);

/* For lists: the consumers, by who they are, in slices: at most `limit` of those behind the cursor,
 * which is all zero at first. False: there are no more. Looks at every consumer of the queue. */
struct queue_consumer_info {
	struct actor_ref endpoint;
	uint64_t number;
	const char *tag;
	struct slice arguments;
	uint32_t prefetch;
	int32_t priority;
	bool no_ack, exclusive, active;
};
struct queue_consumer_cursor {
	struct actor_ref endpoint;
	uint64_t number;
};
#define QUEUE_CONSUMERS_MAX 64u
bool queue_list_consumers(const struct queue *queue, struct queue_consumer_cursor *cursor,
			  unsigned limit,
			  void (*visit)(void *context, const struct queue_consumer_info *info),
			  void *context);

bool queue_has_consumers(const struct queue *queue);
bool queue_is_empty(const struct queue *queue); /* no ready messages */

/* The queues of the calling loop. */
void queue_for_each(struct broker *broker, void (*visit)(void *context, struct queue *queue),
		    void *context);

/*
 * The same in slices, in the order of creation: at most `limit` of those behind the cursor, which
 * is all zero at first; its queues may be gone by now. False: there are no more.
 */
struct queue_cursor {
	struct actor_ref first, last; /* of the slice before */
};
bool queue_list(struct broker *broker, struct queue_cursor *cursor, unsigned limit,
		void (*visit)(void *context, struct queue *queue), void *context);

/* Memory is out: of the messages of the loop's queues, what is in the log leaves memory soon. */
void queue_page_out_all(struct broker *broker);

#endif
