/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_HOST_FIXTURE_H
#define TESTS_UNIT_PLUGIN_HOST_FIXTURE_H

/* The host as a plugin has it, and what the table of all types holds as a plugin reads it. */

#include <math.h>

#include "../amqp/tables.h"
#include "fixture.h"

static inline const struct shunt_host *host_begin(void)
{
	plugins_begin(0);
	ASSERT_LOADS("probe");
	return probe_get()->host;
}

static inline void host_end(void)
{
	(void)plugins_end();
}

static inline struct shunt_bytes bytes_of(struct slice slice)
{
	return (struct shunt_bytes){slice.data, slice.size};
}

static inline bool bytes_are(struct shunt_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* The value of its type in TABLE_OF_ALL_TYPES. */
static inline void check_value(const struct shunt_value *value)
{
	switch (value->type) {
	case 'S':
		CU_ASSERT_TRUE(bytes_are(value->bytes, "x"));
		break;
	case 'I':
	case 'b':
	case 'l':
	case 's':
		CU_ASSERT_EQUAL(value->integer, -1);
		break;
	case 'B':
		CU_ASSERT_EQUAL(value->integer, 255);
		break;
	case 'u':
		CU_ASSERT_EQUAL(value->integer, 65535);
		break;
	case 'i':
		CU_ASSERT_EQUAL(value->integer, 4294967295);
		break;
	case 'L':
		CU_ASSERT_EQUAL(value->integer, 1);
		break;
	case 'D':
		CU_ASSERT_EQUAL(value->integer, 256);
		CU_ASSERT_EQUAL(value->scale, 2);
		break;
	case 'T':
		CU_ASSERT_EQUAL(value->integer, 9);
		break;
	case 'd':
	case 'f':
		CU_ASSERT_TRUE(fabs(value->real - 1.5) < 1e-9);
		break;
	case 't':
		CU_ASSERT_TRUE(value->boolean);
		break;
	case 'F':
		CU_ASSERT_EQUAL(value->bytes.size, 3);
		break;
	case 'A':
		CU_ASSERT_EQUAL(value->bytes.size, 3);
		break;
	case 'x':
		CU_ASSERT_EQUAL(value->bytes.size, 1);
		CU_ASSERT_EQUAL(value->bytes.data[0], 0);
		break;
	case 'V':
		CU_ASSERT_PTR_NULL(value->bytes.data);
		break;
	default:
		CU_FAIL("a type that is not in the table");
	}
}

#endif
