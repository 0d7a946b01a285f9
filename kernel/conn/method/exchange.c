/* SPDX-License-Identifier: MIT */
/* Class exchange. AMQP 0-9-1 section 1.6; bind and unbind are RabbitMQ's (docs/e2e). */
#include <errno.h>

#include "amqp/table.h"
#include "conn/permission.h"
#include "conn/request.h"

/* Whether it may be made with these arguments; of one that is there they are only compared. */
static void exchange_check_alternate(struct channel *ch, struct slice name, struct slice arguments,
				     struct amqp_error *ret_forbidden)
{
	struct amqp_value value;

	if (!amqp_table_find(arguments, "alternate-exchange", &value) ||
	    value.type != AMQP_VALUE_STRING ||
	    permission_check_quietly(ch, ACCESS_READ, ACCESS_RESOURCE_EXCHANGE, name,
				     ret_forbidden) != 0)
		return;
	(void)permission_check_quietly(ch, ACCESS_WRITE, ACCESS_RESOURCE_EXCHANGE, value.bytes,
				       ret_forbidden);
}

static int exchange_check_declare(struct channel *ch, const struct amqp_exchange_declare *m,
				  struct slice name, struct amqp_error *error)
{
	if (permission_check_not_default(name, error) != 0)
		return -EPROTO;
	if (m->passive)
		return permission_check_passive(ch, ACCESS_RESOURCE_EXCHANGE, name, error);
	return permission_check_with(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_EXCHANGE, name,
				     m->arguments, error);
}

static int exchange_declare_finish(struct channel *ch, struct channel_request *request,
				   struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_EXCHANGE_DECLARE_OK};

	(void)error;
	request_reply(ch, request, &ok);
	return 0;
}

int method_exchange_declare(struct channel *ch, const struct amqp_exchange_declare *m,
			    struct amqp_error *error)
{
	struct permission_name room;
	struct slice name = permission_strip(m->exchange, &room);
	struct amqp_error forbidden = {.code = 0};
	struct channel_request *request;

	if (exchange_check_declare(ch, m, name, error) != 0)
		return -EPROTO;
	request = request_create(ch, AMQP_EXCHANGE_DECLARE, m->no_wait,
				 name.size + m->type.size + m->arguments.size, error);
	if (request == NULL)
		return -EPROTO;
	request->finish = exchange_declare_finish;
	request->declare.operation = DECLARE_EXCHANGE;
	request->declare.name = request_copy(request, name);
	request->declare.arguments = request_copy(request, m->arguments);
	request->declare.exchange.type = request_copy(request, m->type);
	request->declare.exchange.passive = m->passive;
	request->declare.exchange.durable = m->durable;
	request->declare.exchange.auto_delete = m->auto_delete;
	request->declare.exchange.internal = m->internal;
	if (!m->passive)
		exchange_check_alternate(ch, name, m->arguments, &forbidden);
	request_forbid(request, &forbidden);
	request_submit_declare(ch, request);
	return 0;
}

static int exchange_delete_finish(struct channel *ch, struct channel_request *request,
				  struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_EXCHANGE_DELETE_OK};

	(void)error;
	request_reply(ch, request, &ok);
	return 0;
}

/* In RabbitMQ's order: what nobody may comes first. */
static int exchange_check_delete(struct channel *ch, struct slice name, struct amqp_error *error)
{
	if (permission_check_not_default(name, error) != 0)
		return -EPROTO;
	if (slice_starts_with(name, SLICE_LITERAL("amq.")))
		return amqp_error_set(error, AMQP_ACCESS_REFUSED,
				      "deletion of system exchange '" SLICE_FMT
				      "' in vhost '%s' not allowed",
				      SLICE_ARG(name), ch->connection->vhost->name);
	return permission_check(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_EXCHANGE, name, error);
}

int method_exchange_delete(struct channel *ch, const struct amqp_exchange_delete *m,
			   struct amqp_error *error)
{
	struct permission_name room;
	struct slice name = permission_strip(m->exchange, &room);
	struct channel_request *request;

	if (exchange_check_delete(ch, name, error) != 0)
		return -EPROTO;
	request = request_create(ch, AMQP_EXCHANGE_DELETE, m->no_wait, name.size, error);
	if (request == NULL)
		return -EPROTO;
	request->finish = exchange_delete_finish;
	request->declare.operation = DECLARE_EXCHANGE_DELETE;
	request->declare.name = request_copy(request, name);
	request->declare.exchange_delete.if_unused = m->if_unused;
	request_submit_declare(ch, request);
	return 0;
}

static int exchange_bind_finish(struct channel *ch, struct channel_request *request,
				struct amqp_error *error)
{
	struct amqp_method ok = {
		.id = request->method_id == AMQP_EXCHANGE_BIND ? AMQP_EXCHANGE_BIND_OK
							       : AMQP_EXCHANGE_UNBIND_OK,
	};

	(void)error;
	request_reply(ch, request, &ok);
	return 0;
}

static int exchange_bind_or_unbind(struct channel *ch, uint32_t method_id,
				   const struct amqp_exchange_bind *m, struct amqp_error *error)
{
	struct permission_name rooms[2];
	const struct permission_binding binding = {
		.destination_kind = ACCESS_RESOURCE_EXCHANGE,
		.destination = permission_strip(m->destination, &rooms[0]),
		.source = permission_strip(m->source, &rooms[1]),
		.routing_key = m->routing_key,
		.arguments = m->arguments,
	};
	struct channel_request *request;

	if (permission_check_binding(ch, &binding, error) != 0)
		return -EPROTO;
	request = request_create(ch, method_id, m->no_wait,
				 m->destination.size + m->source.size + m->routing_key.size +
					 m->arguments.size,
				 error);
	if (request == NULL)
		return -EPROTO;
	request->finish = exchange_bind_finish;
	request->declare.operation =
		method_id == AMQP_EXCHANGE_BIND ? DECLARE_BIND : DECLARE_UNBIND;
	request->declare.name = request_copy(request, binding.destination);
	request->declare.arguments = request_copy(request, m->arguments);
	request->declare.bind.source = request_copy(request, binding.source);
	request->declare.bind.routing_key = request_copy(request, m->routing_key);
	request->declare.bind.destination_is_exchange = true;
	request_submit_declare(ch, request);
	return 0;
}

int method_exchange_bind(struct channel *ch, const struct amqp_exchange_bind *m,
			 struct amqp_error *error)
{
	return exchange_bind_or_unbind(ch, AMQP_EXCHANGE_BIND, m, error);
}

int method_exchange_unbind(struct channel *ch, const struct amqp_exchange_unbind *m,
			   struct amqp_error *error)
{
	struct amqp_exchange_bind same = {
		.destination = m->destination,
		.source = m->source,
		.routing_key = m->routing_key,
		.no_wait = m->no_wait,
		.arguments = m->arguments,
	};

	return exchange_bind_or_unbind(ch, AMQP_EXCHANGE_UNBIND, &same, error);
}
