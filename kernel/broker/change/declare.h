/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_DECLARE_H
#define KERNEL_BROKER_CHANGE_DECLARE_H

/*
 * Changes of the topology: declare, delete, bind and unbind. Asked on the loop of the channel,
 * answered there; durable ones wait for the store, and those that concern one name run in turn.
 * Names are checked here too (reserved prefix, default exchange, equivalence); permissions are the
 * caller's business, before.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/slice.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "loop/mailbox.h"

enum declare_operation {
	DECLARE_EXCHANGE,
	DECLARE_EXCHANGE_DELETE,
	DECLARE_BIND,	/* queue.bind, exchange.bind */
	DECLARE_UNBIND, /* queue.unbind, exchange.unbind */
	DECLARE_QUEUE,
	DECLARE_QUEUE_DELETE,
};

/*
 * Filled by the asker; the slices' bytes belong to the asker until done(). done() runs on the
 * asker's loop, perhaps inside the submit; the request is the asker's again then. error.code is 0
 * on success.
 */
struct declare_request {
	struct letter letter;
	enum declare_operation operation;
	struct broker *broker;
	struct vhost *vhost; /* held from submit to done() */
	struct actor_ref asker;
	uint64_t connection; /* connection number */
	bool is_forced; /* deletes what nobody may delete: the default exchange, the system's, an
			   exclusive queue */
	void (*done)(struct declare_request *request);
	void *context; /* the asker's */
	struct amqp_error error;
	struct slice
		name; /* exchange, or queue (never empty: the caller has made or expanded it) */
	struct slice arguments;
	union {
		struct {
			struct slice type;
			bool passive, durable, auto_delete, internal;
		} exchange;
		struct {
			bool if_unused;
		} exchange_delete;
		struct {
			struct slice source; /* `name` is the destination */
			struct slice routing_key;
			bool destination_is_exchange;
		} bind;
		struct {
			bool passive, durable, exclusive, auto_delete;
			bool server_named; /* the name is the server's own making: a reserved prefix
					      is right */
		} queue_declare;
		struct {
			bool if_unused, if_empty;
		} queue_delete;
	};
	/* Why the asker may not make it: of a queue or exchange that is there he may be told all
	 * the same. The asker's; NULL: he may. */
	const struct amqp_error *forbidden;
	/* answers */
	bool was_forbidden; /* the error is that one */
	bool created;	    /* a queue that was not there before */
	bool changed;	    /* what was declared or deleted was not there, or was there, before */
	bool stored;	    /* without an error: something durable has changed */
	struct actor_ref queue;	 /* DECLARE_QUEUE: where it is */
	uint64_t owner;		 /* DECLARE_QUEUE: its exclusive owner, 0: none */
	uint32_t message_count;	 /* DECLARE_QUEUE: ready; DECLARE_QUEUE_DELETE: deleted */
	uint32_t consumer_count; /* DECLARE_QUEUE */

	/* the broker's while under way */
	unsigned home; /* loop of the asker */
	unsigned step;
	void *work;
};
void declare_submit(struct declare_request *request);

/* Deletes a queue of the calling loop for a reason of its own: last consumer gone, unused too long,
 * its connection gone. For an exclusive queue it is done on return. */
void declare_queue_expire(struct broker *broker, struct queue_entry *entry);

/*
 * Where a queue is: inside, takes the read side. 0 and *ret_ref, or 404 `no queue 'q' in vhost
 * 'v'`, or 405 when `connection` is not 0 and the queue is exclusive to another.
 */
int declare_find_queue(struct broker *broker, struct vhost *vhost, struct slice name,
		       uint64_t connection, struct actor_ref *ret_ref, struct amqp_error *error);

#endif
