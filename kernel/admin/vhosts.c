/* SPDX-License-Identifier: MIT */
#include "admin/vhosts.h"

#include <stdio.h>
#include <string.h>

#include "access/accounts.h"
#include "admin/parameters.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"

/*
 * The broker's part of a deletion comes first. What is forgotten afterwards is asked for in the
 * same call that says that the broker is done: so who adds a vhost of that name anew, and then
 * permissions in it, comes behind. If the process ends in between, the next start forgets the rest
 * (admin.c).
 */

#define ACTOR_SIZE 300u

struct vhost_order {
	struct vhost_change change; /* what the broker is asked */
	struct vhost_change *asked;
	struct admin *admin;
	struct access_edit edit;
	struct access_edits edits;
	struct parameters_edits parameters;
	unsigned n_forgetting; /* the last two, when they are under way */
	char by[ACTOR_SIZE], from[ACTOR_SIZE];
};

/* ---- The audit trail ---- */

static void say(const struct vhost_order *order, const char *event, const char *details)
{
	struct audit_actor actor = {slice_cstr(order->by), slice_cstr(order->from)};
	char quoted[VHOST_NAME_MAX * 4 + 3];

	audit(&actor, NULL, event, "name=%s%s",
	      log_quote(quoted, sizeof(quoted), order->asked->name), details);
}

static void say_set(const struct vhost_order *order)
{
	const struct vhost_settings *now = &order->asked->settings;
	unsigned keep = order->asked->keep;
	char details[600], quoted[512];

	if (!(keep & VHOST_KEEP_LIMITS) && now->max_connections < 0 && now->max_queues < 0) {
		say(order, "vhost.limits.cleared", "");
	} else if (!(keep & VHOST_KEEP_LIMITS)) {
		(void)snprintf(details, sizeof(details), " max-connections=%lld max-queues=%lld",
			       (long long)now->max_connections, (long long)now->max_queues);
		say(order, "vhost.limits.set", details);
	}
	if (!(keep & VHOST_KEEP_TAGS)) {
		(void)snprintf(details, sizeof(details), " tags=%s",
			       log_quote(quoted, sizeof(quoted), now->tags));
		say(order, "vhost.tags.set", details);
	}
}

/* ---- Its end ---- */

static void finish(struct vhost_order *order)
{
	struct vhost_change *asked = order->asked;

	mem_free(order);
	asked->done(asked);
}

static void half_forgotten(struct vhost_order *order, const char *what, int result,
			   const char *reason)
{
	struct vhost_change *asked = order->asked;
	char quoted[VHOST_NAME_MAX * 4 + 3];

	if (result != 0) {
		log_error("admin", "a deleted vhost's %s go at the next start: vhost=%s reason=\"%s\"",
			  what, log_quote(quoted, sizeof(quoted), asked->name), reason);
		asked->result = result;
		(void)snprintf(asked->reason, sizeof(asked->reason),
			       "the vhost is deleted, but its %s are not: %.150s", what, reason);
	}
	if (--order->n_forgetting > 0)
		return;
	say(order, "vhost.deleted", "");
	finish(order);
}

static void forgotten(struct access_edits *edits)
{
	half_forgotten(edits->context, "permissions", edits->result, edits->reason);
}

static void parameters_forgotten(struct parameters_edits *edits)
{
	half_forgotten(edits->context, "parameters", edits->result, strerror(-edits->result));
}

static void forget(struct vhost_order *order)
{
	order->edit = (struct access_edit){.kind = ACCESS_FORGET_VHOST,
					   .permission.vhost = order->asked->name};
	order->edits = (struct access_edits){
		.items = &order->edit, .n = 1, .done = forgotten, .context = order};
	order->parameters = (struct parameters_edits){
		.forget = order->asked->name, .done = parameters_forgotten, .context = order};
	order->n_forgetting = 2;
	access_edit(order->admin->access, &order->edits);
	parameters_edit(order->admin->parameters, &order->parameters);
}

static void changed(struct vhost_change *change)
{
	struct vhost_order *order = change->context;

	order->asked->result = change->result;
	memcpy(order->asked->reason, change->reason, sizeof(change->reason));
	if (change->result != 0) {
		finish(order);
	} else if (change->operation == VHOST_DELETE) {
		forget(order);
	} else if (change->operation == VHOST_ADD) {
		say(order, "vhost.created", "");
		finish(order);
	} else {
		say_set(order);
		finish(order);
	}
}

/* ---- From outside ---- */

void admin_change_vhost(struct admin *admin, struct vhost_change *change,
			const struct audit_actor *actor)
{
	struct vhost_order *order = mem_zalloc(sizeof(*order));

	change->broker = admin->broker;
	order->asked = change;
	order->admin = admin;
	order->change = (struct vhost_change){
		.operation = change->operation,
		.broker = admin->broker,
		.name = change->name,
		.settings = change->settings,
		.keep = change->keep,
		.done = changed,
		.context = order,
	};
	(void)snprintf(order->by, sizeof(order->by), SLICE_FMT, SLICE_ARG(actor->by));
	(void)snprintf(order->from, sizeof(order->from), SLICE_FMT, SLICE_ARG(actor->from));
	vhost_submit(&order->change);
}
