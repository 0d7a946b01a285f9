/* SPDX-License-Identifier: MIT */
#include "conn/permission.h"

#include <errno.h>
#include <string.h>

#include "broker/topology/topology.h"
#include "conn/audit.h"
#include "conn/channel.h"
#include "conn/decisions.h"
#include "loop/loop.h"

static const char *const permission_verbs[] = {
	[ACCESS_VHOST] = "connect", [ACCESS_CONFIGURE] = "configure", [ACCESS_WRITE] = "write",
	[ACCESS_READ] = "read",	    [ACCESS_WRITE_TOPIC] = "write",   [ACCESS_READ_TOPIC] = "read",
};

/* Completes the question with who asks. */
static inline bool permission_ask(struct channel *ch, struct access_question *question,
				  struct access_reply *reply)
{
	struct connection *c = ch->connection;

	question->user = c->user;
	question->vhost = slice_cstr(c->vhost->name);
	question->peer = &c->peer;
	return access_authorize(c->service->access, question, reply);
}

static struct slice permission_resource_name(enum access_resource resource, struct slice name)
{
	return resource == ACCESS_RESOURCE_EXCHANGE && name.size == 0 ? SLICE_LITERAL("amq.default")
								      : name;
}

/* Two arguments for "%s%s". */
#define PERMISSION_REASON(reply) (reply)->reason[0] != '\0' ? ": " : "", (reply)->reason

static const char *permission_kind(enum access_resource resource)
{
	return resource == ACCESS_RESOURCE_QUEUE ? "queue" : "exchange";
}

/* What RabbitMQ says of a refusal; the reason of a policy of a plugin follows it, if it has one. */
static COLD int permission_refused(struct channel *ch, const struct access_question *question,
				   const struct access_reply *reply, struct amqp_error *error)
{
	const struct connection *c = ch->connection;

	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to %s '" SLICE_FMT
			      "' in vhost '%s' refused for user '%s'%s%s",
			      permission_verbs[question->operation],
			      permission_kind(question->resource), SLICE_ARG(question->name),
			      c->vhost->name, c->user->name, PERMISSION_REASON(reply));
}

/* The question, its refusal, and the audit's line of it. */
static int permission_check_question(struct channel *ch, struct access_question *question,
				     struct access_reply *reply, struct amqp_error *error)
{
	if (permission_ask(ch, question, reply))
		return 0;
	conn_audit_refusal(ch->connection, permission_verbs[question->operation],
			   permission_kind(question->resource), question->name, SLICE_EMPTY);
	return permission_refused(ch, question, reply, error);
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
	struct access_reply reply;
	struct access_question question = {
		.operation = operation,
		.resource = resource,
		.name = permission_resource_name(resource, name),
		.arguments = arguments,
	};

	return permission_check_question(ch, &question, &reply, error);
}

int permission_check_quietly(struct channel *ch, enum access_operation operation,
			     enum access_resource resource, struct slice name,
			     struct amqp_error *error)
{
	struct access_reply reply;
	struct access_question question = {
		.operation = operation,
		.resource = resource,
		.name = permission_resource_name(resource, name),
	};

	return permission_ask(ch, &question, &reply)
		       ? 0
		       : permission_refused(ch, &question, &reply, error);
}

/* ---- What is remembered ---- */

/* Made when there is something to remember. */
static NO_INLINE void permission_remember(struct connection *c, uint64_t generation,
					  const struct decision *decision)
{
	if (c->decisions == NULL)
		c->decisions = decisions_create();
	decisions_add(c->decisions, generation, decision);
}

uint64_t permission_expire(struct connection *c)
{
	if (loop_now_ms() >= c->access_until_ms) {
		c->access_until_ms = 0;
		c->access_forgotten++;
	}
	return c->access_forgotten;
}

/*
 * Whether a permission may be remembered. If only for some time: all that is remembered has the
 * time of that which has least. The policy is asked anew for a few names then, which costs little.
 */
static bool permission_keeps(struct connection *c, const struct access_reply *reply)
{
	uint64_t until_ms;

	if (LIKELY(reply->remember_ms == ACCESS_REMEMBER_ALWAYS))
		return true;
	if (reply->remember_ms == 0)
		return false;
	until_ms = loop_now_ms() + reply->remember_ms;
	if (c->access_until_ms == 0 || until_ms < c->access_until_ms)
		c->access_until_ms = until_ms;
	return true;
}

static int permission_check_kept(struct channel *ch, enum access_operation operation,
				 enum access_resource resource, struct slice name,
				 bool *ret_remember, struct amqp_error *error)
{
	struct access_reply reply;
	struct access_question question = {
		.operation = operation,
		.resource = resource,
		.name = permission_resource_name(resource, name),
	};

	if (permission_check_question(ch, &question, &reply, error) != 0)
		return -EPROTO;
	*ret_remember = permission_keeps(ch->connection, &reply);
	return 0;
}

int permission_check_write(struct channel *ch, struct slice exchange, bool *ret_remember,
			   struct amqp_error *error)
{
	return permission_check_kept(ch, ACCESS_WRITE, ACCESS_RESOURCE_EXCHANGE, exchange,
				     ret_remember, error);
}

int permission_check_often(struct channel *ch, enum access_operation operation,
			   enum access_resource resource, struct slice name, bool *ret_remember,
			   struct amqp_error *error)
{
	struct connection *c = ch->connection;
	uint64_t generation = permission_generation(c);
	struct decision decision = {.operation = operation, .resource = resource, .name = name};
	bool remember = true;

	if (!decisions_have(c->decisions, generation, &decision)) {
		if (permission_check_kept(ch, operation, resource, name, &remember, error) != 0)
			return -EPROTO;
		if (remember)
			permission_remember(c, generation, &decision);
	}
	if (ret_remember != NULL)
		*ret_remember = remember;
	return 0;
}

/* ---- Declares ---- */

int permission_check_passive(struct channel *ch, enum access_resource resource, struct slice name,
			     struct amqp_error *error)
{
	static const enum access_operation operations[] = {ACCESS_READ, ACCESS_WRITE,
							   ACCESS_CONFIGURE};
	const struct connection *c = ch->connection;
	struct access_question question = {
		.resource = resource,
		.name = permission_resource_name(resource, name),
	};
	struct access_reply reply;

	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
		question.operation = operations[i];
		if (permission_ask(ch, &question, &reply))
			return 0;
	}
	conn_audit_refusal(c, "passive", permission_kind(resource), question.name, SLICE_EMPTY);
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "access to %s '" SLICE_FMT
			      "' in vhost '%s' refused for user '%s'%s%s",
			      permission_kind(resource), SLICE_ARG(question.name), c->vhost->name,
			      c->user->name, PERMISSION_REASON(&reply));
}

int permission_check_not_default(struct slice exchange, struct amqp_error *error)
{
	if (exchange.size != 0)
		return 0;
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "operation not permitted on the default exchange");
}

struct slice permission_strip(struct slice name, struct permission_name *room)
{
	size_t n = 0;

	if (name.size == 0 || (memchr(name.data, '\r', name.size) == NULL &&
			       memchr(name.data, '\n', name.size) == NULL))
		return name;
	for (size_t i = 0; i < name.size && n < sizeof(room->bytes); i++)
		if (name.data[i] != '\r' && name.data[i] != '\n')
			room->bytes[n++] = name.data[i];
	return slice_make(room->bytes, n);
}

/* ---- Topics ---- */

bool permission_asks_topics(struct channel *ch)
{
	const struct connection *c = ch->connection;

	return access_asks_topics(c->service->access, c->user, slice_cstr(c->vhost->name));
}

bool permission_covers_topics(struct channel *ch, struct slice exchange)
{
	struct topology *topology = ch->connection->service->broker->topology;
	const struct exchange *found;
	bool is_topic;

	topology_read_begin(topology);
	found = topology_exchange(ch->connection->vhost, exchange);
	is_topic =
		found != NULL && found->type_name != NULL && strcmp(found->type_name, "topic") == 0;
	topology_read_end(topology);
	return is_topic;
}

static COLD int permission_refused_topic(struct channel *ch, const struct decision *d,
					 const struct access_reply *reply, struct amqp_error *error)
{
	const struct connection *c = ch->connection;

	conn_audit_refusal(c, permission_verbs[d->operation], "exchange", d->name, d->routing_key);
	return amqp_error_set(error, AMQP_ACCESS_REFUSED,
			      "%s access to topic '" SLICE_FMT "' in exchange '" SLICE_FMT
			      "' in vhost '%s' refused for user '%s'%s%s",
			      permission_verbs[d->operation], SLICE_ARG(d->routing_key),
			      SLICE_ARG(d->name), c->vhost->name, c->user->name,
			      PERMISSION_REASON(reply));
}

/* generation: 0: it is not to be remembered. */
static NO_INLINE int permission_ask_topic(struct channel *ch, uint64_t generation,
					  const struct decision *d, struct amqp_error *error)
{
	struct access_reply reply;
	struct access_question question = {
		.operation = d->operation,
		.resource = d->resource,
		.name = d->name,
		.routing_key = d->routing_key,
	};

	if (!permission_ask(ch, &question, &reply))
		return permission_refused_topic(ch, d, &reply, error);
	if (generation != 0 && permission_keeps(ch->connection, &reply))
		permission_remember(ch->connection, generation, d);
	return 0;
}

bool permission_has_topic(struct channel *ch, uint64_t generation, struct slice exchange,
			  struct slice routing_key)
{
	const struct decision decision = {
		.operation = ACCESS_WRITE_TOPIC,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.name = exchange,
		.routing_key = routing_key,
	};

	return decisions_have(ch->connection->decisions, generation, &decision);
}

int permission_check_topic(struct channel *ch, enum access_operation operation,
			   struct slice exchange, struct slice routing_key,
			   struct amqp_error *error)
{
	struct connection *c = ch->connection;
	uint64_t generation = permission_generation(c);
	struct decision decision = {
		.operation = operation,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.name = exchange,
		.routing_key = routing_key,
	};

	if (decisions_have(c->decisions, generation, &decision))
		return 0;
	return permission_ask_topic(ch, generation, &decision, error);
}

int permission_check_topic_once(struct channel *ch, enum access_operation operation,
				struct slice exchange, struct slice routing_key,
				struct amqp_error *error)
{
	const struct decision decision = {
		.operation = operation,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.name = exchange,
		.routing_key = routing_key,
	};

	return permission_ask_topic(ch, 0, &decision, error);
}

int permission_check_binding(struct channel *ch, const struct permission_binding *b,
			     struct amqp_error *error)
{
	if (permission_check_with(ch, ACCESS_WRITE, b->destination_kind, b->destination,
				  b->arguments, error) != 0)
		return -EPROTO;
	if (b->destination_kind == ACCESS_RESOURCE_EXCHANGE &&
	    permission_check_not_default(b->destination, error) != 0)
		return -EPROTO;
	if (permission_check_not_default(b->source, error) != 0 ||
	    permission_check_with(ch, ACCESS_READ, ACCESS_RESOURCE_EXCHANGE, b->source,
				  b->arguments, error) != 0)
		return -EPROTO;
	if (!permission_asks_topics(ch) || !permission_covers_topics(ch, b->source))
		return 0;
	return permission_check_topic(ch, ACCESS_READ_TOPIC, b->source, b->routing_key, error);
}
