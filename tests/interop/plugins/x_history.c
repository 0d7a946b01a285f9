/* SPDX-License-Identifier: MIT */
/*
 * x-history: a fanout exchange that keeps the last x-history-length messages, and sends them to each new binding. With
 * the binding's argument `last`, no more than so many.
 */
#include <shunt/plugin.h>

struct history {
	const struct shunt_binding **bindings;
	size_t n_bindings, capacity;
	size_t length, first, count; /* a ring */
	const struct shunt_message *kept[];
};

static const struct shunt_host *host;

static const struct shunt_argument declare_arguments[] = {
	{ .name = "x-history-length",
	  .help = "how many messages are kept",
	  .type = SHUNT_ARGUMENT_INTEGER,
	  .minimum = 1,
	  .maximum = 1000000,
	  .default_value = "3" },
	{ .name = NULL },
};

static const struct shunt_argument bind_arguments[] = {
	{ .name = "last", .help = "how many of them are sent", .type = SHUNT_ARGUMENT_INTEGER, .maximum = 1000000 },
	{ .name = NULL },
};

static int out_of_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	error->text[0] = '\0';
	return -1;
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state, struct shunt_error *error)
{
	struct shunt_value length;
	struct history *history;

	(void)plugin;
	host->argument(host, exchange->arguments, &declare_arguments[0], &length);
	history = host->allocate(host, sizeof(*history) + (size_t)length.integer * sizeof(history->kept[0]));
	if (history == NULL)
		return out_of_memory(error);
	*history = (struct history){ .length = (size_t)length.integer };
	*ret_state = history;
	return 0;
}

static void destroy(void *state)
{
	struct history *history = state;

	for (size_t i = 0; i < history->count; i++)
		host->message_release(host, history->kept[(history->first + i) % history->length]);
	host->free(host, history->bindings);
	host->free(host, history);
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie, struct shunt_error *error)
{
	struct history *history = state;

	(void)ret_cookie;
	if (history->n_bindings == history->capacity) {
		size_t capacity = history->capacity * 2 + 8;
		void *bindings = host->reallocate(host, history->bindings, capacity * sizeof(*history->bindings));

		if (bindings == NULL)
			return out_of_memory(error);
		history->bindings = bindings;
		history->capacity = capacity;
	}
	history->bindings[history->n_bindings++] = binding;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct history *history = state;
	size_t i = 0;

	(void)cookie;
	while (history->bindings[i] != binding)
		i++;
	history->bindings[i] = history->bindings[--history->n_bindings];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct history *history = state;

	(void)message;
	sink->emit(sink, history->bindings, history->n_bindings);
}

static void observe(void *state, const struct shunt_message *message)
{
	struct history *history = state;
	const struct shunt_message *held = host->message_hold(host, message);

	if (held == NULL)
		return;
	if (history->count == history->length) {
		host->message_release(host, history->kept[history->first]);
		history->kept[history->first] = held;
		history->first = (history->first + 1) % history->length;
	} else {
		history->kept[(history->first + history->count++) % history->length] = held;
	}
}

static void bound(void *state, const struct shunt_binding *binding, struct shunt_sender *sender)
{
	const struct history *history = state;
	size_t n = history->count;
	struct shunt_value last;

	if (host->argument(host, binding->arguments, &bind_arguments[0], &last) && (size_t)last.integer < n)
		n = (size_t)last.integer;
	for (size_t i = history->count - n; i < history->count; i++)
		if (sender->send(sender, history->kept[(history->first + i) % history->length]) != 0)
			host->log(host, SHUNT_LOG_WARNING, "no memory for the history");
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type),
	.name = "x-history",
	.description = "fanout that remembers",
	.create = create,
	.destroy = destroy,
	.bind = bind,
	.unbind = unbind,
	.route = route,
	.routes_by_key = true,
	.declare_arguments = declare_arguments,
	.bind_arguments = bind_arguments,
	.observe = observe,
	.bound = bound,
};

static int start(const struct shunt_host *the_host, void **ret_plugin, struct shunt_error *error)
{
	host = the_host;
	*ret_plugin = NULL;
	return host->register_exchange_type(host, &type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-history",
	.version = "0.1",
	.licence = "MIT",
	.description = "An exchange that remembers",
	.start = start,
};
