/* SPDX-License-Identifier: MIT */
/*
 * x-prefix: a message goes where the binding's key is the beginning of its own. Declared with
 * x-min-length, the exchange takes no shorter binding keys.
 */
#include <shunt/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prefix {
	const struct shunt_binding **bindings;
	size_t count, capacity;
	int64_t min_length;
};

static const struct shunt_host *host;

static int refuse(struct shunt_error *error, const char *text, int64_t number)
{
	error->code = SHUNT_PRECONDITION_FAILED;
	snprintf(error->text, sizeof(error->text), text, (long long)number);
	return -1;
}

static int64_t min_length(const struct shunt_exchange *exchange)
{
	struct shunt_value value;

	if (!host->table_find(host, exchange->arguments, "x-min-length", &value))
		return atoi(host->config(host, "min-length"));
	return memchr("bBsuIilL", value.type, 8) ? value.integer : -1;
}

static int validate(void *plugin, const struct shunt_exchange *exchange, struct shunt_error *error)
{
	(void)plugin;
	if (min_length(exchange) < 0 || min_length(exchange) > 255)
		return refuse(error, "x-min-length is a whole number from 0 to %lld", 255);
	return 0;
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		  struct shunt_error *error)
{
	struct prefix *prefix = host->allocate(host, sizeof(*prefix));

	(void)plugin;
	if (!prefix)
		return refuse(error, "out of memory", 0);
	memset(prefix, 0, sizeof(*prefix));
	prefix->min_length = min_length(exchange);
	*ret_state = prefix;
	return 0;
}

static void destroy(void *state)
{
	host->free(host, ((struct prefix *)state)->bindings);
	host->free(host, state);
}

static int validate_binding(const void *state, const struct shunt_binding *binding,
			    struct shunt_error *error)
{
	const struct prefix *prefix = state;

	if ((int64_t)binding->routing_key.size < prefix->min_length)
		return refuse(error, "a prefix here has at least %lld bytes", prefix->min_length);
	return 0;
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	struct prefix *prefix = state;

	(void)ret_cookie;
	if (prefix->count == prefix->capacity) {
		size_t capacity = prefix->capacity * 2 + 8;
		void *moved = host->reallocate(host, prefix->bindings, capacity * sizeof(binding));

		if (!moved)
			return refuse(error, "out of memory", 0);
		prefix->bindings = moved;
		prefix->capacity = capacity;
	}
	prefix->bindings[prefix->count++] = binding;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct prefix *prefix = state;
	size_t i = 0;

	(void)cookie;
	while (prefix->bindings[i] != binding)
		i++;
	prefix->bindings[i] = prefix->bindings[--prefix->count];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct prefix *prefix = state;

	for (size_t i = 0; i < prefix->count; i++) {
		const struct shunt_bytes key = prefix->bindings[i]->routing_key;

		if (key.size <= message->routing_key.size &&
		    memcmp(key.data, message->routing_key.data, key.size) == 0)
			sink->emit(sink, &prefix->bindings[i], 1);
	}
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type),
	.name = "x-prefix",
	.description = "routes by the beginning of the key",
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.validate_binding = validate_binding,
	.bind = bind,
	.unbind = unbind,
	.route = route,
};

static const struct shunt_option options[] = {
	{"min-length", "x-min-length of exchanges that do not say", "0", 0, 255,
	 SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

static int start(const struct shunt_host *given, void **ret_plugin, struct shunt_error *error)
{
	(void)ret_plugin;
	host = given;
	host->log(host, SHUNT_LOG_INFO, "prefixes are at hand");
	return host->register_exchange_type(host, &type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-prefix",
	.version = "0.1",
	.licence = "MIT",
	.description = "an exchange type that routes by the beginning of the key",
	.options = options,
	.start = start,
};
