/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_PUBLISHER_STATE_H
#define KERNEL_PLUGIN_PUBLISHER_STATE_H

/* What publisher.c (taking drafts) and publisher_send.c (sending them, and what becomes of them)
 * share. */

#include <stdatomic.h>

#include "base/list.h"
#include "broker/endpoint.h"
#include "loop/mailbox.h"
#include "loop/task.h"
#include "plugin/publisher.h"

/* One message whose targets have not all reported. Its loop's. */
struct record {
	struct list link;      /* loop_publisher.records */
	struct plugin *plugin; /* held */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
	uint32_t n_pending;
	bool is_refused, is_unroutable;
};

struct loop_publisher {
	struct endpoint endpoint;
	struct publisher *publisher;
	struct list drafts;  /* struct plugin_draft.link */
	struct list records; /* struct record.link */
	struct loop_task send;
};

struct publisher {
	struct broker *broker;
	struct draft_limits limits;
	_Atomic bool is_ended;
	bool rests; /* home's */
	struct loop_publisher **loops; /* each is its loop's; NULL: not used yet */
};

struct plugin_draft {
	struct draft draft;
	/* From here on only once it is handed over. */
	struct letter letter;
	struct list link;
	struct publisher *publisher;
	struct plugin *plugin; /* held */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
	size_t accounted;
	struct slice vhost;
	uint8_t names[]; /* the exchange, then the vhost */
};

/* It has been handed over, and is not needed any more. */
void plugin_draft_drop(struct plugin_draft *d);

/* What every loop's endpoint does. */
extern const struct endpoint_ops publisher_endpoint_ops;

/* The task `send`. */
void publisher_send_some(struct loop_task *task);

/* Calls done(), if it is not NULL and the plugin not stopped. */
void publisher_tell(const struct plugin *plugin,
		    void (*done)(void *context, enum shunt_outcome outcome), void *context,
		    enum shunt_outcome outcome);

/* Tells the plugin, and frees it. */
void record_finish(struct record *record, enum shunt_outcome outcome);

#endif
