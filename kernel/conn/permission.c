/* SPDX-License-Identifier: MIT */
#include "conn/permission.h"

#include "broker/topology.h"
#include "conn/channel.h"

int permission_check(struct channel *ch, enum access_operation operation,
		     enum access_resource resource, struct slice name, struct amqp_error *error)
{
	static const char *const verbs[] = {
		[ACCESS_VHOST] = "connect",	[ACCESS_CONFIGURE] = "configure",
		[ACCESS_WRITE] = "write",	[ACCESS_READ] = "read",
		[ACCESS_WRITE_TOPIC] = "write", [ACCESS_READ_TOPIC] = "read",
	};
	struct connection *c = ch->connection;
	struct access_question question = {
		.user = c->user,
		.operation = operation,
		.resource = resource,
		.vhost = slice_cstr(c->vhost->name),
		.name = resource == ACCESS_RESOURCE_EXCHANGE && name.size == 0
				? SLICE_LITERAL("amq.default")
				: name,
		.peer_host = transport_peer(c->transport)->host,
	};

	if (access_authorize(c->service->access, &question))
		return 0;
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to %s '" SLICE_FMT "' in vhost '%s' refused for user '%s'",
			      verbs[operation],
			      resource == ACCESS_RESOURCE_QUEUE ? "queue" : "exchange",
			      SLICE_ARG(question.name), c->vhost->name, c->user->name);
}
