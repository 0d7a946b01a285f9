/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PLACEMENT_PRESSURE_H
#define KERNEL_CONN_PLACEMENT_PRESSURE_H

/* Back pressure: why nothing is read from a connection, and when it is read again. */

#include <stdint.h>

#include "base/compiler.h"
#include "conn/connection.h"
#include "conn/service.h"

/* Nothing is read; and reads on, unless there is another reason not to. */
void pressure_pause(struct connection *c, enum connection_pause reason);
void pressure_resume(struct connection *c, enum connection_pause reason);

/* Bytes of publishes on their way (positive) or arrived (negative). */
void pressure_add_inflight(struct connection *c, uint64_t bytes);
void pressure_sub_inflight(struct connection *c, uint64_t bytes);

/* An alarm is set: blocks the connection, if it is not blocked yet. */
void pressure_block(struct connection *c) COLD;
/* A publish comes, or a part of it. */
static inline void pressure_note_publish(struct connection *c)
{
	c->has_published = true;
	if (UNLIKELY(c->home->alarms != 0))
		pressure_block(c);
}
/* No alarm is set any more. */
void pressure_unblock(struct connection *c);

#endif
