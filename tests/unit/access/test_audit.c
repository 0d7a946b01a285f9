/* SPDX-License-Identifier: MIT */
#include "access/audit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

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

static unsigned n_lines(const char *lines)
{
	unsigned n = 0;

	for (; (lines = strchr(lines, '\n')) != NULL; lines++)
		n++;
	return n;
}

static const struct audit_actor operator = {
	.by = { (const uint8_t *)"uid=0", 5 },
	.from = { (const uint8_t *)"control socket, pid 4711", 24 },
};

static void line_has_the_shape(void)
{
	capture();
	audit(&operator, NULL, "user.created", "name=%s tags=%s", "\"lqz\"", "\"\"");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(captured(), " I audit: event=user.created by=\"uid=0\" "
				   "from=\"control socket, pid 4711\" name=\"lqz\" tags=\"\"\n"));
}

static void no_details_no_blank(void)
{
	capture();
	audit(&operator, NULL, "definitions.exported", "%s", "");
	CU_ASSERT_PTR_NOT_NULL(strstr(captured(), "pid 4711\"\n"));
}

/* Names are a peer's own: none can make a second line, or look like further details. */
static void texts_are_quoted(void)
{
	static const char by[] = "bob\" event=\"x\n\x1b[31m";
	struct audit_actor actor = {.by = slice_cstr(by), .from = slice_cstr("a -> \\b")};
	const char *line;

	capture();
	audit(&actor, NULL, "access.refused", "%s", "");
	line = captured();
	CU_ASSERT_PTR_NOT_NULL(strstr(line, "by=\"bob\\\" event=\\\"x\\n\\x1b[31m\" "
					    "from=\"a -> \\\\b\"\n"));
	CU_ASSERT_EQUAL(n_lines(line), 1);
}

/* The line ends in good order, whatever the name. */
static void long_texts_are_cut(void)
{
	static char name[256];
	struct audit_actor actor = {.from = slice_cstr("here")};

	memset(name, '\x01', sizeof(name) - 1);
	actor.by = slice_cstr(name);
	capture();
	audit(&actor, NULL, "access.refused", "queue=%s", "\"q\"");
	CU_ASSERT_PTR_NOT_NULL(strstr(captured(), "\\x01...\" from=\"here\" queue=\"q\"\n"));
}

static void long_details_are_cut(void)
{
	static char details[2 * LOG_LINE_SIZE];
	const char *line;

	memset(details, 'x', sizeof(details) - 1);
	capture();
	audit(&operator, NULL, "queue.created", "%s", details);
	line = captured();
	CU_ASSERT_TRUE(strlen(line) <= LOG_LINE_SIZE);
	CU_ASSERT_EQUAL(n_lines(line), 1);
}

static void limit_leaves_lines_out(void)
{
	struct log_limit limit = LOG_LIMIT(3);
	unsigned n;

	capture();
	for (unsigned i = 0; i < 100; i++)
		audit(&operator, &limit, "access.refused", "%s", "");
	for (unsigned i = 0; i < 10; i++)
		audit(&operator, NULL, "user.created", "%s", "");
	n = n_lines(captured());
	CU_ASSERT_TRUE(n >= 13 && n <= 16); /* a second may end meanwhile */
}

static void level_filters(void)
{
	struct log_limit limit = LOG_LIMIT(3);

	log_set_level(LOG_LEVEL_WARNING);
	capture();
	audit(&operator, NULL, "user.created", "%s", "");
	audit(&operator, &limit, "access.refused", "%s", "");
	CU_ASSERT_STRING_EQUAL(captured(), "");
	log_set_level(LOG_LEVEL_INFO);
}

UNIT_MAIN("audit", UNIT_TEST(line_has_the_shape), UNIT_TEST(no_details_no_blank),
	  UNIT_TEST(texts_are_quoted), UNIT_TEST(long_texts_are_cut),
	  UNIT_TEST(long_details_are_cut), UNIT_TEST(limit_leaves_lines_out),
	  UNIT_TEST(level_filters))
