/* SPDX-License-Identifier: MIT */

/* The exchange type "fanout": to all bindings. */

#include "seats.h"

#include <stdio.h>

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int fanout_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			 struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct seats *seats = host->allocate(host, sizeof(*seats));

	(void)exchange;
	if (!seats)
		return fail_memory(error);
	seats_init(seats, host);
	*ret_state = seats;
	return 0;
}

static void fanout_destroy(void *state)
{
	struct seats *seats = state;

	seats_fini(seats);
	seats->host->free(seats->host, seats);
}

static int fanout_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		       struct shunt_error *error)
{
	struct seat *seat = seats_add(state, binding);

	if (!seat)
		return fail_memory(error);
	*ret_cookie = seat;
	return 0;
}

static void fanout_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)binding;
	seats_remove(state, cookie);
}

static void fanout_route(const void *state, const struct shunt_message *message,
			 struct shunt_sink *sink)
{
	const struct seats *seats = state;
	size_t left = seats->count;

	(void)message;
	for (size_t i = 0; left > 0; i++) {
		size_t count = left < BLOCK_SIZE ? left : BLOCK_SIZE;

		sink->emit(sink, seats->blocks[i].bindings, count);
		left -= count;
	}
}

static const struct shunt_exchange_type fanout_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "fanout",
	.description = "AMQP fanout exchange, as per the AMQP specification",
	.create = fanout_create,
	.destroy = fanout_destroy,
	.bind = fanout_bind,
	.unbind = fanout_unbind,
	.route = fanout_route,
	.routes_by_key = true,
	.routes_by_first_key = true, /* all keys lead to the same */
};

static int fanout_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &fanout_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-fanout",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type fanout: routes to every binding",
	.start = fanout_start,
};
