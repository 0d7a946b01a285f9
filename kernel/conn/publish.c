/* SPDX-License-Identifier: MIT */
/*
 * From basic.publish and its content to a batch of publications for the router. A batch is of one
 * channel; it is routed when it is full, when the channel sends anything else, and when the bytes
 * that were read are used up.
 */
#include "conn/publish.h"

#include <errno.h>
#include <string.h>

#include "amqp/properties.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/bug.h"
#include "base/mem.h"
#include "broker/router.h"
#include "conn/channel.h"
#include "conn/content.h"
#include "conn/method_tx.h"
#include "conn/permission.h"
#include "conn/placement.h"
#include "conn/pressure.h"
#include "loop/counters.h"

/* So much of an announced body is given room before its bytes come. */
#define PUBLISH_TRUST_MAX (256u * 1024)

static bool publish_may_write(const struct channel_publish *p, struct slice exchange,
			      uint64_t generation)
{
	return p->access_valid && p->access_generation == generation &&
	       slice_equal(exchange, slice_make(p->access_exchange, p->access_exchange_size));
}

static int publish_check_access(struct channel *ch, struct slice exchange, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	uint64_t generation = access_generation(ch->connection->service->access);

	if (publish_may_write(p, exchange, generation))
		return 0;
	if (permission_check(ch, ACCESS_WRITE, ACCESS_RESOURCE_EXCHANGE, exchange, error) != 0)
		return -EPROTO;
	p->access_valid = true;
	p->access_generation = generation;
	p->access_exchange_size = (uint8_t)exchange.size;
	if (exchange.size != 0)
		memcpy(p->access_exchange, exchange.data, exchange.size);
	return 0;
}

int method_basic_publish(struct channel *ch, const struct amqp_basic_publish *m,
			 struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;

	if (m->immediate)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "immediate=true");
	if (p == NULL) {
		p = ch->publish = mem_try_zalloc(sizeof(*p));
		if (p == NULL)
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		buffer_init(&p->extra);
	}
	if (publish_check_access(ch, m->exchange, error) != 0)
		return -EPROTO;
	p->mandatory = m->mandatory;
	p->exchange_size = (uint8_t)m->exchange.size;
	p->routing_key_size = (uint8_t)m->routing_key.size;
	if (m->exchange.size != 0)
		memcpy(p->names, m->exchange.data, m->exchange.size);
	if (m->routing_key.size != 0)
		memcpy(p->names + m->exchange.size, m->routing_key.data, m->routing_key.size);
	ch->content = CHANNEL_HEADER;
	return 0;
}

void publish_abandon(struct channel *ch)
{
	ch->content = CHANNEL_METHOD;
	if (ch->publish == NULL)
		return;
	message_unref(ch->publish->message);
	ch->publish->message = NULL;
	buffer_fini(&ch->publish->extra);
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
	ch->inflight_bytes += p->inflight_bytes;
	pressure_add_inflight(ch->connection, p->inflight_bytes);
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

void publish_read_keys(struct slice extra, uint32_t n, struct slice *ret_keys)
{
	struct amqp_reader reader;

	amqp_reader_init(&reader, extra);
	for (uint32_t i = 0; i < n; i++)
		ret_keys[i] = amqp_get_longstr(&reader);
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

/* A message with CC or BCC keys is a batch of its own. */
static void publish_alone(struct channel *ch, struct publication *p)
{
	/* Taken out: the publish may fail and end the channel. */
	struct buffer extra = ch->publish->extra;
	uint32_t n_keys = ch->publish->n_extra;
	struct slice *keys = mem_try_alloc(n_keys * sizeof(*keys));
	struct publish_batch batch = {
		.publications = p, .count = 1, .extra_keys = keys, .n_extra_keys = &n_keys};

	buffer_init(&ch->publish->extra);
	if (keys != NULL) {
		publish_read_keys(buffer_slice(&extra), n_keys, keys);
		(void)publish_now(ch, &batch);
	} else {
		struct amqp_error error = {.method_id = AMQP_BASIC_PUBLISH};

		message_unref(p->message);
		amqp_error_set(&error, AMQP_RESOURCE_ERROR, "out of memory");
		channel_fail(ch, &error);
	}
	mem_free(keys);
	buffer_fini(&extra);
}

/* A message is complete. */
static void publish_add(struct channel *ch, struct message *message)
{
	struct conn_loop *home = ch->connection->home;
	bool has_extra = ch->publish->extra.size != 0;
	struct publication p = {.message = message, .mandatory = ch->publish->mandatory};

	if (home->publisher != ch || has_extra) {
		publish_flush(home);
		if (ch->state != CHANNEL_OPEN || ch->connection->state != CONNECTION_RUNNING) {
			message_unref(message);
			return;
		}
	}
	if (ch->confirms_on)
		p.seq = ch->next_publish++;
	if (has_extra) {
		publish_alone(ch, &p);
		return;
	}
	home->publications[home->n_publications] = p;
	home->publisher = ch;
	if (++home->n_publications == ROUTER_BATCH_MAX)
		publish_flush(home);
}

/* ---- Properties that mean something to the publish itself ---- */

/* Notes the routing keys in an array of long strings under the name. 406 when it is anything else,
 * as RabbitMQ. */
static int publish_note_keys(struct channel_publish *p, struct slice headers, const char *name,
			     struct amqp_error *error)
{
	struct amqp_value value, item;
	struct amqp_array_iter iter;
	uint8_t size[4];
	struct amqp_writer w;

	if (!amqp_table_find(headers, name, &value))
		return 0;
	if (value.type != AMQP_VALUE_ARRAY)
		return amqp_error_set(
			error, AMQP_PRECONDITION_FAILED,
			"invalid message: {unacceptable_type_in_mandatory_header,\"%s\",%s}", name,
			amqp_value_type_name(value.type));
	amqp_array_iter_init(&iter, value.bytes);
	while (amqp_array_iter_next(&iter, &item) == 1) {
		if (item.type != AMQP_VALUE_STRING)
			continue;
		amqp_writer_init(&w, size, sizeof(size));
		amqp_put_long(&w, (uint32_t)item.bytes.size);
		buffer_append(&p->extra, size, sizeof(size));
		buffer_append_slice(&p->extra, item.bytes);
		p->n_extra++;
	}
	return 0;
}

/* The table without its BCC entry. */
static int publish_drop_bcc(struct slice headers, struct buffer *out)
{
	struct amqp_table_writer w;
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_writer_init(&w, out);
	amqp_table_iter_init(&iter, headers);
	while (amqp_table_iter_next(&iter, &key, &value) == 1)
		if (!slice_equal(key, SLICE_LITERAL("BCC")))
			amqp_table_put_value(&w, key, &value);
	return amqp_table_writer_finish(&w);
}

/* The properties anew, in `out`. */
static int publish_encode(const struct amqp_properties *properties, struct buffer *out)
{
	size_t size = amqp_properties_size(properties);
	uint8_t *room = buffer_reserve(out, size);
	struct amqp_writer w;

	if (room == NULL)
		return -ENOMEM;
	amqp_writer_init(&w, room, size);
	amqp_properties_encode(&w, properties);
	out->size += size;
	return w.failed ? -EPROTO : 0;
}

/* The user_id must be the user's own name. RabbitMQ: docs/validated-user-id. */
static int publish_check_user(struct channel *ch, const struct amqp_properties *properties,
			      struct amqp_error *error)
{
	const char *user = ch->connection->user->name;

	if (!amqp_properties_has(properties, AMQP_PROPERTY_USER_ID) ||
	    slice_equal(properties->user_id, slice_cstr(user)))
		return 0;
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "user_id property set to '" SLICE_FMT
			      "' but authenticated user was '%s'",
			      SLICE_ARG(properties->user_id), user);
}

/* Replaces what the receiver must not see, or must see in full: `out` holds the new properties, if
 * there are any. */
static int publish_rewrite(struct channel *ch, struct amqp_properties *properties, bool has_bcc,
			   bool is_fast_reply, struct buffer *out, struct amqp_error *error)
{
	char reply_to[256];
	struct buffer headers;
	int result = 0;

	buffer_init(&headers);
	if (has_bcc) {
		result = publish_drop_bcc(properties->headers, &headers);
		properties->headers = buffer_slice(&headers);
	}
	if (is_fast_reply) {
		router_reply_name(&ch->endpoint, reply_to, sizeof(reply_to));
		properties->reply_to = slice_cstr(reply_to);
	}
	if (result == 0)
		result = publish_encode(properties, out);
	buffer_fini(&headers);
	return result == 0 ? 0 : amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
}

#define PUBLISH_SPECIAL (AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_REPLY_TO | AMQP_PROPERTY_USER_ID)

static int publish_examine(struct channel *ch, struct amqp_properties *properties,
			   struct buffer *out, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	bool is_fast_reply = amqp_properties_has(properties, AMQP_PROPERTY_REPLY_TO) &&
			     slice_equal(properties->reply_to, SLICE_LITERAL(ROUTER_REPLY_PREFIX));
	bool has_bcc = false;
	struct amqp_value value;

	if (publish_check_user(ch, properties, error) != 0)
		return -EPROTO;
	if (amqp_properties_has(properties, AMQP_PROPERTY_HEADERS)) {
		if (publish_note_keys(p, properties->headers, "CC", error) != 0 ||
		    publish_note_keys(p, properties->headers, "BCC", error) != 0)
			return -EPROTO;
		if (p->extra.failed)
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		has_bcc = amqp_table_find(properties->headers, "BCC", &value);
	}
	if (is_fast_reply && ch->reply_tag_size == 0)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "fast reply consumer does not exist");
	if (!has_bcc && !is_fast_reply)
		return 0;
	return publish_rewrite(ch, properties, has_bcc, is_fast_reply, out, error);
}

/* ---- Content ---- */

static int publish_complete(struct channel *ch, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	struct message *message = p->message;

	p->message = NULL;
	ch->content = CHANNEL_METHOD;
	counter_add(COUNTER_MESSAGES_PUBLISHED, 1);
	if (tx_is_on(ch))
		return tx_add_publish(ch, message, p->mandatory, error);
	publish_add(ch, message);
	return 0;
}

static int publish_create(struct channel *ch, const struct amqp_content_header *header,
			  struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	struct slice raw = header->properties;
	struct amqp_properties properties;
	struct buffer rewritten;
	int result = 0;

	if (amqp_properties_decode(&properties, raw) != 0)
		return amqp_error_set(error, AMQP_SYNTAX_ERROR, "cannot decode message properties");
	buffer_init(&rewritten);
	buffer_clear(&p->extra);
	p->n_extra = 0;
	if ((properties.flags & PUBLISH_SPECIAL) != 0) {
		result = publish_examine(ch, &properties, &rewritten, error);
		if (rewritten.size != 0)
			raw = buffer_slice(&rewritten);
	}
	if (result == 0) {
		uint32_t size = (uint32_t)header->body_size;

		p->message = message_create_partial(
			slice_make(p->names, p->exchange_size),
			slice_make(p->names + p->exchange_size, p->routing_key_size), raw, size,
			size < PUBLISH_TRUST_MAX ? size : PUBLISH_TRUST_MAX);
		result = p->message != NULL
				 ? message_read_properties(p->message, error)
				 : amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	buffer_fini(&rewritten);
	p->body_filled = 0;
	return result;
}

int publish_header(struct channel *ch, struct slice payload, struct amqp_error *error)
{
	const struct conn_settings *settings = &ch->connection->service->settings;
	struct amqp_content_header header;

	error->method_id = AMQP_BASIC_PUBLISH;
	if (payload.size < AMQP_CONTENT_HEADER_FIXED + AMQP_PROPERTIES_MIN_SIZE)
		return amqp_error_set(error, AMQP_FRAME_ERROR, "content header of %zu bytes",
				      payload.size);
	if (amqp_content_header_decode(&header, payload) != 0)
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "expected content header for class 60, got non content "
				      "header frame instead");
	if (header.class_id != AMQP_CLASS_BASIC)
		return amqp_error_set(
			error, AMQP_UNEXPECTED_FRAME,
			"expected content header for class 60, got one for class %u instead",
			(unsigned)header.class_id);
	if (header.body_size > settings->max_message_size)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "message size %llu is larger than configured max size %u",
				      (unsigned long long)header.body_size,
				      settings->max_message_size);
	pressure_note_publish(ch->connection);
	if (publish_create(ch, &header, error) != 0)
		return -EPROTO;
	if (header.body_size == 0)
		return publish_complete(ch, error);
	ch->content = CHANNEL_BODY;
	return 0;
}

int publish_body(struct channel *ch, struct slice payload, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;

	if (payload.size > p->message->body_size - p->body_filled) {
		error->method_id = AMQP_BASIC_PUBLISH;
		return amqp_error_set(error, AMQP_FRAME_ERROR,
				      "content body is larger than the header said (%u bytes)",
				      p->message->body_size);
	}
	if (payload.size > message_room(p->message) - p->body_filled) {
		struct message *larger =
			message_make_room(p->message, p->body_filled + (uint32_t)payload.size);

		if (larger == NULL)
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		p->message = larger;
	}
	if (payload.size != 0)
		memcpy(message_body_bytes(p->message) + p->body_filled, payload.data, payload.size);
	p->body_filled += (uint32_t)payload.size;
	pressure_note_publish(ch->connection);
	return p->body_filled == p->message->body_size ? publish_complete(ch, error) : 0;
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
