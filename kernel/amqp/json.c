/* SPDX-License-Identifier: MIT */
#include "amqp/json.h"

#include <math.h>

/* JSON has neither infinities nor what is not a number. */
static json_t *real(double number)
{
	return isfinite(number) ? json_real(number)
				: json_string(isnan(number) ? "nan"
					      : number < 0  ? "-inf"
							    : "inf");
}

json_t *amqp_json(const struct amqp_json_style *style, const struct amqp_value *value)
{
	int64_t integer;

	if (amqp_value_get_integer(value, &integer))
		return json_integer(integer);
	switch (value->type) {
	case AMQP_VALUE_BOOL:
		return json_boolean(value->boolean);
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
		return style->text(value->bytes);
	case AMQP_VALUE_TABLE:
		return style->table(value->bytes);
	case AMQP_VALUE_ARRAY:
		return style->array(value->bytes);
	case AMQP_VALUE_TIMESTAMP:
		return json_integer((json_int_t)value->timestamp);
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		return real(value->real);
	case AMQP_VALUE_DECIMAL:
		return style->decimal(value);
	default:
		return json_string("undefined");
	}
}
