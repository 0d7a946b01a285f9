/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_ARGUMENTS_FIXTURE_H
#define TESTS_UNIT_BROKER_ARGUMENTS_FIXTURE_H

/* Tables of arguments, one value at a time. */

#include <CUnit/CUnit.h>

#include "amqp/table_writer.h"

static struct buffer arguments_buffer; /* the table being made */

static inline struct slice arguments_none(void)
{
	buffer_clear(&arguments_buffer);
	return SLICE_EMPTY;
}

static inline void arguments_fini(void)
{
	buffer_fini(&arguments_buffer);
	buffer_init(&arguments_buffer);
}

static inline struct slice arguments_add(const char *name, const struct amqp_value *value)
{
	struct amqp_table_writer writer;

	amqp_table_writer_init(&writer, &arguments_buffer);
	amqp_table_put_value(&writer, slice_cstr(name), value);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&writer), 0);
	return buffer_slice(&arguments_buffer);
}

static inline struct slice arguments_add_int(const char *name, int64_t integer)
{
	struct amqp_value value = {.type = AMQP_VALUE_LONG, .integer = integer};

	if (integer >= INT32_MIN && integer <= INT32_MAX)
		value.type = AMQP_VALUE_INT;
	return arguments_add(name, &value);
}

static inline struct slice arguments_add_string(const char *name, const char *string)
{
	struct amqp_value value = {.type = AMQP_VALUE_STRING, .bytes = slice_cstr(string)};

	return arguments_add(name, &value);
}

static inline struct slice arguments_add_bool(const char *name, bool boolean)
{
	struct amqp_value value = {.type = AMQP_VALUE_BOOL, .boolean = boolean};

	return arguments_add(name, &value);
}

#define ARGUMENTS_INT(name, integer)   (arguments_none(), arguments_add_int(name, integer))
#define ARGUMENTS_STRING(name, string) (arguments_none(), arguments_add_string(name, string))
#define ARGUMENTS_BOOL(name, boolean)  (arguments_none(), arguments_add_bool(name, boolean))

#endif
