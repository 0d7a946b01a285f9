/* SPDX-License-Identifier: MIT */
#include "conn/permission.h"

#include <errno.h>
#include <string.h>

#include "broker/topology.h"
#include "conn/channel.h"

static const char *const permission_verbs[] = {
	[ACCESS_VHOST] = "connect", [ACCESS_CONFIGURE] = "configure", [ACCESS_WRITE] = "write",
	[ACCESS_READ] = "read",	    [ACCESS_WRITE_TOPIC] = "write",   [ACCESS_READ_TOPIC] = "read",
};

/* Completes the question with who asks. */
static inline bool permission_ask(struct channel *ch, struct access_question *question)
{
	struct connection *c = ch->connection;

	question->user = c->user;
	question->vhost = slice_cstr(c->vhost->name);
	question->peer = &c->peer;
	return access_authorize(c->service->access, question);
}

int permission_check(struct channel *ch, enum access_operation operation,
		     enum access_resource resource, struct slice name, struct amqp_error *error)
{
	return permission_check_with(ch, operation, resource, name, SLICE_EMPTY, error);
}

int permission_check_with(struct channel *ch, enum access_operation operation,
			  enum access_resource resource, struct slice name, struct slice arguments,
			  struct amqp_error *error)
{
	struct access_question question = {
		.operation = operation,
		.resource = resource,
		.name = resource == ACCESS_RESOURCE_EXCHANGE && name.size == 0
				? SLICE_LITERAL("amq.default")
				: name,
		.arguments = arguments,
	};

	if (permission_ask(ch, &question))
		return 0;
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to %s '" SLICE_FMT "' in vhost '%s' refused for user '%s'",
			      permission_verbs[operation],
			      resource == ACCESS_RESOURCE_QUEUE ? "queue" : "exchange",
			      SLICE_ARG(question.name), ch->connection->vhost->name,
			      ch->connection->user->name);
}

/* ---- Topics ---- */

bool permission_covers_topics(struct channel *ch, struct slice exchange)
{
	struct conn_service *service = ch->connection->service;
	struct topology *topology = service->broker->topology;
	const struct exchange *found;
	bool is_topic;

	if (!access_has_policies(service->access))
		return false;
	topology_read_begin(topology);
	found = topology_exchange(ch->connection->vhost, exchange);
	is_topic =
		found != NULL && found->type_name != NULL && strcmp(found->type_name, "topic") == 0;
	topology_read_end(topology);
	return is_topic;
}

int permission_check_topic(struct channel *ch, enum access_operation operation,
			   struct slice exchange, struct slice routing_key,
			   struct amqp_error *error)
{
	struct access_question question = {
		.operation = operation,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.name = exchange,
		.routing_key = routing_key,
	};

	if (permission_ask(ch, &question))
		return 0;
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to topic '" SLICE_FMT "' in exchange '" SLICE_FMT
			      "' in vhost '%s' refused for user '%s'",
			      permission_verbs[operation], SLICE_ARG(routing_key),
			      SLICE_ARG(exchange), ch->connection->vhost->name,
			      ch->connection->user->name);
}

int permission_check_binding(struct channel *ch, struct slice source, struct slice routing_key,
			     struct slice arguments, struct amqp_error *error)
{
	if (permission_check_with(ch, ACCESS_READ, ACCESS_RESOURCE_EXCHANGE, source, arguments,
				  error) != 0)
		return -EPROTO;
	if (!permission_covers_topics(ch, source))
		return 0;
	return permission_check_topic(ch, ACCESS_READ_TOPIC, source, routing_key, error);
}
