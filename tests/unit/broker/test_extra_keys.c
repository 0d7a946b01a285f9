/* SPDX-License-Identifier: MIT */
#include "broker/message/extra_keys.h"

#include "../unit.h"
#include "arguments_fixture.h"
#include "base/mem.h"

#define MANY 20000

static struct extra_keys keys;

static void begin(void)
{
	extra_keys_init(&keys);
}

static void end(void)
{
	extra_keys_fini(&keys);
	arguments_fini();
}

/* An array of n texts: "0", "1", ..., beginning again after `distinct`. */
static void note_cc(uint32_t n, uint32_t distinct)
{
	struct amqp_error error = {0};
	struct buffer array;

	buffer_init(&array);
	for (uint32_t i = 0; i < n; i++) {
		char text[16];
		uint8_t head[5] = {'S'};

		(void)snprintf(text, sizeof(text), "%u", i % distinct);
		head[4] = (uint8_t)strlen(text);
		buffer_append(&array, head, sizeof(head));
		buffer_append(&array, text, strlen(text));
	}

	struct amqp_value value = {.type = AMQP_VALUE_ARRAY, .bytes = buffer_slice(&array)};

	(void)arguments_none();
	CU_ASSERT_EQUAL_FATAL(extra_keys_note_cc(&keys, arguments_add("CC", &value), &error), 0);
	CU_ASSERT_EQUAL_FATAL(keys.n, n);
	buffer_fini(&array);
}

/* How many are read; the i-th is the number i. */
static uint32_t read_keys(void)
{
	struct slice *read = mem_alloc(keys.n * sizeof(*read));
	uint32_t n = extra_keys_read(buffer_slice(&keys.bytes), keys.n, read), wrong = 0;

	for (uint32_t i = 0; i < n; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "%u", i);
		wrong += !slice_equal(read[i], slice_cstr(text));
	}
	CU_ASSERT_EQUAL(wrong, 0);
	mem_free(read);
	return n;
}

static void keys_that_differ_are_all_there(void)
{
	begin();
	note_cc(3, 3);
	CU_ASSERT_EQUAL(read_keys(), 3);
	end();
	begin();
	note_cc(MANY, MANY);
	CU_ASSERT_EQUAL(read_keys(), MANY);
	end();
}

/* What one leads to, each of them leads to: a message must not be asked for as often as a client
 * can write a key. */
static void repeated_keys_are_read_once(void)
{
	begin();
	note_cc(MANY, 1);
	CU_ASSERT_EQUAL(read_keys(), 1);
	end();
	begin();
	note_cc(MANY, 1000);
	CU_ASSERT_EQUAL(read_keys(), 1000);
	end();
}

int main(void)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(keys_that_differ_are_all_there),
		UNIT_TEST(repeated_keys_are_read_once),
	};

	return unit_run("extra_keys", tests, sizeof(tests) / sizeof(*tests));
}
