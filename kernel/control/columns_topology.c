/* SPDX-License-Identifier: MIT */
/* list_exchanges and list_bindings: on loop 0, of the shared topology. */
#include "amqp/table.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "control/columns.h"

/* Rows are made inside the read side, which is to be short: few at a time. */
#define TOPOLOGY_SLICE 32

static void visit_exchange(void *context, const struct exchange *exchange)
{
	struct listing_sink *sink = context;

	sink->row(sink, exchange);
}

static json_t *exchange_name(const void *object)
{
	return column_text(((const struct exchange *)object)->node.key);
}

static json_t *exchange_type(const void *object)
{
	const struct exchange *exchange = object;

	return column_text(
		slice_cstr(exchange->type_name != NULL ? exchange->type_name : "direct"));
}

static json_t *exchange_durable(const void *object)
{
	return json_boolean(((const struct exchange *)object)->durable);
}

static json_t *exchange_auto_delete(const void *object)
{
	return json_boolean(((const struct exchange *)object)->auto_delete);
}

static json_t *exchange_internal(const void *object)
{
	return json_boolean(((const struct exchange *)object)->internal);
}

static json_t *exchange_arguments(const void *object)
{
	return column_table(((const struct exchange *)object)->arguments);
}

static json_t *exchange_policy(const void *object)
{
	(void)object;
	return json_string("");
}

static const struct column exchange_columns[] = {
	{"name", exchange_name},	 {"type", exchange_type},
	{"durable", exchange_durable},	 {"auto_delete", exchange_auto_delete},
	{"internal", exchange_internal}, {"arguments", exchange_arguments},
	{"policy", exchange_policy},	 {NULL, NULL},
};
static const char *const exchange_defaults[] = {"name", "type", NULL};

static bool exchange_visit(const struct listing_scope *scope, struct listing_position *position,
			   unsigned slice, struct listing_sink *sink)
{
	position->number = topology_list_exchanges(scope->broker->topology, scope->vhost,
						   position->number, slice, visit_exchange, sink);
	return position->number != 0;
}

const struct listing_kind listing_exchanges = {
	.command = "list_exchanges",
	.columns = exchange_columns,
	.defaults = exchange_defaults,
	.has_vhost = true,
	.slice = TOPOLOGY_SLICE,
	.visit = exchange_visit,
};

/* ---- Bindings ---- */

static void visit_binding(void *context, const struct binding *binding)
{
	struct listing_sink *sink = context;

	sink->row(sink, binding);
}

static json_t *binding_source(const void *object)
{
	return column_text(((const struct binding *)object)->source->node.key);
}

static json_t *binding_source_kind(const void *object)
{
	(void)object;
	return json_string("exchange");
}

static json_t *binding_destination(const void *object)
{
	const struct binding *b = object;

	return column_text(slice_make(b->view.destination.data, b->view.destination.size));
}

static json_t *binding_destination_kind(const void *object)
{
	return json_string(((const struct binding *)object)->view.destination_is_exchange
				   ? "exchange"
				   : "queue");
}

static json_t *binding_routing_key(const void *object)
{
	const struct binding *b = object;

	return column_text(slice_make(b->view.routing_key.data, b->view.routing_key.size));
}

static json_t *binding_arguments(const void *object)
{
	const struct binding *b = object;

	return column_table(slice_make(b->view.arguments.data, b->view.arguments.size));
}

static const struct column binding_columns[] = {
	{"source_name", binding_source},
	{"source_kind", binding_source_kind},
	{"destination_name", binding_destination},
	{"destination_kind", binding_destination_kind},
	{"routing_key", binding_routing_key},
	{"arguments", binding_arguments},
	{NULL, NULL},
};
static const char *const binding_defaults[] = {
	"source_name", "source_kind", "destination_name", "destination_kind", "routing_key",
	"arguments",   NULL,
};

static bool binding_visit(const struct listing_scope *scope, struct listing_position *position,
			  unsigned slice, struct listing_sink *sink)
{
	position->number = topology_list_bindings(scope->broker->topology, scope->vhost,
						  position->number, slice, visit_binding, sink);
	return position->number != 0;
}

const struct listing_kind listing_bindings = {
	.command = "list_bindings",
	.columns = binding_columns,
	.defaults = binding_defaults,
	.has_vhost = true,
	.slice = TOPOLOGY_SLICE,
	.visit = binding_visit,
};
