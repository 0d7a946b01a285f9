/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PEER_H
#define KERNEL_CONN_PEER_H

/* The other end of a connection, as plugins see it. */

#include <shunt/plugin.h>

struct connection;

/* On the connection's loop. The text is the connection's, and valid as long as it lives. */
void peer_describe(const struct connection *c, struct shunt_peer *ret_peer);

#endif
