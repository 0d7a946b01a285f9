/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"
#include "base/clock.h"

static int pipe_fds[2], saved_stderr;
static char text[65536];

static void capture(void)
{
	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fds, O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(pipe_fds[1], STDERR_FILENO);
}

static const char *captured(void)
{
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return text;
}

static void line_has_the_shape(void)
{
	/* 0: a digit, else itself */
	static const char shape[] =
		"0000-00-00T00:00:00.000Z W conn[2]: refused: user=\"bob\" n=5\n";

	log_set_thread(2);
	capture();
	log_warning("conn", "refused: user=%s n=%d", "\"bob\"", 5);
	const char *line = captured();
	log_set_thread(-1);
	CU_ASSERT_EQUAL_FATAL(strlen(line), sizeof(shape) - 1);
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == '0')
			CU_ASSERT_TRUE(isdigit((unsigned char)line[i]))
		else
			CU_ASSERT_EQUAL(line[i], shape[i])
	}
}

static void no_loop_no_brackets(void)
{
	capture();
	log_error("server", "plain");
	CU_ASSERT_PTR_NOT_NULL(strstr(captured(), "Z E server: plain\n"));
}

static void level_filters(void)
{
	capture();
	log_debug("x", "hidden");
	log_info("x", "shown");
	log_set_level(LOG_LEVEL_ERROR);
	log_info("x", "hidden");
	log_warning("x", "hidden");
	log_write(LOG_LEVEL_WARNING, "x", "hidden");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("x", "shown too");
	log_set_level(LOG_LEVEL_INFO);
	const char *lines = captured();
	CU_ASSERT_PTR_NULL(strstr(lines, "hidden"));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "I x: shown\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "D x: shown too\n"));
	CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_INFO);
}

static void always_one_line(void)
{
	capture();
	log_info("x", "a\nb\x1b[31mc");
	const char *line = captured();
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "a?b?[31mc\n"));
	CU_ASSERT_PTR_EQUAL(strchr(line, '\n'), line + strlen(line) - 1);
}

/* Of what a peer sent a terminal is told nothing: a C1 character begins sequences as ESC does. */
static void no_control_characters(void)
{
	capture();
	log_info("conn", "a\x1b[31mb\x7f" "c\xc2\x9b" "31md\xc2\x80" "e\xc2\xa0" "f\xc3\x9bg\xc2");
	CU_ASSERT_PTR_NOT_NULL(strstr(
		captured(), ": a?[31mb?c??31md??e\xc2\xa0" "f\xc3\x9bg\xc2\n"));
}

static void long_line_is_cut(void)
{
	static char long_text[2 * LOG_LINE_SIZE];

	memset(long_text, 'x', sizeof(long_text) - 1);
	capture();
	log_info("x", "%s", long_text);
	const char *line = captured();
	CU_ASSERT_TRUE(strlen(line) <= LOG_LINE_SIZE);
	CU_ASSERT_TRUE(strlen(line) > LOG_LINE_SIZE - 10);
	CU_ASSERT_EQUAL(line[strlen(line) - 1], '\n');
}

static uint64_t this_second(void)
{
	return clock_monotonic_ms() / 1000;
}

static uint64_t wait_for_new_second(void)
{
	uint64_t second = this_second();

	while (this_second() == second)
		(void)usleep(1000);
	return this_second();
}

/* What comes of ten lines in one second: again, if the machine held us up until the next. */
static const char *burst(struct log_limit *limit, unsigned per_second)
{
	uint64_t second;
	const char *lines;

	do {
		*limit = (struct log_limit)LOG_LIMIT(per_second);
		second = wait_for_new_second();
		capture();
		for (int i = 0; i < 10; i++)
			log_limited(limit, LOG_LEVEL_WARNING, "net", "line %d", i);
		lines = captured();
	} while (this_second() != second);
	return lines;
}

static void limit_suppresses_and_tells(void)
{
	struct log_limit limit;
	const char *lines = burst(&limit, 3);

	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "line 2\n"));
	CU_ASSERT_PTR_NULL(strstr(lines, "line 3\n"));
	CU_ASSERT_PTR_NULL(strstr(lines, "suppressed"));
	(void)wait_for_new_second();
	capture();
	log_limited(&limit, LOG_LEVEL_WARNING, "net", "next");
	log_limited(&limit, LOG_LEVEL_WARNING, "net", "last");
	lines = captured();
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "next suppressed=7\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "last\n"));
}

static void limit_in_two_steps(void)
{
	struct log_limit limit;
	uint64_t second;
	unsigned taken;

	capture();
	do {
		limit = (struct log_limit)LOG_LIMIT(2);
		taken = 0;
		second = wait_for_new_second();
		CU_ASSERT_FALSE(log_limit_take(&limit, LOG_LEVEL_DEBUG)); /* counts for nothing */
		for (int i = 0; i < 5; i++)
			taken += log_limit_take(&limit, LOG_LEVEL_WARNING);
	} while (this_second() != second);
	CU_ASSERT_EQUAL(taken, 2);
	log_taken(&limit, LOG_LEVEL_WARNING, "net", "line %d", 1);
	const char *lines = captured();
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, "W net"));
	CU_ASSERT_PTR_NOT_NULL(strstr(lines, ": line 1 suppressed=3\n"));
}

static void suppressed_fits_a_full_line(void)
{
	static char long_text[LOG_LINE_SIZE];
	struct log_limit limit = LOG_LIMIT(1);

	atomic_store(&limit.suppressed, 123456);
	memset(long_text, 'x', sizeof(long_text) - 1);
	capture();
	log_limited(&limit, LOG_LEVEL_WARNING, "net", "%s", long_text);
	const char *line = captured();
	CU_ASSERT_TRUE(strlen(line) <= LOG_LINE_SIZE);
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "x suppressed=123456\n"));
}

static void quote_escapes(void)
{
	char out[64];

	CU_ASSERT_STRING_EQUAL(log_quote(out, sizeof(out), SLICE_LITERAL("bob")), "\"bob\"");
	CU_ASSERT_STRING_EQUAL(
		log_quote(out, sizeof(out), SLICE_LITERAL("a\"\\\n\r\t\0\x7f\xff z")),
		"\"a\\\"\\\\\\n\\r\\t\\x00\\x7f\\xff z\"");
	CU_ASSERT_STRING_EQUAL(log_quote(out, sizeof(out), SLICE_EMPTY), "\"\"");
}

static void quote_cuts(void)
{
	/* Of every size: terminated, quoted, never too long. */
	for (size_t size = 8; size < 40; size++) {
		char out[64];

		memset(out, 0x55, sizeof(out));
		(void)log_quote(out, size, SLICE_LITERAL("abc\xff\xff\"def\n\n\xffghijkl"));
		size_t length = strlen(out);
		CU_ASSERT_TRUE(length < size);
		CU_ASSERT_EQUAL(out[0], '"');
		CU_ASSERT_EQUAL(out[length - 1], '"');
		CU_ASSERT_EQUAL(out[size], 0x55);
	}
	char out[10];
	CU_ASSERT_STRING_EQUAL(log_quote(out, sizeof(out), SLICE_LITERAL("1234567")),
			       "\"1234567\"");
	CU_ASSERT_STRING_EQUAL(log_quote(out, sizeof(out), SLICE_LITERAL("12345678")),
			       "\"1234...\"");
}

UNIT_MAIN("log", UNIT_TEST(line_has_the_shape), UNIT_TEST(no_loop_no_brackets),
	  UNIT_TEST(level_filters), UNIT_TEST(always_one_line), UNIT_TEST(no_control_characters),
	  UNIT_TEST(long_line_is_cut),
	  UNIT_TEST(limit_suppresses_and_tells), UNIT_TEST(limit_in_two_steps),
	  UNIT_TEST(suppressed_fits_a_full_line), UNIT_TEST(quote_escapes), UNIT_TEST(quote_cuts))
