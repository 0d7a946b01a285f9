/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_TOOLS_NULL_STATE_H
#define TESTS_UNIT_TOOLS_NULL_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/method.h"
#include "base/buffer.h"
#include "base/slice.h"

#include "null_broker.h"

/* What the null broker is made of. All belongs to its thread. */

struct peer;

struct consumer {
	struct peer *peer;
	char tag[16];
};

struct queue {
	char *name;
	struct consumer *consumers;
	unsigned consumer_count, next;
	struct buffer waiting; /* size_t, content; again */
	unsigned count;
};

struct binding {
	char *exchange, *key;
	struct queue *queue;
};

/* A connection. */
struct peer {
	int fd;
	struct peer *next;
	struct buffer in, out;
	size_t out_sent;
	uint64_t delivery_tag; /* the last given */
	uint64_t published, confirmed;
	bool has_begun, confirms, is_closed;
	struct buffer route_key; /* the payload of the last basic.publish */
	struct queue **route;	 /* where it goes */
	unsigned route_count;
};

struct null_broker {
	pthread_t thread;
	int listen_fd, epoll_fd, stop_fd;
	uint16_t port;
	enum null_broker_fault fault;
	struct peer *peers;
	struct queue **queues;
	unsigned queue_count, generation;
	_Atomic unsigned queues_alive;
	struct binding *bindings;
	unsigned binding_count;
	uint64_t published;
	struct buffer held; /* SWAPS: the one that comes later */
};

/* Sends what the socket takes. */
void peer_flush(struct peer *peer);
void peer_put_method(struct peer *peer, uint16_t channel, const struct amqp_method *method);

/* NULL: there is none. */
struct queue *null_find_queue(struct null_broker *broker, struct slice name);
/* The same, or a new one. */
struct queue *null_declare_queue(struct null_broker *broker, struct slice name);
void null_free_queue(struct queue *queue);

/* It gets at once what waits in the queue. */
void null_add_consumer(struct null_broker *broker, struct peer *peer,
		       const struct amqp_basic_consume *consume);
/* Those with this tag; empty: all. */
void null_remove_consumers(struct null_broker *broker, const struct peer *peer, struct slice tag);

/* publish: the payload of basic.publish; content: its header and body frames, as they came. */
void null_take_message(struct null_broker *broker, struct peer *peer, struct slice publish,
		       struct slice content);

#endif
