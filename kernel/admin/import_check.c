/* SPDX-License-Identifier: MIT */
/*
 * What only the broker knows: vhosts, users and exchange types that the file names, what types say
 * of their exchanges, and limits of queues. In slices.
 */
#include <errno.h>
#include <stdio.h>

#include "admin/import_state.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"

#define SLICE 32u

/* ---- What the file names ---- */

static struct topology *topology_of(const struct import_work *work)
{
	return work->admin->broker->topology;
}

static bool is_there(const struct import_work *work, const struct plan_reference *reference)
{
	struct account_view account;

	switch (reference->kind) {
	case PLAN_NEEDS_VHOST:
		return topology_vhost(topology_of(work), reference->name) != NULL;
	case PLAN_NEEDS_USER:
		return access_find_account(work->admin->access, reference->name, &account);
	case PLAN_NEEDS_TYPE:
		return exchange_type_find(topology_of(work), reference->name) != NULL;
	}
	return false;
}

static void refuse_reference(struct import_work *work, const struct plan_reference *reference)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s[%zu].%s", reference->origin.section,
		       reference->origin.index, reference->member);
	if (reference->kind == PLAN_NEEDS_VHOST)
		import_fail(work, -EINVAL, NULL, "%s: Virtual host '" SLICE_FMT "' does not exist",
			    path, SLICE_ARG(reference->name));
	else if (reference->kind == PLAN_NEEDS_USER)
		import_fail(work, -EINVAL, NULL, "%s: User '" SLICE_FMT "' does not exist", path,
			    SLICE_ARG(reference->name));
	else
		import_fail(work, -EINVAL, NULL, "%s: unknown exchange type '" SLICE_FMT "'", path,
			    SLICE_ARG(reference->name));
}

/* False: there are no more. */
static bool check_reference(struct import_work *work)
{
	struct plan_reference *reference = work->reference;

	if (!reference)
		return false;
	if (!is_there(work, reference))
		refuse_reference(work, reference);
	work->reference = reference->next;
	return true;
}

/* ---- Exchanges ---- */

static int ask_type(struct import_work *work, const struct plan_exchange *item, struct vhost *vhost,
		    struct amqp_error *error)
{
	struct exchange_type *type = exchange_type_find(topology_of(work), item->type);
	const struct exchange_options options = {
		.name = item->name,
		.type = item->type,
		.arguments = item->arguments,
		.durable = item->durable,
		.auto_delete = item->auto_delete,
		.internal = item->internal,
	};
	struct exchange *exchange;
	int r;

	if (!type)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "unknown exchange type '" SLICE_FMT "'",
				      SLICE_ARG(item->type));
	exchange = exchange_create(vhost, &options);
	if (!exchange)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	r = exchange_validate(exchange, type, error);
	exchange_unref(exchange);
	return r;
}

/* One that is there stays as it is. A vhost that is not there has a stand-in, for texts. */
static void check_exchange(struct import_work *work, const struct plan_exchange *item)
{
	struct vhost *vhost = topology_vhost(topology_of(work), item->vhost);
	struct vhost stand_in = {.name = (char *)(uintptr_t)item->vhost.data};
	struct amqp_error error;
	bool is_new = true;

	(void)vhost_hold(&stand_in); /* never the last hold on it */
	if (vhost) {
		topology_read_begin(topology_of(work));
		is_new = topology_exchange(vhost, item->name) == NULL;
		topology_read_end(topology_of(work));
	}
	if (is_new && ask_type(work, item, vhost ? vhost : &stand_in, &error) != 0)
		import_fail(work, -EINVAL, &item->origin, "%s", error.text);
}

/* ---- Queues ---- */

struct tally {
	struct map_node node; /* by vhost */
	int64_t n_new, limit;
	uint64_t n_there;
};

static int64_t limit_of(const struct import_work *work, struct slice name)
{
	struct vhost_settings settings;
	int64_t limit = VHOST_NO_LIMIT;

	if (vhost_settings_of(work->admin->broker, name, &settings))
		limit = settings.max_queues;
	for (size_t i = 0; i < plan_count(work->plan, PLAN_VHOSTS); i++) {
		const struct plan_vhost *vhost = plan_item(work->plan, PLAN_VHOSTS, i);

		if (slice_equal(vhost->name, name) && (vhost->has & PLAN_HAS_LIMITS) != 0)
			limit = vhost->settings.max_queues;
	}
	return limit;
}

static struct tally *tally_of(struct import_work *work, const struct vhost *vhost,
			      struct slice name)
{
	struct map_node *node = map_find(&work->tallies, name);
	struct tally *tally;

	if (node)
		return container_of(node, struct tally, node);
	tally = mem_zalloc(sizeof(*tally));
	tally->limit = limit_of(work, name);
	tally->n_there = vhost ? map_count(&vhost->queues) : 0;
	map_insert(&work->tallies, &tally->node, name);
	return tally;
}

static void check_queue(struct import_work *work, const struct plan_queue *item)
{
	struct vhost *vhost = topology_vhost(topology_of(work), item->vhost);
	bool is_new = true;
	struct tally *tally;

	topology_read_begin(topology_of(work));
	if (vhost)
		is_new = topology_queue(vhost, item->name) == NULL;
	tally = tally_of(work, vhost, item->vhost);
	topology_read_end(topology_of(work));
	tally->n_new += is_new;
	if (is_new && tally->limit >= 0 &&
	    (uint64_t)tally->n_new + tally->n_there > (uint64_t)tally->limit)
		import_fail(work, -EINVAL, &item->origin,
			    "queue limit in vhost '" SLICE_FMT "' (%lld) would be exceeded: it has "
			    "%llu, and the file adds more",
			    SLICE_ARG(item->vhost), (long long)tally->limit,
			    (unsigned long long)tally->n_there);
}

/* ---- All of it ---- */

/* False: there are no more. */
static bool check_item(struct import_work *work)
{
	if (work->check_kind == PLAN_EXCHANGES &&
	    work->check_next == plan_count(work->plan, PLAN_EXCHANGES)) {
		work->check_kind = PLAN_QUEUES;
		work->check_next = 0;
	}
	if (work->check_next == plan_count(work->plan, work->check_kind))
		return false;

	const void *item = plan_item(work->plan, work->check_kind, work->check_next++);

	if (work->check_kind == PLAN_EXCHANGES)
		check_exchange(work, item);
	else
		check_queue(work, item);
	return true;
}

void import_forget_check(struct import_work *work)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &work->tallies, &cursor)
		mem_free(container_of(node, struct tally, node));
	map_fini(&work->tallies);
	map_init(&work->tallies);
}

static void check_slice(struct loop_task *task)
{
	struct import_work *work = container_of(task, struct import_work, check);
	bool has_more = true;

	for (unsigned i = 0; i < SLICE && has_more && work->result == 0; i++)
		has_more = check_reference(work) || check_item(work);
	if (import_must_stop(work))
		return;
	if (has_more && work->result == 0) {
		loop_defer_background(task);
		return;
	}
	import_forget_check(work);
	if (work->result != 0)
		import_give_up(work);
	else if (work->is_written_down)
		import_run_steps(work);
	else
		import_write_down(work);
}

void import_check(struct import_work *work)
{
	work->reference = work->plan->references;
	work->check_kind = PLAN_EXCHANGES;
	loop_task_init(&work->check, check_slice);
	loop_defer_background(&work->check);
}
