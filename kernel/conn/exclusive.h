/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_EXCLUSIVE_H
#define KERNEL_CONN_EXCLUSIVE_H

/* The exclusive queues of a connection, which go with it. They are on its loop. */

#include "base/compiler.h"
#include "conn/connection.h"

/* A queue to be deleted with the connection. 0 or -ENOMEM. */
int exclusive_add(struct connection *c, struct actor_ref queue) MUST_USE;

/* Deletes them all. */
void exclusive_end(struct connection *c);

#endif
