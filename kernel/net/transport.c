/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/plain.h"
#include "net/stream.h"

void stream_stop_all(struct stream *s)
{
	stream_stop_reading(s);
	(void)event_del(&s->writable);
	s->is_waiting = false;
	loop_cancel(&s->input);
	loop_timer_stop(&s->limit);
}

void stream_add_event(struct stream *s, struct event *event)
{
	if (event_add(event, NULL) == 0)
		return;
	s->failure = ENOMEM;
	loop_defer(&s->input);
}

void stream_finish(struct stream *s, int error)
{
	if (s->state >= STREAM_OVER)
		return;
	if (s->state == STREAM_SHUT && s->owes_end)
		(void)s->layer->shutdown(s->layer_context, s->fd);
	stream_stop_all(s);
	stream_forget_kept(s);
	net_output_drop(&s->t.out);
	s->t.is_armed = loop_task_is_armed(&s->flush);
	s->state = STREAM_OVER;
	s->handler->closed(&s->t, error);
}

static void limit_reached(struct loop_timer *timer)
{
	struct stream *s = container_of(timer, struct stream, limit);

	stream_finish(s, s->write_error ? s->write_error : ETIMEDOUT);
}

static void on_readable(int fd, short what, void *argument)
{
	struct stream *s = argument;

	(void)fd, (void)what;
	(void)loop_now_ms();
	if (s->write_wants_read) {
		s->write_wants_read = false;
		s->t.is_armed = false;
		stream_flush(s);
	}
	if (s->is_reading)
		net_readers_add(net_pool_readers(s->pool), s);
}

static void on_writable(int fd, short what, void *argument)
{
	struct stream *s = argument;

	(void)fd, (void)what;
	(void)loop_now_ms();
	if (s->read_wants_write && s->is_reading)
		net_readers_add(net_pool_readers(s->pool), s);
	if (s->is_waiting) {
		s->t.is_armed = false;
		stream_flush(s);
	}
}

static void free_stream(void *object)
{
	struct stream *s = object;

	net_output_drop(&s->t.out);
	if (s->layer->release)
		s->layer->release(s->layer_context);
	stream_forget_kept(s);
	net_pool_unref(s->pool);
	mem_free(s->local);
	mem_free(s);
}

/* By getpeername(2) or getsockname(2); of an ended connection only the latter still knows. */
static struct net_address ask_address(int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	} address = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = sizeof(address);

	if (ask(fd, &address.any, &size) < 0)
		return (struct net_address){.port = 0};
	return net_address_of(&address.any, size);
}

void stream_assign_events(struct stream *s)
{
	struct event_base *base = loop_base(loop_self());

	bug_on(event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, on_readable, s) < 0);
	bug_on(event_assign(&s->writable, base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s) < 0);
}

struct transport *transport_create_layered(int fd, const struct transport_layer *layer,
					   void *layer_context,
					   const struct transport_handler *handler, void *context)
{
	struct stream *s = mem_zalloc(sizeof(*s));

	s->t.context = context;
	s->t.high_watermark = TRANSPORT_HIGH_WATERMARK;
	s->low_watermark = TRANSPORT_LOW_WATERMARK;
	s->handler = handler;
	s->layer = layer;
	s->layer_context = layer_context;
	s->fd = fd;
	s->loop = loop_index(loop_self());
	s->pool = net_pool_ref();
	net_output_init(&s->t.out, s->pool);
	loop_task_init(&s->flush, stream_run_flush);
	loop_task_init(&s->input, stream_run_input);
	list_init(&s->in_readers);
	loop_timer_init(&s->limit, limit_reached);
	s->last_read_ms = loop_now_ms();
	s->last_write_ms = s->last_read_ms;
	s->peer = ask_address(fd, getpeername);
	stream_assign_events(s);
	stream_start_reading(s);
	if (layer->has_pending && layer->has_pending(layer_context))
		loop_defer(&s->input);
	return &s->t;
}

struct transport *transport_create(int fd, const struct transport_handler *handler, void *context)
{
	return transport_create_layered(fd, &plain_layer, NULL, handler, context);
}

/*
 * What is written in the rest of the turn, by a caller that does not know yet, is dropped with the
 * rest.
 */
void transport_destroy(struct transport *t)
{
	struct stream *s;

	if (!t)
		return;
	s = stream_of(t);
	OWN(s->loop);
	bug_on(s->state == STREAM_DESTROYED);
	s->state = STREAM_DESTROYED;
	stream_stop_all(s);
	loop_cancel(&s->flush);
	t->is_armed = true;
	(void)close(s->fd);
	s->fd = -1;
	loop_retire(s, free_stream);
}

void transport_close_after_flush(struct transport *t, unsigned linger_ms)
{
	struct stream *s = stream_of(t);

	OWN(s->loop);
	if (s->state != STREAM_OPEN)
		return;
	s->state = STREAM_FLUSHING;
	s->is_paused = false;
	s->is_hasty = linger_ms == 0;
	stream_start_reading(s);
	if (!s->is_hasty)
		loop_timer_start_ms(&s->limit, linger_ms);
	if (s->is_hasty || !t->is_armed)
		transport_arm(t);
}

void transport_close_after_peer(struct transport *t, unsigned linger_ms)
{
	struct stream *s = stream_of(t);

	bug_on(linger_ms == 0);
	if (s->state == STREAM_OPEN)
		s->owes_end = true;
	transport_close_after_flush(t, linger_ms);
}

uint64_t transport_last_read_ms(const struct transport *t)
{
	return stream_of_const(t)->last_read_ms;
}

uint64_t transport_last_write_ms(const struct transport *t)
{
	return stream_of_const(t)->last_write_ms;
}

bool transport_is_readable(const struct transport *t)
{
	const struct stream *s = stream_of_const(t);
	struct pollfd socket = {.fd = s->fd, .events = POLLIN};

	if (s->layer->has_pending && s->layer->has_pending(s->layer_context))
		return true;
	return poll(&socket, 1, 0) > 0;
}

uint64_t transport_bytes_read(const struct transport *t)
{
	return stream_of_const(t)->bytes_read;
}

uint64_t transport_bytes_written(const struct transport *t)
{
	return stream_of_const(t)->bytes_written;
}

const struct net_address *transport_peer(const struct transport *t)
{
	return &stream_of_const(t)->peer;
}

struct net_address transport_local(const struct transport *t)
{
	const struct stream *s = stream_of_const(t);

	return s->local ? *s->local : ask_address(s->fd, getsockname);
}

void transport_set_addresses(struct transport *t, const struct net_address *peer,
			     const struct net_address *local)
{
	struct stream *s = stream_of(t);

	s->peer = *peer;
	if (!s->local)
		s->local = mem_alloc(sizeof(*s->local));
	*s->local = *local;
}

uint64_t transport_reads(const struct transport *t)
{
	return stream_of_const(t)->n_reads;
}

uint64_t transport_writes(const struct transport *t)
{
	return stream_of_const(t)->n_writes;
}
