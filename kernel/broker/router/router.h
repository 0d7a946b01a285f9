/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ROUTER_ROUTER_H
#define KERNEL_BROKER_ROUTER_ROUTER_H

/*
 * From publications to queues. A batch is routed under the read side, then handed over: queues of
 * this loop directly, those of every other loop by one letter for the whole batch.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "broker/broker.h"
#include "broker/message/message.h"
#include "broker/topology/topology.h"
#include "loop/slots.h"

#define ROUTER_BATCH_MAX 64u

/* One basic.publish. The router takes the message's reference when it has handled it, and sets the
 * pointer to NULL then. */
struct publication {
	struct message *message;
	uint64_t seq;	/* 0: the publisher wants no word of how it ended */
	bool mandatory; /* the caller's */

	/* answers */
	bool unroutable; /* reached no queue (then nothing is pending) and, if mandatory, is to be
			    returned: message is still referenced for that, and the caller's */
	bool rejected;	 /* a queue on this loop rejected it */
	uint32_t n_pending; /* targets that will report with endpoint_ops.published */
	/* On their way to other loops, or to a log that is behind: come back as taken_bytes. */
	uint64_t inflight_bytes;
};

/*
 * Publishes the batch of one endpoint, in order. Returns how many were handled: fewer than `count`
 * when the one at that index failed, with *error set (404 no exchange, 403 internal exchange, 406
 * its type is not loaded) and its message still the caller's.
 *
 * An atomic batch is handled as a whole or not at all, and may be of any size: all of it is routed
 * before the first queue gets anything, every other loop gets one letter, and what is logged comes
 * back after a crash as a whole or not at all in each log. Others are at most ROUTER_BATCH_MAX.
 *
 * CC and BCC headers add routing keys; BCC has been taken out of the properties by the caller, who
 * passes the keys of both here.
 *
 * Further errors: 506 when memory for the targets is out. Not from inside a queue's or endpoint's
 * function that this calls.
 */
#define ROUTER_NO_LOOP UINT32_MAX
struct publish_batch {
	struct vhost *vhost;
	struct slice user; /* the client's that publishes (shunt_message.user); empty: none */
	struct actor_ref publisher;
	struct publication *publications;
	size_t count;
	bool is_atomic;
	const struct slice *extra_keys; /* CC and BCC, of all publications one after the other */
	const uint32_t *n_extra_keys;	/* how many each of them has; NULL: none has any */

	/* Answer: the loop of one of the targets, by turns of any; ROUTER_NO_LOOP: there was none,
	 * or the batch was atomic. */
	unsigned loop;
};
size_t router_publish(struct broker *broker, struct publish_batch *batch, struct amqp_error *error);

/*
 * What an exchange type's route() gets: `view`, by whose address the plugin host finds the message,
 * for its headers and properties.
 */
struct routed_message {
	struct shunt_message view;
	struct message *message;
};

/* The name that a client sees of a direct reply-to consumer: "amq.rabbitmq.reply-to." and loop,
 * slot, serial, key. */
#define ROUTER_REPLY_PREFIX "amq.rabbitmq.reply-to"
struct endpoint;
size_t router_reply_name(const struct endpoint *endpoint, char *ret_name, size_t size);

/*
 * Whether the name is that of a living reply consumer, for passive queue.declare: asynchronous
 * knowledge of other loops is not to be had, so this checks form and, on this loop, life.
 */
bool router_reply_name_is_valid(struct slice name);

/* A loop's scratch space. */
struct router *router_create(void);
void router_destroy(struct router *router);

/* In a route(), on this thread: what it gives is not remembered (answers.h), nor repeated
 * for the next message. */
void router_answer_varies(void);

#endif
