/* SPDX-License-Identifier: MIT */

/* The exchange type "x-random": each message to one binding, at random. */

#include "members.h"

#include <stdio.h>

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int random_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			 struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct members *members = host->allocate(host, sizeof(*members));

	(void)exchange;
	if (!members)
		return fail_memory(error);
	members_init(members, host);
	*ret_state = members;
	return 0;
}

static void random_destroy(void *state)
{
	struct members *members = state;

	members_fini(members);
	members->host->free(members->host, members);
}

static int random_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		       struct shunt_error *error)
{
	struct member *member = members_add(state, binding);

	if (!member)
		return fail_memory(error);
	*ret_cookie = member;
	return 0;
}

static void random_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)binding;
	members_remove(state, cookie);
}

/* 0 to count - 1, all as often but for one in 2^64 / count. */
static size_t pick(const struct shunt_host *host, size_t count)
{
	return (size_t)((unsigned __int128)host->random(host) * count >> 64);
}

static void random_route(const void *state, const struct shunt_message *message,
			 struct shunt_sink *sink)
{
	const struct members *members = state;

	(void)message;
	if (members->count == 0)
		return;
	sink->emit(sink, &members->array[pick(members->host, members->count)]->binding, 1);
}

static const struct shunt_exchange_type random_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "x-random",
	.description = "Randomly picks a binding (queue) to route via (to).",
	.create = random_create,
	.destroy = random_destroy,
	.bind = random_bind,
	.unbind = random_unbind,
	.route = random_route,
	.routes_by_first_key = true,
};

static int random_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &random_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-random",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type x-random: each message to one binding, at random",
	.start = random_start,
};
