/* SPDX-License-Identifier: MIT */
#include "admin/admin.h"

#include <stdio.h>
#include <string.h>

#include "access/access.h"
#include "access/accounts.h"
#include "admin/import.h"
#include "admin/parameters.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"
#include "loop/workers.h"

#define SHORT_SIZE ((size_t)1 << 20) /* some 100 us to wipe */

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

/* ---- The same of parameters ---- */

struct stray_vhost {
	struct topology *topology;
	struct slice name; /* data NULL: none was seen */
};

static void look_for_stray(void *context, const struct parameter_view *parameter)
{
	struct stray_vhost *stray = context;

	if (parameter->vhost.data && !topology_vhost(stray->topology, parameter->vhost))
		stray->name = parameter->vhost;
}

struct waiting_edits {
	struct parameters_edits edits;
	bool is_done;
};

static void edits_done(struct parameters_edits *edits)
{
	container_of(edits, struct waiting_edits, edits)->is_done = true;
}

/* No loop runs yet, so this one is turned until it is done. */
static int forget_vhost(struct parameters *parameters, struct slice name)
{
	struct waiting_edits waiting = {.edits = {.forget = name, .done = edits_done}};

	parameters_edit(parameters, &waiting.edits);
	while (!waiting.is_done)
		loop_run_once(true);
	return waiting.edits.result;
}

static int restore_parameters(struct admin *admin, char *ret_reason, size_t size)
{
	struct stray_vhost stray = {.topology = admin->broker->topology};
	int r = 0;

	if (parameters_restore(admin->broker, &admin->parameters, ret_reason, size) != 0)
		return -1;
	do {
		stray.name = SLICE_EMPTY;
		parameters_each(admin->parameters, SLICE_EMPTY, SLICE_EMPTY, look_for_stray,
				&stray);
		if (stray.name.data)
			r = forget_vhost(admin->parameters, stray.name);
	} while (stray.name.data && r == 0);
	if (r != 0)
		(void)snprintf(ret_reason, size,
			       "cannot delete the parameters of deleted vhosts: %s", strerror(-r));
	return r != 0 ? -1 : 0;
}

/* ---- From outside ---- */

int admin_create(struct broker *broker, struct access *access, struct store *store,
		 const char *damaged_folder, struct admin **ret_admin, char *ret_reason, size_t size)
{
	struct admin *admin;

	if (forget_leftovers(broker, access, ret_reason, size) != 0)
		return -1;
	admin = mem_zalloc(sizeof(*admin));
	admin->broker = broker;
	admin->access = access;
	admin->store = store;
	if (restore_parameters(admin, ret_reason, size) != 0 ||
	    import_restore(admin, damaged_folder, ret_reason, size) != 0) {
		admin_destroy(admin);
		return -1;
	}
	*ret_admin = admin;
	return 0;
}

struct workers *admin_workers(struct admin *admin)
{
	int r = admin->workers ? 0 : workers_create("admin", WORKERS_BEHIND, 1, &admin->workers);

	if (r != 0)
		log_error("admin", "cannot start a thread: reason=\"%s\"", strerror(-r));
	return admin->workers;
}

struct disposal {
	struct work work;
	void *bytes;
	size_t size;
};

static void dispose(struct work *work)
{
	struct disposal *disposal = container_of(work, struct disposal, work);

	explicit_bzero(disposal->bytes, disposal->size);
	mem_free(disposal->bytes);
	disposal->bytes = NULL;
}

static void disposed(struct work *work)
{
	struct disposal *disposal = container_of(work, struct disposal, work);

	if (disposal->bytes)
		dispose(work); /* the broker ends, and it was not run */
	mem_free(disposal);
}

void admin_dispose(struct admin *admin, void *bytes, size_t size)
{
	struct disposal *disposal = mem_zalloc(sizeof(*disposal));

	disposal->bytes = bytes;
	disposal->size = size;
	disposal->work.run = dispose;
	disposal->work.done = disposed;
	if (bytes && size > SHORT_SIZE && !admin->is_ending && admin_workers(admin))
		workers_submit(admin->workers, &disposal->work);
	else
		disposed(&disposal->work);
}

void admin_end(struct admin *admin)
{
	if (!admin)
		return;
	admin->is_ending = true;
	workers_destroy(admin->workers);
	admin->workers = NULL;
}

void admin_destroy(struct admin *admin)
{
	if (!admin)
		return;
	import_end(admin);
	parameters_destroy(admin->parameters);
	mem_free(admin);
}
