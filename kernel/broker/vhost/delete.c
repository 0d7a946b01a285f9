/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/broker.h"
#include "broker/change/declare.h"
#include "broker/topology/definition.h"
#include "broker/topology/exchange.h"
#include "broker/topology/write.h"
#include "broker/vhost/state.h"
#include "loop/loop.h"

/*
 * The happy path: the vhost is doomed and taken out of where it is found, in one write side: from
 * there on nothing new comes into it. Its definition gets a mark, so that the next start goes on
 * where this ends. Then its connections go. Then its queues and exchanges are deleted as clients
 * delete them, some at a time: those that are pending or being deleted by others are waited for.
 * Bindings go with their ends, but for those that are on their way to the store: they are waited
 * for, too, as they would be left in the store without a vhost. Then the definition goes.
 *
 * Nothing comes in any more, so what is there is met in one pass over the dense indexes.
 */

#define UNDER_WAY_MAX 32u /* as many letters may come to one loop in one turn */
#define STEP_ITEMS    8u
#define STEP_LOOKS    2048u /* at indexes, most of which may be other vhosts' */

enum phase {
	DELETE_QUEUES,
	DELETE_EXCHANGES,
};

/* From the mark's commit to the end. */
struct vhost_deletion {
	struct vhost_work *work;
	struct vhost_closing closing;
	struct loop_task step;
	enum phase phase;
	uint32_t next; /* dense index */
	unsigned n_under_way;
	bool has_failed;
	struct turn_waiter waiter;
};

/* A queue or an exchange that is being deleted. */
struct item {
	struct declare_request request;
	struct vhost_deletion *deletion;
	uint8_t name[UINT8_MAX];
};

static struct topology *topology_of(const struct vhost_deletion *deletion)
{
	return deletion->work->change->broker->topology;
}

/* ---- Its end ---- */

static void free_deletion(struct vhost_work *work)
{
	struct vhost_deletion *deletion = work->deletion;

	if (!deletion)
		return;
	bug_on(deletion->n_under_way > 0);
	loop_cancel(&deletion->step);
	list_remove(&deletion->waiter.link);
	mem_free(deletion);
	work->deletion = NULL;
}

void vhost_delete_abandon(struct vhost_work *work)
{
	if (work->deletion)
		work->vhost->home->state = VHOST_STUCK;
	free_deletion(work);
}

static void get_stuck(struct vhost_work *work)
{
	char quoted[VHOST_NAME_MAX * 4 + 3];

	log_error("broker",
		  "a vhost could not be deleted completely: the next start goes on: vhost=%s",
		  log_quote(quoted, sizeof(quoted), work->vhost->node.key));
	vhost_delete_abandon(work);
	vhost_finish(work, -EIO,
		     "the deletion could not be stored; it goes on at the next start, "
		     "or when the vhost is deleted again");
}

static void gone(struct vhost_work *work, bool is_stored)
{
	if (!is_stored) {
		get_stuck(work);
		return;
	}
	free_deletion(work);
	vhost_part(work->change->broker->topology, work->vhost);
	vhost_finish(work, 0, "");
}

static void delete_definition(struct vhost_work *work)
{
	struct definition definition =
		definition_of_vhost(work->change->name, &work->vhost->home->settings);

	vhost_commit(work, &definition, true, gone);
}

/* ---- Bindings ---- */

static void look_for_bindings(struct vhost_deletion *deletion);

static void look_again(struct turn_waiter *waiter)
{
	look_for_bindings(container_of(waiter, struct vhost_deletion, waiter));
}

static void look_for_bindings(struct vhost_deletion *deletion)
{
	struct vhost *vhost = deletion->work->vhost;
	struct map_cursor cursor;
	bool has_bindings;

	topology_write_begin(topology_of(deletion));
	has_bindings = map_count(&vhost->bindings) > 0;
	if (has_bindings) {
		struct binding *binding =
			container_of(map_first(&vhost->bindings, &cursor), struct binding, node);

		turns_wait(&binding->source->turns, &deletion->waiter, look_again);
	}
	topology_write_end(topology_of(deletion));
	if (!has_bindings)
		delete_definition(deletion->work);
}

/* ---- Queues and exchanges ---- */

static void again(struct vhost_deletion *deletion)
{
	loop_defer_background(&deletion->step);
}

static void item_done(struct declare_request *request)
{
	struct item *item = container_of(request, struct item, request);
	struct vhost_deletion *deletion = item->deletion;

	deletion->n_under_way--;
	deletion->has_failed |= request->error.code != 0;
	mem_free(item);
	again(deletion);
}

static struct item *make_item(struct vhost_deletion *deletion, struct slice name)
{
	struct item *item = mem_zalloc(sizeof(*item));
	bool are_queues = deletion->phase == DELETE_QUEUES;

	bug_on(name.size > sizeof(item->name));
	if (name.size > 0)
		memcpy(item->name, name.data, name.size);
	item->deletion = deletion;
	item->request = (struct declare_request){
		.operation = are_queues ? DECLARE_QUEUE_DELETE : DECLARE_EXCHANGE_DELETE,
		.broker = deletion->work->change->broker,
		.vhost = deletion->work->vhost,
		.name = slice_make(item->name, name.size),
		.is_forced = true,
		.done = item_done,
	};
	return item;
}

/* The name of what has that index, if it is the vhost's. */
static bool look_at(struct vhost_deletion *deletion, uint32_t index, struct slice *ret_name)
{
	struct topology *topology = topology_of(deletion);
	const struct vhost *vhost = deletion->work->vhost;

	if (deletion->phase == DELETE_QUEUES) {
		const struct queue_entry *entry = dense_get(&topology->queues, index);

		if (!entry || entry->vhost != vhost)
			return false;
		*ret_name = entry->node.key;
	} else {
		const struct exchange *exchange = dense_get(&topology->exchanges, index);

		if (!exchange || exchange->vhost != vhost)
			return false;
		*ret_name = exchange->node.key;
	}
	return true;
}

/* How many it found; *ret_is_last: there are no more. */
static unsigned gather(struct vhost_deletion *deletion, struct item **ret_items,
		       unsigned n_items_max, bool *ret_is_last)
{
	struct topology *topology = topology_of(deletion);
	struct slice name;
	unsigned n = 0;

	topology_read_begin(topology);
	uint32_t limit = deletion->phase == DELETE_QUEUES ? topology_queue_limit(topology)
							  : topology_exchange_limit(topology);

	for (unsigned looks = 0; looks < STEP_LOOKS && n < n_items_max && deletion->next < limit;
	     looks++) {
		if (look_at(deletion, deletion->next++, &name))
			ret_items[n++] = make_item(deletion, name);
	}
	*ret_is_last = deletion->next >= limit;
	topology_read_end(topology);
	return n;
}

static void phase_is_over(struct vhost_deletion *deletion)
{
	if (deletion->has_failed) {
		get_stuck(deletion->work);
	} else if (deletion->phase == DELETE_QUEUES) {
		deletion->phase = DELETE_EXCHANGES;
		deletion->next = 0;
		again(deletion);
	} else {
		look_for_bindings(deletion);
	}
}

/* When the loops stop, the rest is left to the next start. */
static void run_step(struct loop_task *task)
{
	struct vhost_deletion *deletion = container_of(task, struct vhost_deletion, step);
	unsigned room = UNDER_WAY_MAX - deletion->n_under_way, n;
	struct item *items[STEP_ITEMS];
	bool is_last;

	if (loop_pool_is_stopping())
		return;
	n = gather(deletion, items, room < STEP_ITEMS ? room : STEP_ITEMS, &is_last);
	deletion->n_under_way += n;
	for (unsigned i = 0; i < n; i++)
		declare_submit(&items[i]->request);
	if (!is_last && deletion->n_under_way < UNDER_WAY_MAX)
		again(deletion);
	else if (is_last && deletion->n_under_way == 0 && !loop_task_is_armed(task))
		phase_is_over(deletion);
}

/* ---- Its beginning ---- */

static void closed(struct vhost_closing *closing)
{
	again(container_of(closing, struct vhost_deletion, closing));
}

static void close_connections(struct vhost_deletion *deletion)
{
	struct broker *broker = deletion->work->change->broker;

	deletion->closing = (struct vhost_closing){.vhost = deletion->work->vhost, .done = closed};
	if (broker->vhost_closing)
		broker->vhost_closing(broker->vhost_closing_context, &deletion->closing);
	else
		closed(&deletion->closing);
}

static void set_doomed(struct topology *topology, struct vhost *vhost, bool is_doomed)
{
	topology_write_begin(topology);
	atomic_store(&vhost->is_doomed, is_doomed);
	if (is_doomed)
		map_remove(&topology->vhosts, &vhost->node);
	else
		map_insert(&topology->vhosts, &vhost->node, slice_cstr(vhost->name));
	topology_write_end(topology);
}

static void marked(struct vhost_work *work, bool is_stored)
{
	if (is_stored) {
		close_connections(work->deletion);
		return;
	}
	free_deletion(work);
	work->vhost->home->state = VHOST_THERE;
	set_doomed(work->change->broker->topology, work->vhost, false);
	vhost_finish(work, -EIO, "the deletion could not be stored");
}

void vhost_delete(struct vhost_work *work)
{
	struct vhost_deletion *deletion = mem_zalloc(sizeof(*deletion));
	struct vhost_home *home = work->vhost->home;
	bool is_marked = home->state == VHOST_STUCK;
	struct definition definition = definition_of_vhost(work->change->name, &home->settings);

	work->deletion = deletion;
	deletion->work = work;
	list_init(&deletion->waiter.link);
	loop_task_init(&deletion->step, run_step);
	home->state = VHOST_GOING;
	if (is_marked) {
		close_connections(deletion);
		return;
	}
	set_doomed(work->change->broker->topology, work->vhost, true);
	definition.is_doomed = true;
	vhost_commit(work, &definition, false, marked);
}
