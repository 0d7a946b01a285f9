/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_HOOKS_HOOKS_H
#define KERNEL_CONN_HOOKS_HOOKS_H

/*
 * The message hooks of plugins that are in force, and calling them. Loops look at the lists without
 * a lock, one load a message; a list never changes: another takes its place, and it is freed after
 * a grace period (loop/grace.h). So a hook that was taken out may run until each loop has ended a
 * turn, and not after that.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/list.h"
#include "base/slice.h"
#include "broker/message/draft.h"
#include "broker/message/extra_keys.h"
#include "broker/message/message.h"
#include "loop/grace.h"

struct hook {
	const struct shunt_hook *functions; /* all members are there; outlives the grace period */
	void *plugin;			    /* what the functions get */
	const void *owner;		    /* by which its hooks are taken out: the plugin */
	uint64_t rank;			    /* all of an owner's have the same; lower ones run first */
};

/* One or more, in the order in which they run. */
struct hook_list {
	struct loop_grace grace; /* once it was replaced */
	struct list replaced;
	size_t n;
	struct hook items[];
};

/* One for the process. The home loop's, but for the two lists, which all loops look at. */
struct hooks {
	_Atomic(struct hook_list *) publish, deliver; /* NULL: none */
	struct hook *all;			      /* in the order in which they run */
	size_t n;
	struct list replaced; /* lists that may still be looked at */
};

void hooks_init(struct hooks *hooks);
/* When no loop runs any more. */
void hooks_fini(struct hooks *hooks);

/*
 * All hooks of `old` go (NULL: of none), and the `count` new ones, of the order in which they are,
 * come in the place of the first of these, else before those of a higher rank. At once: each
 * message passes the old ones or the new ones. On the home loop.
 */
void hooks_replace(struct hooks *hooks, const void *old, const struct hook *new, size_t count);

/* NULL: none, which is what it mostly is. Good for the turn. */
static inline const struct hook_list *hooks_on_publish(const struct hooks *hooks)
{
	return atomic_load_explicit(&hooks->publish, memory_order_acquire);
}

static inline const struct hook_list *hooks_on_deliver(const struct hooks *hooks)
{
	return atomic_load_explicit(&hooks->deliver, memory_order_acquire);
}

/* ---- Calling them; any loop ---- */

/* A publish on its way. What is not said otherwise is in place during the call. */
struct hooked_publish {
	struct message *message; /* a reference, which becomes one of what the hooks made of it */
	struct extra_keys *keys; /* likewise */
	struct draft_limits limits;
	struct slice vhost, user;
	const struct shunt_peer *peer; /* NULL: a dry run */
	bool mandatory, dry_run;
	/* Told of each hook that ran; NULL: nobody. */
	void (*ran)(void *context, const struct hook *hook, enum shunt_decision decision,
		    bool is_changed);
	void *context;
};

/*
 * SHUNT_REJECT: with *error; also when what a hook has made cannot be a message, or memory is out.
 * SHUNT_NACK: error->text is the hook's, without a code; it has been logged.
 * The message is the caller's in any case.
 */
enum shunt_decision hooks_publish(const struct hook_list *list, struct hooked_publish *publish,
				  struct amqp_error *error);

/* A delivery on its way. */
struct hooked_delivery {
	struct message *message; /* as above; the queue's own is not touched */
	struct draft_limits limits;
	struct slice vhost, queue, user, consumer_tag;
	const struct shunt_peer *peer;
	bool redelivered;
};

/* 0, or -ENOMEM: a hook's changes could not be made. The message is the caller's in any case. */
int hooks_deliver(const struct hook_list *list, struct hooked_delivery *delivery,
		  enum shunt_decision *ret_decision) MUST_USE;

#endif
