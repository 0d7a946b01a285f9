/* SPDX-License-Identifier: MIT */
#include "library/json_text.h"

#include <string.h>

#define EACH UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

struct reader {
	const uint8_t *p, *end;
	const char *wrong;
	int depth_left;
};

static bool fail(struct reader *reader, const char *wrong)
{
	reader->wrong = wrong;
	return false;
}

const uint8_t *json_text_blanks(const uint8_t *p, const uint8_t *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* ---- Strings ---- */

/* Whether one of the eight bytes is the end of a string, an escape, a control character or not
 * ASCII; it may be yes for others, too. */
static bool has_special(uint64_t word)
{
	uint64_t quote = word ^ EACH * '"', escape = word ^ EACH * '\\';

	return (((word - EACH * 0x20) | (quote - EACH) | (escape - EACH) | word) & HIGH) != 0;
}

/* Behind what is nothing special. */
static const uint8_t *skip_plain(const uint8_t *p, const uint8_t *end)
{
	uint64_t word;

	while (end - p >= (ptrdiff_t)sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		if (has_special(word))
			break;
		p += sizeof(word);
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static int hex_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits; -1: they are not there. */
static int32_t code_of(const uint8_t *p, const uint8_t *end)
{
	int32_t code = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_of(p[i]);

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

static bool is_high_surrogate(int32_t code)
{
	return code >= 0xd800 && code < 0xdc00;
}

static bool is_low_surrogate(int32_t code)
{
	return code >= 0xdc00 && code < 0xe000;
}

/* Behind "\u". */
static bool check_code(struct reader *reader)
{
	int32_t code = code_of(reader->p, reader->end);

	if (code < 0)
		return fail(reader, "four hexadecimal digits expected");
	if (is_low_surrogate(code))
		return fail(reader, "half a character");
	reader->p += 4;
	if (!is_high_surrogate(code))
		return true;
	if (reader->end - reader->p < 6 || reader->p[0] != '\\' || reader->p[1] != 'u' ||
	    !is_low_surrogate(code_of(reader->p + 2, reader->end)))
		return fail(reader, "half a character");
	reader->p += 6;
	return true;
}

/* Behind a backslash. */
static bool check_escape(struct reader *reader)
{
	if (reader->p == reader->end)
		return fail(reader, "the string has no end");
	if (!memchr("\"\\/bfnrtu", *reader->p, 9))
		return fail(reader, "no such escape");
	if (*reader->p++ != 'u')
		return true;
	return check_code(reader);
}

/* A character that is not ASCII: 2 to 4 bytes, no longer than it must be, no half ones. */
static bool check_utf8(struct reader *reader)
{
	const uint8_t *p = reader->p;
	size_t left = (size_t)(reader->end - p);
	size_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint8_t least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	uint8_t most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	if (p[0] < 0xc2 || p[0] > 0xf4 || left < size || p[1] < least || p[1] > most)
		return fail(reader, "not UTF-8");
	for (size_t i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return fail(reader, "not UTF-8");
	reader->p += size;
	return true;
}

static bool check_string(struct reader *reader)
{
	reader->p++;
	for (;;) {
		reader->p = skip_plain(reader->p, reader->end);
		if (reader->p == reader->end)
			return fail(reader, "the string has no end");
		if (*reader->p == '"')
			break;
		if (*reader->p < 0x20)
			return fail(reader, "a control character in a string");
		if (*reader->p == '\\') {
			reader->p++;
			if (!check_escape(reader))
				return false;
		} else if (!check_utf8(reader)) {
			return false;
		}
	}
	reader->p++;
	return true;
}

const uint8_t *json_text_string(const uint8_t *p, const uint8_t *end)
{
	for (p = skip_plain(p + 1, end); *p != '"'; p = skip_plain(p, end))
		p += *p == '\\' ? 2 : 1;
	return p + 1;
}

/* ---- Numbers and words ---- */

static bool skip_digits(struct reader *reader)
{
	const uint8_t *first = reader->p;

	while (reader->p < reader->end && *reader->p >= '0' && *reader->p <= '9')
		reader->p++;
	return reader->p > first || fail(reader, "a digit expected");
}

static bool is_at(const struct reader *reader, char a, char b)
{
	return reader->p < reader->end && (*reader->p == a || *reader->p == b);
}

static bool check_number(struct reader *reader)
{
	if (is_at(reader, '-', '-'))
		reader->p++;
	else if (reader->p == reader->end || *reader->p < '0' || *reader->p > '9')
		return fail(reader, "a value expected");
	if (is_at(reader, '0', '0'))
		reader->p++;
	else if (!skip_digits(reader))
		return false;
	if (is_at(reader, '.', '.')) {
		reader->p++;
		if (!skip_digits(reader))
			return false;
	}
	if (!is_at(reader, 'e', 'E'))
		return true;
	reader->p++;
	if (is_at(reader, '+', '-'))
		reader->p++;
	return skip_digits(reader);
}

static bool check_word(struct reader *reader, const char *word)
{
	size_t size = strlen(word);

	if ((size_t)(reader->end - reader->p) < size || memcmp(reader->p, word, size) != 0)
		return fail(reader, "a value expected");
	reader->p += size;
	return true;
}

/* ---- Objects and arrays ---- */

static bool check_value(struct reader *reader);

static bool check_member(struct reader *reader)
{
	reader->p = json_text_blanks(reader->p, reader->end);
	if (!is_at(reader, '"', '"'))
		return fail(reader, "a name expected");
	if (!check_string(reader))
		return false;
	reader->p = json_text_blanks(reader->p, reader->end);
	if (!is_at(reader, ':', ':'))
		return fail(reader, "':' expected");
	reader->p++;
	return check_value(reader);
}

static bool check_nested(struct reader *reader, char last, bool (*check)(struct reader *reader))
{
	if (reader->depth_left-- == 0)
		return fail(reader, "too many objects and arrays in each other");
	reader->p = json_text_blanks(reader->p + 1, reader->end);
	if (!is_at(reader, last, last)) {
		for (;;) {
			if (!check(reader))
				return false;
			reader->p = json_text_blanks(reader->p, reader->end);
			if (!is_at(reader, ',', ','))
				break;
			reader->p++;
		}
	}
	if (!is_at(reader, last, last))
		return fail(reader, last == '}' ? "'}' expected" : "']' expected");
	reader->p++;
	reader->depth_left++;
	return true;
}

static bool check_value(struct reader *reader)
{
	reader->p = json_text_blanks(reader->p, reader->end);
	switch (reader->p < reader->end ? *reader->p : 0) {
	case '{':
		return check_nested(reader, '}', check_member);
	case '[':
		return check_nested(reader, ']', check_value);
	case '"':
		return check_string(reader);
	case 't':
		return check_word(reader, "true");
	case 'f':
		return check_word(reader, "false");
	case 'n':
		return check_word(reader, "null");
	default:
		return check_number(reader);
	}
}

bool json_text_check(struct shunt_bytes text, int depth_max, const char **ret_wrong, size_t *ret_at)
{
	struct reader reader = {.p = text.size > 0 ? text.data : (const uint8_t *)"",
				.depth_left = depth_max};
	const uint8_t *first = reader.p;

	reader.end = reader.p + text.size;
	if (check_value(&reader)) {
		reader.p = json_text_blanks(reader.p, reader.end);
		if (reader.p == reader.end)
			return true;
		reader.wrong = "the end expected";
	}
	*ret_wrong = reader.wrong;
	*ret_at = (size_t)(reader.p - first);
	return false;
}

static bool is_in_word(uint8_t c)
{
	return c > ' ' && c != ',' && c != ']' && c != '}';
}

const uint8_t *json_text_value(const uint8_t *p, const uint8_t *end)
{
	int depth = 0;

	if (*p != '"' && *p != '{' && *p != '[') {
		while (p < end && is_in_word(*p))
			p++;
		return p;
	}
	do {
		if (*p == '"') {
			p = json_text_string(p, end);
		} else {
			depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
			p++;
		}
	} while (depth > 0);
	return p;
}

/* ---- What a string means ---- */

static uint8_t *put_utf8(uint8_t *out, int32_t code)
{
	if (code < 0x80) {
		*out++ = (uint8_t)code;
		return out;
	}
	if (code < 0x800) {
		*out++ = (uint8_t)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*out++ = (uint8_t)(0xe0 | code >> 12);
		} else {
			*out++ = (uint8_t)(0xf0 | code >> 18);
			*out++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		}
		*out++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	}
	*out++ = (uint8_t)(0x80 | (code & 0x3f));
	return out;
}

/* Behind "\u"; moves behind the digits. */
static uint8_t *put_code(uint8_t *out, const uint8_t **p, const uint8_t *end)
{
	int32_t code = code_of(*p, end);

	*p += 4;
	if (is_high_surrogate(code)) {
		code = 0x10000 + (code - 0xd800) * 0x400 + (code_of(*p + 2, end) - 0xdc00);
		*p += 6;
	}
	return put_utf8(out, code);
}

static uint8_t meaning_of(uint8_t escape)
{
	switch (escape) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return escape;
	}
}

size_t json_text_unescape(struct shunt_bytes contents, uint8_t *out)
{
	const uint8_t *p = contents.data, *end = p + contents.size;
	uint8_t *first = out;

	while (p < end) {
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		p += 2;
		if (p[-1] == 'u')
			out = put_code(out, &p, end);
		else
			*out++ = meaning_of(p[-1]);
	}
	return (size_t)(out - first);
}
