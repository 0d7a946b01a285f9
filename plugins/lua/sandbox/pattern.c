/* SPDX-License-Identifier: MIT */

/*
 * An item of a pattern is tried at a place of the text. Where there is a choice (how often an item
 * matches) the rest of the pattern is tried for each, by calling match() again; otherwise it goes
 * on in the same call. So the calls are as deep as the pattern has choices and captures.
 */

#include "sandbox/pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "run/call.h"

#define DEPTH_MAX 200

/* Steps are counted up to here, and charged: a step takes as long as an instruction. */
#define STEPS_AT_ONCE	      128u
#define STEPS_PER_INSTRUCTION 1u

static const char *match(struct pattern *m, const char *s, const char *p);

void pattern_init(struct pattern *m, lua_State *L, const char *subject, size_t subject_size,
		  const char *end)
{
	m->L = L;
	m->subject = subject;
	m->subject_end = subject + subject_size;
	m->end = end;
	m->steps = 0;
	m->captures = 0;
}

void pattern_settle(struct pattern *m)
{
	uint64_t steps = m->steps;

	m->steps = 0;
	call_charge(m->L, steps / STEPS_PER_INSTRUCTION);
}

static inline void step(struct pattern *m, size_t steps)
{
	m->steps += steps;
	if (m->steps >= STEPS_AT_ONCE)
		pattern_settle(m);
}

/* ---- Classes: what a single item says of a character ---- */

static bool is_of_class(int c, int letter)
{
	bool is;

	switch (tolower(letter)) {
	case 'a':
		is = isalpha(c) != 0;
		break;
	case 'c':
		is = iscntrl(c) != 0;
		break;
	case 'd':
		is = isdigit(c) != 0;
		break;
	case 'g':
		is = isgraph(c) != 0;
		break;
	case 'l':
		is = islower(c) != 0;
		break;
	case 'p':
		is = ispunct(c) != 0;
		break;
	case 's':
		is = isspace(c) != 0;
		break;
	case 'u':
		is = isupper(c) != 0;
		break;
	case 'w':
		is = isalnum(c) != 0;
		break;
	case 'x':
		is = isxdigit(c) != 0;
		break;
	case 'z': /* of Lua 5.1; it is still there */
		is = c == 0;
		break;
	default:
		return letter == c; /* an escaped character */
	}
	return isupper(letter) ? !is : is;
}

static int byte_at(const char *p)
{
	return (unsigned char)*p;
}

/* p is behind '[': where the set ends, behind its ']'. A ']' that comes first is one of the set. */
static const char *end_of_set(struct pattern *m, const char *p)
{
	if (*p == '^')
		p++;
	for (bool first = true; first || *p != ']'; first = false) {
		if (p >= m->end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		/* the one behind '%' is not looked at */
		p += *p == '%' && p + 1 < m->end ? 2 : 1;
	}
	return p + 1;
}

/* Where the single item ends that begins at p. */
static const char *end_of_item(struct pattern *m, const char *p)
{
	if (*p == '[')
		return end_of_set(m, p + 1);
	if (*p != '%')
		return p + 1;
	if (p + 1 == m->end)
		luaL_error(m->L, "malformed pattern (ends with '%%')");
	return p + 2;
}

/* set is at '[', last at its ']'. */
static bool is_in_set(struct pattern *m, int c, const char *set, const char *last)
{
	bool excludes = set[1] == '^';
	const char *p = set + 1 + excludes;

	step(m, (size_t)(last - set) / 4);
	while (p < last) {
		if (*p == '%') {
			if (is_of_class(c, byte_at(p + 1)))
				return !excludes;
			p += 2;
		} else if (p[1] == '-' && p + 2 < last) {
			if (byte_at(p) <= c && c <= byte_at(p + 2))
				return !excludes;
			p += 3;
		} else {
			if (byte_at(p) == c)
				return !excludes;
			p++;
		}
	}
	return excludes;
}

/* Whether the item from p to end is the character at s. */
static bool is_item(struct pattern *m, const char *s, const char *p, const char *end)
{
	int c;

	if (s >= m->subject_end)
		return false;
	c = byte_at(s);
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_of_class(c, byte_at(p + 1));
	case '[':
		return is_in_set(m, c, p, end - 1);
	default:
		return byte_at(p) == c;
	}
}

/* ---- Items that are repeated ---- */

/* As many as there are, then one less, ...; at least `least`. end: the item's, at its '*' or '+'.
 */
static const char *match_most(struct pattern *m, const char *s, const char *p, const char *end,
			      ptrdiff_t least)
{
	ptrdiff_t count = 0;

	while (is_item(m, s + count, p, end)) {
		step(m, 1);
		count++;
	}
	for (; count >= least; count--) {
		const char *found = match(m, s + count, end + 1);

		if (found)
			return found;
	}
	return NULL;
}

/* None, then one more, ... */
static const char *match_fewest(struct pattern *m, const char *s, const char *p, const char *end)
{
	for (;; s++) {
		const char *found = match(m, s, end + 1);

		if (found)
			return found;
		if (!is_item(m, s, p, end))
			return NULL;
	}
}

/* ---- Captures ---- */

static const char *open_capture(struct pattern *m, const char *s, const char *p, ptrdiff_t length)
{
	const char *found;

	if (m->captures >= PATTERN_CAPTURES_MAX)
		luaL_error(m->L, "too many captures");
	m->capture[m->captures++] = (struct pattern_capture){s, length};
	found = match(m, s, p);
	if (!found)
		m->captures--;
	return found;
}

static const char *close_capture(struct pattern *m, const char *s, const char *p)
{
	int which = m->captures - 1;
	const char *found;

	while (which >= 0 && m->capture[which].length != PATTERN_OPEN)
		which--;
	if (which < 0)
		luaL_error(m->L, "invalid pattern capture");
	m->capture[which].length = s - m->capture[which].start;
	found = match(m, s, p);
	if (!found)
		m->capture[which].length = PATTERN_OPEN;
	return found;
}

/* What a capture has matched comes once more; where that ends, or NULL. */
static const char *match_again(struct pattern *m, const char *s, int digit)
{
	int which = digit - '1';
	const struct pattern_capture *capture = &m->capture[which < 0 ? 0 : which];

	if (which < 0 || which >= m->captures || capture->length == PATTERN_OPEN)
		luaL_error(m->L, "invalid capture index %%%d", which + 1);
	if (capture->length < 0 || capture->length > m->subject_end - s)
		return NULL;
	step(m, (size_t)capture->length / 32);
	return memcmp(s, capture->start, (size_t)capture->length) == 0 ? s + capture->length : NULL;
}

/* ---- %b and %f ---- */

/* p is at the two characters. */
static const char *match_balance(struct pattern *m, const char *s, const char *p)
{
	int depth = 0;

	if (m->end - p < 2)
		luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->subject_end || *s != p[0])
		return NULL;
	for (; s < m->subject_end; s++) {
		step(m, 1);
		if (*s == p[1] && depth > 0) {
			if (--depth == 0)
				return s + 1;
		} else if (*s == p[0]) {
			depth++;
		}
	}
	return NULL;
}

/* p is at the set: from outside to inside of it. The ends of the text are zero bytes. */
static bool is_frontier(struct pattern *m, const char *s, const char *p, const char *end)
{
	int before = s == m->subject ? 0 : byte_at(s - 1);
	int here = s == m->subject_end ? 0 : byte_at(s);

	return !is_in_set(m, before, p, end - 1) && is_in_set(m, here, p, end - 1);
}

/* ---- All of it ---- */

/*
 * What begins with '%' and is no class. *ret_p: behind it, if it matched: up to what is returned;
 * NULL: it did not. *ret_p unchanged: it is a class.
 */
static const char *match_special(struct pattern *m, const char *s, const char **ret_p)
{
	const char *p = *ret_p;
	const char *end;

	if (p[1] == 'b') {
		s = match_balance(m, s, p + 2);
		*ret_p = p + 4;
	} else if (p[1] == 'f') {
		p += 2;
		if (*p != '[')
			luaL_error(m->L, "missing '[' after '%%f' in pattern");
		end = end_of_item(m, p);
		s = is_frontier(m, s, p, end) ? s : NULL;
		*ret_p = end;
	} else if (isdigit(byte_at(p + 1))) {
		s = match_again(m, s, byte_at(p + 1));
		*ret_p = p + 2;
	}
	return s;
}

/*
 * A single item and what says how often it comes. true: *ret_s is the end of the match of the whole
 * rest, or NULL; false: go on at *ret_s and *ret_p.
 */
static bool match_item(struct pattern *m, const char **ret_s, const char **ret_p)
{
	const char *s = *ret_s, *p = *ret_p;
	const char *end = end_of_item(m, p);
	const char *found;

	switch (end < m->end ? *end : '\0') {
	case '*':
		*ret_s = match_most(m, s, p, end, 0);
		return true;
	case '+':
		*ret_s = match_most(m, s, p, end, 1);
		return true;
	case '-':
		*ret_s = match_fewest(m, s, p, end);
		return true;
	case '?':
		*ret_p = end + 1;
		if (!is_item(m, s, p, end))
			return false;
		found = match(m, s + 1, end + 1);
		if (!found)
			return false;
		*ret_s = found;
		return true;
	default:
		*ret_p = end;
		*ret_s = is_item(m, s, p, end) ? s + 1 : NULL;
		return *ret_s == NULL;
	}
}

/* As match(), of which this is the inside. */
static const char *match_rest(struct pattern *m, const char *s, const char *p)
{
	while (s && p != m->end) {
		const char *before = p;

		step(m, 1);
		if (*p == '(' && p[1] == ')')
			return open_capture(m, s, p + 2, PATTERN_POSITION);
		if (*p == '(')
			return open_capture(m, s, p + 1, PATTERN_OPEN);
		if (*p == ')')
			return close_capture(m, s, p + 1);
		if (*p == '$' && p + 1 == m->end)
			return s == m->subject_end ? s : NULL;
		if (*p == '%')
			s = match_special(m, s, &p);
		if (p == before && match_item(m, &s, &p))
			return s;
	}
	return s;
}

static const char *match(struct pattern *m, const char *s, const char *p)
{
	const char *found;

	if (m->depth-- == 0)
		luaL_error(m->L, "pattern too complex");
	found = match_rest(m, s, p);
	m->depth++;
	return found;
}

const char *pattern_match(struct pattern *m, const char *text, const char *from)
{
	m->depth = DEPTH_MAX;
	m->captures = 0;
	return match(m, text, from);
}

/* ---- What was captured ---- */

void pattern_push_capture(struct pattern *m, int which, const char *text, const char *end)
{
	const struct pattern_capture *capture = &m->capture[which];

	if (which >= m->captures) {
		if (which != 0)
			luaL_error(m->L, "invalid capture index %%%d", which + 1);
		(void)lua_pushlstring(m->L, text, (size_t)(end - text));
	} else if (capture->length == PATTERN_POSITION) {
		lua_pushinteger(m->L, capture->start - m->subject + 1);
	} else if (capture->length == PATTERN_OPEN) {
		luaL_error(m->L, "unfinished capture");
	} else {
		(void)lua_pushlstring(m->L, capture->start, (size_t)capture->length);
	}
}

int pattern_push_captures(struct pattern *m, const char *text, const char *end)
{
	int count = m->captures == 0 && text ? 1 : m->captures;

	luaL_checkstack(m->L, count, "too many captures");
	for (int i = 0; i < count; i++)
		pattern_push_capture(m, i, text, end);
	return count;
}
