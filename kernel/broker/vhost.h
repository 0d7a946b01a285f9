/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_VHOST_H
#define KERNEL_BROKER_VHOST_H

/*
 * Vhosts: made, changed and deleted while the broker runs, at home (loop 0) only. What belongs to
 * one (connections, permissions) is not known here: kernel/admin puts it together.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/slice.h"

struct broker;
struct topology;
struct vhost;

#define VHOST_NAME_MAX 255u
#define VHOST_NO_LIMIT INT64_C(-1)

struct vhost_settings {
	struct slice description, tags /* comma separated */, default_queue_type;
	int64_t max_connections, max_queues; /* VHOST_NO_LIMIT; 0: none may be there */
};

enum vhost_operation {
	VHOST_ADD,    /* -EEXIST */
	VHOST_DELETE, /* -ENOENT */
	VHOST_SET,    /* all settings; -ENOENT */
};

/* Filled by the asker, who keeps it, and what it points to, until done(). */
struct vhost_change {
	enum vhost_operation operation;
	struct broker *broker;
	struct slice name;
	struct vhost_settings settings;
	void (*done)(struct vhost_change *change); /* not inside the call */
	void *context;
	/* answers: 0, -EEXIST, -ENOENT, -EINVAL (the name), -EBUSY (it is being deleted), -EIO */
	int result;
	char reason[256];
	void *work; /* the broker's own */
};

/*
 * Durable before it is visible. A deletion: from the call on nobody finds the vhost any more
 * (topology_vhost() gives NULL), and nothing can be declared in it; its connections are closed, by
 * broker.vhost_closing, which is told who to tell when they have gone; then queues (with their
 * messages), exchanges and bindings go, in slices, and the definition last: what a crash leaves of
 * a vhost that is being deleted is deleted at the next start.
 */
void vhost_submit(struct vhost_change *change);

/* A connection's hold on a vhost: it is there as long as it is held. Any loop. */
struct vhost *vhost_hold(struct vhost *vhost);
void vhost_release(struct vhost *vhost);
/* It is being deleted. Any loop. */
bool vhost_is_doomed(const struct vhost *vhost);

/*
 * Limits: one more connection. False: the limit is reached, which is in *ret_limit, and nothing was
 * counted. Queues are counted by the declares themselves: 406 `cannot declare queue 'q' in vhost
 * 'v': queue limit in vhost 'v' (N) is reached` when a client declares one too many.
 */
bool vhost_take_connection(struct vhost *vhost, int64_t *ret_limit);
void vhost_give_connection(struct vhost *vhost);

/* At home: by name; settings' slices are valid during the call. */
void vhost_each(struct broker *broker,
		void (*visit)(void *context, struct slice name,
			      const struct vhost_settings *settings),
		void *context);
/* False: there is none. Slices are valid until the next change. */
bool vhost_settings_of(struct broker *broker, struct slice name,
		       struct vhost_settings *ret_settings);

/*
 * Before the loops run: a vhost with its predeclared exchanges, entered in the topology, without
 * instances (exchange_types_bring_to_life()). The name has no NUL, and no vhost has it.
 */
struct vhost *vhost_create(struct topology *topology, struct slice name);

/* After the loops have ended: frees it with all in it. */
void vhost_destroy(struct topology *topology, struct vhost *vhost);

#endif
