/* SPDX-License-Identifier: MIT */
#include "amqp/error.h"

#include <errno.h>
#include <string.h>

#include "amqp/cursor.h"

#include "../unit.h"

static void text_begins_with_the_name(void)
{
	struct amqp_error error = {.method_id = 77};

	CU_ASSERT_EQUAL(
		amqp_error_set(&error, AMQP_NOT_FOUND, "no queue '%s' in vhost '%s'", "q", "/"),
		-EPROTO);
	CU_ASSERT_EQUAL(error.code, 404);
	CU_ASSERT_EQUAL(error.method_id, 77);
	CU_ASSERT_STRING_EQUAL(error.text, "NOT_FOUND - no queue 'q' in vhost '/'");
}

static void bare_text_is_the_name(void)
{
	struct amqp_error error = {.code = 0};

	CU_ASSERT_EQUAL(amqp_error_set_bare(&error, AMQP_NO_ROUTE), -EPROTO);
	CU_ASSERT_EQUAL(error.code, 312);
	CU_ASSERT_STRING_EQUAL(error.text, "NO_ROUTE");
}

static void long_text_is_cut(void)
{
	struct amqp_error error = {.code = 0};
	char name[2001];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)amqp_error_set(&error, AMQP_NOT_FOUND, "%s", name);
	CU_ASSERT_EQUAL(strlen(error.text), 255);
	CU_ASSERT_STRING_EQUAL(error.text + 251, "n...");
	CU_ASSERT_EQUAL(strncmp(error.text, "NOT_FOUND - nnn", 15), 0);
}

static void text_of_255_bytes_is_whole(void)
{
	struct amqp_error error = {.code = 0};
	char name[256];
	size_t room = 255 - strlen("NOT_FOUND - ");

	memset(name, 'n', sizeof(name));
	name[room] = '\0';
	(void)amqp_error_set(&error, AMQP_NOT_FOUND, "%s", name);
	CU_ASSERT_EQUAL(strlen(error.text), 255);
	CU_ASSERT_EQUAL(error.text[254], 'n');
}

static void cut_leaves_whole_characters(void)
{
	struct amqp_error error = {.code = 0};
	char name[401];
	size_t i;
	size_t shift;

	for (shift = 0; shift < 3; shift++) {
		memset(name, 'a', shift);
		for (i = shift; i + 3 < sizeof(name); i += 3)
			memcpy(name + i, "\xe2\x82\xac", 3);
		name[i] = '\0';
		(void)amqp_error_set(&error, AMQP_NOT_FOUND, "%s", name);
		CU_ASSERT_TRUE(strlen(error.text) >= 253 && strlen(error.text) <= 255);
		CU_ASSERT_TRUE(amqp_is_utf8(slice_cstr(error.text)));
		CU_ASSERT_STRING_EQUAL(error.text + strlen(error.text) - 3, "...");
	}
}

static void wrong_bytes_become_question_marks(void)
{
	struct amqp_error error = {.code = 0};

	(void)amqp_error_set(&error, AMQP_NOT_FOUND, "no exchange '%s'", "a\xff\xc3\xa9\xc3");
	CU_ASSERT_STRING_EQUAL(error.text, "NOT_FOUND - no exchange 'a?\xc3\xa9?'");
}

static void names_and_scopes_of_codes(void)
{
	static const uint16_t soft[] = {311, 312, 313, 403, 404, 405, 406};
	static const uint16_t hard[] = {320, 402, 501, 502, 503, 504, 505, 506, 530, 540, 541};
	size_t i;

	for (i = 0; i < sizeof(soft) / sizeof(soft[0]); i++) {
		CU_ASSERT_TRUE(amqp_error_is_soft(soft[i]));
		CU_ASSERT_STRING_NOT_EQUAL(amqp_code_name(soft[i]), "UNKNOWN");
	}
	for (i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
		CU_ASSERT_FALSE(amqp_error_is_soft(hard[i]));
		CU_ASSERT_STRING_NOT_EQUAL(amqp_code_name(hard[i]), "UNKNOWN");
	}
	CU_ASSERT_STRING_EQUAL(amqp_code_name(406), "PRECONDITION_FAILED");
	CU_ASSERT_STRING_EQUAL(amqp_code_name(999), "UNKNOWN");
	CU_ASSERT_FALSE(amqp_error_is_soft(999));
}

UNIT_MAIN("amqp/error", UNIT_TEST(text_begins_with_the_name), UNIT_TEST(bare_text_is_the_name),
	  UNIT_TEST(long_text_is_cut), UNIT_TEST(text_of_255_bytes_is_whole),
	  UNIT_TEST(cut_leaves_whole_characters), UNIT_TEST(wrong_bytes_become_question_marks),
	  UNIT_TEST(names_and_scopes_of_codes))
