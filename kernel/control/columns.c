/* SPDX-License-Identifier: MIT */
#include "control/columns.h"

#include "amqp/cursor.h"
#include "amqp/table.h"
#include "base/buffer.h"

/* Names may be any bytes; JSON has none but UTF-8. */
json_t *column_text(struct slice text)
{
	struct buffer escaped;
	json_t *value;

	if (amqp_is_utf8(text))
		return json_stringn((const char *)text.data, text.size);
	buffer_init(&escaped);
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < 0x80)
			buffer_append_byte(&escaped, text.data[i]);
		else
			buffer_printf(&escaped, "\\x%02X", text.data[i]);
	}
	value = json_stringn((const char *)escaped.data, escaped.size);
	buffer_fini(&escaped);
	return value;
}

static json_t *column_value(const struct amqp_value *value);

static json_t *column_array(struct slice array)
{
	struct amqp_array_iter iter;
	struct amqp_value value;
	json_t *items = json_array();

	amqp_array_iter_init(&iter, array);
	while (amqp_array_iter_next(&iter, &value) == 1)
		json_array_append_new(items, column_value(&value));
	return items;
}

static json_t *column_value(const struct amqp_value *value)
{
	struct buffer text;
	int64_t integer;
	json_t *result;

	if (amqp_value_get_integer(value, &integer))
		return json_integer(integer);
	switch (value->type) {
	case AMQP_VALUE_BOOL:
		return json_boolean(value->boolean);
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
		return column_text(value->bytes);
	case AMQP_VALUE_TABLE:
		return column_table(value->bytes);
	case AMQP_VALUE_ARRAY:
		return column_array(value->bytes);
	case AMQP_VALUE_TIMESTAMP:
		return json_integer((json_int_t)value->timestamp);
	case AMQP_VALUE_VOID:
		return json_null();
	default:
		buffer_init(&text);
		amqp_value_print(value, &text);
		result = column_text(buffer_slice(&text));
		buffer_fini(&text);
		return result;
	}
}

json_t *column_table(struct slice table)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	json_t *object = json_object();
	struct slice key;

	amqp_table_iter_init(&iter, table);
	while (amqp_table_iter_next(&iter, &key, &value) == 1) {
		json_t *name = column_text(key);

		json_object_set_new(object, json_string_value(name), column_value(&value));
		json_decref(name);
	}
	return object;
}

json_t *column_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}
