/* SPDX-License-Identifier: MIT */
#include "broker/change/declare_steps.h"

#include <stdio.h>

#include "base/mem.h"
#include "broker/change/arguments.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/vhost/vhost.h"

/* ---- Declare ---- */

static struct slice boolean(bool value)
{
	return value ? SLICE_LITERAL("'true'") : SLICE_LITERAL("'false'");
}

static int inequivalent(struct declare_request *request, const char *what, struct slice received,
			struct slice current)
{
	return arguments_inequivalent(what, "exchange", request->name,
				      slice_cstr(request->vhost->name), received, current,
				      &request->error);
}

static int inequivalent_type(struct declare_request *request, const struct exchange *current)
{
	char received[300], now[300]; /* a short string, and the quotes */

	(void)snprintf(received, sizeof(received), "'" SLICE_FMT "'",
		       SLICE_ARG(request->exchange.type));
	(void)snprintf(now, sizeof(now), "'%s'", current->type_name);
	return inequivalent(request, "type", slice_cstr(received), slice_cstr(now));
}

/* In RabbitMQ's order: rabbit_exchange:assert_equivalence. */
static int compare(struct declare_request *request, const struct exchange *current)
{
	bool durable = request->exchange.durable, auto_delete = request->exchange.auto_delete,
	     internal = request->exchange.internal;

	if (!slice_equal(slice_cstr(current->type_name), request->exchange.type))
		return inequivalent_type(request, current);
	if (current->durable != durable)
		return inequivalent(request, "durable", boolean(durable),
				    boolean(current->durable));
	if (current->auto_delete != auto_delete)
		return inequivalent(request, "auto_delete", boolean(auto_delete),
				    boolean(current->auto_delete));
	if (current->internal != internal)
		return inequivalent(request, "internal", boolean(internal),
				    boolean(current->internal));
	return arguments_compare_exchange(current->arguments, request->arguments, request->name,
					  slice_cstr(request->vhost->name), &request->error);
}

/*
 * Whether it is there, or cannot be; then the request has its answer. Else *ret_type is what it
 * would be made by, in this turn.
 */
static bool is_answered(struct declare_request *request, struct exchange_type **ret_type)
{
	struct topology *topology = request->broker->topology;
	bool is_passive = request->exchange.passive, is_answered = true;

	topology_read_begin(topology);
	struct exchange_type *type = exchange_type_find(topology, request->exchange.type);
	const struct exchange *exchange = topology_exchange(request->vhost, request->name);

	if (!type && !is_passive)
		(void)declare_error_unknown_type(request, request->exchange.type);
	else if (exchange && !is_passive)
		(void)compare(request, exchange);
	else if (!exchange && is_passive)
		(void)declare_error_no_exchange(request, request->name);
	else
		is_answered = exchange != NULL;
	topology_read_end(topology);
	*ret_type = type;
	return is_answered;
}

static struct exchange *make(struct declare_request *request, struct exchange_type *type)
{
	struct exchange_options options = {
		.name = request->name,
		.type = request->exchange.type,
		.arguments = request->arguments,
		.durable = request->exchange.durable,
		.auto_delete = request->exchange.auto_delete,
		.internal = request->exchange.internal,
	};
	struct exchange *exchange;

	if (declare_is_reserved(request->name)) {
		(void)declare_error_reserved(request, "exchange");
		return NULL;
	}
	if (!declare_may_create(request))
		return NULL;
	if (arguments_check_exchange(request->arguments, request->name,
				     slice_cstr(request->vhost->name), &request->error) != 0)
		return NULL;
	exchange = exchange_create(request->vhost, &options);
	if (!exchange) {
		(void)declare_error_memory(request);
		return NULL;
	}
	if (exchange_bring_to_life(exchange, type, &request->error) == 0)
		return exchange;
	exchange_unref(exchange);
	return NULL;
}

enum entering {
	ENTERED,
	REFUSED, /* the vhost is being deleted */
	CHANGED, /* it is there meanwhile, or its type has gone: begin again */
	MUST_WAIT,
};

static enum entering enter(struct declare_request *request, struct exchange *exchange)
{
	struct topology *topology = request->broker->topology;
	enum entering result = ENTERED;

	topology_write_begin(topology);
	struct exchange *other = topology_any_exchange(request->vhost, request->name);

	if (vhost_check_open(request->vhost, &request->error) != 0) {
		result = REFUSED;
	} else if (!other && !exchange->type->is_current) {
		result = CHANGED;
	} else if (!other) {
		exchange->pending = exchange->durable;
		exchange_insert(topology, exchange);
	} else if (other->pending || other->doomed) {
		declare_wait(request, &other->turns);
		result = MUST_WAIT;
	} else {
		result = CHANGED;
	}
	topology_write_end(topology);
	return result;
}

/* It is on disk and becomes visible, or it is not and goes. */
static void settle(struct declare_request *request, bool is_stored)
{
	struct exchange *exchange = declare_work(request)->object;
	struct topology *topology = request->broker->topology;
	struct list woken;

	list_init(&woken);
	topology_write_begin(topology);
	exchange->pending = false;
	if (!is_stored)
		exchange_remove(topology, exchange);
	turns_pass(&exchange->turns, &woken);
	topology_write_end(topology);
	turns_wake(&woken);
	if (!is_stored)
		exchange_unref(exchange);
	declare_finish(request);
}

static void stored(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct declare_request *request = declare_of_commit(commit);

	(void)revision;
	if (result != STORE_DURABLE)
		(void)declare_error_store(request, result);
	settle(request, result == STORE_DURABLE);
}

static void create(struct declare_request *request, struct exchange_type *type)
{
	struct exchange *exchange = make(request, type);

	if (!exchange) {
		declare_finish(request);
		return;
	}
	switch (enter(request, exchange)) {
	case ENTERED:
		request->changed = true;
		break;
	case REFUSED:
		exchange_unref(exchange);
		declare_finish(request);
		return;
	case CHANGED:
		exchange_unref(exchange);
		declare_exchange(request);
		return;
	case MUST_WAIT:
		exchange_unref(exchange);
		return;
	}
	if (!request->exchange.durable) {
		declare_finish(request);
		return;
	}

	struct definition definition = definition_of_exchange(exchange);

	declare_work(request)->object = exchange;
	if (!declare_commit(request, &definition, false, stored))
		settle(request, false);
}

void declare_exchange(struct declare_request *request)
{
	struct exchange_type *type = NULL;

	if (request->name.size == 0) {
		(void)declare_error_default_exchange(request);
		declare_finish(request);
		return;
	}
	if (is_answered(request, &type))
		declare_finish(request);
	else
		create(request, type);
}

/* ---- Delete ---- */

static int check_deletable(struct declare_request *request)
{
	if (request->is_forced)
		return 0;
	if (request->name.size == 0)
		return declare_error_default_exchange(request);
	if (declare_is_reserved(request->name))
		return amqp_error_set(&request->error, AMQP_ACCESS_REFUSED,
				      "deletion of system exchange '" SLICE_FMT
				      "' in vhost '%s' not allowed",
				      SLICE_ARG(request->name), request->vhost->name);
	return 0;
}

static bool is_in_use(struct declare_request *request, const struct exchange *exchange)
{
	if (!request->exchange_delete.if_unused || exchange->n_outgoing == 0)
		return false;
	(void)amqp_error_set(&request->error, AMQP_PRECONDITION_FAILED,
			     "exchange '" SLICE_FMT "' in vhost '%s' in use",
			     SLICE_ARG(request->name), request->vhost->name);
	return true;
}

void declare_exchange_delete(struct declare_request *request)
{
	struct topology *topology = request->broker->topology;
	struct removal *removal;

	if (check_deletable(request) != 0) {
		declare_finish(request);
		return;
	}
	removal = removal_create(request->broker, declare_removed, request);
	topology_write_begin(topology);
	struct exchange *exchange = topology_any_exchange(request->vhost, request->name);
	bool must_wait = exchange && (exchange->pending || exchange->doomed);
	bool is_removable = exchange && !must_wait && !is_in_use(request, exchange);

	if (must_wait) {
		declare_wait(request, &exchange->turns);
	} else if (is_removable) {
		removal_add_exchange(removal, exchange);
		removal_begin(removal);
	}
	topology_write_end(topology);

	request->changed |= is_removable;
	if (is_removable) {
		removal_continue(removal);
		return;
	}
	mem_free(removal);
	if (!must_wait) /* an exchange that is not there is deleted as well as any */
		declare_finish(request);
}
