/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_EXCLUSIVE_H
#define KERNEL_CONN_EXCLUSIVE_H

/* The exclusive queues of a connection, which go with it. They are on its loop. */

#include <stdbool.h>

#include "base/compiler.h"
#include "conn/connection.h"

/* A queue to be deleted with the connection. 0 or -ENOMEM. */
int exclusive_add(struct connection *c, struct actor_ref queue) MUST_USE;

/* That many are deleted at once, and in one step: some 60 us. */
#define EXCLUSIVE_STEP 128u

/*
 * Deletes them all. If they are many, in steps, over many turns, also without the connection: then
 * c->exclusive_end is set as long as that lasts.
 */
void exclusive_end(struct connection *c);

/* True: some are still there; connection_answer_close() is called when they are gone. */
bool exclusive_wait(struct connection *c);

/* The connection goes, or does not wait any more. */
void exclusive_leave(struct connection *c);

#endif
