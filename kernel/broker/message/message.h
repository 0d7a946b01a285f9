/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_MESSAGE_H
#define KERNEL_BROKER_MESSAGE_MESSAGE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/error.h"
#include "amqp/properties.h"
#include "base/compiler.h"
#include "base/slice.h"

#define MESSAGE_NO_EXPIRATION UINT64_MAX

/*
 * A message: immutable once its body is filled, counted, shared by all queues and deliveries on all
 * loops. One allocation. The bytes are laid out as they go to a consumer: exchange and routing key
 * as short strings, as in basic.deliver, then the properties (flags and list) as in the content
 * header, then the body.
 */
struct message {
	_Atomic uint32_t refs;
	uint32_t properties_size;
	uint32_t body_size;
	uint8_t exchange_size;
	uint8_t routing_key_size;
	bool persistent; /* delivery_mode 2 */
	uint8_t priority;
	uint64_t expiration_ms; /* from the property `expiration`; MESSAGE_NO_EXPIRATION: none */
	uint32_t alloc_size;
	uint8_t stored[4]; /* properties_size, big endian: from here on all can be read back */
	uint8_t bytes[];
};

static_assert(offsetof(struct message, bytes) == offsetof(struct message, stored) + 4,
	      "one run of bytes");

/*
 * A message of one reference with room for body_size bytes. properties is raw (flags and list) and
 * already known to be well-formed. Returns NULL when memory is out.
 */
struct message *message_create(struct slice exchange, struct slice routing_key,
			       struct slice properties, uint32_t body_size);

/*
 * The same, with room for only `room` bytes of the body at first: a size that was announced is not
 * yet one that came. Until message_make_room() has made it whole, nobody else may see the message.
 */
struct message *message_create_partial(struct slice exchange, struct slice routing_key,
				       struct slice properties, uint32_t body_size, uint32_t room);

/* Bytes of the body that there is room for. */
static inline uint32_t message_room(const struct message *m)
{
	return m->alloc_size - (uint32_t)offsetof(struct message, bytes) - m->exchange_size -
	       m->routing_key_size - m->properties_size - 2;
}

/*
 * Room for at least `room` bytes of the body (at most body_size). The message moves. NULL when
 * memory is out; then the old one is as it was.
 */
struct message *message_make_room(struct message *message, uint32_t room);

/*
 * Sets persistent, priority and expiration_ms from the properties. Fails with 406 `invalid
 * expiration ...` (reply text as RabbitMQ's) or 502 for malformed properties.
 */
int message_read_properties(struct message *message, struct amqp_error *error);

/* The same where they have been decoded already. */
int message_set_properties(struct message *message, const struct amqp_properties *properties,
			   struct amqp_error *error);

/* Whether the property `expiration` may be this text. */
bool message_expiration_is_valid(struct slice text);

/* What the store keeps of a message: `stored` and all bytes. */
static inline struct slice message_stored(const struct message *m)
{
	return (struct slice){(const uint8_t *)m + offsetof(struct message, stored),
			      (size_t)m->exchange_size + m->routing_key_size + m->properties_size +
				      m->body_size + 6};
}

/*
 * The way back, with everything set as message_read_properties() does, but for an expiration that
 * nobody could have published (none). NULL and *ret_error: -ENOMEM, or -EBADMSG for bytes that
 * message_stored() never made.
 */
struct message *message_from_stored(struct slice stored, int *ret_error);

/*
 * The body_size that such a message would have, without making it: 0, or -EBADMSG for what
 * message_from_stored() would refuse.
 */
int message_stored_body_size(struct slice stored, uint32_t *ret_size) MUST_USE;

struct message *message_ref(struct message *message);
void message_unref(struct message *message);

static inline struct slice message_exchange(const struct message *m)
{
	return (struct slice){m->bytes + 1, m->exchange_size};
}

static inline struct slice message_routing_key(const struct message *m)
{
	return (struct slice){m->bytes + 2 + m->exchange_size, m->routing_key_size};
}

/*
 * Both short strings with their length octets, as basic.deliver, basic.get-ok and basic.return
 * carry them.
 */
static inline struct slice message_names(const struct message *m)
{
	return (struct slice){m->bytes, (size_t)m->exchange_size + m->routing_key_size + 2};
}

static inline struct slice message_properties(const struct message *m)
{
	return (struct slice){m->bytes + m->exchange_size + m->routing_key_size + 2,
			      m->properties_size};
}

static inline uint8_t *message_body_bytes(struct message *m)
{
	return m->bytes + m->exchange_size + m->routing_key_size + 2 + m->properties_size;
}

static inline struct slice message_body(const struct message *m)
{
	return (struct slice){m->bytes + m->exchange_size + m->routing_key_size + 2 +
				      m->properties_size,
			      m->body_size};
}

#endif
