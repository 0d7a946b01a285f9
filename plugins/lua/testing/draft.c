/* SPDX-License-Identifier: MIT */

/* Messages of a test, and what hooks and broker.publish() make of them. */

#include "testing/host.h"

#include <string.h>

#define SHORT_TEXT_MAX 255u
/* A value is its type, at most 8 bytes or a length of 4, and bytes. */
#define VALUE_HEAD_MAX 9u

static struct testing_draft *draft_of(struct shunt_draft *draft)
{
	return (struct testing_draft *)draft;
}

/* ---- Headers: a raw table ---- */

/* Bytes of a number on the wire; 0: it is none. */
static size_t width_of(char type)
{
	switch (type) {
	case 't':
	case 'b':
	case 'B':
		return 1;
	case 's':
	case 'u':
		return 2;
	case 'I':
	case 'i':
	case 'f':
		return 4;
	case 'l':
	case 'L':
	case 'T':
	case 'd':
		return 8;
	default:
		return 0;
	}
}

static uint8_t *put_number(uint8_t *out, uint64_t number, size_t width)
{
	for (size_t i = 0; i < width; i++)
		*out++ = (uint8_t)(number >> 8 * (width - 1 - i));
	return out;
}

static uint64_t number_of(const struct shunt_value *value)
{
	uint64_t bits = (uint64_t)value->integer;
	uint32_t narrow_bits;
	float narrow;

	if (value->type == 't')
		return value->boolean;
	if (value->type == 'd')
		memcpy(&bits, &value->real, sizeof(bits));
	if (value->type == 'f') {
		narrow = (float)value->real;
		memcpy(&narrow_bits, &narrow, sizeof(narrow_bits));
		bits = narrow_bits;
	}
	return bits;
}

static uint8_t *put_bytes(uint8_t *out, struct shunt_bytes bytes)
{
	if (bytes.size > 0)
		memcpy(out, bytes.data, bytes.size);
	return out + bytes.size;
}

static uint8_t *put_value(uint8_t *out, const struct shunt_value *value)
{
	size_t width = width_of(value->type);

	*out++ = (uint8_t)value->type;
	if (width > 0)
		return put_number(out, number_of(value), width);
	if (value->type == 'V')
		return out;
	if (value->type == 'D') {
		*out++ = value->scale;
		return put_number(out, (uint64_t)value->integer, 4);
	}
	out = put_number(out, value->bytes.size, 4);
	return put_bytes(out, value->bytes);
}

int testing_headers_set(struct testing *testing, struct shunt_bytes *headers,
			struct shunt_bytes name, const struct shunt_value *value)
{
	const struct shunt_host *host = &testing->host;
	size_t entry = 1 + name.size + VALUE_HEAD_MAX + (value ? value->bytes.size : 0);
	uint8_t *memory = testing_allocate(testing, headers->size + entry), *out = memory;
	size_t position = 0, start = 0;
	struct shunt_bytes other;
	struct shunt_value kept;

	if (!memory)
		return -1;
	while (host->table_next(host, *headers, &position, &other, &kept)) {
		if (other.size != name.size || memcmp(other.data, name.data, name.size) != 0)
			out = put_bytes(
				out, (struct shunt_bytes){headers->data + start, position - start});
		start = position;
	}
	if (value) {
		*out++ = (uint8_t)name.size;
		out = put_bytes(out, name);
		out = put_value(out, value);
	}
	*headers = (struct shunt_bytes){memory, (size_t)(out - memory)};
	return 0;
}

/* ---- Drafts ---- */

static int set_bytes(struct testing_draft *draft, struct shunt_bytes *place,
		     struct shunt_bytes bytes)
{
	struct shunt_bytes copy = testing_copy(draft->testing, bytes);

	if (copy.size != bytes.size)
		return -1;
	*place = copy;
	return 0;
}

static int set_routing_key(struct shunt_draft *draft, struct shunt_bytes routing_key)
{
	struct testing_draft *own = draft_of(draft);

	if (own->is_delivery || routing_key.size > SHORT_TEXT_MAX)
		return -1;
	return set_bytes(own, &own->message.message.routing_key, routing_key);
}

static int set_exchange(struct shunt_draft *draft, struct shunt_bytes exchange)
{
	struct testing_draft *own = draft_of(draft);

	if (own->is_delivery || exchange.size > SHORT_TEXT_MAX)
		return -1;
	return set_bytes(own, &own->message.message.exchange, exchange);
}

static int set_body(struct shunt_draft *draft, struct shunt_bytes body)
{
	struct testing_draft *own = draft_of(draft);

	return set_bytes(own, &own->message.message.body, body);
}

static int set_header(struct shunt_draft *draft, struct shunt_bytes name,
		      const struct shunt_value *value)
{
	struct testing_draft *own = draft_of(draft);

	if (name.size > SHORT_TEXT_MAX)
		return -1;
	return testing_headers_set(own->testing, &own->message.headers, name, value);
}

static char type_of(enum shunt_property property)
{
	switch ((unsigned)property) {
	case SHUNT_DELIVERY_MODE:
	case SHUNT_PRIORITY:
		return 'B';
	case SHUNT_TIMESTAMP:
		return 'T';
	default:
		return 'S';
	}
}

static int set_property(struct shunt_draft *draft, enum shunt_property property,
			const struct shunt_value *value)
{
	struct testing_draft *own = draft_of(draft);
	struct testing_message *message = &own->message;
	struct shunt_value copy;

	if ((unsigned)property > SHUNT_APP_ID)
		return -1;
	if (!value) {
		message->has[property] = false;
		return 0;
	}
	copy = *value;
	if (value->type != type_of(property) || value->bytes.size > SHORT_TEXT_MAX ||
	    set_bytes(own, &copy.bytes, value->bytes) < 0)
		return -1;
	message->has[property] = true;
	message->properties[property] = copy;
	return 0;
}

void testing_draft_init(struct testing_draft *draft, struct testing *testing,
			const struct testing_message *message)
{
	memset(draft, 0, sizeof(*draft));
	draft->testing = testing;
	draft->message = *message;
	draft->draft = (struct shunt_draft){
		.size = sizeof(draft->draft),
		.set_routing_key = set_routing_key,
		.set_exchange = set_exchange,
		.set_body = set_body,
		.set_header = set_header,
		.set_property = set_property,
	};
}

/* ---- Functions of the host ---- */

static struct shunt_bytes fake_headers(const struct shunt_host *host,
				       const struct shunt_message *message)
{
	(void)host;
	return ((const struct testing_message *)message)->headers;
}

static bool fake_property(const struct shunt_host *host, const struct shunt_message *message,
			  enum shunt_property property, struct shunt_value *ret_value)
{
	const struct testing_message *own = (const struct testing_message *)message;

	(void)host;
	if ((unsigned)property > SHUNT_APP_ID || !own->has[property])
		return false;
	*ret_value = own->properties[property];
	return true;
}

static struct shunt_draft *fake_draft(const struct shunt_host *host, struct shunt_bytes vhost,
				      struct shunt_bytes exchange, struct shunt_bytes routing_key,
				      struct shunt_bytes body)
{
	struct testing *testing = testing_of_host(host);
	struct testing_message message = {.message.size = sizeof(message.message)};
	struct testing_draft *draft = testing_allocate(testing, sizeof(*draft));

	if (!draft || vhost.size > SHORT_TEXT_MAX || exchange.size > SHORT_TEXT_MAX ||
	    routing_key.size > SHORT_TEXT_MAX)
		return NULL;
	testing_draft_init(draft, testing, &message);
	if (set_bytes(draft, &draft->message.message.vhost, vhost) < 0 ||
	    set_bytes(draft, &draft->message.message.exchange, exchange) < 0 ||
	    set_bytes(draft, &draft->message.message.routing_key, routing_key) < 0 ||
	    set_bytes(draft, &draft->message.message.body, body) < 0)
		return NULL;
	return &draft->draft;
}

static void fake_publish(const struct shunt_host *host, struct shunt_draft *draft,
			 void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct testing *testing = testing_of_host(host);
	struct testing_draft *own = draft_of(draft);

	own->done = done;
	own->context = context;
	*testing->published_end = own;
	testing->published_end = &own->next;
}

/* It goes with the test. */
static void fake_draft_free(const struct shunt_host *host, struct shunt_draft *draft)
{
	(void)host;
	(void)draft;
}

void testing_offer_messages(struct shunt_host *host)
{
	host->message_headers = fake_headers;
	host->message_property = fake_property;
	host->draft = fake_draft;
	host->publish = fake_publish;
	host->draft_free = fake_draft_free;
}
