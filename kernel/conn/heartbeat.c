/* SPDX-License-Identifier: MIT */
/* Both ways: AMQP 0-9-1 section 4.2.7; intervals are RabbitMQ's. */
#include "conn/heartbeat.h"

#include "base/bug.h"
#include "base/log.h"
#include "conn/connection.h"

static void connection_send_heartbeat(struct connection *c)
{
	uint8_t *room = transport_reserve(c->transport, AMQP_FRAME_OVERHEAD);
	struct amqp_writer w;

	bug_on(room == NULL);
	amqp_writer_init(&w, room, AMQP_FRAME_OVERHEAD);
	amqp_frame_put_heartbeat(&w);
	transport_commit(c->transport, AMQP_FRAME_OVERHEAD);
}

/* Since the last time that this was asked. */
static bool has_been_heard(struct connection *c)
{
	uint64_t bytes = transport_bytes_read(c->transport);
	bool is_heard = bytes != c->heard_bytes;

	c->heard_bytes = bytes;
	return is_heard;
}

/*
 * A loop that was held up sees its timers before all of its sockets: it is not the client's fault
 * when what it sent waits there. Nor when it was held up amid a turn, and what came meanwhile was
 * read in the rest of it: then the time of the read is that of the turn's begin.
 */
static bool is_silent(struct connection *c, uint64_t for_ms)
{
	uint64_t heard = transport_last_read_ms(c->transport);

	if (has_been_heard(c))
		return false;
	if (heard < c->resumed_at_ms)
		heard = c->resumed_at_ms;
	return c->paused == 0 && loop_now_ms() - heard >= for_ms &&
	       !transport_is_readable(c->transport);
}

void heartbeat_check(struct connection *c)
{
	uint64_t now = loop_now_ms(), interval_ms = (uint64_t)c->heartbeat_s * 1000;
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX];

	if (is_silent(c, interval_ms * 2 + interval_ms / 4)) {
		connection_print_name(c, name);
		log_limited(&limit, LOG_LEVEL_WARNING, "conn",
			    "missed heartbeats from client: name=\"%s\" timeout_s=%u", name,
			    (unsigned)c->heartbeat_s);
		connection_destroy(c);
		return;
	}
	if (now - transport_last_write_ms(c->transport) >= interval_ms / 2 - interval_ms / 16 &&
	    transport_queued(c->transport) == 0)
		connection_send_heartbeat(c);
	loop_timer_start_ms(&c->timer, interval_ms / 2);
}

void heartbeat_start(struct connection *c)
{
	if (c->is_broken)
		return;
	loop_timer_stop(&c->timer);
	c->resumed_at_ms = loop_now_ms();
	if (c->heartbeat_s != 0)
		loop_timer_start_ms(&c->timer, (uint64_t)c->heartbeat_s * 500);
}
