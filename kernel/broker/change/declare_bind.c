/* SPDX-License-Identifier: MIT */
#include "broker/change/declare_steps.h"

#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/change/bound.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/upgrade/state.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"

/* The two ends, as they are named by the request; in the read or write side. */
struct ends {
	struct exchange *source;
	struct queue_entry *queue; /* one of the two */
	struct exchange *exchange;
};

/* In RabbitMQ's order: the source, the destination, its owner. What is pending or doomed is not
 * there. */
static int find_ends(struct declare_request *request, struct ends *ret)
{
	*ret = (struct ends){.source = topology_exchange(request->vhost, request->bind.source)};
	if (!ret->source)
		return declare_error_no_exchange(request, request->bind.source);
	if (request->bind.destination_is_exchange) {
		ret->exchange = topology_exchange(request->vhost, request->name);
		if (!ret->exchange)
			return declare_error_no_exchange(request, request->name);
	} else {
		ret->queue = topology_queue(request->vhost, request->name);
		if (!ret->queue)
			return declare_error_no_queue(request, request->name);
		if (ret->queue->owner != 0 && ret->queue->owner != request->connection)
			return declare_error_locked(request);
	}
	if (!ret->source->type)
		return exchange_error_not_loaded(ret->source, &request->error);
	return 0;
}

static int check_names(struct declare_request *request)
{
	if (request->bind.source.size == 0 ||
	    (request->bind.destination_is_exchange && request->name.size == 0))
		return declare_error_default_exchange(request);
	return 0;
}

static struct binding *make(struct declare_request *request)
{
	struct binding_options options = {
		.source = request->bind.source,
		.destination = request->name,
		.routing_key = request->bind.routing_key,
		.arguments = request->arguments,
		.destination_is_exchange = request->bind.destination_is_exchange,
	};
	struct binding *binding = binding_create(&options);

	if (!binding)
		(void)declare_error_memory(request);
	return binding;
}

/* ---- Bind ---- */

enum progress {
	ANSWERED, /* the binding is there already, or may not be */
	WAITING,
	CHANGED, /* the source, or its instance, is not the one that was asked: begin again */
	ENTERED,
	NEW,	   /* nothing speaks against it */
	ELSEWHERE, /* the same, but it must be done on another loop */
};

/* Who was asked whether the binding may be, so that it is known again. */
struct asked {
	struct exchange *source; /* a reference */
	uint32_t serial;	 /* of its instance */
};

static uint32_t serial_of(const struct exchange *exchange)
{
	return exchange->instances[exchange->active].serial;
}

/*
 * A source whose type observes learns of the binding on its own loop, behind all that was published
 * before by whoever asks: letters from here to there keep their order.
 */
static bool is_elsewhere(const struct exchange *source, unsigned *ret_loop)
{
	if (!source->type->own.observe)
		return false;
	*ret_loop = exchange_own_loop(source, loop_count());
	return *ret_loop != loop_index(loop_self());
}

/*
 * Looks in the read side, where most redeclarations end. validate_binding() does not change the
 * instance, so it may run here, where the instance cannot go. *ret_loop is where to go, if it is
 * ELSEWHERE.
 */
static enum progress look(struct declare_request *request, const struct binding *binding,
			  struct asked *ret_asked, unsigned *ret_loop)
{
	struct topology *topology = request->broker->topology;
	enum progress progress = ANSWERED;
	struct ends ends;

	topology_read_begin(topology);
	if (find_ends(request, &ends) == 0) {
		const struct binding *other = binding_find(request->vhost, binding);

		const struct exchange_instance *instance =
			&ends.source->instances[ends.source->active];

		if (other ? other->pending || other->doomed
			  : exchange_validate_binding(ends.source, instance, &binding->view,
						      &request->error) == 0)
			progress = is_elsewhere(ends.source, ret_loop) ? ELSEWHERE : NEW;
		if (progress == NEW) {
			*ret_asked = (struct asked){ends.source, instance->serial};
			exchange_ref(ends.source);
		}
	}
	topology_read_end(topology);
	return progress;
}

static enum progress enter(struct declare_request *request, struct binding *binding,
			   const struct asked *asked)
{
	struct topology *topology = request->broker->topology;
	struct ends ends;

	if (vhost_check_open(request->vhost, &request->error) != 0 ||
	    find_ends(request, &ends) != 0)
		return ANSWERED;
	shadow_swap_if_due(topology, ends.source);

	struct binding *other = binding_find(request->vhost, binding);

	if (other && (other->pending || other->doomed)) {
		declare_wait(request, &other->source->turns);
		return WAITING;
	}
	if (other)
		return ANSWERED;
	if (ends.source != asked->source || serial_of(ends.source) != asked->serial)
		return CHANGED;
	binding->durable =
		ends.source->durable && (ends.queue ? ends.queue->durable : ends.exchange->durable);
	binding->pending = binding->durable;
	if (binding_insert(topology, binding, ends.source, ends.queue, ends.exchange,
			   &request->error) != 0)
		return ANSWERED;
	if (!binding->pending)
		bound_begin(request, binding);
	return ENTERED;
}

static int error_end_gone(struct declare_request *request, const struct binding *binding)
{
	if (binding->source->doomed)
		return declare_error_no_exchange(request, request->bind.source);
	if (binding->exchange)
		return declare_error_no_exchange(request, request->name);
	return declare_error_no_queue(request, request->name);
}

static void retract(struct declare_request *request);

/*
 * The definition is on disk, or not. Meanwhile an end may have been doomed, and the binding with
 * it: then the definition goes out of the store again, and until it has, the binding keeps its key,
 * so that nobody puts the same one into the store before that.
 */
static void settle(struct declare_request *request, bool is_stored)
{
	struct binding *binding = declare_work(request)->object;
	struct topology *topology = request->broker->topology;
	struct list woken;

	list_init(&woken);
	topology_write_begin(topology);
	bool must_retract = is_stored && binding->doomed;

	if (!must_retract) {
		binding->pending = false;
		if (is_stored)
			bound_begin(request, binding);
		else
			binding_detach(topology, binding);
		turns_pass(&binding->source->turns, &woken);
	}
	topology_write_end(topology);
	if (must_retract) {
		retract(request);
		return;
	}
	turns_wake(&woken);
	if (!is_stored)
		binding_release(binding);
	bound_end(request);
}

/* If it stays in the store, it comes back with a restart, should its ends be there then. */
static void retracted(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	(void)revision;
	if (result != STORE_DURABLE)
		log_error("broker", "the store keeps a binding that is not there: result=%d",
			  (int)result);
	settle(declare_of_commit(commit), false);
}

static void retract(struct declare_request *request)
{
	struct binding *binding = declare_work(request)->object;
	struct definition definition = definition_of_binding(binding);

	(void)error_end_gone(request, binding);
	if (!declare_commit(request, &definition, true, retracted))
		settle(request, false);
}

static void stored(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct declare_request *request = declare_of_commit(commit);

	(void)revision;
	if (result != STORE_DURABLE)
		(void)declare_error_store(request, result);
	settle(request, result == STORE_DURABLE);
}

static void entered(struct declare_request *request, struct binding *binding, bool is_durable)
{
	if (!is_durable) {
		bound_end(request);
		return;
	}

	struct definition definition = definition_of_binding(binding);

	declare_work(request)->object = binding;
	if (!declare_commit(request, &definition, false, stored))
		settle(request, false);
}

static void bind_new(struct declare_request *request, struct binding *binding,
		     const struct asked *asked)
{
	struct topology *topology = request->broker->topology;

	topology_write_begin(topology);
	enum progress progress = enter(request, binding, asked);
	bool is_durable = binding->durable;
	topology_write_end(topology);

	exchange_unref(asked->source);
	/* A binding that is not durable belongs to everybody now; a durable one is ours until the
	 * store has it. */
	if (progress == ENTERED) {
		request->changed = true;
		entered(request, binding, is_durable);
		return;
	}
	mem_free(binding);
	if (progress == CHANGED)
		declare_bind(request);
	else if (progress == ANSWERED)
		declare_finish(request);
}

void declare_bind(struct declare_request *request)
{
	enum progress progress = ANSWERED;
	struct binding *binding = NULL;
	struct asked asked;
	unsigned loop = 0;

	if (declare_work(request)->sends) {
		bound_go_on(request);
		return;
	}
	if (check_names(request) == 0)
		binding = make(request);
	if (binding)
		progress = look(request, binding, &asked, &loop);
	if (progress == NEW) {
		bind_new(request, binding, &asked);
		return;
	}
	mem_free(binding);
	if (progress == ELSEWHERE)
		declare_travel(request, loop);
	else
		declare_finish(request);
}

/* ---- Unbind ---- */

/* Bound, and not to a queue that is another connection's (405). */
static bool may_unbind(struct declare_request *request, const struct binding *like)
{
	struct topology *topology = request->broker->topology;
	bool is_bound, is_locked;

	topology_read_begin(topology);
	const struct binding *binding = binding_find(request->vhost, like);
	is_bound = binding != NULL;
	is_locked = binding && binding->queue && binding->queue->owner != 0 &&
		    binding->queue->owner != request->connection;
	topology_read_end(topology);
	if (is_locked)
		(void)declare_error_locked(request);
	return is_bound && !is_locked;
}

static void unbind(struct declare_request *request, const struct binding *like)
{
	struct topology *topology = request->broker->topology;
	struct removal *removal = removal_create(request->broker, declare_removed, request);
	enum progress progress = ANSWERED;

	topology_write_begin(topology);
	struct binding *binding = binding_find(request->vhost, like);

	if (binding && (binding->pending || binding->doomed)) {
		declare_wait(request, &binding->source->turns);
		progress = WAITING;
	} else if (binding) {
		removal_add_binding(removal, binding);
		removal_begin(removal);
		progress = ENTERED;
	}
	topology_write_end(topology);

	if (progress == ENTERED) {
		request->changed = true;
		removal_continue(removal);
		return;
	}
	mem_free(removal);
	if (progress == ANSWERED)
		declare_finish(request);
}

/* What is not bound is unbound as well as any; nobody is asked whether the ends exist, as in
 * RabbitMQ. */
void declare_unbind(struct declare_request *request)
{
	struct binding *like = NULL;

	if (check_names(request) == 0)
		like = make(request);
	if (like && may_unbind(request, like))
		unbind(request, like);
	else
		declare_finish(request);
	mem_free(like);
}
