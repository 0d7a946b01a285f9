/* SPDX-License-Identifier: MIT */
/* What stops reading from a connection, and lets it go on: design section 4. */
#include "conn/placement/pressure.h"

#include "base/bug.h"
#include "base/slice.h"
#include "conn/connection.h"

void pressure_pause(struct connection *c, enum connection_pause reason)
{
	if (c->paused == 0)
		transport_pause_reading(c->transport);
	c->paused |= reason;
}

void pressure_resume(struct connection *c, enum connection_pause reason)
{
	if ((c->paused & reason) == 0)
		return;
	c->paused &= ~(unsigned)reason;
	if (c->paused != 0)
		return;
	c->resumed_at_ms = loop_now_ms();
	transport_resume_reading(c->transport);
}

void pressure_add_inflight(struct connection *c, uint64_t bytes)
{
	c->inflight_bytes += bytes;
	if (c->inflight_bytes > CONNECTION_INFLIGHT_MAX)
		pressure_pause(c, CONNECTION_PAUSE_INFLIGHT);
}

void pressure_sub_inflight(struct connection *c, uint64_t bytes)
{
	bug_on(bytes > c->inflight_bytes);
	c->inflight_bytes -= bytes;
	if (c->inflight_bytes <= CONNECTION_INFLIGHT_MAX / 2)
		pressure_resume(c, CONNECTION_PAUSE_INFLIGHT);
}

/* ---- Alarms ---- */

/* In RabbitMQ's words, also where both are named. Clients are told once, though a second alarm may
 * come later, and when none is left. */
static const char *connection_blocked_reason(unsigned set_alarms)
{
	if (set_alarms == (ALARM_MEMORY | ALARM_DISK))
		return "low on disk & memory";
	return set_alarms == ALARM_DISK ? "low on disk" : "low on memory";
}

void pressure_block(struct connection *c)
{
	struct amqp_method m = {.id = AMQP_CONNECTION_BLOCKED};

	if (c->is_blocked || c->state != CONNECTION_RUNNING)
		return;
	c->is_blocked = true;
	pressure_pause(c, CONNECTION_PAUSE_ALARM);
	m.connection_blocked.reason = slice_cstr(connection_blocked_reason(c->home->alarms));
	if (c->capabilities.blocked)
		connection_send(c, 0, &m);
}

void pressure_unblock(struct connection *c)
{
	struct amqp_method m = {.id = AMQP_CONNECTION_UNBLOCKED};

	if (!c->is_blocked)
		return;
	c->is_blocked = false;
	if (c->capabilities.blocked && c->state == CONNECTION_RUNNING)
		connection_send(c, 0, &m);
	pressure_resume(c, CONNECTION_PAUSE_ALARM);
}
