/* SPDX-License-Identifier: MIT */
/* Parameters and policies: both are kept as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/plan_reader.h"
#include "base/mem.h"

static int keep_json(struct plan_reader *reader, const json_t *value, struct slice *ret_text)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	if (!text)
		return plan_fail_memory(reader);
	*ret_text = plan_keep(reader->plan, slice_cstr(text));
	mem_free(text);
	return ret_text->data ? 0 : plan_fail_memory(reader);
}

/* ---- Policies ---- */

/* A policy on its own, or the value of a parameter: then its members are "value.pattern". */
struct policy {
	const json_t *object;
	const char *prefix;
};

static const char *member_of(const struct policy *policy, const char *name, char *path, size_t size)
{
	(void)snprintf(path, size, "%s%s", policy->prefix, name);
	return path;
}

static int check_pattern(struct plan_reader *reader, const struct policy *policy)
{
	const json_t *pattern = json_object_get(policy->object, "pattern");
	char path[64], reason[256];

	(void)member_of(policy, "pattern", path, sizeof(path));
	if (!json_is_string(pattern))
		return plan_fail(reader, path, pattern ? "expected a text" : "missing");
	if (!access_pattern_is_valid(
		    slice_make(json_string_value(pattern), json_string_length(pattern)), reason,
		    sizeof(reason)))
		return plan_fail(reader, path, "%s", reason);
	return 0;
}

static int check_apply_to(struct plan_reader *reader, const struct policy *policy)
{
	static const char *const words[] = {
		"all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"};
	const json_t *value = json_object_get(policy->object, "apply-to");
	const char *text = value ? json_string_value(value) : "all";
	char path[64];

	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0)
			return 0;
	return plan_fail(
		reader, member_of(policy, "apply-to", path, sizeof(path)),
		"expected all, queues, exchanges, classic_queues, quorum_queues or streams");
}

static int check_priority(struct plan_reader *reader, const struct policy *policy)
{
	const json_t *priority = json_object_get(policy->object, "priority");
	char path[64];

	if (!priority || json_is_integer(priority))
		return 0;
	return plan_fail(reader, member_of(policy, "priority", path, sizeof(path)),
			 "expected a whole number");
}

/* In one form, whatever was left out. NULL when memory is out. */
static json_t *normal_form(const struct policy *policy, json_t *definition)
{
	const json_t *apply_to = json_object_get(policy->object, "apply-to");

	return json_pack("{s:s, s:O, s:O, s:I}", "apply-to",
			 apply_to ? json_string_value(apply_to) : "all", "definition", definition,
			 "pattern", json_object_get(policy->object, "pattern"), "priority",
			 json_integer_value(json_object_get(policy->object, "priority")));
}

static int keep_policy(struct plan_reader *reader, const struct policy *policy,
		       struct slice *ret_value)
{
	json_t *definition = plan_object(json_object_get(policy->object, "definition")), *normal;
	char path[64];
	int r;

	if (!definition || json_object_size(definition) == 0) {
		json_decref(definition);
		return plan_fail(reader, member_of(policy, "definition", path, sizeof(path)),
				 "expected an object with at least one member");
	}
	normal = normal_form(policy, definition);
	r = normal ? keep_json(reader, normal, ret_value) : plan_fail_memory(reader);
	json_decref(normal);
	json_decref(definition);
	return r;
}

static int read_policy(struct plan_reader *reader, const struct policy *policy,
		       struct slice *ret_value)
{
	int r = check_pattern(reader, policy);

	if (r == 0)
		r = check_apply_to(reader, policy);
	if (r == 0)
		r = check_priority(reader, policy);
	return r != 0 ? r : keep_policy(reader, policy, ret_value);
}

static int only_once(struct plan_reader *reader, const struct parameter_view *view)
{
	return plan_only_once(reader, view->vhost.data ? 'r' : 'g',
			      "parameter or policy of that name", view->vhost, view->component,
			      view->name);
}

int plan_read_policy(struct plan_reader *reader, json_t *object)
{
	struct plan_parameter *parameter = plan_reader_add(reader, PLAN_PARAMETERS);
	struct policy policy = {object, ""};
	int r;

	if (!parameter)
		return plan_fail_memory(reader);
	parameter->view.component = PARAMETER_POLICY;
	r = plan_get_vhost(reader, object, &parameter->view.vhost);
	if (r == 0)
		r = plan_get_name(reader, object, "name", &parameter->view.name);
	if (r == 0)
		r = only_once(reader, &parameter->view);
	return r != 0 ? r : read_policy(reader, &policy, &parameter->view.value);
}

/* ---- Limits of vhosts, which RabbitMQ has among the parameters ---- */

static struct plan_vhost *find_vhost(const struct plan *plan, struct slice name)
{
	for (size_t i = 0; i < plan_count(plan, PLAN_VHOSTS); i++) {
		struct plan_vhost *vhost = plan_item(plan, PLAN_VHOSTS, i);

		if (slice_equal(vhost->name, name))
			return vhost;
	}
	return NULL;
}

static int read_vhost_limits(struct plan_reader *reader, const json_t *object)
{
	struct plan_vhost *vhost;
	struct slice name;
	int r = plan_get_vhost(reader, object, &name);

	if (r != 0)
		return r;
	vhost = find_vhost(reader->plan, name);
	if (!vhost) {
		vhost = plan_reader_add(reader, PLAN_VHOSTS);
		if (!vhost)
			return plan_fail_memory(reader);
		vhost->name = name;
		vhost->settings = (struct vhost_settings)VHOST_SETTINGS_NONE;
	}
	return plan_set_vhost_limits(reader, vhost, json_object_get(object, "value"), "value");
}

/* ---- Parameters ---- */

static bool is_component(const json_t *object, const char *name)
{
	const char *component = json_string_value(json_object_get(object, "component"));

	return component && strcmp(component, name) == 0;
}

static int read_value(struct plan_reader *reader, const json_t *object, bool is_policy,
		      struct slice *ret_value)
{
	const json_t *value = json_object_get(object, "value");
	const struct policy policy = {value, "value."};

	if (!value)
		return plan_fail(reader, "value", "missing");
	if (is_policy && !json_is_object(value))
		return plan_fail(reader, "value", "expected an object");
	return is_policy ? read_policy(reader, &policy, ret_value)
			 : keep_json(reader, value, ret_value);
}

int plan_read_parameter(struct plan_reader *reader, json_t *object)
{
	bool is_policy = is_component(object, "operator_policy") || is_component(object, "policy");
	struct plan_parameter *parameter;
	int r;

	if (is_component(object, "vhost-limits"))
		return read_vhost_limits(reader, object);
	parameter = plan_reader_add(reader, PLAN_PARAMETERS);
	if (!parameter)
		return plan_fail_memory(reader);
	r = plan_get_vhost(reader, object, &parameter->view.vhost);
	if (r == 0)
		r = plan_get_name(reader, object, "component", &parameter->view.component);
	if (r == 0)
		r = plan_get_name(reader, object, "name", &parameter->view.name);
	if (r == 0)
		r = only_once(reader, &parameter->view);
	return r != 0 ? r : read_value(reader, object, is_policy, &parameter->view.value);
}

int plan_read_global_parameter(struct plan_reader *reader, json_t *object)
{
	struct plan_parameter *parameter = plan_reader_add(reader, PLAN_PARAMETERS);
	int r;

	if (!parameter)
		return plan_fail_memory(reader);
	r = plan_get_name(reader, object, "name", &parameter->view.name);
	if (r == 0)
		r = only_once(reader, &parameter->view);
	return r != 0 ? r : read_value(reader, object, false, &parameter->view.value);
}
