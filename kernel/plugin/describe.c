/* SPDX-License-Identifier: MIT */
#include "plugin/describe.h"

#include <string.h>

#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "broker/upgrade/trial.h"
#include "plugin/change.h"
#include "plugin/describe_script.h"
#include "plugin/host.h"
#include "plugin/metric.h"
#include "plugin/plugin.h"

/* ---- Values ---- */

/* Names and texts come from plugins and clients: what is not UTF-8 shows as '?'. */
json_t *describe_text(const char *text, size_t size)
{
	json_t *value = json_stringn(text, size);
	char *copy;

	if (value)
		return value;
	copy = mem_zalloc(size + 1);
	for (size_t i = 0; i < size; i++)
		copy[i] = text[i];
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	value = json_stringn(copy, size);
	mem_free(copy);
	return value;
}

/* NULL shows as null. */
static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text ? describe_text(text, strlen(text)) : json_null());
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *add_object(json_t *array)
{
	json_t *object = json_object();

	json_array_append_new(array, object);
	return object;
}

/* ---- Arguments and options ---- */

static const char *argument_type_name(enum shunt_argument_type type)
{
	switch (type) {
	case SHUNT_ARGUMENT_ANY:
		return "any";
	case SHUNT_ARGUMENT_BOOLEAN:
		return "boolean";
	case SHUNT_ARGUMENT_INTEGER:
		return "integer";
	case SHUNT_ARGUMENT_NUMBER:
		return "number";
	case SHUNT_ARGUMENT_STRING:
		return "string";
	case SHUNT_ARGUMENT_TABLE:
		return "table";
	case SHUNT_ARGUMENT_ARRAY:
		return "array";
	}
	return "unknown";
}

/* "0..255", or the choices. */
static json_t *range_of(int64_t minimum, int64_t maximum, const char *const *choices)
{
	json_t *value;
	char *text;

	if (choices) {
		value = json_array();
		for (; *choices; choices++)
			json_array_append_new(value, describe_text(*choices, strlen(*choices)));
		return value;
	}
	if (minimum == 0 && maximum == 0)
		return json_null();
	text = mem_printf("%lld..%lld", (long long)minimum, (long long)maximum);
	value = json_string(text);
	mem_free(text);
	return value;
}

static json_t *arguments_of(const struct shunt_argument *arguments)
{
	json_t *array = json_array();

	for (; arguments && arguments->name; arguments++) {
		json_t *object = add_object(array);

		set_text(object, "name", arguments->name);
		set_text(object, "type", argument_type_name(arguments->type));
		json_object_set_new(object, "required", json_boolean(arguments->required));
		json_object_set_new(
			object, "range",
			range_of(arguments->minimum, arguments->maximum, arguments->choices));
		set_text(object, "default", arguments->default_value);
		set_text(object, "help", arguments->help);
	}
	return array;
}

static void set_value(json_t *object, const char *key, const char *value)
{
	set_text(object, "value", value && slice_names_secret(key) ? "(not shown)" : value);
}

static void describe_option(json_t *object, const struct shunt_option *option)
{
	static const char *const types[] = {
		[SHUNT_OPTION_STRING] = "string",
		[SHUNT_OPTION_INTEGER] = "integer",
		[SHUNT_OPTION_BOOLEAN] = "boolean",
	};
	bool is_integer = option->type == SHUNT_OPTION_INTEGER;

	set_text(object, "name", option->name);
	set_text(object, "type",
		 (unsigned)option->type <= SHUNT_OPTION_BOOLEAN ? types[option->type] : "unknown");
	json_object_set_new(object, "range",
			    is_integer ? range_of(option->minimum, option->maximum, NULL)
				       : json_null());
	set_text(object, "default", option->default_value);
	set_text(object, "help", option->help);
}

/* What is set and has no name among the options. */
static void add_others(json_t *array, const struct plugin *plugin)
{
	const struct shunt_host *host = &plugin->host;
	const char *key, *value;
	size_t position = 0;

	while (host->config_next(host, &position, &key, &value)) {
		const struct shunt_option *option = plugin_option(&plugin->self, key);
		json_t *object;

		if (!option || !plugin_option_is_any(option))
			continue;
		object = add_object(array);
		set_text(object, "name", key);
		set_text(object, "type", "string");
		set_value(object, key, value);
	}
}

static json_t *options_of(const struct plugin *plugin)
{
	const struct shunt_option *option = plugin->self.options;
	json_t *array = json_array();

	for (; option && option->name; option++) {
		json_t *object = add_object(array);

		describe_option(object, option);
		set_value(object, option->name, plugin->host.config(&plugin->host, option->name));
	}
	add_others(array, plugin);
	return array;
}

/* ---- What it registered ---- */

static json_t *type_names_of(const struct plugin *plugin)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plugin->staged.n_types; i++) {
		const char *name = plugin->staged.types[i].name;

		json_array_append_new(array, describe_text(name, strlen(name)));
	}
	return array;
}

/* null: it has not said. */
static json_t *depends_of(const struct shunt_exchange_type *type)
{
	json_t *array = type->depends ? json_array() : json_null();

	for (size_t i = 0; type->depends && type->depends[i]; i++)
		json_array_append_new(array, json_string(type->depends[i]));
	return array;
}

static json_t *types_of(const struct plugin *plugin)
{
	struct topology *topology = plugin->plugins->config.topology;
	json_t *array = json_array();

	for (size_t i = 0; i < plugin->staged.n_types; i++) {
		const struct shunt_exchange_type *functions = &plugin->staged.types[i];
		const struct exchange_type *type =
			exchange_type_find(topology, slice_cstr(functions->name));
		json_t *object = add_object(array);

		set_text(object, "name", functions->name);
		set_text(object, "description", functions->description);
		set_number(object, "instances", type ? type->n_instances : 0);
		json_object_set_new(object, "declare_arguments",
				    arguments_of(functions->declare_arguments));
		json_object_set_new(object, "bind_arguments",
				    arguments_of(functions->bind_arguments));
		json_object_set_new(object, "depends", depends_of(functions));
		set_number(object, "depends_ms", functions->depends_ms);
	}
	return array;
}

static json_t *policies_of(const struct plugin *plugin)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plugin->staged.n_policies; i++) {
		const struct shunt_access_policy *policy = &plugin->staged.policies[i]->own;
		json_t *object = add_object(array);

		set_text(object, "name", policy->name);
		json_object_set_new(object, "authenticate", json_boolean(policy->authenticate));
		json_object_set_new(object, "authorize",
				    json_boolean(policy->authorize || policy->decide));
	}
	return array;
}

static json_t *hooks_of(const struct plugin *plugin)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plugin->staged.n_hooks; i++) {
		const struct shunt_hook *hook = &plugin->staged.hooks[i]->own;
		json_t *object = add_object(array);

		set_text(object, "name", hook->name);
		json_object_set_new(object, "publish", json_boolean(hook->publish));
		json_object_set_new(object, "deliver", json_boolean(hook->deliver));
	}
	return array;
}

static json_t *commands_of(const struct plugin *plugin)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plugin->staged.n_commands; i++) {
		json_t *object = add_object(array);

		set_text(object, "name", plugin->staged.commands[i].name);
		set_text(object, "help", plugin->staged.commands[i].help);
	}
	return array;
}

struct metrics {
	const char *plugin;
	json_t *array;
};

static void add_metric(void *context, const struct plugin_metric_value *metric)
{
	const struct metrics *metrics = context;
	json_t *object;

	if (strcmp(metric->plugin, metrics->plugin) != 0)
		return;
	object = add_object(metrics->array);
	set_text(object, "name", metric->name);
	set_text(object, "type", metric->is_gauge ? "gauge" : "counter");
	json_object_set_new(object, "value", json_integer(metric->value));
	set_text(object, "help", metric->help);
}

/* ---- Trials ---- */

static json_t *name_of(const struct trial_name *name)
{
	return describe_text(name->text, name->size);
}

static json_t *names_of(const struct trial_name *names, uint64_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n && i < TRIAL_NAMES; i++) {
		json_t *object = add_object(array);

		json_object_set_new(object, "name", name_of(&names[i]));
		set_text(object, "kind", names[i].is_exchange ? "exchange" : "queue");
	}
	return array;
}

static json_t *samples_of(const struct trial_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->n_samples; i++) {
		const struct trial_sample *sample = &report->samples[i];
		json_t *object = add_object(array);

		set_number(object, "at", sample->at_ms);
		json_object_set_new(object, "vhost", name_of(&sample->vhost));
		json_object_set_new(object, "exchange", name_of(&sample->exchange));
		json_object_set_new(object, "routing_key", name_of(&sample->routing_key));
		set_number(object, "only_old", sample->n_only_old);
		set_number(object, "only_new", sample->n_only_new);
		json_object_set_new(object, "only_old_names",
				    names_of(sample->only_old, sample->n_only_old));
		json_object_set_new(object, "only_new_names",
				    names_of(sample->only_new, sample->n_only_new));
	}
	return array;
}

static void set_report(json_t *object, struct topology *topology, struct trial *trial)
{
	struct trial_report *report = mem_zalloc(sizeof(*report));

	trial_report(topology, trial, report);
	set_number(object, "percent", report->percent);
	set_number(object, "compared", report->n_compared);
	set_number(object, "different", report->n_different);
	set_number(object, "only_old", report->n_only_old);
	set_number(object, "only_new", report->n_only_new);
	json_object_set_new(object, "samples", samples_of(report));
	mem_free(report);
}

static json_t *trial_of(const struct plugin *plugin, const struct plugin_changes *changes)
{
	struct plugin_trial trial;
	json_t *object;

	if (!plugin_changes_find_trial(changes, plugin, &trial))
		return json_null();
	object = json_object();
	set_text(object, "version", trial.version);
	set_text(object, "file", trial.file);
	set_text(object, "failure", trial.error);
	if (trial.trial)
		set_report(object, plugin->plugins->config.topology, trial.trial);
	return object;
}

/* ---- From outside ---- */

/* NULL: it is no script, or its language was not found. */
static const char *language_of(const struct plugin *plugin)
{
	const struct plugin_script *script = plugin->script;

	return script && script->language ? script->language->name : NULL;
}

static void describe_list(json_t *array, const struct list *plugins, const char *state)
{
	struct list *pos;

	list_for_each(pos, plugins) {
		const struct plugin *plugin = container_of(pos, const struct plugin, link);
		json_t *object;

		if (!plugin->name || !plugin->has_started)
			continue;
		object = add_object(array);
		set_text(object, "name", plugin->name);
		set_text(object, "state", state);
		set_text(object, "language", language_of(plugin));
		if (plugin->phase == PLUGIN_STOPPED) /* its file, with all texts, is being closed */
			continue;
		set_text(object, "version", plugin->self.version);
		set_text(object, "file", plugin->file.path);
		json_object_set_new(object, "types", type_names_of(plugin));
	}
}

json_t *plugins_describe(const struct plugins *plugins)
{
	json_t *array = json_array();

	describe_list(array, &plugins->active, "running");
	describe_list(array, &plugins->staged, "on trial");
	describe_list(array, &plugins->leaving, "closing");
	return array;
}

static json_t *abi_of(const struct plugin *plugin)
{
	char *text = mem_printf("%u.%u", plugin->self.abi_major, plugin->self.abi_minor);
	json_t *value = json_string(text);

	mem_free(text);
	return value;
}

json_t *plugin_describe(const struct plugins *plugins, const struct plugin_changes *changes,
			const char *name)
{
	struct plugin *plugin = plugins_find(plugins, name);
	struct metrics metrics;
	json_t *object;

	if (!plugin)
		return NULL;
	object = json_object();
	metrics = (struct metrics){plugin->name, json_array()};
	set_text(object, "name", plugin->name);
	set_text(object, "version", plugin->self.version);
	set_text(object, "licence", plugin->self.licence);
	set_text(object, "description", plugin->self.description);
	set_text(object, "file", plugin->file.path);
	json_object_set_new(object, "abi", abi_of(plugin));
	json_object_set_new(object, "exchange_types", types_of(plugin));
	json_object_set_new(object, "options", options_of(plugin));
	json_object_set_new(object, "access_policies", policies_of(plugin));
	json_object_set_new(object, "hooks", hooks_of(plugin));
	json_object_set_new(object, "commands", commands_of(plugin));
	plugins_for_each_metric(plugin->plugins, add_metric, &metrics);
	json_object_set_new(object, "metrics", metrics.array);
	json_object_set_new(object, "trial", trial_of(plugin, changes));
	json_object_set_new(object, "script", script_describe(plugin));
	return object;
}
