/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PUBLISH_CONTENT_H
#define KERNEL_CONN_PUBLISH_CONTENT_H

/* Messages to the client. Each function takes the message's reference. */

#include "conn/channel.h"

void content_deliver(struct channel *ch, const struct amqp_basic_deliver *method,
		     struct message *message);
void content_get_ok(struct channel *ch, const struct amqp_basic_get_ok *method,
		    struct message *message);
void content_return(struct channel *ch, const struct amqp_basic_return *method,
		    struct message *message);

#endif
