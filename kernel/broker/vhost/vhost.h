/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_VHOST_VHOST_H
#define KERNEL_BROKER_VHOST_VHOST_H

/*
 * Vhosts: made, changed and deleted while the broker runs, at home (loop 0) only. What belongs to
 * one (connections, permissions) is not known here: kernel/admin puts it together.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/slice.h"

struct broker;
struct topology;
struct vhost;

#define VHOST_NAME_MAX 255u
#define VHOST_NO_LIMIT INT64_C(-1)

#define VHOST_TEXT_MAX 65535u /* bytes of each of its texts */

struct vhost_settings {
	struct slice description, tags /* comma separated */, default_queue_type;
	int64_t max_connections, max_queues; /* VHOST_NO_LIMIT; 0: none may be there */
};
#define VHOST_SETTINGS_NONE                                                                        \
	{                                                                                          \
		.max_connections = VHOST_NO_LIMIT, .max_queues = VHOST_NO_LIMIT                    \
	}

enum vhost_operation {
	VHOST_ADD,    /* -EEXIST */
	VHOST_DELETE, /* -ENOENT; also ends a deletion that has failed half-way */
	VHOST_SET,    /* the settings, but for those in `keep`; -ENOENT */
};

/* Settings that VHOST_SET leaves as they are. */
enum vhost_keep {
	VHOST_KEEP_DESCRIPTION = 1,
	VHOST_KEEP_TAGS = 2,
	VHOST_KEEP_DEFAULT_QUEUE_TYPE = 4,
	VHOST_KEEP_LIMITS = 8,
};

/* Filled by the asker, who keeps it, and what it points to, until done(). */
struct vhost_change {
	enum vhost_operation operation;
	struct broker *broker;
	struct slice name;
	struct vhost_settings settings;
	unsigned keep;				   /* enum vhost_keep */
	void (*done)(struct vhost_change *change); /* not inside the call */
	void *context;
	/* answers: 0, -EEXIST, -ENOENT, -EINVAL (the name, a text; or an exchange type takes none
	 * of its exchanges), -EBUSY (it is being deleted), -EIO (the store; the broker ends) */
	int result;
	char reason[256];
	void *work; /* the broker's own */
};

/*
 * Durable before it is visible. Changes of one vhost run in turn, but for a deletion, which is not
 * waited for.
 *
 * A deletion: from the call on nobody finds the vhost any more (topology_vhost() gives NULL), and
 * nothing can be declared in it (404 `vhost 'v' is deleted`); its connections are closed, by
 * broker.vhost_closing, which is told who to tell when they have gone; then queues (with their
 * messages), exchanges and bindings go, in slices, and the definition last: what a crash leaves of
 * a vhost that is being deleted is deleted at the next start. If the store fails before anything is
 * gone, all is as before; if it fails later, the vhost stays as it is, for another VHOST_DELETE or
 * the next start.
 */
void vhost_submit(struct vhost_change *change);

/* A vhost whose connections are to go. */
struct vhost_closing {
	struct vhost *vhost; /* held by the deletion */
	/* At home, perhaps inside the call: none of its connections is left, nor an exclusive queue
	 * of one. */
	void (*done)(struct vhost_closing *closing);
};

/* The broker ends: what is still under way is told so (-EIO). At home. */
void vhosts_end(struct broker *broker);

/* A hold on a vhost: the struct is there as long as it is held, deleted or not. Any thread. */
struct vhost *vhost_hold(struct vhost *vhost);
void vhost_release(struct vhost *vhost); /* NULL is fine */
/* It is being deleted. Any loop. */
bool vhost_is_doomed(const struct vhost *vhost);

/*
 * Limits: one more connection. False: the limit is reached, which is in *ret_limit, and nothing was
 * counted. Any loop.
 */
bool vhost_take_connection(struct vhost *vhost, int64_t *ret_limit);
void vhost_give_connection(struct vhost *vhost);

/*
 * Write side: may this be declared in it? 404 when it is being deleted; for queues, 406 `cannot
 * declare queue 'q': queue limit in vhost 'v' (N) is reached`.
 */
int vhost_check_open(const struct vhost *vhost, struct amqp_error *error) MUST_USE;
int vhost_check_queue(const struct vhost *vhost, struct slice name,
		      struct amqp_error *error) MUST_USE;

/*
 * At home: all but those that are being added or deleted, in slices, in the order in which they
 * were added: at most `limit` of those behind `after`; the last one's number for the next call, or
 * 0 when there are no more. 0 begins. Settings' slices are valid during the call, which must change
 * none.
 */
uint64_t vhost_list(struct broker *broker, uint64_t after, unsigned limit,
		    void (*visit)(void *context, struct slice name,
				  const struct vhost_settings *settings),
		    void *context);
/* False: there is none. Slices are valid until the next change. */
bool vhost_settings_of(struct broker *broker, struct slice name,
		       struct vhost_settings *ret_settings);

/*
 * Before the loops run: a vhost with its predeclared exchanges, entered in the topology, without
 * instances (exchange_types_bring_to_life()). The name has no NUL, and no vhost has it. settings
 * NULL: none.
 */
struct vhost *vhost_create(struct topology *topology, struct slice name,
			   const struct vhost_settings *settings);

/* After the loops have ended: frees it with all in it. */
void vhost_destroy(struct topology *topology, struct vhost *vhost);

#endif
