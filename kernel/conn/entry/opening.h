/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_ENTRY_OPENING_H
#define KERNEL_CONN_ENTRY_OPENING_H

/*
 * connection.open and channel.open, with the limits of vhosts and users: what is counted when they
 * open is given back once, however they end.
 */

#include "amqp/error.h"
#include "amqp/frame.h"
#include "amqp/method.h"
#include "conn/connection.h"

/* 0: it is open, and open-ok sent. */
int opening_connection(struct connection *c, const struct amqp_connection_open *m,
		       struct amqp_error *error);

/* The connection does not count any more: its client has asked for its end and is told that it has
 * come, or its socket is gone. More than once is fine. */
void opening_give_back(struct connection *c);

/* A frame on a channel that is not open: channel.open, or an error. */
int opening_channel(struct connection *c, const struct amqp_frame *frame, struct amqp_error *error);
/* The channel does not count any more. */
void opening_give_back_channel(struct connection *c);

#endif
