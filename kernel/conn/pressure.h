/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PRESSURE_H
#define KERNEL_CONN_PRESSURE_H

/* Back pressure: why nothing is read from a connection, and when it is read again. */

#include <stdint.h>

#include "conn/connection.h"

/* Nothing is read; and reads on, unless there is another reason not to. */
void pressure_pause(struct connection *c, enum connection_pause reason);
void pressure_resume(struct connection *c, enum connection_pause reason);

/* Bytes of publishes on their way (positive) or arrived (negative). */
void pressure_add_inflight(struct connection *c, uint64_t bytes);
void pressure_sub_inflight(struct connection *c, uint64_t bytes);

/* A publish comes, or a part of it: blocks the connection if an alarm is set. */
void pressure_note_publish(struct connection *c);
/* No alarm is set any more. */
void pressure_unblock(struct connection *c);

#endif
