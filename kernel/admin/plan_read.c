/* SPDX-License-Identifier: MIT */
/*
 * A definitions file: one JSON object, whose members are arrays of objects, a section each. Runs on
 * a worker, whose stack is small: so the file's nesting is bounded before jansson, which recurses,
 * sees it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/plan_reader.h"
#include "amqp/value.h"

/* Those of the sections and their items, and the tables in them. */
#define DEPTH_MAX (AMQP_TABLE_DEPTH_MAX + 6)

/* In the order in which they are read: what others name comes first. */
static const struct section {
	const char *name;
	int (*read)(struct plan_reader *reader, json_t *object);
} sections[] = {
	{"vhosts", plan_read_vhost},	       {"users", plan_read_user},
	{"permissions", plan_read_permission}, {"topic_permissions", plan_read_topic_permission},
	{"parameters", plan_read_parameter},   {"global_parameters", plan_read_global_parameter},
	{"policies", plan_read_policy},	       {"exchanges", plan_read_exchange},
	{"queues", plan_read_queue},	       {"bindings", plan_read_binding},
};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* ---- Errors ---- */

int plan_fail(struct plan_reader *reader, const char *member, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(reader->reason, reader->size, "%s[%zu]%s%s: %s", reader->origin.section,
		       reader->origin.index, member ? "." : "", member ? member : "", text);
	return -EINVAL;
}

int plan_fail_memory(struct plan_reader *reader)
{
	(void)snprintf(reader->reason, reader->size, "out of memory");
	return -ENOMEM;
}

/* ---- Values ---- */

void *plan_reader_add(struct plan_reader *reader, enum plan_kind kind)
{
	struct plan_origin *origin = plan_add(reader->plan, kind); /* every item's first member */

	if (origin)
		*origin = reader->origin;
	return origin;
}

static struct slice text_of(const json_t *value)
{
	return slice_make(json_string_value(value), json_string_length(value));
}

int plan_get_text(struct plan_reader *reader, const json_t *object, const char *member,
		  size_t size_max, bool is_required, struct slice *ret_text)
{
	const json_t *value = json_object_get(object, member);

	*ret_text = SLICE_EMPTY;
	if (!value || json_is_null(value))
		return is_required ? plan_fail(reader, member, "missing") : 0;
	if (!json_is_string(value))
		return plan_fail(reader, member, "expected a text");
	if (json_string_length(value) > size_max)
		return plan_fail(reader, member, "longer than %zu bytes", size_max);
	*ret_text = plan_keep(reader->plan, text_of(value));
	return ret_text->data ? 0 : plan_fail_memory(reader);
}

int plan_get_name(struct plan_reader *reader, const json_t *object, const char *member,
		  struct slice *ret_name)
{
	int r = plan_get_text(reader, object, member, 255, true, ret_name);

	if (r == 0 && ret_name->size == 0)
		r = plan_fail(reader, member, "empty");
	return r;
}

int plan_get_pattern(struct plan_reader *reader, const json_t *object, const char *member,
		     struct slice *ret_pattern)
{
	char reason[256];
	int r = plan_get_text(reader, object, member, ACCESS_PATTERN_MAX, true, ret_pattern);

	if (r == 0 && !access_pattern_is_valid(*ret_pattern, reason, sizeof(reason)))
		r = plan_fail(reader, member, "%s", reason);
	return r;
}

int plan_get_bool(struct plan_reader *reader, const json_t *object, const char *member,
		  bool is_required, bool *ret_value)
{
	const json_t *value = json_object_get(object, member);

	*ret_value = json_is_true(value);
	if (!value)
		return is_required ? plan_fail(reader, member, "missing") : 0;
	return json_is_boolean(value) ? 0 : plan_fail(reader, member, "expected true or false");
}

static int join(struct plan_reader *reader, const char *member, const json_t *array,
		struct buffer *out)
{
	const json_t *tag;
	size_t i;

	json_array_foreach(array, i, tag)
	{
		if (!json_is_string(tag) || strchr(json_string_value(tag), ',') ||
		    plan_has_nul(text_of(tag)))
			return plan_fail(reader, member, "expected texts without commas");
		if (out->size > 0)
			buffer_append_byte(out, ',');
		buffer_append_slice(out, text_of(tag));
	}
	return 0;
}

/* Blanks around the commas are not of the tags. */
static void tidy(const char *text, struct buffer *out)
{
	while (*text != '\0') {
		size_t size, end;

		text += strspn(text, " ");
		size = end = strcspn(text, ",");
		while (end > 0 && text[end - 1] == ' ')
			end--;
		if (end > 0 && out->size > 0)
			buffer_append_byte(out, ',');
		buffer_append(out, text, end);
		text += size + (text[size] == ',');
	}
}

int plan_get_tags(struct plan_reader *reader, const json_t *object, const char *member,
		  struct slice *ret_tags)
{
	const json_t *value = json_object_get(object, member);
	struct buffer text;
	int r = 0;

	*ret_tags = SLICE_EMPTY;
	buffer_init(&text);
	if (json_is_string(value) && !plan_has_nul(text_of(value)))
		tidy(json_string_value(value), &text);
	else if (json_is_array(value))
		r = join(reader, member, value, &text);
	else if (value && !json_is_null(value))
		r = plan_fail(reader, member, "expected texts, or one with commas between");
	if (r == 0 && text.size > ACCESS_TAGS_MAX)
		r = plan_fail(reader, member, "longer than %u bytes", ACCESS_TAGS_MAX);
	if (r == 0) {
		*ret_tags = plan_keep(reader->plan, buffer_slice(&text));
		r = text.failed || !ret_tags->data ? plan_fail_memory(reader) : 0;
	}
	buffer_fini(&text);
	return r;
}

/* ---- What must be there ---- */

int plan_need(struct plan_reader *reader, enum plan_reference_kind kind, const char *member,
	      struct slice name)
{
	struct plan_reference *reference;
	/* Upper case: what is needed. */
	int r = plan_name(reader->plan, (char)(kind - 'a' + 'A'), SLICE_EMPTY, name);

	if (r == -EEXIST)
		return 0;
	reference = r == 0 ? plan_alloc(reader->plan, sizeof(*reference)) : NULL;
	if (!reference)
		return plan_fail_memory(reader);
	*reference = (struct plan_reference){
		.next = reader->plan->references,
		.kind = kind,
		.name = name,
		.origin = reader->origin,
		.member = member,
	};
	reader->plan->references = reference;
	return 0;
}

int plan_get_vhost(struct plan_reader *reader, const json_t *object, struct slice *ret_vhost)
{
	int r;

	if (json_object_get(object, "vhost")) {
		r = plan_get_name(reader, object, "vhost", ret_vhost);
	} else if (reader->options->vhost.data) {
		*ret_vhost = plan_keep(reader->plan, reader->options->vhost);
		r = ret_vhost->data ? 0 : plan_fail_memory(reader);
	} else {
		r = plan_fail(reader, "vhost",
			      "missing: a file of a single virtual host is imported with -p VHOST");
	}
	return r != 0 ? r : plan_need(reader, PLAN_NEEDS_VHOST, "vhost", *ret_vhost);
}

int plan_only_once(struct plan_reader *reader, char kind, const char *what, struct slice vhost,
		   struct slice first, struct slice second)
{
	uint8_t pair[PLAN_PAIR_MAX];
	int r;

	pair[0] = (uint8_t)first.size;
	slice_copy(pair + 1, first);
	slice_copy(pair + 1 + first.size, second);
	r = plan_name(reader->plan, kind, vhost, slice_make(pair, 1 + first.size + second.size));
	if (r == -EEXIST)
		return plan_fail(reader, NULL, "a second %s", what);
	return r != 0 ? plan_fail_memory(reader) : 0;
}

/* Those that the file itself has are taken off; the order becomes the file's. */
static void resolve(struct plan *plan)
{
	struct plan_reference *reference = plan->references, *left = NULL, *next;

	for (; reference; reference = next) {
		next = reference->next;
		if (plan_has_name(plan, (char)reference->kind, SLICE_EMPTY, reference->name))
			continue;
		reference->next = left;
		left = reference;
	}
	plan->references = left;
}

/* ---- Objects and limits ---- */

static json_t *object_of_pairs(const json_t *array)
{
	json_t *object = json_object();
	const json_t *pair;
	size_t i;

	json_array_foreach(array, i, pair)
	{
		const char *key = json_string_value(json_array_get(pair, 0));

		if (json_array_size(pair) != 2 || !key ||
		    json_object_set(object, key, json_array_get(pair, 1)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *plan_object(const json_t *value)
{
	json_t *copy = NULL;

	if (json_is_array(value))
		return object_of_pairs(value);
	if (json_is_object(value)) {
		copy = json_object();
		if (copy && json_object_update(copy, (json_t *)(uintptr_t)value) != 0) {
			json_decref(copy);
			copy = NULL;
		}
	}
	return copy;
}

static int set_limit(struct plan_reader *reader, const char *member, const char *name,
		     const json_t *value, const struct plan_limit *known, size_t n_known)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s.%.255s", member, name);
	for (size_t i = 0; i < n_known; i++) {
		json_int_t number = json_integer_value(value);

		if (strcmp(known[i].name, name) != 0)
			continue;
		if (!json_is_integer(value))
			return plan_fail(reader, path, "expected a whole number");
		*known[i].value = number < 0 ? -1 : number;
		*known[i].is_there = true;
		return 0;
	}
	return plan_fail(reader, path, "there is no such limit");
}

int plan_get_limits(struct plan_reader *reader, const json_t *limits, const char *member,
		    const struct plan_limit *known, size_t n_known)
{
	json_t *object = plan_object(limits), *value;
	const char *name;
	int r = 0;

	if (!object)
		return plan_fail(reader, member, "expected an object");
	json_object_foreach(object, name, value)
	{
		r = set_limit(reader, member, name, value, known, n_known);
		if (r != 0)
			break;
	}
	json_decref(object);
	return r;
}

/* ---- The file ---- */

/* Sets the reason: too deep for the recursion that follows. Texts are skipped. */
static bool is_flat_enough(struct slice text)
{
	unsigned depth = 0;
	bool is_in_text = false;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (is_in_text) {
			i += c == '\\';
			is_in_text = c != '"';
		} else if (c == '"') {
			is_in_text = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return false;
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		}
	}
	return true;
}

static int read_section(struct plan_reader *reader, const struct section *section, json_t *array)
{
	json_t *item;
	size_t i;
	int r = 0;

	reader->origin = (struct plan_origin){section->name, 0};
	json_array_foreach(array, i, item)
	{
		reader->origin.index = i;
		r = json_is_object(item) ? section->read(reader, item)
					 : plan_fail(reader, NULL, "expected an object");
		if (r != 0)
			break;
	}
	return r;
}

static const struct section *find_section(const char *name)
{
	for (size_t i = 0; i < N_SECTIONS; i++)
		if (strcmp(sections[i].name, name) == 0)
			return &sections[i];
	return NULL;
}

/* Of what is not known, texts and numbers say something about the file; a list is to be done. */
static int check_sections(struct plan_reader *reader, const json_t *file)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)file, name, value)
	{
		bool is_known = find_section(name) != NULL;

		if (is_known ? json_is_array(value) || json_is_null(value)
			     : json_array_size(value) == 0)
			continue;
		(void)snprintf(reader->reason, reader->size, "%.255s: %s", name,
			       is_known ? "expected an array" : "an unknown section");
		return -EINVAL;
	}
	return 0;
}

/* Who moves here from RabbitMQ is not to find that out by himself. */
static void warn_of_policies(struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan_count(plan, PLAN_PARAMETERS); i++) {
		const struct plan_parameter *parameter = plan_item(plan, PLAN_PARAMETERS, i);
		struct slice component = parameter->view.component;

		n += slice_equal(component, PARAMETER_POLICY) ||
		     slice_equal(component, PARAMETER_OPERATOR_POLICY);
	}
	if (n > 0)
		plan_warn(plan, "policies (%zu) are kept and exported, but have no effect", n);
}

static int read_sections(struct plan_reader *reader, const json_t *file)
{
	int r = check_sections(reader, file);

	for (size_t i = 0; i < N_SECTIONS && r == 0; i++)
		r = read_section(reader, &sections[i], json_object_get(file, sections[i].name));
	if (r == 0) {
		resolve(reader->plan);
		warn_of_policies(reader->plan);
	}
	return r;
}

static int append(const char *bytes, size_t size, void *data)
{
	struct buffer *buffer = data;

	buffer_append(buffer, bytes, size);
	return buffer->failed ? -1 : 0;
}

static int read_file(struct plan_reader *reader, json_t *file, struct buffer *ret_text)
{
	int r = read_sections(reader, file);

	if (r == 0 && reader->has_secrets && ret_text &&
	    json_dump_callback(file, append, ret_text, JSON_COMPACT) != 0)
		r = plan_fail_memory(reader);
	return r;
}

int plan_read(struct slice text, const struct plan_options *options, struct plan **ret_plan,
	      struct buffer *ret_text, char *ret_reason, size_t size)
{
	struct plan_reader reader = {.options = options, .reason = ret_reason, .size = size};
	json_error_t error = {.text = "nested too deeply"};
	json_t *file = NULL;
	int r = -EINVAL;

	if (is_flat_enough(text))
		file = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, &error);
	if (!file) {
		(void)snprintf(ret_reason, size,
			       "Failed to deserialise input (format: JSON) (error: line %d, column "
			       "%d: %s)",
			       error.line, error.column, error.text);
		return r;
	}
	reader.plan = plan_create();
	if (json_is_object(file))
		r = read_file(&reader, file, ret_text);
	else
		(void)snprintf(ret_reason, size, "expected an object of definitions");
	json_decref(file);
	if (r == 0)
		*ret_plan = reader.plan;
	else
		plan_destroy(reader.plan);
	return r;
}
