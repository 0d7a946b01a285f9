/* SPDX-License-Identifier: MIT */
/*
 * JSON, by what scripts read it with and by jansson: both take it, or neither does. Of a text that
 * is JSON, the end of each value is found, and each string means what jansson says.
 */
#include "fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "library/json_text.h"

#define DEPTH_MAX 64

static const uint8_t *follow(const uint8_t *p, const uint8_t *end, const json_t *value);

static void compare_string(const uint8_t *first, const uint8_t *last, const char *text, size_t size)
{
	struct shunt_bytes contents = {first + 1, (size_t)(last - first) - 2};
	uint8_t *meaning = malloc(contents.size + 1);

	fuzz_check(json_text_unescape(contents, meaning) == size);
	fuzz_check(memcmp(meaning, text, size) == 0);
	free(meaning);
}

static const uint8_t *follow_array(const uint8_t *p, const uint8_t *end, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		p = json_text_blanks(p + 1, end);
		p = json_text_blanks(follow(p, end, json_array_get(array, i)), end);
		fuzz_check(*p == (i + 1 < json_array_size(array) ? ',' : ']'));
	}
	return p;
}

/* What jansson has made of the value at p; of objects it keeps no order, and one of equal names. */
static const uint8_t *follow(const uint8_t *p, const uint8_t *end, const json_t *value)
{
	const uint8_t *last = json_text_value(p, end);

	fuzz_check(last <= end);
	if (json_is_array(value))
		(void)follow_array(p, end, value);
	else if (json_is_string(value))
		compare_string(p, last, json_string_value(value), json_string_length(value));
	return last;
}

static bool is_deep(const json_t *value, int depth)
{
	const char *name;
	json_t *member;
	size_t i;

	if (depth > DEPTH_MAX)
		return true;
	if (json_is_array(value)) {
		json_array_foreach(value, i, member) if (is_deep(member, depth + 1)) return true;
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, name,
				    member) if (is_deep(member, depth + 1)) return true;
	}
	return false;
}

/* jansson refuses what is too large for its numbers; and names with a zero byte. */
static bool is_a_limit(const json_error_t *error)
{
	return json_error_code(error) == json_error_numeric_overflow ||
	       json_error_code(error) == json_error_null_byte_in_key ||
	       json_error_code(error) == json_error_stack_overflow;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shunt_bytes text = {malloc(size + 1), size};
	json_error_t error;
	const char *wrong;
	json_t *root;
	size_t at;
	bool taken;

	memcpy((void *)(uintptr_t)text.data, data, size);
	text.data = realloc((void *)(uintptr_t)text.data, size > 0 ? size : 1);
	taken = json_text_check(text, DEPTH_MAX, &wrong, &at);
	root = json_loadb((const char *)text.data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	fuzz_check(taken || at <= size);
	/* jansson overlooks some zero bytes between values */
	fuzz_check(taken || !root || is_deep(root, 0) || memchr(data, '\0', size));
	fuzz_check(!taken || root || is_a_limit(&error));
	if (taken && root)
		(void)follow(json_text_blanks(text.data, text.data + size), text.data + size, root);
	json_decref(root);
	free((void *)(uintptr_t)text.data);
	return 0;
}
