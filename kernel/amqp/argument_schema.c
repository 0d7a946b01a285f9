/* SPDX-License-Identifier: MIT */
#include "amqp/argument_schema.h"

#include <errno.h>
#include <stdlib.h>

#include "amqp/table.h"

#define SHOWN_MAX 64 /* bytes of a refused string that an error shows */

static const char *const type_names[] = {
	[SHUNT_ARGUMENT_ANY] = "any",	      [SHUNT_ARGUMENT_BOOLEAN] = "boolean",
	[SHUNT_ARGUMENT_INTEGER] = "integer", [SHUNT_ARGUMENT_NUMBER] = "number",
	[SHUNT_ARGUMENT_STRING] = "string",   [SHUNT_ARGUMENT_TABLE] = "table",
	[SHUNT_ARGUMENT_ARRAY] = "array",
};
#define N_TYPES (sizeof(type_names) / sizeof(type_names[0]))

static bool has_range(const struct shunt_argument *argument)
{
	return argument->minimum != 0 || argument->maximum != 0;
}

/* ---- A value ---- */

/* As one of the described type; false if it is none. */
static bool convert(const struct shunt_argument *argument, const struct amqp_value *value,
		    struct shunt_value *ret)
{
	switch (argument->type) {
	case SHUNT_ARGUMENT_BOOLEAN:
		if (value->type != AMQP_VALUE_BOOL)
			return false;
		*ret = (struct shunt_value){.type = AMQP_VALUE_BOOL, .boolean = value->boolean};
		return true;
	case SHUNT_ARGUMENT_INTEGER:
		*ret = (struct shunt_value){.type = AMQP_VALUE_LONG};
		return amqp_value_get_integer(value, &ret->integer);
	case SHUNT_ARGUMENT_NUMBER:
		*ret = (struct shunt_value){.type = AMQP_VALUE_DOUBLE, .real = value->real};
		if (value->type == AMQP_VALUE_FLOAT || value->type == AMQP_VALUE_DOUBLE)
			return true;
		ret->real = (double)value->integer;
		return amqp_value_is_integer(value);
	case SHUNT_ARGUMENT_STRING:
	case SHUNT_ARGUMENT_TABLE:
	case SHUNT_ARGUMENT_ARRAY:
		*ret = (struct shunt_value){.type = value->type,
					    .bytes = {value->bytes.data, value->bytes.size}};
		return value->type == (argument->type == SHUNT_ARGUMENT_STRING	? AMQP_VALUE_STRING
				       : argument->type == SHUNT_ARGUMENT_TABLE ? AMQP_VALUE_TABLE
										: AMQP_VALUE_ARRAY);
	case SHUNT_ARGUMENT_ANY:
		break;
	}
	return true;
}

/* Written so that what is not a number is in no range. */
static bool is_in_range(const struct shunt_argument *argument, const struct shunt_value *value)
{
	int64_t n = argument->type == SHUNT_ARGUMENT_STRING ? (int64_t)value->bytes.size
							    : value->integer;

	if (!has_range(argument))
		return true;
	if (argument->type == SHUNT_ARGUMENT_NUMBER)
		return value->real >= (double)argument->minimum &&
		       value->real <= (double)argument->maximum;
	return n >= argument->minimum && n <= argument->maximum;
}

static bool is_choice(const struct shunt_argument *argument, const struct shunt_value *value)
{
	if (argument->type != SHUNT_ARGUMENT_STRING || !argument->choices)
		return true;
	for (const char *const *choice = argument->choices; *choice; choice++) {
		if (slice_equal(slice_cstr(*choice),
				slice_make(value->bytes.data, value->bytes.size)))
			return true;
	}
	return false;
}

bool argument_schema_read(const struct shunt_argument *argument, const struct amqp_value *value,
			  struct shunt_value *ret_value)
{
	struct shunt_value converted;

	if (!convert(argument, value, &converted) || !is_in_range(argument, &converted) ||
	    !is_choice(argument, &converted))
		return false;
	*ret_value = converted;
	return true;
}

/* ---- A default ---- */

static bool read_boolean(const char *text, struct amqp_value *ret)
{
	*ret = (struct amqp_value){.type = AMQP_VALUE_BOOL, .boolean = strcmp(text, "true") == 0};
	return ret->boolean || strcmp(text, "false") == 0;
}

static bool read_integer(const char *text, struct amqp_value *ret)
{
	char *end;

	errno = 0;
	*ret = (struct amqp_value){.type = AMQP_VALUE_LONG, .integer = strtoll(text, &end, 10)};
	return errno == 0 && end != text && *end == '\0';
}

static bool read_number(const char *text, struct amqp_value *ret)
{
	char *end;

	*ret = (struct amqp_value){.type = AMQP_VALUE_DOUBLE, .real = strtod(text, &end)};
	return end != text && *end == '\0';
}

static bool read_text(const struct shunt_argument *argument, const char *text,
		      struct amqp_value *ret)
{
	switch (argument->type) {
	case SHUNT_ARGUMENT_BOOLEAN:
		return read_boolean(text, ret);
	case SHUNT_ARGUMENT_INTEGER:
		return read_integer(text, ret);
	case SHUNT_ARGUMENT_NUMBER:
		return read_number(text, ret);
	case SHUNT_ARGUMENT_ANY:
	case SHUNT_ARGUMENT_STRING:
		*ret = (struct amqp_value){.type = AMQP_VALUE_STRING, .bytes = slice_cstr(text)};
		return true;
	case SHUNT_ARGUMENT_TABLE:
	case SHUNT_ARGUMENT_ARRAY:
		break;
	}
	return false;
}

bool argument_schema_default(const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	struct amqp_value value;

	if (!argument->default_value || !read_text(argument, argument->default_value, &value))
		return false;
	if (argument->type != SHUNT_ARGUMENT_ANY)
		return argument_schema_read(argument, &value, ret_value);
	*ret_value = (struct shunt_value){.type = value.type,
					  .bytes = {value.bytes.data, value.bytes.size}};
	return true;
}

/* ---- A list that a plugin registers ---- */

static const char *fault_of_range(const struct shunt_argument *argument)
{
	if (!has_range(argument))
		return NULL;
	if (argument->minimum > argument->maximum)
		return "an argument's minimum is above its maximum";
	if (argument->type == SHUNT_ARGUMENT_STRING && argument->minimum < 0)
		return "an argument's length has a minimum below zero";
	if (argument->type != SHUNT_ARGUMENT_INTEGER && argument->type != SHUNT_ARGUMENT_NUMBER &&
	    argument->type != SHUNT_ARGUMENT_STRING)
		return "an argument has a range that its type has not";
	return NULL;
}

static const char *fault_of_choices(const struct shunt_argument *argument)
{
	size_t n = 0;

	if (!argument->choices)
		return NULL;
	if (argument->type != SHUNT_ARGUMENT_STRING)
		return "an argument that is no string has choices";
	while (n <= ARGUMENT_SCHEMA_CHOICE_MAX && argument->choices[n])
		n++;
	if (n == 0)
		return "an argument has no choice";
	return n > ARGUMENT_SCHEMA_CHOICE_MAX ? "an argument has more than 256 choices" : NULL;
}

static const char *fault_of_default(const struct shunt_argument *argument)
{
	struct shunt_value value;

	if (!argument->default_value)
		return NULL;
	if (argument->required)
		return "a required argument has a default";
	return argument_schema_default(argument, &value) ? NULL
							 : "an argument's default does not fit it";
}

static const char *fault_of(const struct shunt_argument *argument)
{
	const char *fault;

	if (argument->name[0] == '\0')
		return "an argument has an empty name";
	if (strlen(argument->name) > UINT8_MAX)
		return "an argument has a name of more than 255 bytes";
	if ((unsigned)argument->type >= N_TYPES)
		return "an argument has an unknown type";
	fault = fault_of_range(argument);
	if (!fault)
		fault = fault_of_choices(argument);
	return fault ? fault : fault_of_default(argument);
}

const char *argument_schema_fault(const struct shunt_argument *list)
{
	for (size_t i = 0; list && list[i].name; i++) {
		const char *fault =
			i < ARGUMENT_SCHEMA_MAX ? fault_of(&list[i]) : "more than 64 arguments";

		if (fault)
			return fault;
		for (size_t before = 0; before < i; before++) {
			if (strcmp(list[before].name, list[i].name) == 0)
				return "an argument is there twice";
		}
	}
	return NULL;
}

/* ---- Given arguments ---- */

static int invalid(const struct shunt_argument *argument, const struct argument_place *place,
		   const struct buffer *why, struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "invalid arg '%s' for %s '" SLICE_FMT "' in vhost '" SLICE_FMT
			      "': \"" SLICE_FMT "\"",
			      argument->name, place->what, SLICE_ARG(place->name),
			      SLICE_ARG(place->vhost), SLICE_ARG(buffer_slice(why)));
}

static void print_range(const struct shunt_argument *argument, struct buffer *out)
{
	if (argument->maximum == INT64_MAX)
		buffer_printf(out, "from %lld", (long long)argument->minimum);
	else if (argument->minimum == INT64_MIN)
		buffer_printf(out, "to %lld", (long long)argument->maximum);
	else
		buffer_printf(out, "%lld..%lld", (long long)argument->minimum,
			      (long long)argument->maximum);
}

static void print_choices(const struct shunt_argument *argument, struct buffer *out)
{
	for (const char *const *choice = argument->choices; *choice; choice++)
		buffer_printf(out, "%s%s", choice == argument->choices ? "" : ", ", *choice);
}

/* Why a value does not fit. */
static void print_why(const struct shunt_argument *argument, const struct amqp_value *value,
		      struct buffer *out)
{
	struct shunt_value converted;
	size_t shown = 0;

	if (!convert(argument, value, &converted)) {
		buffer_printf(out, "expected %s, got %s", type_names[argument->type],
			      amqp_value_type_name(value->type));
	} else if (is_in_range(argument, &converted)) {
		shown = value->bytes.size < SHOWN_MAX ? value->bytes.size : SHOWN_MAX;
		buffer_printf(out, "got %.*s, expected one of ", (int)shown, value->bytes.data);
		print_choices(argument, out);
	} else if (argument->type == SHUNT_ARGUMENT_STRING) {
		buffer_append_cstr(out, "expected ");
		print_range(argument, out);
		buffer_printf(out, " bytes, got %zu", value->bytes.size);
	} else {
		buffer_append_cstr(out, "expected ");
		print_range(argument, out);
		buffer_append_cstr(out, ", got ");
		amqp_value_print(value, out);
	}
}

static int check_one(const struct shunt_argument *argument, struct slice table,
		     const struct argument_place *place, struct amqp_error *error)
{
	struct amqp_value value;
	struct shunt_value read;
	struct buffer why;
	int r;

	if (argument->checked_by_type)
		return 0;
	buffer_init(&why);
	if (amqp_table_find(table, argument->name, &value)) {
		if (argument->type == SHUNT_ARGUMENT_ANY ||
		    argument_schema_read(argument, &value, &read))
			return 0;
		print_why(argument, &value, &why);
	} else {
		if (!argument->required)
			return 0;
		buffer_append_cstr(&why, "it is required");
	}
	r = invalid(argument, place, &why, error);
	buffer_fini(&why);
	return r;
}

int argument_schema_check(const struct shunt_argument *list, struct slice table,
			  const struct argument_place *place, struct amqp_error *error)
{
	int r = 0;

	for (; list && list->name && r == 0; list++)
		r = check_one(list, table, place, error);
	return r;
}

/* ---- Showing ---- */

void argument_schema_print(const struct shunt_argument *argument, struct buffer *out)
{
	buffer_append_cstr(out, type_names[argument->type]);
	if (has_range(argument)) {
		buffer_append_byte(out, ' ');
		print_range(argument, out);
		if (argument->type == SHUNT_ARGUMENT_STRING)
			buffer_append_cstr(out, " bytes");
	}
	if (argument->choices) {
		buffer_append_cstr(out, ", one of ");
		print_choices(argument, out);
	}
	if (argument->required)
		buffer_append_cstr(out, "; required");
	if (argument->default_value)
		buffer_printf(out, "; default %s", argument->default_value);
}
