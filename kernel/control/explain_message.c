/* SPDX-License-Identifier: MIT */
#include "control/explain_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/properties.h"
#include "amqp/table_writer.h"
#include "base/mem.h"
#include "broker/message/message.h"

static struct slice text_of(const json_t *value)
{
	return slice_make(json_string_value(value), json_string_length(value));
}

/* ---- Properties ---- */

/* Each puts the value into the member; false: it is none of that type. */
static bool set_shortstr(const json_t *value, void *member)
{
	struct slice text = text_of(value);

	if (!json_is_string(value) || text.size > UINT8_MAX)
		return false;
	memcpy(member, &text, sizeof(text));
	return true;
}

/* Digits, or an integer. */
static bool read_number(const json_t *value, uint64_t max, uint64_t *ret)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value)) {
		*ret = (uint64_t)json_integer_value(value);
		return json_integer_value(value) >= 0 && *ret <= max;
	}
	if (text == NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && *ret <= max;
}

static bool set_octet(const json_t *value, void *member)
{
	uint64_t number;

	if (!read_number(value, UINT8_MAX, &number))
		return false;
	*(uint8_t *)member = (uint8_t)number;
	return true;
}

static bool set_longlong(const json_t *value, void *member)
{
	uint64_t number;

	if (!read_number(value, UINT64_MAX, &number))
		return false;
	memcpy(member, &number, sizeof(number));
	return true;
}

/* The headers are by themselves. */
static bool set_table(const json_t *value, void *member)
{
	(void)value, (void)member;
	return false;
}

static const struct property {
	const char *name;
	uint16_t flag;
	size_t offset; /* in struct amqp_properties */
	bool (*set)(const json_t *value, void *member);
} properties_known[] = {
#define PROPERTY(type, name, NAME, bit)                                                            \
	{#name, 1u << (bit), offsetof(struct amqp_properties, name), set_##type},
	AMQP_PROPERTIES(PROPERTY)
#undef PROPERTY
};
#define N_PROPERTIES (sizeof(properties_known) / sizeof(properties_known[0]))

static bool set_property(struct amqp_properties *properties, const char *name, const json_t *value)
{
	for (size_t i = 0; i < N_PROPERTIES; i++) {
		const struct property *property = &properties_known[i];

		if (strcmp(property->name, name) != 0)
			continue;
		properties->flags |= property->flag;
		return property->set(value, (char *)properties + property->offset);
	}
	return false;
}

/* ---- Headers ---- */

static bool value_of(const json_t *json, struct amqp_value *ret)
{
	switch (json_typeof(json)) {
	case JSON_STRING:
		*ret = (struct amqp_value){.type = AMQP_VALUE_STRING, .bytes = text_of(json)};
		return true;
	case JSON_INTEGER:
		*ret = (struct amqp_value){.type = AMQP_VALUE_LONG,
					   .integer = json_integer_value(json)};
		return true;
	case JSON_REAL:
		*ret = (struct amqp_value){.type = AMQP_VALUE_DOUBLE,
					   .real = json_real_value(json)};
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		*ret = (struct amqp_value){.type = AMQP_VALUE_BOOL, .boolean = json_is_true(json)};
		return true;
	case JSON_NULL:
		*ret = (struct amqp_value){.type = AMQP_VALUE_VOID};
		return true;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
	return false;
}

static bool put_headers(const json_t *headers, struct buffer *table)
{
	struct amqp_table_writer writer;
	struct amqp_value value;
	const char *name;
	bool is_good = true;
	json_t *json;

	amqp_table_writer_init(&writer, table);
	json_object_foreach((json_t *)(uintptr_t)headers, name, json)
	{
		if (value_of(json, &value))
			amqp_table_put_value(&writer, slice_cstr(name), &value);
		else
			is_good = false;
	}
	return amqp_table_writer_finish(&writer) == 0 && is_good;
}

/* ---- The message ---- */

static bool read_properties(const json_t *request, struct amqp_properties *properties,
			    char *ret_reason, size_t size)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(request, "properties"), name, value)
	{
		if (!set_property(properties, name, value)) {
			snprintf(ret_reason, size,
				 "Property '%s' is not known, or its value is not of its type",
				 name);
			return false;
		}
	}
	return true;
}

static struct message *create(const json_t *request, const struct amqp_properties *properties,
			      char *ret_reason, size_t size)
{
	struct slice exchange = text_of(json_object_get(request, "exchange"));
	struct slice routing_key = text_of(json_object_get(request, "routing_key"));
	size_t raw_size = amqp_properties_size(properties);
	struct message *message = NULL;
	struct amqp_writer writer;
	uint8_t *raw;

	if (exchange.size > UINT8_MAX || routing_key.size > UINT8_MAX) {
		snprintf(ret_reason, size, "A name or a routing key is longer than 255 bytes");
		return NULL;
	}
	raw = mem_try_alloc(raw_size);
	if (raw != NULL) {
		amqp_writer_init(&writer, raw, raw_size);
		amqp_properties_encode(&writer, properties);
		message = message_create(exchange, routing_key, slice_make(raw, raw_size), 0);
	}
	if (message == NULL)
		snprintf(ret_reason, size, "Out of memory");
	mem_free(raw);
	return message;
}

struct message *explain_message(const json_t *request, char *ret_reason, size_t size)
{
	const json_t *headers = json_object_get(request, "headers");
	struct amqp_properties properties = {0};
	struct message *message = NULL;
	struct buffer table;

	buffer_init(&table);
	if (!put_headers(headers, &table)) {
		snprintf(ret_reason, size,
			 "A header's name is too long, or its value is of no simple type");
	} else if (read_properties(request, &properties, ret_reason, size)) {
		if (json_object_size(headers) != 0) {
			properties.flags |= AMQP_PROPERTY_HEADERS;
			properties.headers = buffer_slice(&table);
		}
		message = create(request, &properties, ret_reason, size);
	}
	buffer_fini(&table);
	return message;
}
