/* SPDX-License-Identifier: MIT */
#include "amqp/depends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "amqp/cursor.h"
#include "amqp/properties.h"
#include "amqp/table.h"

#define HEADER_PREFIX	"headers."
#define PROPERTY_PREFIX "property."

/* ---- What is declared ---- */

enum { VALUE_shortstr, VALUE_octet, VALUE_longlong, VALUE_table };

/* In the order of the wire. Headers are asked for one by one; cluster_id no plugin can see. */
static const struct {
	const char *name;
	uint16_t flag;
	uint8_t value;
	size_t offset;
} properties_known[] = {
#define PROPERTY(type, name, NAME, bit)                                                            \
	{#name, 1u << (bit), VALUE_##type, offsetof(struct amqp_properties, name)},
	AMQP_PROPERTIES(PROPERTY)
#undef PROPERTY
};
#define N_PROPERTIES (sizeof(properties_known) / sizeof(properties_known[0]))

static bool read_property(const char *name, struct depends_field *ret)
{
	for (unsigned i = 0; i < N_PROPERTIES; i++) {
		uint16_t flag = properties_known[i].flag;

		if (strcmp(properties_known[i].name, name) != 0)
			continue;
		*ret = (struct depends_field){.kind = DEPENDS_PROPERTY, .property = i};
		return flag != AMQP_PROPERTY_HEADERS && flag != AMQP_PROPERTY_CLUSTER_ID;
	}
	return false;
}

static bool read_name(const char *name, struct depends_field *ret)
{
	static const struct {
		const char *name;
		enum depends_kind kind;
	} plain[] = {
		{"routing_key", DEPENDS_ROUTING_KEY},
		{"exchange", DEPENDS_EXCHANGE},
		{"user", DEPENDS_USER},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(name, plain[i].name) == 0) {
			*ret = (struct depends_field){.kind = plain[i].kind};
			return true;
		}
	}
	if (strncmp(name, PROPERTY_PREFIX, strlen(PROPERTY_PREFIX)) == 0)
		return read_property(name + strlen(PROPERTY_PREFIX), ret);
	if (strncmp(name, HEADER_PREFIX, strlen(HEADER_PREFIX)) != 0)
		return false;
	*ret = (struct depends_field){.kind = DEPENDS_HEADER,
				      .header = slice_cstr(name + strlen(HEADER_PREFIX))};
	return ret->header.size > 0 && ret->header.size <= UINT8_MAX;
}

/* Properties are decoded in the order of their flags, from the highest one on. */
static void add(struct depends *depends, const struct depends_field *field)
{
	uint16_t flag = 0;

	if (field->kind == DEPENDS_HEADER)
		flag = AMQP_PROPERTY_HEADERS;
	else if (field->kind == DEPENDS_PROPERTY)
		flag = properties_known[field->property].flag;
	if (flag != 0) {
		depends->is_by_names = false;
		if (depends->property == 0 || flag < depends->property)
			depends->property = flag;
	}
	depends->fields[depends->n_fields++] = *field;
}

static int refuse(const char *name, const char *what, char *ret_fault, size_t size)
{
	(void)snprintf(ret_fault, size, "'%.60s', %s", name, what);
	return -EINVAL;
}

int depends_read(const char *const *names, struct depends *ret, char *ret_fault, size_t size)
{
	struct depends depends = {.is_declared = true, .is_by_names = true};

	*ret = (struct depends){0};
	if (!names)
		return 0;
	for (; *names; names++) {
		struct depends_field field;

		if (!read_name(*names, &field))
			return refuse(*names, "which is no field that can be named", ret_fault,
				      size);
		if (depends.n_fields == DEPENDS_MAX)
			return refuse(*names, "which is one too many: 16 is the most", ret_fault,
				      size);
		add(&depends, &field);
	}
	*ret = depends;
	return 0;
}

/* ---- What a message has there ---- */

/* Each entry of the name as it lies on the wire, behind how long it is; none is that long at the
 * end. */
static void put_header(struct amqp_writer *w, struct slice headers, struct slice name)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	amqp_table_iter_init(&iter, headers);
	while (amqp_table_iter_next(&iter, &key, &value) == 1) {
		const uint8_t *begin = key.data + key.size;

		if (slice_equal(key, name))
			amqp_put_longstr(w, slice_make(begin, (size_t)(iter.reader.p - begin)));
	}
	amqp_put_long(w, 0);
}

static void put_property(struct amqp_writer *w, const struct amqp_properties *properties,
			 unsigned index)
{
	const uint8_t *at = (const uint8_t *)properties + properties_known[index].offset;
	bool is_set = (properties->flags & properties_known[index].flag) != 0;
	struct slice text;

	amqp_put_octet(w, is_set);
	if (!is_set)
		return;
	if (properties_known[index].value == VALUE_octet) {
		amqp_put_octet(w, *at);
	} else if (properties_known[index].value == VALUE_longlong) {
		amqp_put_bytes(w, slice_make(at, sizeof(uint64_t)));
	} else {
		memcpy(&text, at, sizeof(text));
		amqp_put_longstr(w, text);
	}
}

static void put_field(struct amqp_writer *w, const struct depends_field *field,
		      const struct shunt_message *view, const struct amqp_properties *properties)
{
	switch (field->kind) {
	case DEPENDS_ROUTING_KEY:
		amqp_put_longstr(w, slice_make(view->routing_key.data, view->routing_key.size));
		break;
	case DEPENDS_EXCHANGE:
		amqp_put_longstr(w, slice_make(view->exchange.data, view->exchange.size));
		break;
	case DEPENDS_USER:
		amqp_put_longstr(w, slice_make(view->user.data, view->user.size));
		break;
	case DEPENDS_HEADER:
		put_header(w, properties->headers, field->header);
		break;
	case DEPENDS_PROPERTY:
		put_property(w, properties, field->property);
		break;
	}
}

size_t depends_write(const struct depends *depends, const struct shunt_message *view,
		     struct slice properties, uint8_t *out, size_t room)
{
	struct amqp_properties decoded;
	struct amqp_writer w;

	amqp_writer_init(&w, out, room);
	amqp_put_octet(&w, 0); /* so that nothing is not empty */
	decoded.flags = 0;
	decoded.headers = SLICE_EMPTY;
	if (depends->property != 0)
		amqp_properties_decode_to(&decoded, properties, depends->property);
	for (size_t i = 0; i < depends->n_fields; i++)
		put_field(&w, &depends->fields[i], view, &decoded);
	return w.failed ? 0 : (size_t)(w.p - out);
}
