/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

/*
 * A stream goes from one loop to another. What ties it to a loop is its events, its tasks and its
 * timer, and the pool that its output blocks come from; so it goes without output, and paused. The
 * bytes that were kept of its input are its own memory, and go along.
 */

#include <event2/event.h>

#include "loop/loop.h"

#define NO_LOOP UINT32_MAX

bool transport_can_leave(const struct transport *t)
{
	const struct stream *s = stream_of_const(t);

	return s->state == STREAM_OPEN && s->is_paused && transport_queued(t) == 0 &&
	       s->write_error == 0 && s->failure == 0 && !s->at_end && !s->read_wants_write &&
	       !s->write_wants_read;
}

void transport_leave(struct transport *t)
{
	struct stream *s = stream_of(t);

	OWN(s->loop);
	bug_on(!transport_can_leave(t));
	stream_stop_all(s);
	loop_cancel(&s->flush);
	t->is_armed = false;
	net_output_drop(&t->out); /* a block that was opened for nothing */
	net_pool_unref(s->pool);
	s->pool = NULL;
	s->is_feeding = false; /* that was about this loop's queues */
	s->loop = NO_LOOP;
}

void transport_arrive(struct transport *t)
{
	struct stream *s = stream_of(t);
	uint64_t now_ms = loop_now_ms();

	bug_on(s->loop != NO_LOOP);
	s->loop = loop_index(loop_self());
	s->pool = net_pool_ref();
	net_output_init(&t->out, s->pool);
	stream_assign_events(s);
	/* The turn here may have begun before the last one there. */
	if (s->last_read_ms > now_ms)
		s->last_read_ms = now_ms;
	if (s->last_write_ms > now_ms)
		s->last_write_ms = now_ms;
}
