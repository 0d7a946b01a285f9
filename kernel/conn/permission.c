/* SPDX-License-Identifier: MIT */
#include "conn/permission.h"

#include "broker/topology.h"
#include "conn/channel.h"
#include "conn/peer.h"

int permission_check(struct channel *ch, enum access_operation operation,
		     enum access_resource resource, struct slice name, struct amqp_error *error)
{
	return permission_check_with(ch, operation, resource, name, SLICE_EMPTY, error);
}

int permission_check_with(struct channel *ch, enum access_operation operation,
			  enum access_resource resource, struct slice name, struct slice arguments,
			  struct amqp_error *error)
{
	static const char *const verbs[] = {
		[ACCESS_VHOST] = "connect",	[ACCESS_CONFIGURE] = "configure",
		[ACCESS_WRITE] = "write",	[ACCESS_READ] = "read",
		[ACCESS_WRITE_TOPIC] = "write", [ACCESS_READ_TOPIC] = "read",
	};
	struct connection *c = ch->connection;
	struct shunt_peer peer;
	struct access_question question = {
		.user = c->user,
		.operation = operation,
		.resource = resource,
		.vhost = slice_cstr(c->vhost->name),
		.name = resource == ACCESS_RESOURCE_EXCHANGE && name.size == 0
				? SLICE_LITERAL("amq.default")
				: name,
		.arguments = arguments,
		.peer = &peer,
	};

	peer_describe(c, &peer);
	if (access_authorize(c->service->access, &question))
		return 0;
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to %s '" SLICE_FMT "' in vhost '%s' refused for user '%s'",
			      verbs[operation],
			      resource == ACCESS_RESOURCE_QUEUE ? "queue" : "exchange",
			      SLICE_ARG(question.name), c->vhost->name, c->user->name);
}
