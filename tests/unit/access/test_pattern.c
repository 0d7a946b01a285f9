/* SPDX-License-Identifier: MIT */
#include "access/pattern.h"

#include <string.h>

#include "../unit.h"
#include "access/accounts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static bool matches(const char *text, struct slice subject)
{
	struct patterns *patterns = patterns_create();
	char reason[256];
	const struct pattern *pattern = patterns_take(patterns, slice_cstr(text), reason, sizeof(reason));
	bool result;

	CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
	result = pattern_matches(pattern, subject);
	patterns_give(patterns, pattern);
	patterns_destroy(patterns);
	return result;
}

/* What Erlang's re:run(Subject, Pattern, [{capture, none}]) answers. */
static void as_rabbitmq_matches(void)
{
	static const struct {
		const char *pattern, *subject;
		bool is_match;
	} cases[] = {
		{ ".*", "", true },		 { ".*", "anything", true },
		{ "", "", true },		 { "", "q", false },
		{ "^$", "", true },		 { "^$", "q", false },
		{ "q", "a-q-z", true }, /* not anchored */
		{ "^q", "aq", false },		 { "^q$", "q", true },
		{ "^q$", "q\n", true },	/* $ is also before the last newline */
		{ "^q$", "q\r", false },	 { "^q$", "x\nq", false },
		{ "^(a|b)\\..*", "b.x", true },	 { "^(a|b)\\..*", "c.x", false },
		{ "Q", "q", false },		 { "(?i)Q", "q", true },
		{ "^.$", "\xc3\xa9", false }, /* bytes, not characters */
		{ "^..$", "\xc3\xa9", true },	 { "\\y", "y", true }, /* no such escape: the letter */
		{ "^amq\\.", "amq.topic", true }, { "^(?!amq\\.)", "amq.topic", false },
		{ "a.b", "a\nb", false },	 { "^a{2,3}$", "aaa", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CU_ASSERT_EQUAL(matches(cases[i].pattern, slice_cstr(cases[i].subject)), cases[i].is_match);
	CU_ASSERT_TRUE(matches("", SLICE_EMPTY));
	CU_ASSERT_TRUE(matches("^a\\x00b$", slice_make("a\0b", 3)));
	CU_ASSERT_FALSE(pattern_matches(NULL, SLICE_EMPTY));
}

static void those_that_do_not_compile(void)
{
	static const char *const wrong[] = { "(", "[", "*", "a{2,1}", "(?P<", "\\", "\\p{foo}", "\\x{", "\\N{x}" };
	struct patterns *patterns = patterns_create();
	char *long_text = mem_alloc(5 * ACCESS_PATTERN_MAX), reason[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		reason[0] = '\0';
		CU_ASSERT_FALSE(access_pattern_is_valid(slice_cstr(wrong[i]), reason, sizeof(reason)));
		CU_ASSERT_PTR_NOT_NULL(strstr(reason, " at offset "));
		CU_ASSERT_PTR_NULL(patterns_take(patterns, slice_cstr(wrong[i]), reason, sizeof(reason)));
	}
	CU_ASSERT_TRUE(access_pattern_is_valid(SLICE_EMPTY, reason, sizeof(reason)));
	memset(long_text, 'a', 5 * ACCESS_PATTERN_MAX);
	CU_ASSERT_TRUE(access_pattern_is_valid(slice_make(long_text, ACCESS_PATTERN_MAX), reason, sizeof(reason)));
	CU_ASSERT_FALSE(access_pattern_is_valid(slice_make(long_text, ACCESS_PATTERN_MAX + 1), reason, sizeof(reason)));
	CU_ASSERT_PTR_NULL(patterns_take(patterns, slice_make(long_text, 5 * ACCESS_PATTERN_MAX), reason, sizeof(reason)));
	mem_free(long_text);
	patterns_destroy(patterns);
}

static void each_text_is_there_once(void)
{
	struct patterns *patterns = patterns_create();
	char reason[256];
	const struct pattern *a = patterns_take(patterns, SLICE_LITERAL("^a"), reason, sizeof(reason));
	const struct pattern *b = patterns_take(patterns, SLICE_LITERAL("^b"), reason, sizeof(reason));

	CU_ASSERT_PTR_EQUAL(patterns_take(patterns, SLICE_LITERAL("^a"), reason, sizeof(reason)), a);
	CU_ASSERT_PTR_NOT_EQUAL(a, b);
	patterns_give(patterns, a);
	CU_ASSERT_TRUE(pattern_matches(a, SLICE_LITERAL("ab")));
	patterns_give(patterns, a);
	patterns_give(patterns, b);
	patterns_give(patterns, NULL);
	patterns_destroy(patterns);
}

/* ---- What takes long ---- */

/* The least of some tries, as others use the processor, too. */
static uint64_t cost_us(const struct pattern *pattern, struct slice subject, bool *ret_is_match)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t begin = clock_thread_cpu_ns(), ns;

		*ret_is_match = pattern_matches(pattern, subject);
		ns = clock_thread_cpu_ns() - begin;
		least = ns < least ? ns : least;
	}
	return least / 1000;
}

/*
 * Each would go on for years, or for each of the places of the subject some time anew. What is
 * given up counts as not matching, although it might match.
 */
static void catastrophes_are_given_up(void)
{
	static const char *const texts[] = {
		"(a+)+$",      "(a|aa)+$",	 "(.*)*x$",	      "(a|a|a)*b",
		"(?:a?){255}a{255}b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){20}b", "((a*)*)*b",
		"(?R)?a+b|(?R)c", "a*a*a*a*a*a*a*a*b", "(?=(a+)+b)a", "(a*?)*?b",
		"(?:a?){6}c", "(?:a?){7}c", "(?:a?){8}c", "(?:a|a){6}c", "(?:a|a){7}c", "a{0,20}a{0,20}c",
		"(?:a?){9}c", "(?:a?){12}c", "(?:a|a){12}c", "\\w*\\w*\\w*c",
	};
	static const char no_shortcuts[] = "(*NO_START_OPT)(*NO_AUTO_POSSESS)";
	struct patterns *patterns = patterns_create();
	char subject[256], text[256], reason[256];

	log_set_level(LOG_LEVEL_ERROR);
	memset(subject, 'a', sizeof(subject));
	subject[254] = '!';
	for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(*texts); i++) {
		const struct pattern *pattern;
		bool is_match;
		uint64_t us;

		(void)snprintf(text, sizeof(text), "%s%s", i % 2 ? no_shortcuts : "", texts[i / 2]);
		pattern = patterns_take(patterns, slice_cstr(text), reason, sizeof(reason));
		CU_ASSERT_PTR_NOT_NULL_FATAL(pattern);
		us = cost_us(pattern, slice_make(subject, 255), &is_match);
		CU_ASSERT_FALSE(is_match);
		/* some 500 at most; what is not bounded takes at least 20 000 */
		CU_ASSERT_TRUE(us < 5000);
		if (us >= 300)
			(void)printf("%s: %llu us\n", text, (unsigned long long)us);
		patterns_give(patterns, pattern);
	}
	patterns_destroy(patterns);
	log_set_level(LOG_LEVEL_INFO);
}

/* What people write stays far from the limits. */
static void long_names_are_matched(void)
{
	char subject[256];

	memset(subject, 'a', sizeof(subject));
	subject[254] = 'z';
	CU_ASSERT_TRUE(matches("^(?:[a-z]|[0-9])*$", slice_make(subject, 255)));
	CU_ASSERT_TRUE(matches("^(([a-z])|([0-9])|(_))*$", slice_make(subject, 255)));
	CU_ASSERT_TRUE(matches(".*.*z$", slice_make(subject, 255)));
	CU_ASSERT_TRUE(matches("^(a|b|c|d|z)+$", slice_make(subject, 255)));
	CU_ASSERT_FALSE(matches("^.*x.*y$", slice_make(subject, 255)));
	CU_ASSERT_TRUE(matches("^((((((a|z))))))*$", slice_make(subject, 255)));
}

/* ---- Topics ---- */

static bool expands(const char *text, const char *user, const char *vhost, const char *expected)
{
	struct buffer buffer;
	bool result;

	buffer_init(&buffer);
	pattern_expand(&buffer, slice_cstr(text), slice_cstr(user), slice_cstr(vhost));
	result = strcmp(buffer_cstr(&buffer), expected) == 0;
	if (!result)
		(void)printf("%s: %s\n", text, buffer_cstr(&buffer));
	buffer_fini(&buffer);
	return result;
}

static void variables_are_replaced(void)
{
	CU_ASSERT_TRUE(expands("", "u", "v", ""));
	CU_ASSERT_TRUE(expands("^x$", "u", "v", "^x$"));
	CU_ASSERT_TRUE(expands("^{username}.{vhost}.{username}$", "bob", "/", "^bob.\\/.bob$"));
	CU_ASSERT_TRUE(expands("{client_id}-{user}-{username", "u", "v", "{client_id}-{user}-{username"));
	/* a name is not expanded again, and means nothing to PCRE2 */
	CU_ASSERT_TRUE(expands("^{username}", "{vhost}", "v", "^\\{vhost\\}"));
	CU_ASSERT_TRUE(expands("^{username}$", "a.*|b", "v", "^a\\.\\*\\|b$"));
	CU_ASSERT_TRUE(expands("{username}", "\xc3\xa9", "v", "\xc3\xa9"));
	/* behind a backslash a brace is one */
	CU_ASSERT_TRUE(expands("\\{username}", "u", "v", "\\{username}"));
	CU_ASSERT_TRUE(expands("\\\\{username}", "u", "v", "\\\\u"));
	CU_ASSERT_TRUE(expands("x\\", "u", "v", "x\\"));
	/* between \Q and \E */
	CU_ASSERT_TRUE(expands("\\Q{username}.\\E{vhost}", "a.b", ".", "\\Q\\Ea\\.b\\Q.\\E\\."));
	CU_ASSERT_TRUE(expands("\\\\Q{username}", "a.b", ".", "\\\\Qa\\.b"));
	CU_ASSERT_TRUE(expands("\\Q\\{username}", "a", ".", "\\Q\\\\Ea\\Q"));
}

static void expanded_names_match_themselves_only(void)
{
	static const char *const names[] = { "bob", "a.b", "a\\Eb", "^$", "[x]", "a+", ".*", "{username}", "a b#c", "-]^" };
	static const char *const texts[] = { "^{username}$", "^\\Q{username}\\E$", "^(?x){username}$" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++) {
			struct buffer buffer;

			buffer_init(&buffer);
			pattern_expand(&buffer, slice_cstr(texts[k]), slice_cstr(names[i]), SLICE_LITERAL("/"));
			for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++)
				CU_ASSERT_EQUAL(matches(buffer_cstr(&buffer), slice_cstr(names[n])), n == i);
			buffer_fini(&buffer);
		}
}

UNIT_MAIN("pattern", UNIT_TEST(as_rabbitmq_matches), UNIT_TEST(those_that_do_not_compile), UNIT_TEST(each_text_is_there_once),
	  UNIT_TEST(catastrophes_are_given_up), UNIT_TEST(long_names_are_matched), UNIT_TEST(variables_are_replaced),
	  UNIT_TEST(expanded_names_match_themselves_only))
