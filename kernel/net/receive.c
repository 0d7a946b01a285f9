/* SPDX-License-Identifier: MIT */
#include "net/stream.h"

/*
 * Every read goes to the loop's chunk. Bytes kept from before are copied in front of it when they
 * are few, so that the handler sees all in one piece; when they are many, a large frame is being
 * gathered, and what it lacks is appended to them instead. Either way each byte is copied a bounded
 * number of times, whatever the sizes of frames and reads.
 */

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/account.h"
#include "base/mem.h"
#include "loop/counters.h"

static void kept_set(struct stream *s, uint8_t *kept, size_t capacity)
{
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)capacity - (ptrdiff_t)s->kept_capacity);
	s->kept = kept;
	s->kept_capacity = capacity;
}

void stream_forget_kept(struct stream *s)
{
	mem_free(s->kept);
	kept_set(s, NULL, 0);
	s->kept_start = 0;
	s->kept_size = 0;
}

void stream_stop_reading(struct stream *s)
{
	if (s->is_reading)
		(void)event_del(&s->readable);
	net_readers_remove(net_pool_readers(s->pool), s);
	s->is_reading = false;
}

void stream_start_reading(struct stream *s)
{
	if (s->is_reading || s->at_end)
		return;
	s->is_reading = true;
	stream_add_event(s, &s->readable);
}

/*
 * Room for `size` more bytes behind the kept ones. It grows by doubling up to what is wanted: by
 * what has come, not by what the peer says will come.
 */
static int kept_make_room(struct stream *s, size_t size)
{
	size_t needed = s->kept_size + size;
	size_t capacity = s->kept_capacity > SIZE_MAX / 2 ? SIZE_MAX : s->kept_capacity * 2;
	uint8_t *grown;

	if (s->kept_start > 0 && needed > s->kept_capacity - s->kept_start) {
		memmove(s->kept, s->kept + s->kept_start, s->kept_size);
		s->kept_start = 0;
	}
	if (needed <= s->kept_capacity - s->kept_start)
		return 0;
	if (s->want > needed && capacity > s->want)
		capacity = s->want;
	if (capacity < needed)
		capacity = needed;
	grown = mem_try_realloc(s->kept, capacity);
	if (!grown)
		return -ENOMEM;
	kept_set(s, grown, capacity);
	return 0;
}

static int keep(struct stream *s, struct slice bytes)
{
	if (bytes.size == 0)
		return 0;
	if (kept_make_room(s, bytes.size) < 0)
		return -ENOMEM;
	memcpy(s->kept + s->kept_start + s->kept_size, bytes.data, bytes.size);
	s->kept_size += bytes.size;
	return 0;
}

/*
 * A small rest must not hold a large buffer; moving it costs less than what was consumed since the
 * last time.
 */
static void kept_shrink(struct stream *s)
{
	uint8_t *shrunk;

	if (s->kept_size == 0) {
		stream_forget_kept(s);
		return;
	}
	if (s->kept_size >= s->kept_capacity / 4)
		return;
	memmove(s->kept, s->kept + s->kept_start, s->kept_size);
	s->kept_start = 0;
	shrunk = mem_try_realloc(s->kept, s->kept_size);
	if (!shrunk)
		return;
	kept_set(s, shrunk, s->kept_size);
}

/* Returns the unconsumed rest. */
static struct slice hand_over(struct stream *s, struct slice bytes)
{
	size_t used;

	s->want = 0;
	used = s->handler->data(&s->t, bytes);
	bug_on(used > bytes.size);
	return slice_make(bytes.data + used, bytes.size - used);
}

static void hand_over_kept(struct stream *s)
{
	struct slice rest = hand_over(s, slice_make(s->kept + s->kept_start, s->kept_size));

	if (s->state != STREAM_OPEN)
		return;
	s->kept_start += s->kept_size - rest.size;
	s->kept_size = rest.size;
	kept_shrink(s);
}

/* Few bytes are kept, and there is headroom for them before the chunk. */
static int input_prepended(struct stream *s, struct slice bytes)
{
	uint8_t *start = net_pool_chunk(s->pool) - s->kept_size;
	size_t total = s->kept_size + bytes.size;
	struct slice rest;

	if (s->kept_size > 0)
		memcpy(start, s->kept + s->kept_start, s->kept_size);
	rest = hand_over(s, slice_make(start, total));
	if (s->state != STREAM_OPEN)
		return 0;
	s->kept_start = 0;
	s->kept_size = 0;
	if (rest.size < s->kept_capacity / 4 || rest.size == 0)
		stream_forget_kept(s);
	return keep(s, rest);
}

/*
 * Many bytes are kept: they are completed to what the handler wants, and what follows is handed
 * over where it lies.
 */
static int input_appended(struct stream *s, struct slice bytes)
{
	size_t lacking = s->want > s->kept_size ? s->want - s->kept_size : bytes.size;
	struct slice rest = slice_make(bytes.data + lacking, bytes.size - lacking);

	if (keep(s, slice_make(bytes.data, lacking)) < 0)
		return -ENOMEM;
	hand_over_kept(s);
	if (s->state != STREAM_OPEN || rest.size == 0)
		return 0;
	if (s->kept_size == 0 && !s->is_paused && rest.size >= s->want) {
		rest = hand_over(s, rest);
		return s->state == STREAM_OPEN ? keep(s, rest) : 0;
	}
	if (keep(s, rest) < 0)
		return -ENOMEM;
	if (!s->is_paused && s->kept_size >= s->want)
		hand_over_kept(s);
	return 0;
}

static void input(struct stream *s, struct slice bytes)
{
	int r;

	s->bytes_read += bytes.size;
	s->n_reads++;
	counter_add(COUNTER_BYTES_IN, bytes.size);
	s->last_read_ms = loop_now_ms();
	if (s->state != STREAM_OPEN)
		return;
	if (s->kept_size + bytes.size < s->want)
		r = keep(s, bytes);
	else if (s->kept_size <= NET_HEADROOM)
		r = input_prepended(s, bytes);
	else
		r = input_appended(s, bytes);
	if (r < 0)
		stream_finish(s, ENOMEM);
}

static void input_ended(struct stream *s, int error)
{
	s->at_end = true;
	stream_stop_reading(s);
	if (error || s->state != STREAM_FLUSHING)
		stream_finish(s, error ? error : s->write_error);
}

size_t stream_read_chunk(struct stream *s, size_t room)
{
	uint8_t *chunk = net_pool_chunk(s->pool);
	ssize_t n = s->layer->read(s->layer_context, s->fd, chunk, room);

	if (s->read_wants_write && n != -EINPROGRESS) {
		s->read_wants_write = false;
		if (!s->is_waiting)
			(void)event_del(&s->writable);
	}
	if (n > 0)
		input(s, slice_make(chunk, (size_t)n));
	else if (n == 0)
		input_ended(s, 0);
	else if (n == -EINPROGRESS) {
		s->read_wants_write = true;
		stream_add_event(s, &s->writable);
	} else if (n != -EAGAIN && n != -EWOULDBLOCK)
		input_ended(s, (int)-n);
	if ((n > 0 || n == -EAGAIN) && s->is_reading && s->layer->has_pending &&
	    s->layer->has_pending(s->layer_context))
		loop_defer(&s->input);
	return n > 0 ? (size_t)n : 0;
}

/* Goes on after a pause; or with what the layer still holds, in the next turn; or not at all. */
void stream_run_input(struct loop_task *task)
{
	struct stream *s = container_of(task, struct stream, input);

	if (s->failure || (s->write_error && s->is_paused)) {
		stream_finish(s, s->failure ? s->failure : s->write_error);
		return;
	}
	if (s->is_paused)
		return;
	if (s->resumed && s->state == STREAM_OPEN && s->kept_size > 0 && s->kept_size >= s->want)
		hand_over_kept(s);
	s->resumed = false;
	if (s->is_paused || s->state >= STREAM_OVER)
		return;
	stream_start_reading(s);
	if (s->layer->has_pending && s->layer->has_pending(s->layer_context))
		event_active(&s->readable, EV_READ, 0);
}

void transport_want(struct transport *t, size_t size)
{
	stream_of(t)->want = size;
}

void transport_pause_reading(struct transport *t)
{
	struct stream *s = stream_of(t);

	OWN(s->loop);
	if (s->state != STREAM_OPEN || s->is_paused)
		return;
	s->is_paused = true;
	stream_stop_reading(s);
	if (s->write_error)
		loop_defer(&s->input);
}

void transport_resume_reading(struct transport *t)
{
	struct stream *s = stream_of(t);

	OWN(s->loop);
	if (s->state != STREAM_OPEN || !s->is_paused)
		return;
	s->is_paused = false;
	s->resumed = true;
	loop_defer(&s->input);
}

bool transport_is_paused(const struct transport *t)
{
	return stream_of_const(t)->is_paused;
}
