/* SPDX-License-Identifier: MIT */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "access/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "access/accounts.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

/*
 * What a match may cost. PCRE2's limits are for each place of the subject anew (up to 256 of them),
 * so they do not bound the whole. At first all of it is tried with a limit that nothing ordinary
 * comes to, and that keeps the whole short. A pattern that comes to it is tried at one place after
 * the other with a higher limit (and interpreted), until it has had its share of processor time.
 */
#define PATTERN_SHORT_LIMIT 250u
#define PATTERN_LONG_LIMIT  5000u
#define PATTERN_DEPTH_LIMIT 2000u
#define PATTERN_HEAP_KIB    512u
#define PATTERN_SHARE_NS    UINT64_C(200000)

/* Expanded names make it longer than what was given; more than this is refused. */
#define PATTERN_EXPANDED_MAX (4u * ACCESS_PATTERN_MAX)

struct patterns {
	struct map map;
	pcre2_match_context *brief, *patient; /* made once, so all loops share them */
};

struct pattern {
	struct map_node node; /* keyed by the text, which is behind it */
	unsigned refs;
	bool is_anything; /* ".*" */
	const struct patterns *patterns;
	pcre2_code *code;
	uint8_t text[];
};

/* ---- Compiling ---- */

static pcre2_compile_context *compile_context_create(uint32_t extra_options)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);

	if (context == NULL)
		mem_stop();
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	(void)pcre2_set_compile_extra_options(context, extra_options);
	return context;
}

static pcre2_match_context *match_context_create(uint32_t match_limit)
{
	pcre2_match_context *context = pcre2_match_context_create(NULL);

	if (context == NULL)
		mem_stop();
	(void)pcre2_set_match_limit(context, match_limit);
	(void)pcre2_set_depth_limit(context, PATTERN_DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(context, PATTERN_HEAP_KIB);
	return context;
}

/*
 * As Erlang's re module reads it, which is PCRE's first version: a line ends with LF; an escape that
 * is none is the letter itself. The latter PCRE2 can do, too, but then takes all that is wrong
 * behind a backslash for letters, so it is asked for only if nothing else is found wrong.
 */
static pcre2_code *compile(struct slice text, char *ret_reason, size_t size)
{
	struct slice pattern = text.size == 0 ? SLICE_LITERAL("^$") : text;
	static const uint32_t extra_options[] = {0, PCRE2_EXTRA_BAD_ESCAPE_IS_LITERAL};
	pcre2_code *code = NULL;
	int error = PCRE2_ERROR_UNKNOWN_ESCAPE;
	PCRE2_SIZE offset = 0;
	char message[128];

	for (size_t i = 0; i < 2 && error == PCRE2_ERROR_UNKNOWN_ESCAPE; i++) {
		pcre2_compile_context *context = compile_context_create(extra_options[i]);

		code = pcre2_compile(pattern.data, pattern.size, 0, &error, &offset, context);
		pcre2_compile_context_free(context);
	}
	if (code != NULL)
		return code;
	(void)pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof(message));
	(void)snprintf(ret_reason, size, "%s at offset %zu", message, (size_t)offset);
	return NULL;
}

bool access_pattern_is_valid(struct slice pattern, char *ret_reason, size_t size)
{
	pcre2_code *code;

	if (pattern.size > ACCESS_PATTERN_MAX) {
		(void)snprintf(ret_reason, size, "longer than %u bytes", ACCESS_PATTERN_MAX);
		return false;
	}
	code = compile(pattern, ret_reason, size);
	pcre2_code_free(code);
	return code != NULL;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PATTERN_IS_TRANSLATED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PATTERN_IS_TRANSLATED 0
#endif
#endif
#ifndef PATTERN_IS_TRANSLATED
#define PATTERN_IS_TRANSLATED 1
#endif

/* Into machine code, where the library can, which is some ten times faster; sanitizers see nothing
 * of what that does. Else it is interpreted. */
static void translate(pcre2_code *code)
{
	if (PATTERN_IS_TRANSLATED)
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
}

/* ---- Those in use ---- */

struct patterns *patterns_create(void)
{
	struct patterns *patterns = mem_zalloc(sizeof(*patterns));

	map_init(&patterns->map);
	patterns->brief = match_context_create(PATTERN_SHORT_LIMIT);
	patterns->patient = match_context_create(PATTERN_LONG_LIMIT);
	return patterns;
}

void patterns_destroy(struct patterns *patterns)
{
	if (patterns == NULL)
		return;
	bug_on(map_count(&patterns->map) != 0);
	map_fini(&patterns->map);
	pcre2_match_context_free(patterns->brief);
	pcre2_match_context_free(patterns->patient);
	mem_free(patterns);
}

static struct pattern *pattern_create(struct patterns *patterns, struct slice text,
				      pcre2_code *code)
{
	struct pattern *pattern = mem_zalloc(sizeof(*pattern) + text.size);

	slice_copy(pattern->text, text);
	pattern->is_anything = slice_equal(text, SLICE_LITERAL(".*"));
	pattern->patterns = patterns;
	pattern->code = code;
	translate(code);
	map_insert(&patterns->map, &pattern->node, slice_make(pattern->text, text.size));
	return pattern;
}

const struct pattern *patterns_take(struct patterns *patterns, struct slice text, char *ret_reason,
				    size_t size)
{
	struct map_node *node;
	struct pattern *pattern;
	pcre2_code *code;

	if (text.size > PATTERN_EXPANDED_MAX) {
		(void)snprintf(ret_reason, size, "longer than %u bytes", PATTERN_EXPANDED_MAX);
		return NULL;
	}
	node = map_find(&patterns->map, text);
	if (node != NULL) {
		pattern = container_of(node, struct pattern, node);
	} else {
		code = compile(text, ret_reason, size);
		if (code == NULL)
			return NULL;
		pattern = pattern_create(patterns, text, code);
	}
	pattern->refs++;
	return pattern;
}

void patterns_give(struct patterns *patterns, const struct pattern *given)
{
	struct pattern *pattern;

	if (given == NULL)
		return;
	pattern = container_of(&given->node, struct pattern, node);
	bug_on(pattern->refs == 0);
	if (--pattern->refs != 0)
		return;
	map_remove(&patterns->map, &pattern->node);
	pcre2_code_free(pattern->code);
	mem_free(pattern);
}

/* ---- Matching ---- */

static void say_given_up(const struct pattern *pattern, struct slice subject, int error)
{
	static struct log_limit limit = LOG_LIMIT(1);
	char quoted_pattern[256], quoted_subject[256];

	log_limited(&limit, LOG_LEVEL_WARNING, "access",
		    "a permission's pattern takes too long and counts as not matching: "
		    "pattern=%s subject=%s error=%d",
		    log_quote(quoted_pattern, sizeof(quoted_pattern), pattern->node.key),
		    log_quote(quoted_subject, sizeof(quoted_subject), subject), error);
}

struct run {
	const pcre2_code *code;
	pcre2_match_data *data;
	struct slice subject;
};

static int match(const struct run *run, size_t offset, uint32_t options,
		 pcre2_match_context *context)
{
	int result = pcre2_match(run->code, run->subject.data, run->subject.size, offset, options,
				 run->data, context);

	/* Machine code has a small stack of its own; the interpreter has what we let it have. */
	if (result == PCRE2_ERROR_JIT_STACKLIMIT)
		result = pcre2_match(run->code, run->subject.data, run->subject.size, offset,
				     options | PCRE2_NO_JIT, run->data, context);
	return result;
}

static int match_patiently(const struct run *run, pcre2_match_context *context)
{
	uint64_t begin_ns = clock_thread_cpu_ns();
	int result = PCRE2_ERROR_NOMATCH;

	for (size_t at = 0; at <= run->subject.size && result == PCRE2_ERROR_NOMATCH; at++) {
		if (clock_thread_cpu_ns() - begin_ns > PATTERN_SHARE_NS)
			return PCRE2_ERROR_MATCHLIMIT;
		result = match(run, at, PCRE2_ANCHORED, context);
	}
	return result;
}

static int run_pattern(const struct pattern *pattern, struct slice subject)
{
	struct run run = {
		.code = pattern->code,
		.data = pcre2_match_data_create(1, NULL),
		.subject = subject.size == 0 ? SLICE_LITERAL("") : subject,
	};
	int result;

	if (run.data == NULL)
		return PCRE2_ERROR_NOMEMORY;
	result = match(&run, 0, 0, pattern->patterns->brief);
	if (result == PCRE2_ERROR_MATCHLIMIT)
		result = match_patiently(&run, pattern->patterns->patient);
	pcre2_match_data_free(run.data);
	return result;
}

bool pattern_matches(const struct pattern *pattern, struct slice subject)
{
	int result;

	if (pattern == NULL)
		return false;
	if (pattern->is_anything)
		return true;
	result = run_pattern(pattern, subject);
	/* 0: more groups than there was room for, which nobody looks at. */
	if (result >= 0)
		return true;
	if (result != PCRE2_ERROR_NOMATCH)
		say_given_up(pattern, subject, result);
	return false;
}

/* ---- Topics ---- */

static bool is_word(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

static void put_escaped(struct buffer *buffer, struct slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		if (!is_word(name.data[i]))
			buffer_append_byte(buffer, '\\');
		buffer_append_byte(buffer, name.data[i]);
	}
}

/* Where all but \E is literal: the quotation ends for the name, and goes on behind it. */
static void put_quoted(struct buffer *buffer, struct slice name)
{
	buffer_append_cstr(buffer, "\\E");
	put_escaped(buffer, name);
	buffer_append_cstr(buffer, "\\Q");
}

/* What is at the beginning, if that is a variable: its name's size. */
static size_t variable(struct slice text, struct slice username, struct slice vhost,
		       struct slice *ret_value)
{
	const struct {
		struct slice name, value;
	} variables[] = {
		{SLICE_LITERAL("{username}"), username},
		{SLICE_LITERAL("{vhost}"), vhost},
	};

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		if (!slice_starts_with(text, variables[i].name))
			continue;
		*ret_value = variables[i].value;
		return variables[i].name.size;
	}
	return 0;
}

void pattern_expand(struct buffer *buffer, struct slice text, struct slice username,
		    struct slice vhost)
{
	bool is_quoted = false;

	for (size_t i = 0; i < text.size;) {
		struct slice rest = slice_make(text.data + i, text.size - i), value;
		size_t taken = variable(rest, username, vhost, &value);

		if (taken != 0) {
			(is_quoted ? put_quoted : put_escaped)(buffer, value);
			i += taken;
			continue;
		}
		/* A brace behind a backslash is a brace, and begins no variable. */
		taken = rest.data[0] == '\\' && rest.size > 1 ? 2 : 1;
		if (slice_starts_with(rest, SLICE_LITERAL("\\E")))
			is_quoted = false;
		else if (is_quoted)
			taken = 1;
		else if (slice_starts_with(rest, SLICE_LITERAL("\\Q")))
			is_quoted = true;
		buffer_append(buffer, rest.data, taken);
		i += taken;
	}
}
