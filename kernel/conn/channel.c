/* SPDX-License-Identifier: MIT */
#include "conn/channel.h"

#include <errno.h>
#include <string.h>

#include "base/account.h"
#include "amqp/method_decode.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/queue/queue.h"
#include "conn/deliver/delivery.h"
#include "conn/method/tx.h"
#include "conn/placement/move.h"
#include "conn/entry/opening.h"
#include "conn/placement/pressure.h"
#include "conn/publish/publish.h"
#include "conn/request.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/source.h"
#include "loop/counters.h"

struct channel *channel_create(struct connection *c, uint16_t number)
{
	struct channel *ch = mem_try_zalloc(sizeof(*ch));

	if (ch == NULL)
		return NULL;
	ch->endpoint.ops = &channel_endpoint_ops;
	ch->endpoint.ref = slots_add(&ch->endpoint);
	ch->connection = c;
	ch->number = number;
	ch->next_tag = 1;
	ch->next_publish = 1;
	buffer_init(&ch->backlog);
	map_init(&ch->tags);
	unacked_init(&ch->unacked, 1);
	confirms_init(&ch->confirms);
	list_init(&ch->wanting);
	list_init(&ch->dirty);
	c->channels[number] = ch;
	c->n_open++;
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)sizeof(*ch));
	counter_add(COUNTER_CHANNELS_OPENED, 1);
	return ch;
}

static void channel_cancel_done(struct queue_request *request)
{
	mem_free(container_of(request, struct channel_request, queue));
}

/* Tells the queue that the consumer is gone; nobody waits for the answer. */
static void channel_drop_consumer(struct channel *ch, struct source *source)
{
	struct channel_request *request = mem_zalloc(sizeof(*request));

	request->queue.operation = QUEUE_CANCEL;
	request->queue.queue = source->queue;
	request->queue.asker = ch->endpoint.ref;
	request->queue.connection = ch->connection->number;
	request->queue.cancel.consumer = source->number;
	request->queue.done = channel_cancel_done;
	queue_request_submit(&request->queue);
}

static void channel_drop_backlog(struct channel *ch)
{
	size_t left = ch->backlog.size - ch->backlog_done;

	buffer_fini(&ch->backlog);
	buffer_init(&ch->backlog);
	ch->backlog_done = 0;
	ch->connection->backlog_bytes -= left;
	if (ch->connection->backlog_bytes <= CONNECTION_BACKLOG_MAX / 2)
		pressure_resume(ch->connection, CONNECTION_PAUSE_BACKLOG);
}

void channel_end(struct channel *ch)
{
	struct conn_loop *home = ch->connection->home;

	if (actor_ref_is_none(ch->endpoint.ref))
		return;
	if (home->publisher == ch)
		publish_flush(home);
	if (home->settles.channel == ch)
		settle_flush(home);
	if (actor_ref_is_none(ch->endpoint.ref)) /* a publish failed, and ended it */
		return;
	publish_abandon(ch);
	for (unsigned i = 0; i < ch->n_sources; i++) {
		struct source *source = ch->sources[i];

		if (source == NULL || !source->is_consuming)
			continue;
		channel_drop_consumer(ch, source);
		if (ch->sources[i] == source)
			source_end_consuming(source);
	}
	if (!settling_begin_end(ch))
		settle_all(ch, QUEUE_REQUEUE);
	slots_remove(ch->endpoint.ref);
	ch->endpoint.ref = (struct actor_ref){0};
	if (ch->waiting != NULL || ch->inflight_bytes != 0)
		move_note_letters(ch->connection);
	request_leave(ch); /* its answer finds nobody and frees itself */
	tx_destroy(ch);
	list_remove(&ch->dirty);
	pressure_sub_inflight(ch->connection, ch->inflight_bytes);
	ch->inflight_bytes = 0;
}

static void channel_free(void *object)
{
	struct channel *ch = object;

	for (unsigned i = 0; i < ch->n_sources; i++) {
		if (ch->sources[i] != NULL) {
			list_remove(&ch->sources[i]->indebted);
			list_remove(&ch->sources[i]->wanting);
			mem_free(ch->sources[i]);
		}
	}
	mem_free(ch->sources);
	map_fini(&ch->tags);
	unacked_fini(&ch->unacked);
	confirms_fini(&ch->confirms);
	if (ch->publish != NULL)
		extra_keys_fini(&ch->publish->extra);
	mem_free(ch->publish);
	mem_free(ch->last_queue);
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)sizeof(*ch));
	mem_free(ch);
}

void channel_destroy(struct channel *ch)
{
	struct connection *c = ch->connection;

	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] != NULL) {
			list_remove(&ch->sources[i]->indebted);
			list_remove(&ch->sources[i]->wanting);
		}
	channel_drop_backlog(ch);
	settling_leave(ch);
	c->channels[ch->number] = NULL;
	c->n_open--;
	opening_give_back_channel(c);
	counter_add(COUNTER_CHANNELS_CLOSED, 1);
	loop_retire(ch, channel_free);
}

static void channel_send_close(struct channel *ch, const struct amqp_error *error)
{
	struct amqp_method m = {.id = AMQP_CHANNEL_CLOSE};

	m.channel_close.reply_code = error->code;
	m.channel_close.reply_text = slice_cstr(error->text);
	m.channel_close.class_id = amqp_method_class(error->method_id);
	m.channel_close.method_id = amqp_method_number(error->method_id);
	connection_send(ch->connection, ch->number, &m);
}

void channel_fail(struct channel *ch, const struct amqp_error *error)
{
	static struct log_limit limit = LOG_LIMIT(20);
	struct conn_loop *home = ch->connection->home;
	char name[CONNECTION_NAME_MAX];

	if (!amqp_error_is_soft(error->code)) {
		connection_fail(ch->connection, error);
		return;
	}
	if (home->publisher == ch) /* which comes first, and may fail first */
		publish_flush(home);
	if (ch->state == CHANNEL_CLOSING || ch->connection->state != CONNECTION_RUNNING)
		return;
	publish_flush_confirms(ch);
	ch->state = CHANNEL_CLOSING;
	connection_print_name(ch->connection, name);
	log_limited(&limit, LOG_LEVEL_WARNING, "conn",
		    "closing channel: name=\"%s\" channel=%u method=%s error=\"%s\"", name,
		    (unsigned)ch->number,
		    error->method_id != 0 ? amqp_method_name(error->method_id) : "none",
		    error->text);
	channel_end(ch);
	if (ch->settling != NULL)
		settling_set_reply(ch, SETTLING_CLOSE, error);
	else
		channel_send_close(ch, error);
}

/* ---- Frames ---- */

/* Every method that a client may send has a handler; what only a server may send has none, and gets
 * 503. */
#define CHANNEL_CASE_CLIENT(class, method, CLASS, METHOD)                                          \
	case AMQP_##CLASS##_##METHOD:                                                              \
		return method_##class##_##method(ch, &m->class##_##method, error);
#define CHANNEL_CASE_BOTH(class, method, CLASS, METHOD)                                            \
	CHANNEL_CASE_CLIENT(class, method, CLASS, METHOD)
#define CHANNEL_CASE_SERVER(class, method, CLASS, METHOD)
#define CHANNEL_CASE(class, method, CLASS, METHOD, class_id, method_id, sender, ...)               \
	CHANNEL_CASE_##sender(class, method, CLASS, METHOD)

static int channel_dispatch(struct channel *ch, const struct amqp_method *m,
			    struct amqp_error *error)
{
	switch (m->id) {
		AMQP_METHODS(CHANNEL_CASE)
	default:
		return amqp_error_set(error, AMQP_COMMAND_INVALID, "unimplemented method");
	}
}

/* Methods while channel.close is under way: only its end matters. */
static int channel_closing_method(struct channel *ch, uint32_t id)
{
	struct amqp_method ok = {.id = AMQP_CHANNEL_CLOSE_OK};

	if (ch->connection->channels[ch->number] != ch) /* and so is the connection's */
		return 0;
	if (id == AMQP_CHANNEL_CLOSE && ch->settling != NULL) /* its own end is not told yet */
		settling_set_reply(ch, SETTLING_CLOSE_CROSSED, NULL);
	else if (id == AMQP_CHANNEL_CLOSE)
		connection_send(ch->connection, ch->number, &ok);
	else if (id == AMQP_CHANNEL_CLOSE_OK)
		channel_destroy(ch);
	return 0;
}

static NO_INLINE int channel_closing_frame(struct channel *ch, const struct amqp_frame *frame)
{
	struct amqp_method m;

	if (frame->type != AMQP_FRAME_METHOD || amqp_method_decode(&m, frame->payload) != 0)
		return 0;
	return channel_closing_method(ch, m.id);
}

static COLD int channel_unexpected(struct channel *ch, struct amqp_error *error)
{
	error->method_id = ch->content == CHANNEL_METHOD ? 0 : AMQP_BASIC_PUBLISH;
	switch (ch->content) {
	case CHANNEL_METHOD:
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "expected method frame, got non method frame instead");
	case CHANNEL_HEADER:
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "expected content header for class 60, got non content "
				      "header frame instead");
	case CHANNEL_BODY:
		break;
	}
	return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
			      "expected content body, got non content body frame instead");
}

static NO_INLINE int channel_any_method(struct channel *ch, struct slice payload,
					struct amqp_error *error)
{
	struct conn_loop *home = ch->connection->home;
	struct amqp_method m;
	int result = amqp_method_decode(&m, payload);

	error->method_id = m.id;
	if (result == -ENOSYS)
		return amqp_error_set(error, AMQP_COMMAND_INVALID, "unknown method %u.%u",
				      (unsigned)amqp_method_class(m.id),
				      (unsigned)amqp_method_number(m.id));
	if (result != 0)
		return amqp_error_set(error, AMQP_FRAME_ERROR, "cannot decode method %s",
				      amqp_method_name(m.id));
	/* What was published before comes before; a binding comes behind what other channels of the
	 * connection have published, too: an exchange that remembers sends that to it. */
	if (home->publisher != NULL && (home->publisher == ch || m.id == AMQP_QUEUE_BIND ||
					m.id == AMQP_EXCHANGE_BIND))
		publish_flush(home);
	if (home->settles.channel == ch && m.id != AMQP_BASIC_ACK)
		settle_flush(home);
	if (ch->state != CHANNEL_OPEN || ch->connection->state != CONNECTION_RUNNING)
		return channel_closing_method(ch, m.id);
	return channel_dispatch(ch, &m, error);
}

static inline int channel_ack(struct channel *ch, const struct amqp_basic_ack *m,
			      struct amqp_error *error)
{
	struct conn_loop *home = ch->connection->home;

	error->method_id = AMQP_BASIC_ACK;
	if (home->publisher == ch) {
		publish_flush(home);
		if (ch->state != CHANNEL_OPEN || ch->connection->state != CONNECTION_RUNNING)
			return channel_closing_method(ch, AMQP_BASIC_ACK);
	}
	return method_basic_ack(ch, m, error);
}

/* Two are decoded in line. What follows basic.publish is its content. */
static inline int channel_method(struct channel *ch, struct slice payload, struct slice behind,
				 size_t *ret_used, struct amqp_error *error)
{
	uint32_t id = amqp_method_id(payload);
	struct amqp_basic_publish publish;
	struct amqp_basic_ack ack;

	if (id == AMQP_BASIC_PUBLISH &&
	    amqp_decode_basic_publish(&publish, amqp_method_fields(payload)) == 0) {
		error->method_id = id;
		return publish_method(ch, &publish, behind, ret_used, error);
	}
	if (id == AMQP_BASIC_ACK && amqp_decode_basic_ack(&ack, amqp_method_fields(payload)) == 0)
		return channel_ack(ch, &ack, error);
	return channel_any_method(ch, payload, error);
}

static inline int channel_handle(struct channel *ch, const struct amqp_frame *frame,
				 struct slice behind, size_t *ret_used, struct amqp_error *error)
{
	switch (frame->type) {
	case AMQP_FRAME_METHOD:
		if (ch->content != CHANNEL_METHOD)
			return channel_unexpected(ch, error);
		return channel_method(ch, frame->payload, behind, ret_used, error);
	case AMQP_FRAME_HEADER:
		if (ch->content != CHANNEL_HEADER)
			return channel_unexpected(ch, error);
		return publish_header(ch, frame->payload, error);
	default:
		if (ch->content != CHANNEL_BODY)
			return channel_unexpected(ch, error);
		return publish_body(ch, frame->payload, error);
	}
}

/* Keeps a frame for later; as raw as it came. */
static NO_INLINE int channel_keep(struct channel *ch, const struct amqp_frame *frame,
				  struct amqp_error *error)
{
	struct connection *c = ch->connection;
	size_t size = frame->payload.size + AMQP_FRAME_OVERHEAD;
	uint8_t *room = buffer_reserve(&ch->backlog, size);
	struct amqp_writer w;

	if (room == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	amqp_writer_init(&w, room, size);
	amqp_frame_put_header(&w, frame->type, frame->channel, (uint32_t)frame->payload.size);
	amqp_put_bytes(&w, frame->payload);
	amqp_frame_put_end(&w);
	ch->backlog.size += size;
	c->backlog_bytes += size;
	if (c->backlog_bytes > CONNECTION_BACKLOG_MAX)
		pressure_pause(c, CONNECTION_PAUSE_BACKLOG);
	return 0;
}

static NO_INLINE int channel_other_frame(struct channel *ch, const struct amqp_frame *frame,
					 struct amqp_error *error)
{
	if (!channel_is_free(ch) || (ch->connection->paused & CONNECTION_PAUSE_OUTPUT) != 0)
		return channel_keep(ch, frame, error);
	return channel_closing_frame(ch, frame);
}

/* Or it was not handled, and is to be handled later. */
static NO_INLINE int channel_frame_failed(struct channel *ch, const struct amqp_frame *frame,
					  int result, struct amqp_error *error)
{
	if (result == CHANNEL_LATER)
		return channel_keep(ch, frame, error);
	if (!amqp_error_is_soft(error->code))
		return result;
	channel_fail(ch, error);
	return 0;
}

int channel_frame(struct channel *ch, const struct amqp_frame *frame, struct slice behind,
		  size_t *ret_used, struct amqp_error *error)
{
	int result;

	*ret_used = 0;
	if (UNLIKELY(!channel_is_free(ch) || ch->state != CHANNEL_OPEN ||
		     (ch->connection->paused & CONNECTION_PAUSE_OUTPUT) != 0))
		return channel_other_frame(ch, frame, error);
	result = channel_handle(ch, frame, behind, ret_used, error);
	return LIKELY(result == 0) ? 0 : channel_frame_failed(ch, frame, result, error);
}

/* The first frame of `rest`. Returns its size; *ret_is_alive tells whether the channel is still
 * there. */
static size_t channel_run_one(struct channel *ch, struct slice rest, bool *ret_is_alive)
{
	struct connection *c = ch->connection;
	struct amqp_error error = {0};
	struct amqp_frame frame;
	size_t used, behind;

	bug_on(amqp_frame_parse(rest, 0, &frame, &used) != 1);
	c->backlog_bytes -= used;
	if (ch->state == CHANNEL_CLOSING)
		(void)channel_closing_frame(ch, &frame);
	else if (channel_handle(ch, &frame, SLICE_EMPTY, &behind, &error) != 0)
		channel_fail(ch, &error);
	*ret_is_alive = c->state == CONNECTION_RUNNING && c->channels[frame.channel] == ch;
	return used;
}

/*
 * What of the backlog has not been handled, from done on: the channel waits again, and keeps it; or
 * it has been closed, and whoever is opened by its number is meant.
 */
static void channel_put_back(struct channel *ch, struct buffer *frames, size_t done, bool is_alive)
{
	struct connection *c = ch->connection;
	size_t left = frames->size - done;

	if (is_alive && left != 0) {
		if (done >=
		    left) { /* a client that keeps it from running dry must not let it grow */
			buffer_consume(frames, done);
			done = 0;
		}
		ch->backlog = *frames;
		ch->backlog_done = done;
		return;
	}
	c->backlog_bytes -= left;
	connection_replay(c, slice_make(frames->data + done, left));
	buffer_fini(frames);
}

/* What frames that were kept have left half done does not wait for the next read. */
static void channel_after_backlog(struct connection *c)
{
	if (c->home->n_publications != 0)
		publish_flush(c->home);
	if (c->home->settles.channel != NULL)
		settle_flush(c->home);
	if (connection_is_full(c))
		pressure_pause(c, CONNECTION_PAUSE_OUTPUT);
	if (c->backlog_bytes <= CONNECTION_BACKLOG_MAX / 2)
		pressure_resume(c, CONNECTION_PAUSE_BACKLOG);
}

static void channel_run_backlog(struct channel *ch)
{
	struct connection *c = ch->connection;
	struct buffer frames =
		ch->backlog; /* taken out, since the channel may end while its frames are handled */
	size_t done = ch->backlog_done;
	bool is_alive = true;

	buffer_init(&ch->backlog);
	ch->backlog_done = 0;
	ch->is_running = true;
	while (is_alive && done != frames.size && !channel_waits(ch) && !connection_is_full(c))
		done += channel_run_one(ch, slice_make(frames.data + done, frames.size - done),
					&is_alive);
	ch->is_running = false;
	channel_put_back(ch, &frames, done, is_alive);
	channel_after_backlog(c);
}

void channel_resume(struct channel *ch)
{
	struct connection *c = ch->connection;

	if (ch->is_running)
		return;
	if (ch->backlog.size != 0)
		channel_run_backlog(ch);
	if (c->is_ending && c->state == CONNECTION_RUNNING)
		connection_answer_close(c);
}

/* ---- Its end, and what is settled in steps ---- */

/* What came behind the close is for whoever is opened by its number. */
static void channel_finish_close(struct channel *ch)
{
	struct amqp_method ok = {.id = AMQP_CHANNEL_CLOSE_OK};
	struct connection *c = ch->connection;
	struct buffer frames = ch->backlog;
	size_t done = ch->backlog_done;

	buffer_init(&ch->backlog);
	ch->backlog_done = 0;
	channel_destroy(ch);
	connection_send(c, ch->number, &ok);
	if (frames.size == done) {
		buffer_fini(&frames);
		return;
	}
	channel_put_back(ch, &frames, done, false);
	channel_after_backlog(c);
}

void channel_close(struct channel *ch)
{
	channel_end(ch);
	if (ch->settling != NULL)
		settling_set_reply(ch, SETTLING_CLOSE_OK, NULL);
	else
		channel_finish_close(ch);
}

void channel_settled(struct channel *ch, enum settling_reply reply, const struct amqp_error *error)
{
	struct amqp_method recover_ok = {.id = AMQP_BASIC_RECOVER_OK};
	struct amqp_method close_ok = {.id = AMQP_CHANNEL_CLOSE_OK};

	switch (reply) {
	case SETTLING_NO_REPLY:
	case SETTLING_RECOVER_OK:
		if (error->code != 0)
			channel_fail(ch, error);
		else if (reply == SETTLING_RECOVER_OK)
			connection_send(ch->connection, ch->number, &recover_ok);
		break;
	case SETTLING_CLOSE_OK:
		channel_finish_close(ch);
		break;
	case SETTLING_CLOSE:
	case SETTLING_CLOSE_CROSSED:
		channel_send_close(ch, error);
		if (reply == SETTLING_CLOSE_CROSSED)
			connection_send(ch->connection, ch->number, &close_ok);
		break;
	}
	channel_resume(ch);
}
