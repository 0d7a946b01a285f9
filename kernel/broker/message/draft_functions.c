/* SPDX-License-Identifier: MIT */
/* What a plugin sets in a draft. */
#include "broker/message/draft_functions.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/list.h"
#include "base/mem.h"
#include "broker/message/draft_value.h"

#define SHORT_STRING_MAX 255u

/* A property as a plugin names it: its type, and where the slice of a text is. */
struct known_property {
	uint16_t flag;
	char type;
	size_t offset;
};

#define TEXT(NAME, name)                                                                           \
	[SHUNT_##NAME] = {AMQP_PROPERTY_##NAME, AMQP_VALUE_STRING,                                 \
			  offsetof(struct amqp_properties, name)}

static const struct known_property known[DRAFT_TEXTS] = {
	TEXT(CONTENT_TYPE, content_type),
	TEXT(CONTENT_ENCODING, content_encoding),
	[SHUNT_DELIVERY_MODE] = {AMQP_PROPERTY_DELIVERY_MODE, AMQP_VALUE_UNSIGNED_BYTE, 0},
	[SHUNT_PRIORITY] = {AMQP_PROPERTY_PRIORITY, AMQP_VALUE_UNSIGNED_BYTE, 0},
	TEXT(CORRELATION_ID, correlation_id),
	TEXT(REPLY_TO, reply_to),
	TEXT(EXPIRATION, expiration),
	TEXT(MESSAGE_ID, message_id),
	[SHUNT_TIMESTAMP] = {AMQP_PROPERTY_TIMESTAMP, AMQP_VALUE_TIMESTAMP, 0},
	TEXT(TYPE, type),
	TEXT(USER_ID, user_id),
	TEXT(APP_ID, app_id),
};

static struct draft *draft_of(struct shunt_draft *functions)
{
	return container_of(functions, struct draft, functions);
}

/* ---- Properties ---- */

/* Those of the base, to which changes are made. */
static bool load(struct draft *d)
{
	if (d->is_loaded)
		return true;
	if (d->base == NULL)
		d->properties = (struct amqp_properties){0};
	else if (amqp_properties_decode(&d->properties, message_properties(d->base)) != 0)
		return false;
	d->is_loaded = true;
	return true;
}

/* They become those, unless they do not fit into a frame. */
static int change(struct draft *d, const struct amqp_properties *properties)
{
	size_t size = amqp_properties_size(properties);

	if (size > d->limits.properties_max && size > amqp_properties_size(&d->properties))
		return -1;
	d->properties = *properties;
	d->has_properties = true;
	return 0;
}

static void put_number(struct amqp_properties *p, enum shunt_property property, int64_t number)
{
	if (property == SHUNT_DELIVERY_MODE)
		p->delivery_mode = (uint8_t)number;
	else if (property == SHUNT_PRIORITY)
		p->priority = (uint8_t)number;
	else
		p->timestamp = (uint64_t)number;
}

static int set_number(struct draft *d, enum shunt_property property,
		      const struct shunt_value *value)
{
	struct amqp_properties changed = d->properties;

	if (known[property].type == AMQP_VALUE_UNSIGNED_BYTE &&
	    (value->integer < 0 || value->integer > UINT8_MAX))
		return -1;
	changed.flags |= known[property].flag;
	put_number(&changed, property, value->integer);
	return change(d, &changed);
}

static int put_text(struct draft *d, enum shunt_property property, struct slice text)
{
	struct amqp_properties changed = d->properties;

	changed.flags |= known[property].flag;
	memcpy((uint8_t *)&changed + known[property].offset, &text, sizeof(text));
	return change(d, &changed);
}

static int set_text(struct draft *d, enum shunt_property property, const struct shunt_value *value)
{
	struct slice text;
	uint8_t *copy;

	if (!draft_read_bytes(value->bytes, &text) || text.size > SHORT_STRING_MAX ||
	    (property == SHUNT_EXPIRATION && !message_expiration_is_valid(text)))
		return -1;
	copy = mem_try_alloc(text.size + 1);
	if (copy == NULL)
		return -1;
	slice_copy(copy, text);
	if (put_text(d, property, slice_make(copy, text.size)) != 0) {
		mem_free(copy);
		return -1;
	}
	mem_free(d->texts[property]);
	d->texts[property] = copy;
	return 0;
}

/* As if it had never been there. */
static int take_away(struct draft *d, enum shunt_property property)
{
	struct amqp_properties changed = d->properties;

	changed.flags &= (uint16_t)~known[property].flag;
	if (known[property].type == AMQP_VALUE_STRING)
		memset((uint8_t *)&changed + known[property].offset, 0, sizeof(struct slice));
	else
		put_number(&changed, property, 0);
	return change(d, &changed);
}

static int set_property(struct shunt_draft *functions, enum shunt_property property,
			const struct shunt_value *value)
{
	struct draft *d = draft_of(functions);

	if ((unsigned)property >= DRAFT_TEXTS || !load(d))
		return -1;
	if (value == NULL)
		return take_away(d, property);
	if (value->type != known[property].type)
		return -1;
	return value->type == AMQP_VALUE_STRING ? set_text(d, property, value)
						: set_number(d, property, value);
}

/* ---- Headers ---- */

static bool put_header(struct buffer *out, struct slice name, const struct amqp_value *value)
{
	struct amqp_table_writer w;

	amqp_table_writer_init(&w, out);
	amqp_table_put_value(&w, name, value);
	return amqp_table_writer_finish(&w) == 0;
}

/*
 * The table with a value under the name (NULL: without it): in the place of the first that is
 * there, else at the end. The others keep their bytes and order.
 */
static bool edit_headers(struct slice headers, struct slice name, const struct amqp_value *value,
			 struct buffer *out)
{
	struct amqp_table_iter iter;
	struct amqp_value there;
	struct slice key;

	amqp_table_iter_init(&iter, headers);
	for (;;) {
		const uint8_t *entry = iter.reader.p;

		if (amqp_table_iter_next(&iter, &key, &there) != 1)
			break;
		if (!slice_equal(key, name)) {
			buffer_append(out, entry, (size_t)(iter.reader.p - entry));
			continue;
		}
		if (value != NULL && !put_header(out, name, value))
			return false;
		value = NULL;
	}
	return (value == NULL || put_header(out, name, value)) && !out->failed;
}

static int change_headers(struct draft *d, struct buffer *headers)
{
	struct amqp_properties changed = d->properties;

	changed.flags |= AMQP_PROPERTY_HEADERS;
	changed.headers = buffer_slice(headers);
	if (change(d, &changed) != 0)
		return -1;
	buffer_fini(&d->headers);
	d->headers = *headers;
	return 0;
}

static int set_header(struct shunt_draft *functions, struct shunt_bytes name_bytes,
		      const struct shunt_value *value)
{
	struct draft *d = draft_of(functions);
	struct amqp_value checked;
	struct buffer headers;
	struct slice name;

	if (!draft_read_bytes(name_bytes, &name) || name.size > SHORT_STRING_MAX || !load(d) ||
	    (value != NULL && !draft_read_value(value, &checked)))
		return -1;
	if (value == NULL && !amqp_properties_has(&d->properties, AMQP_PROPERTY_HEADERS))
		return 0;
	buffer_init(&headers);
	if (!edit_headers(d->properties.headers, name, value != NULL ? &checked : NULL, &headers) ||
	    change_headers(d, &headers) != 0) {
		buffer_fini(&headers);
		return -1;
	}
	d->has_cc |= slice_equal(name, SLICE_LITERAL("CC"));
	d->has_bcc |= slice_equal(name, SLICE_LITERAL("BCC"));
	return 0;
}

/* ---- Exchange, routing key and body ---- */

static int set_exchange(struct shunt_draft *functions, struct shunt_bytes exchange)
{
	struct draft *d = draft_of(functions);
	struct slice name;

	if (d->is_delivery || !draft_read_bytes(exchange, &name) || name.size > SHORT_STRING_MAX)
		return -1;
	slice_copy(d->target, name);
	d->exchange = slice_make(d->target, name.size);
	d->has_exchange = true;
	return 0;
}

static int set_routing_key(struct shunt_draft *functions, struct shunt_bytes routing_key)
{
	struct draft *d = draft_of(functions);
	struct slice key;

	if (d->is_delivery || !draft_read_bytes(routing_key, &key) || key.size > SHORT_STRING_MAX)
		return -1;
	slice_copy(d->key, key);
	d->key_size = (uint8_t)key.size;
	d->has_key = true;
	return 0;
}

static int set_body(struct shunt_draft *functions, struct shunt_bytes bytes)
{
	struct draft *d = draft_of(functions);
	struct slice body;
	uint8_t *copy;

	d->refused_size = 0;
	if (bytes.size > d->limits.body_max) {
		d->refused_size = d->is_delivery ? 0 : bytes.size;
		return -1;
	}
	if (!draft_read_bytes(bytes, &body))
		return -1;
	copy = mem_try_alloc(body.size + 1);
	if (copy == NULL)
		return -1;
	slice_copy(copy, body);
	mem_free(d->body);
	d->body = copy;
	d->body_size = (uint32_t)body.size;
	d->has_body = true;
	return 0;
}

const struct shunt_draft draft_functions = {
	.size = sizeof(draft_functions),
	.set_routing_key = set_routing_key,
	.set_body = set_body,
	.set_header = set_header,
	.set_property = set_property,
	.set_exchange = set_exchange,
};
