/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PERMISSION_H
#define KERNEL_CONN_PERMISSION_H

/* What the connection's user may do: 403 with RabbitMQ's text. Those who ask may be plugins. */

#include "access/access.h"
#include "conn/channel.h"

int permission_check(struct channel *ch, enum access_operation operation,
		     enum access_resource resource, struct slice name, struct amqp_error *error);

/* The same for what has arguments: a declare or a bind. */
int permission_check_with(struct channel *ch, enum access_operation operation,
			  enum access_resource resource, struct slice name, struct slice arguments,
			  struct amqp_error *error);

/*
 * Routing keys: policies are asked about those to and from topic exchanges, as RabbitMQ does
 * (docs/access-control, topic authorisation). The users of the configuration may use all, so
 * without other policies nobody is asked.
 */
bool permission_covers_topics(struct channel *ch, struct slice exchange);
/* Of an exchange for which that is so. */
int permission_check_topic(struct channel *ch, enum access_operation operation,
			   struct slice exchange, struct slice routing_key,
			   struct amqp_error *error);
/* Of any exchange: what a bind or unbind reads from it. */
int permission_check_binding(struct channel *ch, struct slice source, struct slice routing_key,
			     struct slice arguments, struct amqp_error *error);

#endif
