/* SPDX-License-Identifier: MIT */
#include "control/columns.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "amqp/cursor.h"
#include "amqp/json.h"
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
	value = json_stringn(buffer_cstr(&escaped), escaped.size);
	buffer_fini(&escaped);
	return value;
}

json_t *column_number(uint64_t number)
{
	return json_integer((json_int_t)number);
}

json_t *column_pid(uint64_t first, uint64_t second, uint64_t third)
{
	char text[72];

	snprintf(text, sizeof(text), "<%llu.%llu.%llu>", (unsigned long long)first,
		 (unsigned long long)second, (unsigned long long)third);
	return json_string(text);
}

json_t *column_connection_pid(uint64_t number)
{
	return column_pid(0, number, 0);
}

json_t *column_actor(struct actor_ref ref)
{
	return column_pid(ref.loop, ref.slot, ref.serial);
}

json_t *column_address(const char *host)
{
	unsigned char bytes[16];
	json_t *numbers;

	if (inet_pton(AF_INET, host, bytes) == 1)
		return json_pack("[i, i, i, i]", bytes[0], bytes[1], bytes[2], bytes[3]);
	if (inet_pton(AF_INET6, host, bytes) != 1)
		return column_text(slice_cstr(host));
	numbers = json_array();
	for (size_t i = 0; i < sizeof(bytes); i += 2)
		json_array_append_new(numbers, json_integer(bytes[i] << 8 | bytes[i + 1]));
	return numbers;
}

/* ---- Field tables ---- */

static json_t *column_value(const struct amqp_value *value);

static json_t *column_array(struct slice array)
{
	struct amqp_array_iter iter;
	struct amqp_value value;
	json_t *items = json_array();

	amqp_array_iter_init(&iter, array);
	while (amqp_array_iter_next(&iter, &value) == 1)
		json_array_append_new(items, json_pack("[s, o]", amqp_value_type_name(value.type),
						       column_value(&value)));
	return items;
}

static json_t *column_decimal(const struct amqp_value *value)
{
	return json_pack("[i, I]", (int)value->decimal.scale, (json_int_t)value->decimal.value);
}

static json_t *column_value(const struct amqp_value *value)
{
	static const struct amqp_json_style style = {column_text, column_decimal, column_table,
						     column_array};

	return amqp_json(&style, value);
}

json_t *column_table(struct slice table)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	json_t *entries = json_array();
	struct slice key;

	amqp_table_iter_init(&iter, table);
	while (amqp_table_iter_next(&iter, &key, &value) == 1)
		json_array_append_new(entries, json_pack("[o, s, o]", column_text(key),
							 amqp_value_type_name(value.type),
							 column_value(&value)));
	return entries;
}
