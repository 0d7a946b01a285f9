/* SPDX-License-Identifier: MIT */
#include "broker/message/draft_value.h"

#include "amqp/table.h"

bool draft_read_bytes(struct shunt_bytes bytes, struct slice *ret_slice)
{
	if (bytes.size > UINT32_MAX || (bytes.size != 0 && bytes.data == NULL))
		return false;
	*ret_slice = slice_make(bytes.data, bytes.size);
	return true;
}

static bool read_integer(int64_t integer, int64_t minimum, int64_t maximum, struct amqp_value *ret)
{
	ret->integer = integer;
	return integer >= minimum && integer <= maximum;
}

static bool read_decimal(const struct shunt_value *value, struct amqp_value *ret)
{
	ret->decimal.scale = value->scale;
	ret->decimal.value = (uint32_t)value->integer;
	return value->integer >= 0 && value->integer <= UINT32_MAX;
}

/* The headers are the outermost table. */
static bool is_well_formed(char type, struct slice bytes)
{
	if (type == AMQP_VALUE_TABLE)
		return amqp_table_validate(bytes, AMQP_TABLE_DEPTH_MAX - 1) == 0;
	if (type == AMQP_VALUE_ARRAY)
		return amqp_array_validate(bytes, AMQP_TABLE_DEPTH_MAX - 1) == 0;
	return true;
}

/* The type may be any octet. */
bool draft_read_value(const struct shunt_value *value, struct amqp_value *ret)
{
	ret->type = value->type;
	switch (value->type) {
	case AMQP_VALUE_BOOL:
		ret->boolean = value->boolean;
		return true;
	case AMQP_VALUE_BYTE:
		return read_integer(value->integer, INT8_MIN, INT8_MAX, ret);
	case AMQP_VALUE_UNSIGNED_BYTE:
		return read_integer(value->integer, 0, UINT8_MAX, ret);
	case AMQP_VALUE_SHORT:
		return read_integer(value->integer, INT16_MIN, INT16_MAX, ret);
	case AMQP_VALUE_UNSIGNED_SHORT:
		return read_integer(value->integer, 0, UINT16_MAX, ret);
	case AMQP_VALUE_INT:
		return read_integer(value->integer, INT32_MIN, INT32_MAX, ret);
	case AMQP_VALUE_UNSIGNED_INT:
		return read_integer(value->integer, 0, UINT32_MAX, ret);
	case AMQP_VALUE_LONG:
	case AMQP_VALUE_LONG_ALSO:
		ret->integer = value->integer;
		return true;
	case AMQP_VALUE_FLOAT:
	case AMQP_VALUE_DOUBLE:
		ret->real = value->real;
		return true;
	case AMQP_VALUE_DECIMAL:
		return read_decimal(value, ret);
	case AMQP_VALUE_STRING:
	case AMQP_VALUE_BINARY:
	case AMQP_VALUE_ARRAY:
	case AMQP_VALUE_TABLE:
		return draft_read_bytes(value->bytes, &ret->bytes) &&
		       is_well_formed(value->type, ret->bytes);
	case AMQP_VALUE_TIMESTAMP:
		ret->timestamp = (uint64_t)value->integer;
		return true;
	case AMQP_VALUE_VOID:
		return true;
	default:
		return false;
	}
}
