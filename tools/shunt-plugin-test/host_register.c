/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/depends.h"
#include "trace.h"

static int refuse(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

/* What is common to all: room, time, memory. 0, or -1 with *error filled. */
static int take(const struct shunt_host *host, const char *function, const char *name, size_t n,
		size_t max, struct shunt_error *error)
{
	struct world *w = world_of(host);

	host_outside_route(host, function);
	if (!w->is_starting)
		trace_fail("it called shunt_host.%s outside of start()", function);
	if (name == NULL || name[0] == '\0')
		trace_fail("it called shunt_host.%s with an empty name", function);
	if (n == max)
		return refuse(error, SHUNT_NOT_ALLOWED, "too many of them");
	if (host_must_fail(w))
		return refuse(error, SHUNT_RESOURCE_ERROR, "out of memory");
	return 0;
}

/* Members that the plugin has not got are zero. */
static void copy(void *to, size_t size, const void *from, size_t from_size)
{
	memset(to, 0, size);
	memcpy(to, from, from_size < size ? from_size : size);
}

static void check_size(const char *what, size_t size, size_t least)
{
	if (size < least)
		trace_fail("%s says that its size is %zu, which is less than %zu", what, size,
			   least);
}

/* The broker refuses what it does not know. */
static void check_depends_names(const struct shunt_exchange_type *type)
{
	struct depends depends;
	char fault[DEPENDS_FAULT_SIZE];

	if (SHUNT_HAS(type, struct shunt_exchange_type, depends) &&
	    depends_read(type->depends, &depends, fault, sizeof(fault)) != 0)
		trace_fail("the exchange type '%s' depends on %s", type->name, fault);
}

static int host_register_exchange_type(const struct shunt_host *host,
				       const struct shunt_exchange_type *type,
				       struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_size("struct shunt_exchange_type", type->size,
		   offsetof(struct shunt_exchange_type, routes_by_key));
	check_depends_names(type);
	if (take(host, "register_exchange_type", type->name, w->n_types, HOST_TYPES_MAX, error) < 0)
		return -1;
	for (size_t i = 0; i < w->n_types; i++)
		if (strcmp(w->types[i].name, type->name) == 0)
			trace_fail("it registered the exchange type '%s' twice", type->name);
	copy(&w->types[w->n_types++], sizeof(w->types[0]), type, type->size);
	return 0;
}

static int host_register_access_policy(const struct shunt_host *host,
				       const struct shunt_access_policy *policy,
				       struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_size("struct shunt_access_policy", policy->size,
		   offsetof(struct shunt_access_policy, decide));
	if (take(host, "register_access_policy", policy->name, w->n_policies, HOST_OTHERS_MAX,
		 error) < 0)
		return -1;
	copy(&w->policies[w->n_policies++], sizeof(w->policies[0]), policy, policy->size);
	return 0;
}

static int host_register_hook(const struct shunt_host *host, const struct shunt_hook *hook,
			      struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_size("struct shunt_hook", hook->size, sizeof(*hook));
	if (take(host, "register_hook", hook->name, w->n_hooks, HOST_OTHERS_MAX, error) < 0)
		return -1;
	copy(&w->hooks[w->n_hooks++], sizeof(w->hooks[0]), hook, hook->size);
	return 0;
}

static int host_register_command(const struct shunt_host *host, const struct shunt_command *command,
				 struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_size("struct shunt_command", command->size, sizeof(*command));
	if (command->run == NULL)
		trace_fail("the command '%s' has no run()", command->name);
	if (take(host, "register_command", command->name, w->n_commands, HOST_OTHERS_MAX, error) <
	    0)
		return -1;
	copy(&w->commands[w->n_commands++], sizeof(w->commands[0]), command, command->size);
	return 0;
}

static void check_metric(const struct shunt_metric *metric, struct shunt_counter **ret_counter)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	check_size("struct shunt_metric", metric->size, sizeof(*metric));
	if (metric->name != NULL && metric->name[strspn(metric->name, plain)] != '\0')
		trace_fail("the metric '%s' has more than letters, digits and '_' in its name",
			   metric->name);
	if (metric->read == NULL && ret_counter == NULL)
		trace_fail("the metric '%s' is a counter, but nothing takes it", metric->name);
}

static int host_register_metric(const struct shunt_host *host, const struct shunt_metric *metric,
				struct shunt_counter **ret_counter, struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_metric(metric, ret_counter);
	if (take(host, "register_metric", metric->name, w->n_metrics, HOST_OTHERS_MAX, error) < 0)
		return -1;
	if (metric->read == NULL)
		*ret_counter = &w->counters[w->n_metrics];
	copy(&w->metrics[w->n_metrics++], sizeof(w->metrics[0]), metric, metric->size);
	return 0;
}

static uint64_t host_counter_read(const struct shunt_host *host,
				  const struct shunt_counter *counter)
{
	host_outside_route(host, "counter_read");
	return atomic_load(&counter->value);
}

/* ---- Languages ---- */

static int host_register_language(const struct shunt_host *host,
				  const struct shunt_language *language, struct shunt_error *error)
{
	struct world *w = world_of(host);

	check_size("struct shunt_language", language->size, sizeof(*language));
	if (language->extension == NULL || language->open == NULL || language->start == NULL ||
	    language->close == NULL)
		trace_fail("the language '%s' lacks its extension, open, start or close",
			   language->name != NULL ? language->name : "");
	if (take(host, "register_language", language->name, w->n_languages, 1, error) < 0)
		return -1;
	copy(&w->language, sizeof(w->language), language, language->size);
	w->n_languages++;
	return 0;
}

/* ---- Configuration and log ---- */

static const struct shunt_option *option_of(const struct world *w, const char *key)
{
	for (const struct shunt_option *option = w->options; option != NULL && option->name != NULL;
	     option++)
		if (strcmp(option->name, key) == 0 || strcmp(option->name, "*") == 0)
			return option;
	return NULL;
}

static const char *config_of(const struct world *w, const char *key)
{
	const struct shunt_option *option = option_of(w, key);

	for (size_t i = 0; option != NULL && i < w->n_settings; i++)
		if (strcmp(w->settings[i].key, key) == 0)
			return w->settings[i].value;
	return option != NULL ? option->default_value : NULL;
}

static const char *host_config(const struct shunt_host *host, const char *key)
{
	host_outside_route(host, "config");
	return config_of(world_of(host), key);
}

static bool host_config_next(const struct shunt_host *host, size_t *position, const char **ret_key,
			     const char **ret_value)
{
	const struct world *w = world_of(host);

	host_outside_route(host, "config_next");
	if (*position >= w->n_settings)
		return false;
	*ret_key = w->settings[*position].key;
	*ret_value = w->settings[*position].value;
	++*position;
	return true;
}

static int64_t host_config_integer(const struct shunt_host *host, const char *key)
{
	const char *value;

	host_outside_route(host, "config_integer");
	value = config_of(world_of(host), key);
	return value != NULL ? strtoll(value, NULL, 10) : 0;
}

static bool host_config_boolean(const struct shunt_host *host, const char *key)
{
	const char *value;

	host_outside_route(host, "config_boolean");
	value = config_of(world_of(host), key);
	return value != NULL && strcmp(value, "true") == 0;
}

static void host_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	host_outside_route(host, "log");
	if (text == NULL)
		trace_fail("it called shunt_host.log without a text");
	(void)level;
}

void host_init_register(struct shunt_host *host)
{
	host->register_exchange_type = host_register_exchange_type;
	host->register_access_policy = host_register_access_policy;
	host->register_hook = host_register_hook;
	host->register_command = host_register_command;
	host->register_metric = host_register_metric;
	host->counter_read = host_counter_read;
	host->register_language = host_register_language;
	host->config = host_config;
	host->config_next = host_config_next;
	host->config_integer = host_config_integer;
	host->config_boolean = host_config_boolean;
	host->log = host_log;
}
