/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_HEARTBEAT_H
#define KERNEL_CONN_HEARTBEAT_H

/* Heartbeats, both ways. AMQP 0-9-1 section 4.2.7, with RabbitMQ's intervals. */

#include "conn/connection.h"

/* Heartbeats begin with connection.open. */
void heartbeat_start(struct connection *c);
/*
 * Every half interval: something must have been sent since the last time, and something received in
 * 2 to 3 intervals, or the connection is destroyed.
 */
void heartbeat_check(struct connection *c);

#endif
