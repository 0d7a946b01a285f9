/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_COLUMNS_H
#define KERNEL_CONTROL_COLUMNS_H

/* What lists can show of an object: RabbitMQ's column names, each with the function that finds its value. */

#include <jansson.h>
#include <stdint.h>

#include "base/slice.h"

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
	struct vhost *vhost; /* NULL where it does not matter */
};

/* A list command. */
struct listing_kind {
	const char *command;
	const struct column *columns; /* end with a name of NULL */
	const char *const *defaults;  /* end with NULL */
	bool has_vhost;
	bool on_every_loop; /* else on loop 0 only */
	/* Puts at most `limit` objects (where that can be) from the cursor on into the sink; returns the next cursor, 0 at the end. On the loop. */
	uint64_t (*visit)(const struct listing_scope *scope, uint64_t cursor, unsigned limit,
			  struct listing_sink *sink);
};

extern const struct listing_kind listing_queues, listing_exchanges, listing_bindings, listing_connections,
	listing_consumers;

/* Values. Bytes that are not UTF-8 are escaped. */
json_t *column_text(struct slice text);
json_t *column_table(struct slice table);
json_t *column_number(uint64_t number);

#endif
