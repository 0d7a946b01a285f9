/* SPDX-License-Identifier: MIT */
#include "broker/message/message.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/slab.h"

#define STORED_SIZE	     4 /* struct message.stored */
#define PROPERTIES_NONE_SIZE 2

static void put_short_string(uint8_t *at, struct slice string)
{
	at[0] = (uint8_t)string.size;
	slice_copy(at + 1, string);
}

static void put_be32(uint8_t at[4], uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static uint32_t get_be32(const uint8_t at[4])
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct message *message_create(struct slice exchange, struct slice routing_key,
			       struct slice properties, uint32_t body_size)
{
	return message_create_partial(exchange, routing_key, properties, body_size, body_size);
}

struct message *message_create_partial(struct slice exchange, struct slice routing_key,
				       struct slice properties, uint32_t body_size, uint32_t room)
{
	bug_on(exchange.size > UINT8_MAX || routing_key.size > UINT8_MAX || room > body_size);

	uint64_t size = (uint64_t)offsetof(struct message, bytes) + 2 + exchange.size +
			routing_key.size + properties.size + room;
	if (size - room + body_size > UINT32_MAX)
		return NULL;
	struct message *m = slab_try_alloc((size_t)size);
	if (!m)
		return NULL;

	atomic_init(&m->refs, 1);
	m->properties_size = (uint32_t)properties.size;
	m->body_size = body_size;
	m->exchange_size = (uint8_t)exchange.size;
	m->routing_key_size = (uint8_t)routing_key.size;
	m->persistent = false;
	m->priority = 0;
	m->expiration_ms = MESSAGE_NO_EXPIRATION;
	m->alloc_size = (uint32_t)size;
	put_be32(m->stored, m->properties_size);
	put_short_string(m->bytes, exchange);
	put_short_string(m->bytes + 1 + exchange.size, routing_key);
	slice_copy(m->bytes + 2 + exchange.size + routing_key.size, properties);
	account_add(ACCOUNT_MESSAGE, (ptrdiff_t)m->alloc_size);
	return m;
}

struct message *message_make_room(struct message *message, uint32_t room)
{
	uint32_t now = message_room(message);

	if (room <= now)
		return message;
	/* Twice as much each time, so that the bytes are copied a few times at most. */
	room = message->body_size / 2 <= room || now > message->body_size / 2 ? message->body_size
									      : room * 2;

	uint32_t size = message->alloc_size + (room - now);
	struct message *m = slab_try_realloc(message, message->alloc_size, size);

	if (!m)
		return NULL;
	account_add(ACCOUNT_MESSAGE, (ptrdiff_t)(size - m->alloc_size));
	m->alloc_size = size;
	return m;
}

/*
 * An integer as Erlang's string:to_integer/1 reads it, which RabbitMQ uses: a sign is fine, a space
 * is not. A number beyond 64 bits is longer than anybody waits.
 */
static int read_expiration(struct slice text, uint64_t *ret_ms, struct amqp_error *error)
{
	size_t at = 0;
	uint64_t value = 0;
	bool negative = false, huge = false;

	if (text.size > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
		negative = text.data[0] == '-';
		at = 1;
	}
	size_t first_digit = at;
	for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
		uint64_t digit = (uint64_t)(text.data[at] - '0');

		huge = huge || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
		       __builtin_add_overflow(value, digit, &value);
	}

	if (at == first_digit)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "invalid expiration '" SLICE_FMT "': no_integer",
				      SLICE_ARG(text));
	if (at < text.size)
		return amqp_error_set(
			error, AMQP_PRECONDITION_FAILED,
			"invalid expiration '" SLICE_FMT "': {leftover_string,\"" SLICE_FMT "\"}",
			SLICE_ARG(text), (int)(text.size - at), (const char *)text.data + at);
	if (negative && (huge || value > 0))
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "invalid expiration '" SLICE_FMT
				      "': {value_negative," SLICE_FMT "}",
				      SLICE_ARG(text), SLICE_ARG(text));
	*ret_ms = huge ? MESSAGE_NO_EXPIRATION : value;
	return 0;
}

bool message_expiration_is_valid(struct slice text)
{
	struct amqp_error error;
	uint64_t ms;

	return read_expiration(text, &ms, &error) == 0;
}

/* No flag set: nothing to decode. Very common. */
static bool has_no_properties(struct slice raw)
{
	return raw.size == PROPERTIES_NONE_SIZE && raw.data[0] == 0 && raw.data[1] == 0;
}

int message_set_properties(struct message *message, const struct amqp_properties *properties,
			   struct amqp_error *error)
{
	if (amqp_properties_has(properties, AMQP_PROPERTY_EXPIRATION) &&
	    read_expiration(properties->expiration, &message->expiration_ms, error) != 0)
		return -EPROTO;
	message->persistent = properties->delivery_mode == 2;
	message->priority = properties->priority;
	return 0;
}

int message_read_properties(struct message *message, struct amqp_error *error)
{
	struct slice raw = message_properties(message);
	struct amqp_properties properties;

	if (has_no_properties(raw))
		return 0;
	if (amqp_properties_decode(&properties, raw) != 0)
		return amqp_error_set(error, AMQP_SYNTAX_ERROR, "malformed properties");
	return message_set_properties(message, &properties, error);
}

/* Takes a short string off the front; false when it is not all there. */
static bool take_short_string(struct slice *bytes, struct slice *ret_string)
{
	if (bytes->size < 1 || bytes->data[0] > bytes->size - 1)
		return false;
	*ret_string = slice_make(bytes->data + 1, bytes->data[0]);
	*bytes = slice_make(bytes->data + 1 + ret_string->size, bytes->size - 1 - ret_string->size);
	return true;
}

/* A message's bytes, taken apart. */
struct stored_parts {
	struct slice exchange, routing_key, properties, body;
};

static bool take_apart(struct slice stored, struct stored_parts *ret)
{
	struct slice rest;

	if (stored.size < STORED_SIZE)
		return false;
	uint32_t properties_size = get_be32(stored.data);
	rest = slice_make(stored.data + STORED_SIZE, stored.size - STORED_SIZE);
	if (!take_short_string(&rest, &ret->exchange) ||
	    !take_short_string(&rest, &ret->routing_key) || rest.size < properties_size ||
	    rest.size - properties_size > UINT32_MAX)
		return false;
	ret->properties = slice_make(rest.data, properties_size);
	ret->body = slice_make(rest.data + properties_size, rest.size - properties_size);
	return true;
}

struct message *message_from_stored(struct slice stored, int *ret_error)
{
	struct stored_parts parts;
	struct amqp_error error;

	*ret_error = -EBADMSG;
	if (!take_apart(stored, &parts))
		return NULL;

	struct message *m = message_create(parts.exchange, parts.routing_key, parts.properties,
					   (uint32_t)parts.body.size);
	if (!m) {
		*ret_error = -ENOMEM;
		return NULL;
	}
	if (parts.body.size > 0)
		memcpy(message_body_bytes(m), parts.body.data, parts.body.size);
	if (message_read_properties(m, &error) != 0 && error.code != AMQP_PRECONDITION_FAILED) {
		message_unref(m);
		return NULL;
	}
	*ret_error = 0;
	return m;
}

int message_stored_body_size(struct slice stored, uint32_t *ret_size)
{
	struct amqp_properties properties;
	struct stored_parts parts;

	if (!take_apart(stored, &parts) ||
	    (!has_no_properties(parts.properties) &&
	     amqp_properties_decode(&properties, parts.properties) != 0))
		return -EBADMSG;
	*ret_size = (uint32_t)parts.body.size;
	return 0;
}

struct message *message_ref(struct message *message)
{
	atomic_fetch_add_explicit(&message->refs, 1, memory_order_relaxed);
	return message;
}

void message_unref(struct message *message)
{
	if (!message)
		return;
	/* Who holds the only reference needs no atomic subtraction: nobody can add one. */
	if (atomic_load_explicit(&message->refs, memory_order_acquire) != 1) {
		if (atomic_fetch_sub_explicit(&message->refs, 1, memory_order_release) != 1)
			return;
		/* Not a fence: ThreadSanitizer does not understand those. */
		(void)atomic_load_explicit(&message->refs, memory_order_acquire);
	}
	account_add(ACCOUNT_MESSAGE, -(ptrdiff_t)message->alloc_size);
	slab_free(message, message->alloc_size);
}
