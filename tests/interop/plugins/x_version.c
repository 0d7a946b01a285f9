/* SPDX-License-Identifier: MIT */
/*
 * x-version: an exchange type that routes by the whole key, in versions, which the test makes by -D:
 * good ones, and ones with a fault each. Its command `version` says which one answers, `adopted` how
 * many instances took over from which, and `hold` does not end.
 */
#include <shunt/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "1"
#endif
#ifndef NAME
#define NAME "x-version"
#endif
#ifndef ABI_MAJOR
#define ABI_MAJOR SHUNT_ABI_MAJOR
#endif

struct keys {
	const struct shunt_binding **bindings;
	size_t count, capacity;
};

static const struct shunt_host *host;
static struct shunt_counter *routed;
static unsigned n_adopted;
static char adopted_from[32];

static int fail(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		  struct shunt_error *error)
{
	struct keys *keys = host->allocate(host, sizeof(*keys));

	(void)plugin;
	(void)exchange;
#ifdef CREATE_FAILS
	host->free(host, keys);
	return fail(error, SHUNT_INTERNAL_ERROR, "no such exchange today");
#endif
	if (!keys)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	memset(keys, 0, sizeof(*keys));
	*ret_state = keys;
	return 0;
}

static void destroy(void *state)
{
	host->free(host, ((struct keys *)state)->bindings);
	host->free(host, state);
}

static int validate_binding(const void *state, const struct shunt_binding *binding,
			    struct shunt_error *error)
{
	(void)state;
	(void)binding;
	(void)error;
#ifdef REFUSES
	if (binding->routing_key.size == strlen(REFUSES) &&
	    memcmp(binding->routing_key.data, REFUSES, strlen(REFUSES)) == 0)
		return fail(error, SHUNT_PRECONDITION_FAILED, "that key is over");
#endif
	return 0;
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	struct keys *keys = state;

	(void)ret_cookie;
	if (keys->count == keys->capacity) {
		size_t capacity = keys->capacity * 2 + 8;
		void *moved = host->reallocate(host, keys->bindings, capacity * sizeof(binding));

		if (!moved)
			return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
		keys->bindings = moved;
		keys->capacity = capacity;
	}
	keys->bindings[keys->count++] = binding;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct keys *keys = state;
	size_t i = 0;

	(void)cookie;
	while (keys->bindings[i] != binding)
		i++;
	keys->bindings[i] = keys->bindings[--keys->count];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct keys *keys = state;

	host->counter_add(host, routed, 1);
	for (size_t i = 0; i < keys->count; i++) {
#ifndef WRONG
		const struct shunt_bytes key = keys->bindings[i]->routing_key;

		if (key.size != message->routing_key.size ||
		    memcmp(key.data, message->routing_key.data, key.size) != 0)
			continue;
#endif
		sink->emit(sink, &keys->bindings[i], 1);
	}
	(void)message;
}

static void adopt(void *state, void *old_state, const char *old_version)
{
	const struct keys *keys = state, *old_keys = old_state;

	n_adopted += keys->count == old_keys->count;
	snprintf(adopted_from, sizeof(adopted_from), "%s", old_version);
}

static const struct shunt_argument declare_arguments[] = {
	{.name = "x-size",
	 .help = "how large it is",
	 .type = SHUNT_ARGUMENT_INTEGER,
	 .minimum = 1,
	 .maximum = 9,
	 .default_value = "5"},
	{.name = NULL},
};

static const struct shunt_exchange_type type = {
	.size = sizeof(type),
	.name = "x-version",
	.description = "routes by the whole key",
	.create = create,
	.destroy = destroy,
	.validate_binding = validate_binding,
	.bind = bind,
	.unbind = unbind,
	.route = route,
	.declare_arguments = declare_arguments,
	.adopt = adopt,
};

static void say(const struct shunt_call *call, const char *text)
{
	host->call_print(host, call->id, (struct shunt_bytes){(const uint8_t *)text, strlen(text)});
	host->call_done(host, call->id, NULL);
}

static void run_version(void *plugin, const struct shunt_call *call)
{
	(void)plugin;
	say(call, VERSION "\n");
}

static void run_adopted(void *plugin, const struct shunt_call *call)
{
	char text[64];

	(void)plugin;
	snprintf(text, sizeof(text), "%u from %s\n", n_adopted, adopted_from);
	say(call, text);
}

static void run_hold(void *plugin, const struct shunt_call *call)
{
	(void)plugin;
	host->call_print(host, call->id, (struct shunt_bytes){(const uint8_t *)"held\n", 5});
}

/* Prints a MiB each time that it comes home. */
static unsigned n_flooded;
static uint64_t flooded_call;

static void flood(void *context)
{
	static uint8_t mebibyte[1 << 20];

	(void)context;
	memset(mebibyte, '~', sizeof(mebibyte));
	host->call_print(host, flooded_call, (struct shunt_bytes){mebibyte, sizeof(mebibyte)});
	if (++n_flooded == 100 || host->post(host, flood, NULL) != 0)
		host->call_done(host, flooded_call, NULL);
}

static void run_flood(void *plugin, const struct shunt_call *call)
{
	(void)plugin;
	flooded_call = call->id;
	flood(NULL);
}

static void run_flooded(void *plugin, const struct shunt_call *call)
{
	char text[16];

	(void)plugin;
	snprintf(text, sizeof(text), "%u\n", n_flooded);
	say(call, text);
}

static const struct shunt_command commands[] = {
	{sizeof(struct shunt_command), "version", "says which version it is", run_version},
	{sizeof(struct shunt_command), "adopted", "says how many were taken over", run_adopted},
	{sizeof(struct shunt_command), "hold", "does not end", run_hold},
	{sizeof(struct shunt_command), "flood", "prints 100 MiB", run_flood},
	{sizeof(struct shunt_command), "flooded", "says how many were printed", run_flooded},
};

static const struct shunt_metric metric = {sizeof(metric), "routed", "messages routed", NULL};

static int start(const struct shunt_host *given, void **ret_plugin, struct shunt_error *error)
{
	(void)ret_plugin;
	host = given;
#ifdef START_FAILS
	return fail(error, SHUNT_INTERNAL_ERROR, "not in the mood");
#endif
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (host->register_command(host, &commands[i], error) != 0)
			return -1;
	if (host->register_metric(host, &metric, &routed, error) != 0)
		return -1;
#ifdef LACKS_TYPE
	(void)type;
	return 0;
#else
	return host->register_exchange_type(host, &type, error);
#endif
}

#ifdef NOT_EXPORTED
const struct shunt_plugin another_name = {
#else
SHUNT_PLUGIN = {
#endif
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = NAME,
	.version = VERSION,
	.licence = "MIT",
	.description = "an exchange type in versions",
	.start = start,
};
