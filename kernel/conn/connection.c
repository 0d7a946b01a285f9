/* SPDX-License-Identifier: MIT */
#include "conn/connection.h"

#include <errno.h>
#include <string.h>

#include "base/account.h"
#include "base/buffer.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/vhost/vhost.h"
#include "conn/channel.h"
#include "conn/decisions.h"
#include "conn/exclusive.h"
#include "conn/entry/handshake.h"
#include "conn/heartbeat.h"
#include "conn/placement/move.h"
#include "conn/entry/opening.h"
#include "conn/placement/placement.h"
#include "conn/placement/pressure.h"
#include "conn/publish/publish.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/source.h"
#include "loop/budget.h"
#include "loop/counters.h"
#include "net/arrival.h"

#define CONNECTION_CLOSE_LIMIT_MS   30000u /* for the peer's close-ok */
#define CONNECTION_LINGER_MS	    2000u  /* for the peer to close its side after the last byte */
#define CONNECTION_GARBLED_LIMIT_MS 3000u  /* the same, when its bytes were no frames */

static size_t connection_data(struct transport *t, struct slice bytes);
static void connection_closed(struct transport *t, int error);
static void connection_drained(struct transport *t);

static const struct transport_handler connection_handler = {
	.data = connection_data,
	.closed = connection_closed,
	.drained = connection_drained,
};

/* ---- Sending and ending ---- */

void connection_send(struct connection *c, uint16_t channel, const struct amqp_method *method)
{
	size_t size = amqp_method_size(method) + AMQP_FRAME_OVERHEAD;
	uint8_t *room = transport_reserve(c->transport, size);
	struct amqp_writer w;

	if (room == NULL) {
		connection_break(c);
		return;
	}
	amqp_writer_init(&w, room, size);
	amqp_frame_put_method(&w, channel, method);
	bug_on(w.failed || w.p != w.end);
	transport_commit(c->transport, size);
}

void connection_break(struct connection *c)
{
	c->is_broken = true;
	loop_timer_start_ms(&c->timer, 0);
}

/* The state says already that it ends, so that nothing that fails meanwhile ends it once more. */
static void connection_end_channels(struct connection *c)
{
	bug_on(c->state < CONNECTION_CLOSING);
	for (unsigned i = 1; i < c->n_slots; i++) {
		struct channel *ch = c->channels[i];

		if (ch == NULL)
			continue;
		channel_end(ch);
		channel_destroy(ch);
	}
	exclusive_end(c);
}

/* All that keeps it from closing is dropped: pauses, timers, tasks. */
static void connection_quieten(struct connection *c)
{
	loop_cancel(&c->flush);
	loop_timer_stop(&c->timer);
	handshake_abandon_login(c);
	move_abandon(c);
	exclusive_leave(c);
	c->is_blocked = false;
	if (c->paused != 0) {
		c->paused = 0;
		transport_resume_reading(c->transport);
	}
}

/* It is no connection any more, but for its transport. */
static void connection_leave(struct connection *c)
{
	c->state = CONNECTION_CLOSED;
	connection_end_channels(c);
	connection_quieten(c);
	opening_give_back(c);
}

void connection_finish(struct connection *c, unsigned linger_ms)
{
	if (c->state == CONNECTION_CLOSED)
		return;
	connection_leave(c);
	transport_close_after_flush(c->transport, linger_ms);
}

static bool connection_has_unfinished(const struct connection *c)
{
	for (unsigned i = 1; i < c->n_slots; i++)
		if (c->channels[i] != NULL && !channel_is_free(c->channels[i]))
			return true;
	return c->is_replaying;
}

static void connection_wait_to_close(struct connection *c)
{
	if (!c->is_ending)
		loop_timer_start_ms(&c->timer, CONNECTION_CLOSE_LIMIT_MS);
	c->is_ending = true;
	pressure_pause(c, CONNECTION_PAUSE_ENDING);
}

void connection_answer_close(struct connection *c)
{
	struct amqp_method ok = {.id = AMQP_CONNECTION_CLOSE_OK};

	/* And what the client sent behind its questions comes before its end. */
	if (connection_has_unfinished(c) || settling_end_channels(c)) {
		connection_wait_to_close(c);
		return;
	}
	c->state = CONNECTION_CLOSING;
	connection_end_channels(c);
	if (exclusive_wait(c)) {
		connection_wait_to_close(c);
		return;
	}
	connection_send(c, 0, &ok);
	connection_leave(c);
	/* As RabbitMQ: clients of many threads take an end that comes first for a lost connection.
	 */
	transport_close_after_peer(c->transport, CONNECTION_LINGER_MS);
}

static void connection_send_close(struct connection *c, const struct amqp_error *error,
				  unsigned limit_ms)
{
	struct amqp_method m = {.id = AMQP_CONNECTION_CLOSE};

	c->state = CONNECTION_CLOSING;
	connection_end_channels(c);
	connection_quieten(c);
	m.connection_close.reply_code = error->code;
	m.connection_close.reply_text = slice_cstr(error->text);
	m.connection_close.class_id = amqp_method_class(error->method_id);
	m.connection_close.method_id = amqp_method_number(error->method_id);
	connection_send(c, 0, &m);
	loop_timer_start_ms(&c->timer, c->is_broken ? 0 : limit_ms);
}

void connection_fail(struct connection *c, const struct amqp_error *error)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX];

	if (c->state >= CONNECTION_CLOSING)
		return;
	connection_print_name(c, name);
	log_limited(&limit, LOG_LEVEL_WARNING, "conn",
		    "closing connection: name=\"%s\" user=\"%s\" method=%s error=\"%s\"", name,
		    c->user != NULL ? c->user->name : "",
		    error->method_id != 0 ? amqp_method_name(error->method_id) : "none",
		    error->text);
	connection_fail_silently(c, error);
}

void connection_fail_silently(struct connection *c, const struct amqp_error *error)
{
	bool is_open;

	if (c->state >= CONNECTION_CLOSING)
		return;
	is_open = c->state == CONNECTION_RUNNING;
	connection_send_close(c, error, CONNECTION_CLOSE_LIMIT_MS);
	if (!is_open && !c->is_broken)
		connection_hold(c);
}

void connection_hold(struct connection *c)
{
	unsigned n = atomic_fetch_add_explicit(&c->service->n_held, 1, memory_order_relaxed);

	if (n < CONNECTION_HELD_MAX) {
		c->is_held = true;
		loop_timer_start_ms(&c->timer, CONNECTION_HOLD_MS);
		return;
	}
	atomic_fetch_sub_explicit(&c->service->n_held, 1, memory_order_relaxed);
	connection_finish(c, 0);
}

void connection_force(struct connection *c, const char *text, unsigned limit_ms)
{
	struct amqp_error error = {0};

	if (c->state >= CONNECTION_CLOSING || c->state == CONNECTION_HEADER) {
		loop_timer_start_ms(&c->timer, limit_ms);
		if (c->state == CONNECTION_HEADER)
			connection_finish(c, limit_ms);
		return;
	}
	amqp_error_set(&error, AMQP_CONNECTION_FORCED, "%s", text);
	connection_send_close(c, &error, limit_ms);
}

static void connection_free(void *object)
{
	struct connection *c = object;

	if (c->client_properties != NULL) {
		buffer_fini(c->client_properties);
		mem_free(c->client_properties);
	}
	access_user_unref(c->user);
	decisions_destroy(c->decisions);
	vhost_release(c->vhost);
	mem_free(c->channels);
	mem_free(c->exclusive_queues);
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)sizeof(*c));
	mem_free(c);
}

void connection_destroy(struct connection *c)
{
	struct conn_service *service = c->service;
	static struct log_limit limit = LOG_LIMIT(100);
	char name[CONNECTION_NAME_MAX];

	connection_leave(c);
	if (c->user != NULL && log_limit_take(&limit, LOG_LEVEL_INFO)) {
		connection_print_name(c, name);
		log_taken(&limit, LOG_LEVEL_INFO, "conn",
			  "connection closed: name=\"%s\" user=\"%s\"", name, c->user->name);
	}
	transport_destroy(c->transport);
	slots_remove(c->ref);
	list_remove(&c->link);
	c->home->n_connections--;
	if (c->is_held)
		atomic_fetch_sub_explicit(&service->n_held, 1, memory_order_relaxed);
	counter_add(COUNTER_CONNECTIONS_CLOSED, 1);
	loop_retire(c, connection_free);
	if (service->connection_gone != NULL)
		service->connection_gone(service->context);
}

/* ---- What comes from the transport ---- */

static void connection_closed(struct transport *t, int error)
{
	struct connection *c = transport_context(t);
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX];

	if (c->state != CONNECTION_CLOSED && c->state != CONNECTION_CLOSING &&
	    c->state > CONNECTION_TUNE_OK) {
		connection_print_name(c, name);
		log_limited(&limit, LOG_LEVEL_WARNING, "conn",
			    "client closed the connection unexpectedly: name=\"%s\" reason=\"%s\"",
			    name, error != 0 ? strerror(error) : "end of stream");
	}
	connection_destroy(c);
}

static void connection_drained(struct transport *t)
{
	struct connection *c = transport_context(t);
	struct list *pos, *next;

	list_for_each_safe(pos, next, &c->indebted)
		source_give_credit(container_of(pos, struct source, indebted));
	if ((c->paused & CONNECTION_PAUSE_OUTPUT) == 0)
		return;
	pressure_resume(c, CONNECTION_PAUSE_OUTPUT); /* frames that were kept may pause it again */
	for (unsigned i = 1; i < c->n_slots; i++)
		if (c->channels[i] != NULL && !channel_waits(c->channels[i]))
			channel_resume(c->channels[i]);
}

/* At the turn's end: confirms leave, and credit goes back for what the socket will take. */
static void connection_flush(struct loop_task *task)
{
	struct connection *c = container_of(task, struct connection, flush);
	struct list *pos, *next;

	list_for_each_safe(pos, next, &c->dirty)
		publish_flush_confirms(container_of(pos, struct channel, dirty));
	if (!transport_is_congested(c->transport))
		list_for_each_safe(pos, next, &c->indebted)
			source_give_credit(container_of(pos, struct source, indebted));
}

/* Channel 0: the connection's own methods. */
static int connection_control(struct connection *c, const struct amqp_frame *frame,
			      struct amqp_error *error)
{
	struct amqp_method m;
	int result;

	if (frame->type != AMQP_FRAME_METHOD)
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "type %d, all octets = <<>>: unexpected frame on channel 0",
				      frame->type);
	result = amqp_method_decode(&m, frame->payload);
	error->method_id = m.id;
	if (c->state == CONNECTION_CLOSING) {
		if (result != 0)
			return 0;
		if (m.id == AMQP_CONNECTION_CLOSE) {
			struct amqp_method ok = {.id = AMQP_CONNECTION_CLOSE_OK};

			connection_send(c, 0, &ok);
		} else if (m.id == AMQP_CONNECTION_CLOSE_OK) {
			connection_finish(c, CONNECTION_LINGER_MS);
		}
		return 0;
	}
	if (result == -ENOSYS)
		return amqp_error_set(error, AMQP_COMMAND_INVALID, "unknown method %u.%u",
				      (unsigned)amqp_method_class(m.id),
				      (unsigned)amqp_method_number(m.id));
	if (result != 0)
		return amqp_error_set(error, AMQP_SYNTAX_ERROR, "could not decode method");
	return handshake_method(c, &m, error);
}

static struct channel *connection_channel(struct connection *c, unsigned number)
{
	return number < c->n_slots ? c->channels[number] : NULL;
}

static NO_INLINE int connection_other_frame(struct connection *c, const struct amqp_frame *frame,
					    struct amqp_error *error)
{
	if (frame->type == AMQP_FRAME_HEARTBEAT) {
		if (frame->channel != 0 && c->state < CONNECTION_CLOSING)
			return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
					      "heartbeat frame on channel %u",
					      (unsigned)frame->channel);
		if (frame->payload.size != 0 && c->state < CONNECTION_CLOSING)
			return amqp_error_set(error, AMQP_FRAME_ERROR,
					      "heartbeat frame with a payload");
		return 0;
	}
	if (frame->channel == 0)
		return connection_control(c, frame, error);
	if (c->state == CONNECTION_CLOSING)
		return 0;
	if (c->state != CONNECTION_RUNNING)
		return amqp_error_set(error, AMQP_CHANNEL_ERROR,
				      "frame on channel %u before the connection is open",
				      (unsigned)frame->channel);
	return opening_channel(c, frame, error);
}

/* `behind` and *ret_used as channel_frame() has them. */
static inline int connection_frame(struct connection *c, const struct amqp_frame *frame,
				   struct slice behind, size_t *ret_used, struct amqp_error *error)
{
	if (LIKELY(c->state == CONNECTION_RUNNING && frame->type != AMQP_FRAME_HEARTBEAT)) {
		struct channel *ch = connection_channel(c, frame->channel);

		if (LIKELY(ch != NULL))
			return channel_frame(ch, frame, behind, ret_used, error);
	}
	*ret_used = 0;
	return connection_other_frame(c, frame, error);
}

void connection_replay(struct connection *c, struct slice frames)
{
	struct amqp_frame frame;
	size_t used, behind;

	c->is_replaying = true;
	for (; frames.size != 0 && c->state == CONNECTION_RUNNING;
	     frames.data += used, frames.size -= used) {
		struct amqp_error error = {0};

		if (connection_is_full(c)) /* then the channel keeps the frame */
			pressure_pause(c, CONNECTION_PAUSE_OUTPUT);
		bug_on(amqp_frame_parse(frames, 0, &frame, &used) != 1);
		if (connection_frame(c, &frame, SLICE_EMPTY, &behind, &error) != 0)
			connection_fail(c, &error);
	}
	c->is_replaying = false;
}

/* The payload's size, as a frame's head says it. */
static uint32_t connection_announced_size(struct slice head)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, head);
	(void)amqp_get_octet(&reader);
	(void)amqp_get_short(&reader);
	return amqp_get_long(&reader);
}

/*
 * RabbitMQ's FRAME_ERROR for bytes that are no frame. Where the next frame begins is unknown from
 * here on, so that no close-ok will be found: what comes is discarded for a while, in which the
 * client finds the time to read why.
 */
static void connection_frame_error(struct connection *c, int result, const struct amqp_frame *frame,
				   struct slice bytes)
{
	struct amqp_error error = {0};

	c->is_garbled = true;
	if (c->state == CONNECTION_CLOSING) {
		loop_timer_start_ms(&c->timer, CONNECTION_GARBLED_LIMIT_MS);
		return;
	}
	if (result == -EMSGSIZE)
		amqp_error_set(&error, AMQP_FRAME_ERROR,
			       "type %u, all octets = <<>>: {frame_too_large,%u,%u}",
			       (unsigned)frame->type, connection_announced_size(bytes),
			       c->frame_max - AMQP_FRAME_OVERHEAD);
	else if (result == -EBADMSG)
		amqp_error_set(&error, AMQP_FRAME_ERROR,
			       "type %u, all octets = <<>>: invalid_frame_end_marker",
			       (unsigned)frame->type);
	else
		amqp_error_set(&error, AMQP_FRAME_ERROR, "unknown frame type");
	connection_fail(c, &error);
	loop_timer_start_ms(&c->timer, CONNECTION_GARBLED_LIMIT_MS);
}

/* The first eight bytes. Returns how many were used. */
static size_t connection_protocol_header(struct connection *c, struct slice bytes)
{
	switch (amqp_protocol_header_check(bytes)) {
	case AMQP_PROTOCOL_HEADER_MORE:
		return 0;
	case AMQP_PROTOCOL_HEADER_OK:
		handshake_begin(c);
		return AMQP_PROTOCOL_HEADER_SIZE;
	case AMQP_PROTOCOL_HEADER_BAD:
		break;
	}
	transport_write(c->transport, slice_make(amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE));
	connection_finish(c, CONNECTION_LINGER_MS);
	return bytes.size;
}

static void connection_after_data(struct connection *c)
{
	if (c->home->n_publications != 0)
		publish_flush(c->home);
	if (c->home->settles.channel != NULL)
		settle_flush(c->home);
	alarms_check(c->service->broker->alarms); /* also for what is not routed yet: bodies in
						     part, transactions */
	if (connection_is_full(c))
		pressure_pause(c, CONNECTION_PAUSE_OUTPUT);
}

static size_t connection_data(struct transport *t, struct slice bytes)
{
	struct connection *c = transport_context(t);
	size_t done = 0, n_frames = 0;

	if (c->state == CONNECTION_HEADER)
		done = connection_protocol_header(c, bytes);
	while (done < bytes.size && c->paused == 0 && !c->is_garbled &&
	       c->state != CONNECTION_CLOSED && c->state != CONNECTION_HEADER &&
	       !connection_is_full(c)) {
		struct slice rest = {bytes.data + done, bytes.size - done};
		struct amqp_frame frame;
		struct amqp_error error;
		size_t used = 0, behind;
		int result = amqp_frame_parse(rest, c->frame_max, &frame, &used);

		if (result == 0) {
			if (used != 0)
				transport_want(t, used);
			break;
		}
		if (result < 0) {
			connection_frame_error(c, result, &frame, rest);
			break;
		}
		done += used;
		n_frames++;
		error.code = 0;
		error.method_id = 0;
		rest = slice_make(rest.data + used, rest.size - used);
		if (connection_frame(c, &frame, rest, &behind, &error) != 0)
			connection_fail(c, &error);
		done += behind;
	}
	loop_spend(n_frames);
	connection_after_data(c);
	return c->state == CONNECTION_CLOSED || c->is_garbled ? bytes.size : done;
}

/* ---- Time ---- */

static void connection_timer(struct loop_timer *timer)
{
	struct connection *c = container_of(timer, struct connection, timer);
	static struct log_limit limit = LOG_LIMIT(20);
	char name[CONNECTION_NAME_MAX];

	if (c->state == CONNECTION_RUNNING && !c->is_broken && !c->is_ending) {
		heartbeat_check(c);
		return;
	}
	if (c->state < CONNECTION_RUNNING) {
		connection_print_name(c, name);
		log_limited(&limit, LOG_LEVEL_WARNING, "conn",
			    "handshake timed out: name=\"%s\" state=%s", name,
			    connection_state_name(c));
	}
	connection_destroy(c);
}

void conn_service_take(struct conn_service *service, const struct arrived *arrived)
{
	struct conn_loop *home = conn_loop_self(service);
	struct connection *c;

	if (home->is_stopping) {
		arrived_discard(arrived);
		return;
	}
	c = mem_zalloc(sizeof(*c));
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)sizeof(*c));
	c->service = service;
	c->home = home;
	c->number = atomic_fetch_add_explicit(&service->next_number, 1, memory_order_relaxed);
	c->frame_max = AMQP_FRAME_MIN_SIZE;
	c->connected_at_ms = loop_now_wall_ms();
	connection_open_transport(c, arrived, &connection_handler);
	c->ref = slots_add(c);
	placement_forget_votes(c);
	list_init(&c->dirty);
	list_init(&c->indebted);
	loop_task_init(&c->flush, connection_flush);
	loop_timer_init(&c->timer, connection_timer);
	loop_timer_start_ms(&c->timer, service->settings.handshake_timeout_ms);
	list_add_tail(&home->connections, &c->link);
	home->n_connections++;
	counter_add(COUNTER_CONNECTIONS_OPENED, 1);
}
