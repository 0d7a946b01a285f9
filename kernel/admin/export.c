/* SPDX-License-Identifier: MIT */
#include "admin/export.h"

#include <errno.h>
#include <string.h>

#include "access/accounts.h"
#include "admin/admin.h"
#include "admin/plan.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"
#include "loop/workers.h"

/* Objects that are copied in one read side. */
#define SLICE 32u

struct export_work {
	struct work work;
	struct loop_task gather;
	struct admin *admin;
	struct export *export;
	struct plan *plan;
	bool has_vhosts, has_accounts;
	uint64_t last_vhost; /* its number, while they are gathered */
	/* what is gathered next: permissions of that user, then the topology of that vhost */
	size_t user, vhost;
	bool has_exchanges; /* of the vhost */
	uint64_t cursor;
	struct slice vhost_name;
	bool is_out_of_memory;
};

/* ---- Copies ---- */

/* Its own when it is there, also if it is empty. */
static struct slice keep(struct export_work *work, struct slice text)
{
	struct slice copy = plan_keep(work->plan, text);

	work->is_out_of_memory |= !copy.data;
	return copy;
}

static void *add(struct export_work *work, enum plan_kind kind)
{
	void *item = plan_add(work->plan, kind);

	work->is_out_of_memory |= !item;
	return item;
}

/* One that was deleted and added again meanwhile comes twice. */
static void visit_vhost(void *context, struct slice name, const struct vhost_settings *settings)
{
	struct export_work *work = context;
	int r = plan_name(work->plan, 'v', SLICE_EMPTY, name);
	struct plan_vhost *vhost = r == 0 ? add(work, PLAN_VHOSTS) : NULL;

	work->is_out_of_memory |= r == -ENOMEM;
	if (!vhost)
		return;
	vhost->name = keep(work, name);
	vhost->settings = *settings;
	vhost->settings.description = keep(work, settings->description);
	vhost->settings.tags = keep(work, settings->tags);
	vhost->settings.default_queue_type = keep(work, settings->default_queue_type);
}

static void visit_account(void *context, const struct account_view *account)
{
	struct export_work *work = context;
	struct plan_user *user = add(work, PLAN_USERS);

	if (!user)
		return;
	user->account = *account;
	user->account.name = keep(work, account->name);
	user->account.tags = keep(work, account->tags);
	user->account.password_hash = keep(work, account->password_hash);
}

/* What is in a vhost that has been added meanwhile could not be imported without it. */
static bool is_left_out(const struct export_work *work, struct slice vhost)
{
	return !plan_has_name(work->plan, 'v', SLICE_EMPTY, vhost);
}

static void visit_permission(void *context, const struct permission_view *view)
{
	struct export_work *work = context;
	struct plan_permission *permission;

	if (is_left_out(work, view->vhost))
		return;
	permission = add(work, PLAN_PERMISSIONS);
	if (!permission)
		return;
	permission->view.vhost = keep(work, view->vhost);
	permission->view.user = keep(work, view->user);
	permission->view.configure = keep(work, view->configure);
	permission->view.write = keep(work, view->write);
	permission->view.read = keep(work, view->read);
}

static void visit_topic_permission(void *context, const struct topic_permission_view *view)
{
	struct export_work *work = context;
	struct plan_topic_permission *permission;

	if (is_left_out(work, view->vhost))
		return;
	permission = add(work, PLAN_TOPIC_PERMISSIONS);
	if (!permission)
		return;
	permission->view.vhost = keep(work, view->vhost);
	permission->view.user = keep(work, view->user);
	permission->view.exchange = keep(work, view->exchange);
	permission->view.write = keep(work, view->write);
	permission->view.read = keep(work, view->read);
}

static void visit_parameter(void *context, const struct parameter_view *view)
{
	struct export_work *work = context;
	struct plan_parameter *parameter;

	if (view->vhost.data && is_left_out(work, view->vhost))
		return;
	parameter = add(work, PLAN_PARAMETERS);
	if (!parameter)
		return;
	if (view->vhost.data)
		parameter->view.vhost = keep(work, view->vhost);
	parameter->view.component = keep(work, view->component);
	parameter->view.name = keep(work, view->name);
	parameter->view.value = keep(work, view->value);
}

/* ---- Of the topology: inside the read side ---- */

static void visit_exchange(void *context, const struct exchange *exchange)
{
	struct export_work *work = context;
	struct slice name = exchange->node.key;
	struct plan_exchange *item;

	if (!exchange->durable || name.size == 0 || slice_starts_with(name, SLICE_LITERAL("amq.")))
		return;
	item = add(work, PLAN_EXCHANGES);
	if (!item)
		return;
	item->vhost = work->vhost_name;
	item->name = keep(work, name);
	item->type = keep(work, slice_cstr(exchange->type_name));
	item->arguments = keep(work, exchange->arguments);
	item->durable = true;
	item->auto_delete = exchange->auto_delete;
	item->internal = exchange->internal;
}

static void add_queue(struct export_work *work, const struct queue_entry *entry)
{
	struct plan_queue *item;

	if (!entry->durable || entry->owner != 0)
		return;
	item = add(work, PLAN_QUEUES);
	if (!item)
		return;
	item->vhost = work->vhost_name;
	item->name = keep(work, entry->node.key);
	item->arguments = keep(work, entry->arguments);
	item->durable = true;
	item->auto_delete = entry->auto_delete;
}

static struct slice bytes_of(struct shunt_bytes bytes)
{
	return slice_make(bytes.data, bytes.size);
}

static void add_binding(struct export_work *work, const struct binding *binding)
{
	struct plan_binding *item;

	if (!binding->durable)
		return;
	item = add(work, PLAN_BINDINGS);
	if (!item)
		return;
	item->vhost = work->vhost_name;
	item->source = keep(work, binding->source->node.key);
	item->destination = keep(work, bytes_of(binding->view.destination));
	item->routing_key = keep(work, bytes_of(binding->view.routing_key));
	item->arguments = keep(work, bytes_of(binding->view.arguments));
	item->destination_is_exchange = binding->exchange != NULL;
}

/* The default exchange's are one for each queue, and stand for those. */
static void visit_binding(void *context, const struct binding *binding)
{
	struct export_work *work = context;

	if (binding->source->node.key.size == 0)
		add_queue(work, binding->queue);
	else
		add_binding(work, binding);
}

/* False: there is nothing left of this vhost. */
static bool gather_topology(struct export_work *work, struct vhost *vhost)
{
	struct topology *topology = work->admin->broker->topology;

	if (work->has_exchanges) {
		work->cursor = topology_list_bindings(topology, vhost, work->cursor, SLICE,
						      visit_binding, work);
		return work->cursor != 0;
	}
	work->cursor =
		topology_list_exchanges(topology, vhost, work->cursor, SLICE, visit_exchange, work);
	work->has_exchanges = work->cursor == 0;
	return true;
}

/* ---- Gathering ---- */

static void gather_vhosts(struct export_work *work)
{
	struct admin *admin = work->admin;

	work->last_vhost = vhost_list(admin->broker, work->last_vhost, SLICE, visit_vhost, work);
	work->has_vhosts = work->last_vhost == 0;
	if (work->has_vhosts)
		parameters_each(admin->parameters, SLICE_EMPTY, SLICE_EMPTY, visit_parameter, work);
}

static void gather_accounts(struct export_work *work)
{
	size_t n = plan_count(work->plan, PLAN_USERS);
	const struct plan_user *last = n > 0 ? plan_item(work->plan, PLAN_USERS, n - 1) : NULL;

	work->has_accounts =
		!access_some_accounts(work->admin->access, last ? last->account.name : SLICE_EMPTY,
				      SLICE, visit_account, work);
}

static void gather_permissions(struct export_work *work)
{
	const struct plan_user *user = plan_item(work->plan, PLAN_USERS, work->user++);
	struct slice name = user->account.name;

	access_each_permission(work->admin->access, SLICE_EMPTY, name, visit_permission, work);
	access_each_topic_permission(work->admin->access, SLICE_EMPTY, name, visit_topic_permission,
				     work);
}

static void gather_vhost(struct export_work *work)
{
	const struct plan_vhost *item = plan_item(work->plan, PLAN_VHOSTS, work->vhost);
	struct vhost *vhost = topology_vhost(work->admin->broker->topology, item->name);

	work->vhost_name = item->name;
	if (vhost && gather_topology(work, vhost))
		return;
	work->vhost++;
	work->cursor = 0;
	work->has_exchanges = false;
}

static void write_plan(struct work *base)
{
	struct export_work *work = container_of(base, struct export_work, work);
	struct export *export = work->export;

	plan_sort(work->plan);
	plan_write(work->plan, &export->lines);
	buffer_append_slice(&export->warnings, buffer_slice(&work->plan->warnings));
	export->n_warnings = work->plan->n_warnings;
	if (work->is_out_of_memory || export->lines.failed || export->warnings.failed)
		export->result = -ENOMEM;
	plan_destroy(work->plan);
	work->plan = NULL;
}

static void finish(struct export_work *work)
{
	struct export *export = work->export;

	loop_cancel(&work->gather);
	plan_destroy(work->plan);
	mem_free(work);
	export->done(export);
}

static void written(struct work *base)
{
	struct export_work *work = container_of(base, struct export_work, work);

	if (work->plan) /* the broker ends, and it was not run */
		work->export->result = -ECANCELED;
	finish(work);
}

/* False: all is there. */
static bool gather_some(struct export_work *work)
{
	if (!work->has_vhosts)
		gather_vhosts(work);
	else if (!work->has_accounts)
		gather_accounts(work);
	else if (work->user < plan_count(work->plan, PLAN_USERS))
		gather_permissions(work);
	else if (work->vhost < plan_count(work->plan, PLAN_VHOSTS))
		gather_vhost(work);
	else
		return false;
	return true;
}

static void gather(struct loop_task *task)
{
	struct export_work *work = container_of(task, struct export_work, gather);

	if (work->admin->is_ending || loop_pool_is_stopping()) {
		work->export->result = -ECANCELED;
		finish(work);
		return;
	}
	if (gather_some(work) && !work->is_out_of_memory) {
		loop_defer_background(task);
		return;
	}
	work->work.run = write_plan;
	work->work.done = written;
	workers_submit(work->admin->workers, &work->work);
}

void export_submit(struct export *export)
{
	struct export_work *work = mem_zalloc(sizeof(*work));
	struct admin *admin = export->admin;

	OWN(0);
	buffer_init(&export->lines);
	buffer_init(&export->warnings);
	export->result = 0;
	export->n_warnings = 0;
	work->admin = admin;
	work->export = export;
	work->plan = plan_create();
	work->is_out_of_memory |= !admin_workers(admin);
	loop_task_init(&work->gather, gather);
	loop_defer_background(&work->gather);
}

/* ---- Letting go ---- */

void export_free_lines(struct export *export)
{
	admin_dispose(export->admin, export->lines.data, export->lines.size);
	buffer_init(&export->lines);
}
