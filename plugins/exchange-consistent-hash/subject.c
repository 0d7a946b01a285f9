/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <stdio.h>
#include <string.h>

static const char *const property_names[] = {"correlation_id", "message_id", "timestamp", NULL};
static const enum shunt_property properties[] = {SHUNT_CORRELATION_ID, SHUNT_MESSAGE_ID,
						 SHUNT_TIMESTAMP};

const struct shunt_argument subject_arguments[] = {
	{
		.name = "hash-header",
		.help = "hash the value of this header, not the routing key",
		.type = SHUNT_ARGUMENT_STRING,
	},
	{
		.name = "hash-property",
		.help = "hash this property, not the routing key",
		.type = SHUNT_ARGUMENT_STRING,
		.choices = property_names,
		.checked_by_type = true,
	},
	{.name = NULL},
};
#define HASH_HEADER   (&subject_arguments[0])
#define HASH_PROPERTY (&subject_arguments[1])

static bool is_equal(struct shunt_bytes bytes, struct shunt_bytes other)
{
	return bytes.size == other.size &&
	       (bytes.size == 0 || memcmp(bytes.data, other.data, bytes.size) == 0);
}

static bool find_property(struct shunt_bytes name, enum shunt_property *ret_property)
{
	for (size_t i = 0; property_names[i]; i++) {
		const struct shunt_bytes known = {(const uint8_t *)property_names[i],
						  strlen(property_names[i])};

		if (is_equal(name, known)) {
			*ret_property = properties[i];
			return true;
		}
	}
	return false;
}

/* ---- What the exchange says ---- */

static int refuse(struct shunt_error *error, const char *text)
{
	error->code = SHUNT_PRECONDITION_FAILED;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

int subject_validate(const struct shunt_host *host, struct shunt_bytes arguments,
		     struct shunt_error *error)
{
	struct shunt_value value;
	enum shunt_property property;

	if (!host->table_find(host, arguments, HASH_PROPERTY->name, &value))
		return 0;
	/* RabbitMQ fails with 541 */
	if (value.type != 'S')
		return refuse(error, "hash-property must be a string");
	if (host->table_find(host, arguments, HASH_HEADER->name, &(struct shunt_value){0}))
		return refuse(error, "hash-header and hash-property are mutually exclusive");
	if (find_property(value.bytes, &property))
		return 0;
	error->code = SHUNT_PRECONDITION_FAILED;
	(void)snprintf(error->text, sizeof(error->text), "Unsupported property: %.*s",
		       value.bytes.size < 255 ? (int)value.bytes.size : 255,
		       (const char *)value.bytes.data);
	return -1;
}

struct subject subject_read(const struct shunt_host *host, struct shunt_bytes arguments)
{
	struct subject subject = {.kind = SUBJECT_ROUTING_KEY};
	struct shunt_value value;

	if (host->argument(host, arguments, HASH_HEADER, &value)) {
		subject.kind = SUBJECT_HEADER;
		subject.header = value.bytes;
	} else if (host->argument(host, arguments, HASH_PROPERTY, &value) &&
		   find_property(value.bytes, &subject.property)) {
		subject.kind = SUBJECT_PROPERTY;
	}
	return subject;
}

/* ---- What the message has ---- */

/* Seeds: values of different kinds hash differently. */
enum {
	OF_BYTES = 0, /* the routing key as well */
	OF_NOTHING = 1,
	OF_INTEGER = 2,
	OF_REAL = 3,
	OF_BOOLEAN = 4,
	OF_DECIMAL = 5,
	OF_TABLE = 6,
	OF_ARRAY = 7,
};

/* Little-endian on every machine. */
static uint64_t hash_number(const struct shunt_host *host, uint64_t number, uint64_t seed)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	return host->stable_hash(host, bytes, sizeof(bytes), seed);
}

static uint64_t hash_bytes(const struct shunt_host *host, struct shunt_bytes bytes, uint64_t seed)
{
	return host->stable_hash(host, bytes.data, bytes.size, seed);
}

static uint64_t hash_real(const struct shunt_host *host, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof(bits));
	return hash_number(host, bits, OF_REAL);
}

/* Integers are equal whatever their width is. */
static uint64_t hash_value(const struct shunt_host *host, const struct shunt_value *value)
{
	switch (value->type) {
	case 'S':
	case 'x':
		return hash_bytes(host, value->bytes, OF_BYTES);
	case 'F':
		return hash_bytes(host, value->bytes, OF_TABLE);
	case 'A':
		return hash_bytes(host, value->bytes, OF_ARRAY);
	case 'V':
		return hash_number(host, 0, OF_NOTHING);
	case 't':
		return hash_number(host, value->boolean, OF_BOOLEAN);
	case 'f':
	case 'd':
		return hash_real(host, value->real);
	case 'D':
		return hash_number(host, (uint64_t)value->integer,
				   OF_DECIMAL + 256u * value->scale);
	default:
		return hash_number(host, (uint64_t)value->integer, OF_INTEGER);
	}
}

/* The header's name may hold any bytes, which table_find() cannot be asked for. */
static bool find_header(const struct subject *subject, const struct shunt_host *host,
			const struct shunt_message *message, struct shunt_value *ret_value)
{
	struct shunt_bytes headers = host->message_headers(host, message), name;
	struct shunt_value value;
	size_t position = 0;

	while (host->table_next(host, headers, &position, &name, &value)) {
		if (is_equal(name, subject->header)) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

uint64_t subject_hash(const struct subject *subject, const struct shunt_host *host,
		      const struct shunt_message *message)
{
	struct shunt_value value = {.type = 'V'};

	switch (subject->kind) {
	case SUBJECT_HEADER:
		(void)find_header(subject, host, message, &value);
		break;
	case SUBJECT_PROPERTY:
		(void)host->message_property(host, message, subject->property, &value);
		break;
	case SUBJECT_ROUTING_KEY:
		return hash_bytes(host, message->routing_key, OF_BYTES);
	}
	return hash_value(host, &value);
}
