/* SPDX-License-Identifier: MIT */

/*
 * The exchange type "x-modulus-hash": each message to one binding: the hash of the routing key,
 * modulo the number of bindings. Most messages go elsewhere when a binding comes or goes;
 * x-consistent-hash is for where they should not.
 */

#include "row.h"

#include <stdio.h>

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int modulus_hash_create(void *plugin, const struct shunt_exchange *exchange,
			       void **ret_state, struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct row *row = host->allocate(host, sizeof(*row));

	(void)exchange;
	if (!row)
		return fail_memory(error);
	row_init(row, host);
	*ret_state = row;
	return 0;
}

static void modulus_hash_destroy(void *state)
{
	struct row *row = state;

	row_fini(row);
	row->host->free(row->host, row);
}

static int modulus_hash_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			     struct shunt_error *error)
{
	(void)ret_cookie;
	return row_add(state, binding) < 0 ? fail_memory(error) : 0;
}

static void modulus_hash_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)cookie;
	row_remove(state, binding);
}

static void modulus_hash_route(const void *state, const struct shunt_message *message,
			       struct shunt_sink *sink)
{
	const struct row *row = state;
	uint64_t hash;

	if (row->count == 0)
		return;
	hash = row->host->stable_hash(row->host, message->routing_key.data,
				      message->routing_key.size, 0);
	sink->emit(sink, &row->bindings[hash % row->count], 1);
}

static const struct shunt_exchange_type modulus_hash_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "x-modulus-hash",
	.description = "Modulus Hashing Exchange",
	.create = modulus_hash_create,
	.destroy = modulus_hash_destroy,
	.bind = modulus_hash_bind,
	.unbind = modulus_hash_unbind,
	.route = modulus_hash_route,
	.routes_by_key = true,
	.routes_by_first_key = true,
};

static int modulus_hash_start(const struct shunt_host *host, void **ret_plugin,
			      struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &modulus_hash_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-modulus-hash",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type x-modulus-hash: each key to one binding, by hash and number",
	.start = modulus_hash_start,
};
