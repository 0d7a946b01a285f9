/* SPDX-License-Identifier: MIT */

/* The exchange type "direct": to the bindings whose routing key is the message's. */

#include "keys.h"

#include <stdio.h>

#define BATCH 64

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int direct_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			 struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct keys *keys = host->allocate(host, sizeof(*keys));

	(void)exchange;
	if (!keys)
		return fail_memory(error);
	keys_init(keys, host);
	*ret_state = keys;
	return 0;
}

static void direct_destroy(void *state)
{
	struct keys *keys = state;

	keys_fini(keys);
	keys->host->free(keys->host, keys);
}

static int direct_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		       struct shunt_error *error)
{
	struct entry *entry = keys_add(state, binding);

	if (!entry)
		return fail_memory(error);
	*ret_cookie = entry;
	return 0;
}

static void direct_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)binding;
	keys_remove(state, cookie);
}

static void emit_ring(const struct key *key, struct shunt_sink *sink)
{
	const struct shunt_binding *batch[BATCH];
	const struct entry *entry = key->first;
	size_t count = 0;

	do {
		batch[count++] = entry->binding;
		entry = entry->next;
		if (count == BATCH || entry == key->first) {
			sink->emit(sink, batch, count);
			count = 0;
		}
	} while (entry != key->first);
}

static void direct_route(const void *state, const struct shunt_message *message,
			 struct shunt_sink *sink)
{
	const struct key *key = keys_find(state, message->routing_key);

	if (!key)
		return;
	if (key->only)
		sink->emit(sink, &key->only, 1);
	else
		emit_ring(key, sink);
}

static const struct shunt_exchange_type direct_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "direct",
	.description = "AMQP direct exchange, as per the AMQP specification",
	.create = direct_create,
	.destroy = direct_destroy,
	.bind = direct_bind,
	.unbind = direct_unbind,
	.route = direct_route,
	.routes_by_key = true,
};

static int direct_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &direct_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-direct",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type direct: routes by the whole routing key",
	.start = direct_start,
};
