/* SPDX-License-Identifier: MIT */
#include "control/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* As Erlang shows it: texts are <<"x">>. */
static char *term_of(const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT), *term;

	if (!json_is_string(value) || text == NULL)
		return text;
	term = mem_printf("<<%s>>", text);
	free(text);
	return term;
}

static void refuse_value(const char *name, const json_t *value, char *ret_reason, size_t size)
{
	char *term = term_of(value);

	snprintf(ret_reason, size, "%s should be a number, actually was %s", name,
		 term != NULL ? term : "?");
	free(term);
}

static void refuse_name(const char *name, const json_t *value, const char *what, char *ret_reason,
			size_t size)
{
	char *term = term_of(value);

	snprintf(ret_reason, size, "Unrecognised terms [{<<\"%s\">>,%s}] in %s", name,
		 term != NULL ? term : "?", what);
	free(term);
}

static bool limits_take(const json_t *object, const char *what, struct limit *limits, size_t n,
			char *ret_reason, size_t size)
{
	json_t *copy = json_deep_copy(object), *value;
	const char *name;
	bool is_good = true;

	json_object_foreach(copy, name, value)
	{
		struct limit *limit = NULL;

		for (size_t i = 0; i < n && limit == NULL; i++)
			if (strcmp(limits[i].name, name) == 0)
				limit = &limits[i];
		is_good = limit != NULL && json_is_integer(value);
		if (limit == NULL)
			refuse_name(name, value, what, ret_reason, size);
		else if (!is_good)
			refuse_value(name, value, ret_reason, size);
		else
			limit->value = json_integer_value(value) < 0 ? LIMIT_NONE
								     : json_integer_value(value);
		if (!is_good)
			break;
	}
	json_decref(copy);
	return is_good;
}

bool limits_read(const char *definition, const char *what, struct limit *limits, size_t n,
		 char *ret_reason, size_t size)
{
	json_error_t error;
	json_t *object = json_loads(definition, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
	bool is_good = false;

	if (object == NULL)
		snprintf(ret_reason, size, "JSON decoding error. Reason: %s", error.text);
	else if (!json_is_object(object))
		snprintf(ret_reason, size, "%s not a list %s", what, definition);
	else
		is_good = limits_take(object, what, limits, n, ret_reason, size);
	json_decref(object);
	return is_good;
}

char *limits_write(const struct limit *limits, size_t n)
{
	json_t *object = json_object();
	char *text;

	for (size_t i = 0; i < n; i++)
		if (limits[i].value >= 0)
			json_object_set_new(object, limits[i].name, json_integer(limits[i].value));
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}
