/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_PUBLISHER_H
#define KERNEL_PLUGIN_PUBLISHER_H

/*
 * What plugins publish. Each loop has an endpoint, which publishes what was handed over on it (home
 * has what threads without a loop hand over): in order, after the call in which that was, some at a
 * time. A plugin is held until its messages have gone out, and those with done() until that was
 * called.
 */

#include <shunt/plugin.h>

#include "broker/message/draft.h"

struct broker;
struct plugin;
struct publisher;

/* broker is borrowed. Nothing is made on a loop before it is used there. */
struct publisher *publisher_create(struct broker *broker, const struct draft_limits *limits);

/*
 * While the broker starts: what is handed over at home waits, in its order, until publisher_go_on().
 * Before, there is no vhost, queue or binding yet that it could reach. Home.
 */
void publisher_rest(struct publisher *publisher);
void publisher_go_on(struct publisher *publisher);

/*
 * When no loop runs any more, and the broker is still there: what is not settled is refused, and
 * what is handed over from now on is dropped.
 */
void publisher_end(struct publisher *publisher);

/* When the plugins have ended as well. NULL is fine. */
void publisher_destroy(struct publisher *publisher);

/* ---- For struct shunt_host (host_publish.c); any thread ---- */

struct publisher_names {
	struct slice vhost, exchange, routing_key;
};

/* NULL: memory is out, or a name has more than 255 bytes. */
struct shunt_draft *publisher_draft(const struct publisher *publisher,
				    const struct publisher_names *names, struct slice body);
void publisher_draft_free(struct shunt_draft *draft);

/*
 * Takes the draft. done may be NULL. While the broker stops it is dropped, and done() not called:
 * what publishes again whenever it is refused would have no end.
 */
void publisher_publish_take(struct publisher *publisher, struct plugin *plugin,
			    struct shunt_draft *draft,
			    void (*done)(void *context, enum shunt_outcome outcome), void *context);

#endif
