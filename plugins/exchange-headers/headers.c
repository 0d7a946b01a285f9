/* SPDX-License-Identifier: MIT */

/*
 * The exchange type "headers": a binding's arguments say which headers a message must have: all of
 * them (x-match all, the default) or one at least (any). Arguments whose names begin with x- say
 * nothing unless x-match is all-with-x or any-with-x; x-match itself never does.
 */

#include "describe.h"
#include "rules.h"

#include <stdio.h>

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int headers_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			  struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct rules *rules = host->allocate(host, sizeof(*rules));

	(void)exchange;
	if (!rules)
		return fail_memory(error);
	if (rules_init(rules, host) < 0) {
		host->free(host, rules);
		return fail_memory(error);
	}
	*ret_state = rules;
	return 0;
}

static void headers_destroy(void *state)
{
	struct rules *rules = state;

	rules_fini(rules);
	rules->host->free(rules->host, rules);
}

static int headers_validate_binding(const void *state, const struct shunt_binding *binding,
				    struct shunt_error *error)
{
	const struct rules *rules = state;
	struct rule_mode mode;
	struct shunt_value value;

	if (!rules->host->table_find(rules->host, binding->arguments, "x-match", &value))
		return 0;
	if (value.type == 'S' && rule_mode_parse(value.bytes, &mode))
		return 0;
	error->code = SHUNT_PRECONDITION_FAILED;
	describe_bad_match(rules->host, &value, error->text, sizeof(error->text));
	return -1;
}

static int headers_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			struct shunt_error *error)
{
	struct rule *rule = rules_add(state, binding);

	if (!rule)
		return fail_memory(error);
	*ret_cookie = rule;
	return 0;
}

static void headers_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)binding;
	rules_remove(state, cookie);
}

static void headers_route(const void *state, const struct shunt_message *message,
			  struct shunt_sink *sink)
{
	const struct rules *rules = state;

	rules_match(rules, rules->host->message_headers(rules->host, message), sink);
}

/* For operators; RabbitMQ's text is headers_validate_binding()'s. */
static const char *const match_choices[] = {"all", "any", "all-with-x", "any-with-x", NULL};
static const struct shunt_argument bind_arguments[] = {
	{
		.name = "x-match",
		.help = "how many of the other arguments a message's headers must match",
		.type = SHUNT_ARGUMENT_STRING,
		.checked_by_type = true,
		.choices = match_choices,
		.default_value = "all",
	},
	{.name = NULL},
};

static const struct shunt_exchange_type headers_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "headers",
	.description = "AMQP headers exchange, as per the AMQP specification",
	.create = headers_create,
	.destroy = headers_destroy,
	.validate_binding = headers_validate_binding,
	.bind = headers_bind,
	.unbind = headers_unbind,
	.route = headers_route,
	.bind_arguments = bind_arguments,
	.routes_by_first_key = true, /* all keys lead to the same */
};

static int headers_start(const struct shunt_host *host, void **ret_plugin,
			 struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &headers_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-headers",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type headers: routes by the message's headers",
	.start = headers_start,
};
