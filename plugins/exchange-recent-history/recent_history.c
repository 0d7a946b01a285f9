/* SPDX-License-Identifier: MIT */

/*
 * The exchange type "x-recent-history": to all bindings, as fanout; and what comes to be bound gets
 * the last messages first.
 */

#include "history.h"
#include "members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH	 64
#define NO_STORE "x-recent-history-no-store"

/* Of struct state, for adopt(): another version's may be another. Changes with it. */
#define STATE_LAYOUT 1u

struct state {
	uint64_t layout; /* first, in all versions */
	struct members members;
	struct history history;
};

static const struct shunt_argument declare_arguments[] = {
	{
		.name = "x-recent-history-length",
		.help = "how many messages are kept",
		.type = SHUNT_ARGUMENT_INTEGER,
		.checked_by_type = true,
		.minimum = 1,
		.maximum = INT64_MAX,
		.default_value = "20",
	},
	{.name = NULL},
};
#define LENGTH (&declare_arguments[0])

static const struct shunt_option options[] = {
	{
		.name = "max_bytes",
		.help = "the most memory for the messages that one exchange keeps",
		.default_value = "67108864",
		.minimum = 1,
		.maximum = INT64_MAX,
		.type = SHUNT_OPTION_INTEGER,
	},
	{.name = NULL},
};

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

/* ---- The declare ---- */

static bool is_integer(const struct shunt_value *value)
{
	return strchr("bBsuIilL", value->type) != NULL;
}

/* The value as RabbitMQ writes it, which is the Erlang way, where that is one number or word. */
static void describe(const struct shunt_value *value, char *text, size_t size)
{
	if (is_integer(value))
		(void)snprintf(text, size, "%" PRId64, value->integer);
	else if (value->type == 'T')
		(void)snprintf(text, size, "%" PRIu64, (uint64_t)value->integer);
	else if (value->type == 't')
		(void)snprintf(text, size, "%s", value->boolean ? "true" : "false");
	else if (value->type == 'S')
		(void)snprintf(text, size, "<<\"%.*s\">>",
			       value->bytes.size < 100 ? (int)value->bytes.size : 100,
			       (const char *)value->bytes.data);
	else if (value->type == 'D')
		(void)snprintf(text, size, "{%u,%" PRId64 "}", value->scale, value->integer);
	else
		(void)snprintf(text, size, "%s", value->type == 'V' ? "undefined" : "value");
}

static int recent_history_validate(void *plugin, const struct shunt_exchange *exchange,
				   struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct shunt_value value;
	char text[128];

	if (!host->table_find(host, exchange->arguments, LENGTH->name, &value) ||
	    (is_integer(&value) && value.integer > 0))
		return 0;
	describe(&value, text, sizeof(text));
	error->code = SHUNT_PRECONDITION_FAILED;
	(void)snprintf(error->text, sizeof(error->text),
		       "Invalid argument %s, 'x-recent-history-length' must be a positive integer",
		       text);
	return -1;
}

static uint64_t length_of(const struct shunt_host *host, const struct shunt_exchange *exchange)
{
	struct shunt_value value;

	if (!host->argument(host, exchange->arguments, LENGTH, &value) || value.integer < 1)
		return 1;
	return (uint64_t)value.integer;
}

static int recent_history_create(void *plugin, const struct shunt_exchange *exchange,
				 void **ret_state, struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct state *state = host->allocate(host, sizeof(*state));

	if (!state)
		return fail_memory(error);
	state->layout = STATE_LAYOUT;
	members_init(&state->members, host);
	history_init(&state->history, host, length_of(host, exchange),
		     (uint64_t)host->config_integer(host, "max_bytes"));
	*ret_state = state;
	return 0;
}

static void recent_history_destroy(void *instance)
{
	struct state *state = instance;
	const struct shunt_host *host = state->members.host;

	members_fini(&state->members);
	history_fini(&state->history);
	host->free(host, state);
}

static void recent_history_adopt(void *instance, void *old_instance, const char *old_version)
{
	struct state *state = instance, *old = old_instance;

	(void)old_version;
	if (old->layout == STATE_LAYOUT)
		history_take(&state->history, &old->history);
}

/* ---- Bindings ---- */

static int recent_history_bind(void *instance, const struct shunt_binding *binding,
			       void **ret_cookie, struct shunt_error *error)
{
	struct state *state = instance;
	struct member *member = members_add(&state->members, binding);

	if (!member)
		return fail_memory(error);
	*ret_cookie = member;
	return 0;
}

static void recent_history_unbind(void *instance, const struct shunt_binding *binding, void *cookie)
{
	struct state *state = instance;

	(void)binding;
	members_remove(&state->members, cookie);
}

static void recent_history_bound(void *instance, const struct shunt_binding *binding,
				 struct shunt_sender *sender)
{
	const struct state *state = instance;
	const struct history *history = &state->history;

	(void)binding;
	for (size_t i = 0; i < history->count; i++) {
		if (sender->send(sender, history_at(history, i)) == 0)
			continue;
		history->host->log(history->host, SHUNT_LOG_WARNING,
				   "memory is out: a binding did not get all of the history");
		return;
	}
}

/* ---- Messages ---- */

/* Beside observe() on another loop: the history is not looked at. */
static void recent_history_route(const void *instance, const struct shunt_message *message,
				 struct shunt_sink *sink)
{
	const struct state *state = instance;
	const struct members *members = &state->members;
	const struct shunt_binding *batch[BATCH];
	size_t count = 0;

	(void)message;
	for (size_t i = 0; i < members->count; i++) {
		batch[count++] = members->array[i]->binding;
		if (count == BATCH || i + 1 == members->count) {
			sink->emit(sink, batch, count);
			count = 0;
		}
	}
}

static void recent_history_observe(void *instance, const struct shunt_message *message)
{
	struct state *state = instance;
	const struct shunt_host *host = state->members.host;
	struct shunt_value value;

	if (host->table_find(host, host->message_headers(host, message), NO_STORE, &value) &&
	    value.type == 't' && value.boolean)
		return;
	history_add(&state->history, message);
}

static const struct shunt_exchange_type recent_history_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "x-recent-history",
	.description = "Recent History Exchange.",
	.validate = recent_history_validate,
	.create = recent_history_create,
	.destroy = recent_history_destroy,
	.bind = recent_history_bind,
	.unbind = recent_history_unbind,
	.route = recent_history_route,
	.routes_by_key = true,
	.routes_by_first_key = true,
	.declare_arguments = declare_arguments,
	.observe = recent_history_observe,
	.bound = recent_history_bound,
	.adopt = recent_history_adopt,
};

static int recent_history_start(const struct shunt_host *host, void **ret_plugin,
				struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &recent_history_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-recent-history",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type x-recent-history: new bindings get the last messages",
	.options = options,
	.start = recent_history_start,
};
