/* SPDX-License-Identifier: MIT */
#include "admin/admin.h"

#include <stdio.h>

#include "access/access.h"
#include "access/accounts.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology.h"

/* ---- What a deletion has left that did not come to its end ---- */

/* Vhosts that are not there, but in which somebody has permissions. */
struct leftovers {
	struct topology *topology;
	struct access_edit *items;
	size_t n;
};

/* They come by vhost, so it is enough to look at the last one. */
static void note_vhost(struct leftovers *left, struct slice vhost)
{
	bool is_noted =
		left->n > 0 && slice_equal(left->items[left->n - 1].permission.vhost, vhost);

	if (is_noted || topology_vhost(left->topology, vhost))
		return;
	left->items = mem_realloc(left->items, (left->n + 1) * sizeof(*left->items));
	left->items[left->n++] = (struct access_edit){
		.kind = ACCESS_FORGET_VHOST,
		.permission.vhost = vhost,
	};
}

static void visit_permission(void *context, const struct permission_view *permission)
{
	note_vhost(context, permission->vhost);
}

static void visit_topic(void *context, const struct topic_permission_view *permission)
{
	note_vhost(context, permission->vhost);
}

static void forgotten(struct access_edits *edits)
{
	(void)edits;
}

/* The slices stay valid, as no edit is under way. */
static int forget_leftovers(struct broker *broker, struct access *access, char *ret_reason,
			    size_t size)
{
	struct leftovers left = {.topology = broker->topology};
	struct access_edits edits = {.done = forgotten};

	access_each_permission(access, (struct slice){0}, (struct slice){0}, visit_permission,
			       &left);
	access_each_topic_permission(access, (struct slice){0}, (struct slice){0}, visit_topic,
				     &left);
	if (left.n > 0) {
		edits.items = left.items;
		edits.n = left.n;
		access_edit(access, &edits);
		access_end_edits(access);
	}
	mem_free(left.items);
	if (edits.result == 0)
		return 0;
	(void)snprintf(ret_reason, size, "cannot delete the permissions of deleted vhosts: %s",
		       edits.reason);
	return -1;
}

/* ---- From outside ---- */

int admin_create(struct broker *broker, struct access *access, struct store *store,
		 struct admin **ret_admin, char *ret_reason, size_t size)
{
	struct admin *admin;

	if (forget_leftovers(broker, access, ret_reason, size) != 0)
		return -1;
	admin = mem_zalloc(sizeof(*admin));
	admin->broker = broker;
	admin->access = access;
	admin->store = store;
	*ret_admin = admin;
	return 0;
}

void admin_destroy(struct admin *admin)
{
	mem_free(admin);
}
