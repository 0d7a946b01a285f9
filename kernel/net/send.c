/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

/*
 * Output: the first byte of a turn arms a late task, which sends everything with one call. What the
 * socket does not take stays queued and waits for it to become writable; no task is armed then.
 *
 * Failures: the read side has the last word. When the peer has reset the connection, what it sent
 * before is still to be read (a publisher that closes without reading its confirms), so a failed
 * write stops the output only, and the reading goes on to the end, which is near. Where nothing is
 * being read, or the end does not come, a failed write ends the connection itself.
 */

#include <errno.h>
#include <event2/event.h>

#include "loop/counters.h"

#define VECTORS		64
#define WRITE_FAILED_MS 1000 /* how long reading may go on after a failed write */

static void wait_writable(struct stream *s)
{
	s->t.is_armed = true;
	if (s->is_waiting)
		return;
	s->is_waiting = true;
	stream_add_event(s, &s->writable);
}

static void write_failed(struct stream *s, int error)
{
	bool reset = error == EPIPE || error == ECONNRESET;

	s->write_error = error;
	net_output_drop(&s->t.out);
	if (s->is_waiting && !s->read_wants_write)
		(void)event_del(&s->writable);
	s->is_waiting = false;
	if (s->state != STREAM_OPEN || !s->is_reading || !reset)
		stream_finish(s, error);
	else
		loop_timer_start_ms(&s->limit, WRITE_FAILED_MS);
}

/* Everything is out. */
static void flushed(struct stream *s)
{
	int r = 0;

	if (s->is_waiting && !s->read_wants_write)
		(void)event_del(&s->writable);
	s->is_waiting = false;
	if (s->state != STREAM_FLUSHING)
		return;
	s->state = STREAM_SHUT;
	stream_forget_kept(s);
	if (!s->owes_end)
		r = s->layer->shutdown(s->layer_context, s->fd);
	if (s->at_end || s->is_hasty || r < 0)
		stream_finish(s, 0);
}

/* Returns whether the stream goes on. */
static bool send_some(struct stream *s)
{
	struct iovec iov[VECTORS];
	int n = net_output_gather(&s->t.out, iov, VECTORS);
	/* Without a shutdown for certain, what is held back for it could be lost. */
	bool is_last = s->state == STREAM_FLUSHING && !s->is_hasty && !s->owes_end;
	ssize_t sent;

	if (n == 0)
		return true;
	sent = s->layer->writev(s->layer_context, s->fd, iov, n, is_last);
	if (sent == -EINPROGRESS) {
		s->t.is_armed = true;
		s->write_wants_read = true;
		return true;
	}
	if (sent < 0 && sent != -EAGAIN && sent != -EWOULDBLOCK) {
		write_failed(s, (int)-sent);
		return false;
	}
	if (sent > 0) {
		net_output_sent(&s->t.out, (size_t)sent);
		s->bytes_written += (uint64_t)sent;
		s->n_writes++;
		counter_add(COUNTER_BYTES_OUT, (uint64_t)sent);
		s->last_write_ms = loop_now_ms();
	}
	return true;
}

void stream_flush(struct stream *s)
{
	if (s->state >= STREAM_SHUT || s->write_error) {
		net_output_drop(&s->t.out);
		if (s->state == STREAM_FLUSHING)
			stream_finish(s, s->write_error);
		return;
	}
	if (transport_queued(&s->t) > s->t.high_watermark)
		s->t.is_congested = true;
	if (!send_some(s))
		return;
	if (s->is_hasty && transport_queued(&s->t) > 0) {
		stream_finish(s, ETIMEDOUT);
		return;
	}
	if (s->write_wants_read)
		return;
	if (transport_queued(&s->t) > 0)
		wait_writable(s);
	else
		flushed(s);
	if (s->state == STREAM_OPEN && s->t.is_congested &&
	    transport_queued(&s->t) <= s->low_watermark) {
		s->t.is_congested = false;
		if (s->handler->drained)
			s->handler->drained(&s->t);
	}
}

void stream_run_flush(struct loop_task *task)
{
	struct stream *s = container_of(task, struct stream, flush);

	s->t.is_armed = false;
	stream_flush(s);
}

void transport_arm(struct transport *t)
{
	struct stream *s = stream_of(t);

	OWN(s->loop);
	t->is_armed = true;
	loop_defer_late(&s->flush);
}

void transport_write(struct transport *t, struct slice bytes)
{
	if (bytes.size == 0)
		return;
	net_output_copy(&t->out, bytes);
	if (!t->is_armed)
		transport_arm(t);
}

void transport_write_shared(struct transport *t, struct slice bytes, void (*release)(void *owner),
			    void *owner)
{
	if (bytes.size < TRANSPORT_SHARE_MIN) {
		transport_write(t, bytes);
		release(owner);
		return;
	}
	net_output_share(&t->out, bytes, release, owner);
	if (!t->is_armed)
		transport_arm(t);
}

void transport_set_watermarks(struct transport *t, size_t low, size_t high)
{
	bug_on(low >= high);
	stream_of(t)->low_watermark = low;
	t->high_watermark = high;
}
