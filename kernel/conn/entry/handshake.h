/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_ENTRY_HANDSHAKE_H
#define KERNEL_CONN_ENTRY_HANDSHAKE_H

/* The methods of channel 0, from connection.start to connection.close. */

#include "conn/connection.h"

/*
 * The server's properties, encoded once for all connections. Without memory the process ends, as it
 * does with all that is made at its start.
 */
void handshake_prepare(const struct conn_settings *settings, struct buffer *ret_properties);
/* The protocol header was right: sends connection.start. */
void handshake_begin(struct connection *c);
int handshake_method(struct connection *c, const struct amqp_method *method,
		     struct amqp_error *error);
/* The connection ends: nobody waits for the login any more. */
void handshake_abandon_login(struct connection *c);

#endif
