/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_COLUMNS_H
#define KERNEL_CONTROL_COLUMNS_H

/* What lists can show of an object: RabbitMQ's column names, each with the function that finds its
 * value. */

#include <jansson.h>
#include <stdint.h>

#include "base/slice.h"
#include "broker/queue/queue.h"
#include "loop/slots.h"

struct conn_service;
struct broker;
struct vhost;

struct column {
	const char *name;
	json_t *(*value)(const void *object);
};

/* Where rows go; the object's columns are then asked for. */
struct listing_sink {
	void (*row)(struct listing_sink *sink, const void *object);
};

struct listing_scope {
	struct broker *broker;
	struct conn_service *connections;
	struct vhost *vhost; /* held by the list; NULL where it does not matter */
};

/* Where a list stands on a loop; all zero at the beginning. Which members count is the kind's. */
struct listing_position {
	uint64_t number, part;
	struct queue_cursor queue;
	struct actor_ref consumers_of;
	struct queue_consumer_cursor consumer; /* of that queue */
};

/* A list command. */
struct listing_kind {
	const char *command;
	const struct column *columns; /* end with a name of NULL */
	const char *const *defaults;  /* end with NULL */
	bool has_vhost;
	bool on_every_loop; /* else on loop 0 only */
	unsigned slice;	    /* objects at a time, at most */
	/* Puts the next `slice` objects into the sink, on the loop; false at the end. */
	bool (*visit)(const struct listing_scope *scope, struct listing_position *position,
		      unsigned slice, struct listing_sink *sink);
};

extern const struct listing_kind listing_queues, listing_exchanges, listing_bindings,
	listing_connections, listing_channels, listing_consumers, listing_vhosts;

/*
 * Values, as `rabbitmqctl --formatter json` shows them; shuntctl makes its other formats from their
 * shape. A table is an array of [key, type, value], an array in it one of [type, value], a decimal
 * [scale, value]; type is RabbitMQ's name of it. An address is an array of its four or eight
 * numbers. Bytes that are not UTF-8 are escaped.
 */
json_t *column_text(struct slice text);
json_t *column_table(struct slice table);
json_t *column_number(uint64_t number);
json_t *column_address(const char *host);
json_t *column_pid(uint64_t first, uint64_t second, uint64_t third); /* "<1.2.3>" */
json_t *column_connection_pid(uint64_t number);
json_t *column_actor(struct actor_ref ref); /* a pid, too */

#endif
