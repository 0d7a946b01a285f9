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

#endif
