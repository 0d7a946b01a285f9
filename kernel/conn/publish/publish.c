/* SPDX-License-Identifier: MIT */
/*
 * From basic.publish and its content to a batch of publications for the router. A batch is of one
 * channel; it is routed when it is full, when the channel sends anything else, and when the bytes
 * that were read are used up.
 */
#include "conn/publish/publish.h"

#include <errno.h>
#include <string.h>

#include "amqp/properties.h"
#include "base/bug.h"
#include "base/mem.h"
#include "broker/router/router.h"
#include "conn/channel.h"
#include "conn/publish/content.h"
#include "conn/hooks/hooked.h"
#include "conn/method/tx.h"
#include "conn/placement/placement.h"
#include "conn/placement/pressure.h"
#include "conn/publish/access.h"
#include "loop/counters.h"

/* So much of an announced body is given room before its bytes come. */
#define PUBLISH_TRUST_MAX (256u * 1024)

static NO_INLINE int publish_first(struct channel *ch, struct amqp_error *error)
{
	ch->publish = mem_try_zalloc(sizeof(*ch->publish));
	if (ch->publish == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	extra_keys_init(&ch->publish->extra);
	return 0;
}

/* The names are in the frame. */
static ALWAYS_INLINE int publish_announce(struct channel *ch, const struct amqp_basic_publish *m,
					  struct amqp_error *error)
{
	struct channel_publish *p;

	if (m->immediate)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "immediate=true");
	if (UNLIKELY(ch->publish == NULL) && publish_first(ch, error) != 0)
		return -EPROTO;
	if (publish_access(ch, m, error) != 0)
		return -EPROTO;
	p = ch->publish;
	p->mandatory = m->mandatory;
	p->exchange = m->exchange;
	p->routing_key = m->routing_key;
	ch->content = CHANNEL_HEADER;
	return 0;
}

/* The content has not come yet, and the frame will be gone when it does. */
static NO_INLINE void publish_keep_names(struct channel_publish *p)
{
	uint8_t *routing_key = p->names + p->exchange.size;

	slice_copy(p->names, p->exchange);
	slice_copy(routing_key, p->routing_key);
	p->exchange.data = p->names;
	p->routing_key.data = routing_key;
}

int method_basic_publish(struct channel *ch, const struct amqp_basic_publish *m,
			 struct amqp_error *error)
{
	if (publish_announce(ch, m, error) != 0)
		return -EPROTO;
	publish_keep_names(ch->publish);
	return 0;
}

void publish_abandon(struct channel *ch)
{
	ch->content = CHANNEL_METHOD;
	if (ch->publish == NULL)
		return;
	message_unref(ch->publish->message);
	ch->publish->message = NULL;
	extra_keys_fini(&ch->publish->extra);
}

/* ---- Handing over ---- */

/* An unroutable message goes back to its publisher, before the confirm. */
static void publish_return(struct channel *ch, struct message *message)
{
	struct amqp_basic_return m = {
		.reply_code = AMQP_NO_ROUTE,
		.reply_text = SLICE_LITERAL("NO_ROUTE"),
		.exchange = message_exchange(message),
		.routing_key = message_routing_key(message),
	};

	content_return(ch, &m, message);
}

/* What the router said of one publication. */
static int publish_settle(struct channel *ch, struct publication *p, struct amqp_error *error)
{
	if (p->inflight_bytes != 0) {
		ch->inflight_bytes += p->inflight_bytes;
		pressure_add_inflight(ch->connection, p->inflight_bytes);
	}
	if (p->unroutable) {
		counter_add(COUNTER_MESSAGES_UNROUTABLE, 1);
		if (p->mandatory)
			publish_return(ch, p->message);
		else
			message_unref(p->message);
	}
	if (tx_is_on(ch))
		tx_add_pending(ch, p);
	if (!ch->confirms_on)
		return 0;
	publish_mark_dirty(ch);
	if (confirms_publish(&ch->confirms, p->seq, p->n_pending, p->rejected) == 0)
		return 0;
	return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

bool publish_now(struct channel *ch, struct publish_batch *batch)
{
	struct publication *publications = batch->publications;
	struct amqp_error error = {.method_id = AMQP_BASIC_PUBLISH};
	int failed = 0;

	batch->vhost = ch->connection->vhost;
	batch->user = slice_cstr(ch->connection->user->name);
	batch->publisher = ch->endpoint.ref;
	size_t done = router_publish(ch->connection->service->broker, batch, &error);

	for (size_t i = 0; i < done; i++)
		if (failed == 0)
			failed = publish_settle(ch, &publications[i], &error);
		else if (publications[i].unroutable)
			message_unref(publications[i].message);
	for (size_t i = done; i < batch->count; i++)
		message_unref(publications[i].message);
	if (failed == 0 && done == batch->count) {
		placement_published(ch->connection, batch->loop, done);
		return true;
	}
	channel_fail(ch, &error);
	return false;
}

void publish_flush(struct conn_loop *home)
{
	struct channel *ch = home->publisher;
	struct publish_batch batch = {
		.publications = home->publications,
		.count = home->n_publications,
	};

	home->publisher = NULL;
	home->n_publications = 0;
	if (batch.count != 0)
		(void)publish_now(ch, &batch);
}

/* A message with CC or BCC keys is a batch of its own: the one that has just been begun. */
static NO_INLINE void publish_alone(struct channel *ch)
{
	struct conn_loop *home = ch->connection->home;
	struct publication p = home->publications[0];
	/* Taken out: the publish may fail and end the channel. */
	struct extra_keys extra = ch->publish->extra;
	uint32_t n_keys = extra.n;
	struct slice *keys = mem_try_alloc(n_keys * sizeof(*keys));
	struct publish_batch batch = {
		.publications = &p, .count = 1, .extra_keys = keys, .n_extra_keys = &n_keys};

	home->publisher = NULL;
	home->n_publications = 0;
	extra_keys_init(&ch->publish->extra);
	if (keys != NULL) {
		n_keys = extra_keys_read(buffer_slice(&extra.bytes), n_keys, keys);
		(void)publish_now(ch, &batch);
	} else {
		struct amqp_error error = {.method_id = AMQP_BASIC_PUBLISH};

		message_unref(p.message);
		amqp_error_set(&error, AMQP_RESOURCE_ERROR, "out of memory");
		channel_fail(ch, &error);
	}
	mem_free(keys);
	extra_keys_fini(&extra);
}

/* What comes before it in another batch is routed first; false: and has ended the channel. */
static NO_INLINE bool publish_begin_batch(struct channel *ch, struct message *message)
{
	struct conn_loop *home = ch->connection->home;

	publish_flush(home);
	if (ch->state == CHANNEL_OPEN && ch->connection->state == CONNECTION_RUNNING) {
		home->publisher = ch;
		return true;
	}
	message_unref(message);
	return false;
}

/* A message is complete. */
static inline void publish_add(struct channel *ch, struct message *message)
{
	struct conn_loop *home = ch->connection->home;
	bool has_extra = ch->publish->extra.n != 0;
	struct publication *p;

	if (UNLIKELY(home->publisher != ch || has_extra) && !publish_begin_batch(ch, message))
		return;
	p = &home->publications[home->n_publications++];
	*p = (struct publication){.message = message, .mandatory = ch->publish->mandatory};
	if (ch->confirms_on)
		p->seq = ch->next_publish++;
	if (UNLIKELY(has_extra))
		publish_alone(ch);
	else if (home->n_publications == ROUTER_BATCH_MAX)
		publish_flush(home);
}

/* ---- Content ---- */

/* A hook has dropped or nacked it: that is all. Confirms are in the order of their numbers, so what
 * was published before is routed before. */
static int publish_dropped(struct channel *ch, bool is_nacked, struct amqp_error *error)
{
	struct conn_loop *home = ch->connection->home;

	counter_add(is_nacked ? COUNTER_MESSAGES_NACKED : COUNTER_MESSAGES_DROPPED, 1);
	if (!ch->confirms_on)
		return 0;
	if (home->publisher == ch)
		publish_flush(home);
	if (ch->state != CHANNEL_OPEN || ch->connection->state != CONNECTION_RUNNING)
		return 0;
	publish_mark_dirty(ch);
	if (confirms_publish(&ch->confirms, ch->next_publish++, 0, is_nacked) == 0)
		return 0;
	return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

static inline int publish_pass(struct channel *ch, struct message *message,
			       struct amqp_error *error)
{
	if (tx_is_on(ch))
		return tx_add_publish(ch, message, ch->publish->mandatory, error);
	publish_add(ch, message);
	return 0;
}

static NO_INLINE int publish_ask_hooks(struct channel *ch, const struct hook_list *hooks,
				       struct message *message, struct amqp_error *error)
{
	enum shunt_decision decision;

	if (hooked_publish(ch, hooks, &message, &decision, error) != 0)
		return -EPROTO;
	if (decision == SHUNT_PASS)
		return publish_pass(ch, message, error);
	return publish_dropped(ch, decision == SHUNT_NACK, error);
}

static int publish_complete(struct channel *ch, struct amqp_error *error)
{
	const struct hook_list *hooks = hooks_on_publish(ch->connection->service->hooks);
	struct channel_publish *p = ch->publish;
	struct message *message = p->message;

	p->message = NULL;
	ch->content = CHANNEL_METHOD;
	counter_add(COUNTER_MESSAGES_PUBLISHED, 1);
	if (UNLIKELY(hooks != NULL))
		return publish_ask_hooks(ch, hooks, message, error);
	return publish_pass(ch, message, error);
}

/* Makes the message, with room for as much of its body as is trusted to come. */
static int publish_make(struct channel *ch, uint32_t body_size, struct slice raw,
			const struct amqp_properties *properties, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;

	p->body_filled = 0;
	p->message = message_create_partial(p->exchange, p->routing_key, raw, body_size,
					    body_size < PUBLISH_TRUST_MAX ? body_size
									  : PUBLISH_TRUST_MAX);
	if (UNLIKELY(p->message == NULL))
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	return message_set_properties(p->message, properties, error);
}

static NO_INLINE int publish_make_special(struct channel *ch, uint32_t body_size, struct slice raw,
					  struct amqp_properties *properties,
					  struct amqp_error *error)
{
	struct buffer rewritten;
	int result;

	buffer_init(&rewritten);
	result = publish_examine(ch, properties, &rewritten, error);
	if (rewritten.size != 0)
		raw = buffer_slice(&rewritten);
	if (result == 0)
		result = publish_access_extra_topics(ch, error);
	if (result == 0)
		result = publish_make(ch, body_size, raw, properties, error);
	buffer_fini(&rewritten);
	return result;
}

static int publish_create(struct channel *ch, const struct amqp_content_header *header,
			  struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	uint32_t size = (uint32_t)header->body_size;
	struct amqp_properties properties;

	if (amqp_properties_decode(&properties, header->properties) != 0)
		return amqp_error_set(error, AMQP_SYNTAX_ERROR, "cannot decode message properties");
	if (UNLIKELY(p->extra.n != 0))
		extra_keys_clear(&p->extra);
	if (UNLIKELY((properties.flags & PUBLISH_SPECIAL) != 0))
		return publish_make_special(ch, size, header->properties, &properties, error);
	return publish_make(ch, size, header->properties, &properties, error);
}

static COLD int publish_header_wrong(const struct amqp_content_header *header, int result,
				     uint32_t max_size, struct amqp_error *error)
{
	if (result != 0)
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "expected content header for class 60, got non content "
				      "header frame instead");
	if (header->class_id != AMQP_CLASS_BASIC)
		return amqp_error_set(
			error, AMQP_UNEXPECTED_FRAME,
			"expected content header for class 60, got one for class %u instead",
			(unsigned)header->class_id);
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "message size %llu is larger than configured max size %u",
			      (unsigned long long)header->body_size, max_size);
}

/* The header is in order, and its message begun. */
static inline int publish_begin(struct channel *ch, struct slice payload,
				struct amqp_content_header *ret_header, struct amqp_error *error)
{
	uint32_t max_size = ch->connection->service->settings.max_message_size;
	int result;

	error->method_id = AMQP_BASIC_PUBLISH;
	if (UNLIKELY(payload.size < AMQP_CONTENT_HEADER_FIXED + AMQP_PROPERTIES_MIN_SIZE))
		return amqp_error_set(error, AMQP_FRAME_ERROR, "content header of %zu bytes",
				      payload.size);
	result = amqp_content_header_decode(ret_header, payload);
	if (UNLIKELY(result != 0 || ret_header->class_id != AMQP_CLASS_BASIC ||
		     ret_header->body_size > max_size))
		return publish_header_wrong(ret_header, result, max_size, error);
	pressure_note_publish(ch->connection);
	return publish_create(ch, ret_header, error);
}

int publish_header(struct channel *ch, struct slice payload, struct amqp_error *error)
{
	struct amqp_content_header header;

	if (publish_begin(ch, payload, &header, error) != 0)
		return -EPROTO;
	if (header.body_size == 0)
		return publish_complete(ch, error);
	ch->content = CHANNEL_BODY;
	return 0;
}

/* More has come than there is room for yet. */
static NO_INLINE int publish_make_room(struct channel_publish *p, uint32_t room,
				       struct amqp_error *error)
{
	struct message *larger = message_make_room(p->message, room);

	if (larger == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	p->message = larger;
	return 0;
}

static inline int publish_add_body(struct channel *ch, struct slice payload,
				   struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	uint32_t filled = p->body_filled;

	if (UNLIKELY(payload.size > p->message->body_size - filled)) {
		error->method_id = AMQP_BASIC_PUBLISH;
		return amqp_error_set(error, AMQP_FRAME_ERROR,
				      "content body is larger than the header said (%u bytes)",
				      p->message->body_size);
	}
	if (UNLIKELY(payload.size > message_room(p->message) - filled) &&
	    publish_make_room(p, filled + (uint32_t)payload.size, error) != 0)
		return -EPROTO;
	if (payload.size != 0)
		memcpy(message_body_bytes(p->message) + filled, payload.data, payload.size);
	p->body_filled = filled + (uint32_t)payload.size;
	pressure_note_publish(ch->connection);
	if (p->body_filled == p->message->body_size)
		return publish_complete(ch, error);
	ch->content = CHANNEL_BODY;
	return 0;
}

int publish_body(struct channel *ch, struct slice payload, struct amqp_error *error)
{
	return publish_add_body(ch, payload, error);
}

/* The channel's next frame, if it is the first of the bytes and of the type; returns its size, or
 * 0. */
static inline size_t publish_next_frame(const struct channel *ch, struct slice bytes,
					enum amqp_frame_type type, struct amqp_frame *ret)
{
	size_t used;

	if (amqp_frame_parse(bytes, ch->connection->frame_max, ret, &used) != 1 ||
	    ret->type != type || ret->channel != ch->number)
		return 0;
	return used;
}

/*
 * While an alarm is set, each frame may be the one at which the connection is blocked. An error in
 * the header ends the channel, and what becomes of the body is not decided here.
 */
int publish_method(struct channel *ch, const struct amqp_basic_publish *m, struct slice behind,
		   size_t *ret_used, struct amqp_error *error)
{
	struct amqp_content_header header;
	struct amqp_frame frame, body;
	size_t used;

	if (publish_announce(ch, m, error) != 0)
		return -EPROTO;
	used = publish_next_frame(ch, behind, AMQP_FRAME_HEADER, &frame);
	if (used == 0 || UNLIKELY(ch->connection->home->alarms != 0)) {
		publish_keep_names(ch->publish);
		return 0;
	}
	*ret_used = used;
	if (publish_begin(ch, frame.payload, &header, error) != 0)
		return -EPROTO;
	if (header.body_size == 0)
		return publish_complete(ch, error);
	behind = slice_make(behind.data + used, behind.size - used);
	used = publish_next_frame(ch, behind, AMQP_FRAME_BODY, &body);
	if (used == 0) {
		ch->content = CHANNEL_BODY;
		return 0;
	}
	*ret_used += used;
	return publish_add_body(ch, body.payload, error);
}

/* ---- Confirms ---- */

static void channel_tell(void *context, uint64_t seq, bool multiple, bool rejected)
{
	struct channel *ch = context;
	struct amqp_method m;

	if (rejected) {
		m.id = AMQP_BASIC_NACK;
		m.basic_nack = (struct amqp_basic_nack){.delivery_tag = seq, .multiple = multiple};
	} else {
		m.id = AMQP_BASIC_ACK;
		m.basic_ack = (struct amqp_basic_ack){.delivery_tag = seq, .multiple = multiple};
	}
	connection_send(ch->connection, ch->number, &m);
}

void publish_flush_confirms(struct channel *ch)
{
	list_remove(&ch->dirty);
	if (ch->state == CHANNEL_OPEN && ch->confirms_on)
		confirms_flush(&ch->confirms, channel_tell, ch);
}

void publish_mark_dirty(struct channel *ch)
{
	struct connection *c = ch->connection;

	if (list_is_linked(&ch->dirty))
		return;
	list_add_tail(&c->dirty, &ch->dirty);
	loop_defer(&c->flush);
}
