/* SPDX-License-Identifier: MIT */
#include "amqp/plugin_table.h"

#include "amqp/properties.h"
#include "amqp/table.h"

void plugin_value_of(const struct amqp_value *from, struct shunt_value *ret)
{
	*ret = (struct shunt_value){.type = from->type};
	switch ((enum amqp_value_type)from->type) {
	case AMQP_VALUE_BOOL:
		ret->boolean = from->boolean;
		break;
	case AMQP_VALUE_BYTE:
	case AMQP_VALUE_UNSIGNED_BYTE:
	case AMQP_VALUE_SHORT:
	case AMQP_VALUE_UNSIGNED_SHORT:
	case AMQP_VALUE_INT:
	case AMQP_VALUE_UNSIGNED_INT:
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		ret->integer = from->integer;
		break;
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		ret->real = from->real;
		break;
	case AMQP_VALUE_DECIMAL:
		ret->scale = from->decimal.scale;
		ret->integer = from->decimal.value;
		break;
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		ret->bytes = plugin_bytes(from->bytes);
		break;
	case AMQP_VALUE_TIMESTAMP:
		ret->integer = (int64_t)from->timestamp;
		break;
	case AMQP_VALUE_VOID:
		break;
	}
}

bool plugin_table_next(struct shunt_bytes table, size_t *position, struct shunt_bytes *ret_name,
		       struct shunt_value *ret_value)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice key;

	if (*position >= table.size)
		return false;
	amqp_table_iter_init(&iter, slice_make(table.data + *position, table.size - *position));
	if (amqp_table_iter_next(&iter, &key, &value) != 1)
		return false;
	*position = (size_t)(iter.reader.p - table.data);
	*ret_name = plugin_bytes(key);
	plugin_value_of(&value, ret_value);
	return true;
}

bool plugin_table_find(struct shunt_bytes table, const char *name, struct shunt_value *ret_value)
{
	struct amqp_value value;

	if (!amqp_table_find(plugin_slice(table), name, &value))
		return false;
	plugin_value_of(&value, ret_value);
	return true;
}

bool plugin_array_next(struct shunt_bytes array, size_t *position, struct shunt_value *ret_value)
{
	struct amqp_array_iter iter;
	struct amqp_value value;

	if (*position >= array.size)
		return false;
	amqp_array_iter_init(&iter, slice_make(array.data + *position, array.size - *position));
	if (amqp_array_iter_next(&iter, &value) != 1)
		return false;
	*position = (size_t)(iter.reader.p - array.data);
	plugin_value_of(&value, ret_value);
	return true;
}

/* ---- Messages ---- */

struct shunt_bytes plugin_properties_headers(struct slice bytes)
{
	struct amqp_properties properties;

	amqp_properties_decode_to(&properties, bytes, AMQP_PROPERTY_HEADERS);
	if (!amqp_properties_has(&properties, AMQP_PROPERTY_HEADERS))
		return (struct shunt_bytes){NULL, 0};
	return plugin_bytes(properties.headers);
}

static bool property_text(const struct amqp_properties *p, enum amqp_property property,
			  struct slice text, struct shunt_value *ret)
{
	if (!amqp_properties_has(p, property))
		return false;
	*ret = (struct shunt_value){.type = AMQP_VALUE_STRING, .bytes = plugin_bytes(text)};
	return true;
}

static bool property_number(const struct amqp_properties *p, enum amqp_property property, char type,
			    uint64_t number, struct shunt_value *ret)
{
	if (!amqp_properties_has(p, property))
		return false;
	*ret = (struct shunt_value){.type = type, .integer = (int64_t)number};
	return true;
}

bool plugin_properties_find(struct slice properties, enum shunt_property property,
			    struct shunt_value *ret)
{
	struct amqp_properties p;

	if (amqp_properties_decode(&p, properties) != 0)
		return false;
	switch (property) {
	case SHUNT_CONTENT_TYPE:
		return property_text(&p, AMQP_PROPERTY_CONTENT_TYPE, p.content_type, ret);
	case SHUNT_CONTENT_ENCODING:
		return property_text(&p, AMQP_PROPERTY_CONTENT_ENCODING, p.content_encoding, ret);
	case SHUNT_DELIVERY_MODE:
		return property_number(&p, AMQP_PROPERTY_DELIVERY_MODE, AMQP_VALUE_UNSIGNED_BYTE,
				       p.delivery_mode, ret);
	case SHUNT_PRIORITY:
		return property_number(&p, AMQP_PROPERTY_PRIORITY, AMQP_VALUE_UNSIGNED_BYTE,
				       p.priority, ret);
	case SHUNT_CORRELATION_ID:
		return property_text(&p, AMQP_PROPERTY_CORRELATION_ID, p.correlation_id, ret);
	case SHUNT_REPLY_TO:
		return property_text(&p, AMQP_PROPERTY_REPLY_TO, p.reply_to, ret);
	case SHUNT_EXPIRATION:
		return property_text(&p, AMQP_PROPERTY_EXPIRATION, p.expiration, ret);
	case SHUNT_MESSAGE_ID:
		return property_text(&p, AMQP_PROPERTY_MESSAGE_ID, p.message_id, ret);
	case SHUNT_TIMESTAMP:
		return property_number(&p, AMQP_PROPERTY_TIMESTAMP, AMQP_VALUE_TIMESTAMP,
				       p.timestamp, ret);
	case SHUNT_TYPE:
		return property_text(&p, AMQP_PROPERTY_TYPE, p.type, ret);
	case SHUNT_USER_ID:
		return property_text(&p, AMQP_PROPERTY_USER_ID, p.user_id, ret);
	case SHUNT_APP_ID:
		return property_text(&p, AMQP_PROPERTY_APP_ID, p.app_id, ret);
	}
	return false;
}
