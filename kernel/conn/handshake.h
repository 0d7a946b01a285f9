/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_HANDSHAKE_H
#define KERNEL_CONN_HANDSHAKE_H

/* The methods of channel 0, from connection.start to connection.close. */

#include "conn/connection.h"

/* The protocol header was right: sends connection.start. */
void handshake_begin(struct connection *c);
int handshake_method(struct connection *c, const struct amqp_method *method,
		     struct amqp_error *error);
/* The connection ends: nobody waits for the login any more. */
void handshake_abandon_login(struct connection *c);

#endif
