/* SPDX-License-Identifier: MIT */
/* Exchanges, queues and bindings: declared as by a client, but what is there stays as it is. */
#include <errno.h>
#include <string.h>

#include "admin/import_state.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"

static struct topology *topology_of(const struct import_op *op)
{
	return op->work->admin->broker->topology;
}

/* The vhost, which the op holds. NULL: it has gone meanwhile; the op has ended. */
static struct vhost *hold_vhost(struct import_op *op, struct slice name,
				const struct plan_origin *origin)
{
	struct vhost *vhost = topology_vhost(topology_of(op), name);

	if (!vhost) {
		if (!op->work->is_undoing)
			import_fail(op->work, -EINVAL, origin,
				    "Virtual host '" SLICE_FMT "' does not exist", SLICE_ARG(name));
		import_op_done(op);
		return NULL;
	}
	op->held = vhost_hold(vhost);
	return vhost;
}

static void submit(struct import_op *op, enum declare_operation operation, struct vhost *vhost,
		   struct slice name, void (*done)(struct declare_request *request))
{
	op->declare.operation = operation;
	op->declare.broker = op->work->admin->broker;
	op->declare.vhost = vhost;
	op->declare.asker = ACTOR_REF_NONE;
	op->declare.name = name;
	op->declare.done = done;
	op->declare.context = op;
	declare_submit(&op->declare);
}

static bool has_failed(struct import_op *op, const struct declare_request *request,
		       const struct plan_origin *origin)
{
	uint16_t code = request->error.code;

	if (code != 0)
		import_fail(op->work,
			    code == AMQP_INTERNAL_ERROR || code == AMQP_RESOURCE_ERROR ? -EIO
										       : -EINVAL,
			    origin, "%s", request->error.text);
	return code != 0;
}

/* A vhost that is deleted meanwhile took all with it. */
static void undone(struct declare_request *request)
{
	struct import_op *op = request->context;

	op->work->n_left += request->error.code != 0 && request->error.code != AMQP_NOT_FOUND;
	import_op_done(op);
}

/* ---- Exchanges ---- */

static void exchange_done(struct declare_request *request)
{
	struct import_op *op = request->context;
	struct plan_exchange *exchange = import_op_item(op, 0);

	/* Somebody may have been quicker: then it is theirs. */
	exchange->is_made = !has_failed(op, request, &exchange->origin) && request->changed;
	import_op_done(op);
}

void import_run_exchange(struct import_op *op)
{
	const struct plan_exchange *exchange = import_op_item(op, 0);
	struct vhost *vhost = hold_vhost(op, exchange->vhost, &exchange->origin);
	bool is_there;

	if (!vhost)
		return;
	topology_read_begin(topology_of(op));
	is_there = topology_exchange(vhost, exchange->name) != NULL;
	topology_read_end(topology_of(op));
	if (is_there) {
		import_op_done(op);
		return;
	}
	op->declare.arguments = exchange->arguments;
	op->declare.exchange.type = exchange->type;
	op->declare.exchange.durable = exchange->durable;
	op->declare.exchange.auto_delete = exchange->auto_delete;
	op->declare.exchange.internal = exchange->internal;
	submit(op, DECLARE_EXCHANGE, vhost, exchange->name, exchange_done);
}

void import_undo_exchange(struct import_op *op)
{
	const struct plan_exchange *exchange = import_op_item(op, 0);
	struct vhost *vhost;

	if (!exchange->is_made) {
		import_op_done(op);
		return;
	}
	vhost = hold_vhost(op, exchange->vhost, &exchange->origin);
	if (!vhost)
		return;
	op->declare.exchange_delete.if_unused = true;
	submit(op, DECLARE_EXCHANGE_DELETE, vhost, exchange->name, undone);
}

/* ---- Queues ---- */

static void queue_done(struct declare_request *request)
{
	struct import_op *op = request->context;
	struct plan_queue *queue = import_op_item(op, 0);

	if (!has_failed(op, request, &queue->origin))
		queue->is_made = request->created;
	import_op_done(op);
}

void import_run_queue(struct import_op *op)
{
	const struct plan_queue *queue = import_op_item(op, 0);
	struct vhost *vhost = hold_vhost(op, queue->vhost, &queue->origin);
	bool is_there;

	if (!vhost)
		return;
	topology_read_begin(topology_of(op));
	is_there = topology_queue(vhost, queue->name) != NULL;
	topology_read_end(topology_of(op));
	if (is_there) {
		import_op_done(op);
		return;
	}
	op->declare.arguments = queue->arguments;
	op->declare.queue_declare.durable = queue->durable;
	op->declare.queue_declare.auto_delete = queue->auto_delete;
	submit(op, DECLARE_QUEUE, vhost, queue->name, queue_done);
}

/* Unless somebody uses it already: then it is somebody's. */
void import_undo_queue(struct import_op *op)
{
	const struct plan_queue *queue = import_op_item(op, 0);
	struct vhost *vhost;

	if (!queue->is_made) {
		import_op_done(op);
		return;
	}
	vhost = hold_vhost(op, queue->vhost, &queue->origin);
	if (!vhost)
		return;
	op->declare.queue_delete.if_unused = op->declare.queue_delete.if_empty = true;
	submit(op, DECLARE_QUEUE_DELETE, vhost, queue->name, undone);
}

/* ---- Bindings ---- */

enum state {
	BINDING_THERE,
	BINDING_NOT_THERE,
	BINDING_WITHOUT_SOURCE,
	BINDING_WITHOUT_DESTINATION
};

static enum state look(struct import_op *op, struct vhost *vhost,
		       const struct plan_binding *binding)
{
	enum state state = BINDING_NOT_THERE;

	topology_read_begin(topology_of(op));
	if (!topology_exchange(vhost, binding->source))
		state = BINDING_WITHOUT_SOURCE;
	else if (binding->destination_is_exchange ? !topology_exchange(vhost, binding->destination)
						  : !topology_queue(vhost, binding->destination))
		state = BINDING_WITHOUT_DESTINATION;
	else if (binding_find(vhost, op->like))
		state = BINDING_THERE;
	topology_read_end(topology_of(op));
	return state;
}

static void warn(struct import_op *op, const struct plan_binding *binding, enum state state)
{
	bool is_source = state == BINDING_WITHOUT_SOURCE;
	bool is_exchange = is_source || binding->destination_is_exchange;

	plan_warn(op->work->plan,
		  PLAN_ORIGIN ".%s: no %s '" SLICE_FMT "' in vhost '" SLICE_FMT "'; left out",
		  PLAN_ORIGIN_ARG(binding), is_source ? "source" : "destination",
		  is_exchange ? "exchange" : "queue",
		  SLICE_ARG(is_source ? binding->source : binding->destination),
		  SLICE_ARG(binding->vhost));
}

/* Deleted since it was looked for: as if it had not been there. */
static void binding_done(struct declare_request *request)
{
	struct import_op *op = request->context;
	struct plan_binding *binding = import_op_item(op, 0);

	if (request->error.code == AMQP_NOT_FOUND)
		plan_warn(op->work->plan, PLAN_ORIGIN ": %s; left out", PLAN_ORIGIN_ARG(binding),
			  request->error.text);
	else
		binding->is_made = !has_failed(op, request, &binding->origin) && request->changed;
	import_op_done(op);
}

static void fill(struct import_op *op, const struct plan_binding *binding)
{
	op->declare.arguments = binding->arguments;
	op->declare.bind.source = binding->source;
	op->declare.bind.routing_key = binding->routing_key;
	op->declare.bind.destination_is_exchange = binding->destination_is_exchange;
}

/* NULL: memory is out, and the op has ended. */
static struct binding *like(struct import_op *op, const struct plan_binding *binding)
{
	const struct binding_options options = {
		.source = binding->source,
		.destination = binding->destination,
		.routing_key = binding->routing_key,
		.arguments = binding->arguments,
		.destination_is_exchange = binding->destination_is_exchange,
	};

	op->like = binding_create(&options);
	return op->like;
}

void import_run_binding(struct import_op *op)
{
	const struct plan_binding *binding = import_op_item(op, 0);
	struct vhost *vhost = hold_vhost(op, binding->vhost, &binding->origin);
	enum state state;

	if (!vhost)
		return;
	if (!like(op, binding)) {
		import_fail(op->work, -ENOMEM, NULL, "out of memory");
		import_op_done(op);
		return;
	}
	state = look(op, vhost, binding);
	if (state == BINDING_NOT_THERE) {
		fill(op, binding);
		submit(op, DECLARE_BIND, vhost, binding->destination, binding_done);
		return;
	}
	if (state != BINDING_THERE)
		warn(op, binding, state);
	import_op_done(op);
}

void import_undo_binding(struct import_op *op)
{
	const struct plan_binding *binding = import_op_item(op, 0);
	struct vhost *vhost;

	if (!binding->is_made) {
		import_op_done(op);
		return;
	}
	vhost = hold_vhost(op, binding->vhost, &binding->origin);
	if (!vhost)
		return;
	fill(op, binding);
	submit(op, DECLARE_UNBIND, vhost, binding->destination, undone);
}
