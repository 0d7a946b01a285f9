/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PERMISSION_H
#define KERNEL_CONN_PERMISSION_H

/*
 * What the connection's user may do: 403 with RabbitMQ's text. Those who ask may be plugins. What
 * RabbitMQ checks, and in which order, is in docs/permissions.md.
 */

#include "access/access.h"
#include "conn/channel.h"

/*
 * Of what is remembered now. Another one than before: forget it. It grows with access_generation(),
 * and when the time is over for which a policy has let it be remembered.
 */
uint64_t permission_expire(struct connection *c);

static inline uint64_t permission_generation(struct connection *c)
{
	uint64_t generation = access_generation(c->service->access);

	if (UNLIKELY(c->access_until_ms != 0))
		return generation + permission_expire(c);
	return generation + c->access_forgotten;
}

int permission_check(struct channel *ch, enum access_operation operation,
		     enum access_resource resource, struct slice name, struct amqp_error *error);

/* The same for what will perhaps not matter: nothing of it is logged. */
int permission_check_quietly(struct channel *ch, enum access_operation operation,
			     enum access_resource resource, struct slice name,
			     struct amqp_error *error);

/* The same for what has arguments: a declare or a bind. */
int permission_check_with(struct channel *ch, enum access_operation operation,
			  enum access_resource resource, struct slice name, struct slice arguments,
			  struct amqp_error *error);

/* The same for what comes with each message: the answer is remembered (conn/decisions.h), if it
 * may be, as *ret_remember says; NULL: not asked for. */
int permission_check_often(struct channel *ch, enum access_operation operation,
			   enum access_resource resource, struct slice name, bool *ret_remember,
			   struct amqp_error *error);

/*
 * A passive declare: any of the three permissions is enough, as with RabbitMQ since 4.3. Without
 * any, names of others cannot be found out.
 */
int permission_check_passive(struct channel *ch, enum access_resource resource, struct slice name,
			     struct amqp_error *error);

/* 403 for what may not be done with the default exchange; RabbitMQ looks at that first. */
int permission_check_not_default(struct slice exchange, struct amqp_error *error);

/*
 * Routing keys: those to and from topic exchanges, as RabbitMQ does (docs/access-control, topic
 * authorisation). Whether anybody is to be asked about them at all for this connection: if not, the
 * user may use all.
 */
bool permission_asks_topics(struct channel *ch);
/* Whether it is a topic exchange. Takes the read side. */
bool permission_covers_topics(struct channel *ch, struct slice exchange);
/* Of an exchange for which both are so. The answer is remembered. */
int permission_check_topic(struct channel *ch, enum access_operation operation,
			   struct slice exchange, struct slice routing_key,
			   struct amqp_error *error);
/* The same where the exchange itself is to be asked about each time: so is this. */
int permission_check_topic_once(struct channel *ch, enum access_operation operation,
				struct slice exchange, struct slice routing_key,
				struct amqp_error *error);

/* Publishing to the exchange. *ret_remember: the answer holds as long as the generation. */
int permission_check_write(struct channel *ch, struct slice exchange, bool *ret_remember,
			   struct amqp_error *error);

/* It is remembered that this may be published, to the exchange and with the key. */
bool permission_has_topic(struct channel *ch, uint64_t generation, struct slice exchange,
			  struct slice routing_key);

/* A bind or unbind: writes to the destination, reads from the source, topics as well. */
struct permission_binding {
	enum access_resource destination_kind;
	struct slice destination, source, routing_key, arguments;
};
int permission_check_binding(struct channel *ch, const struct permission_binding *binding,
			     struct amqp_error *error);

/*
 * Names as RabbitMQ takes them for declares and binds: without CR and LF. What is checked must be
 * what is declared. Points into `room` if there were any, else it is the name itself.
 */
struct permission_name {
	uint8_t bytes[255];
};
struct slice permission_strip(struct slice name, struct permission_name *room);

#endif
