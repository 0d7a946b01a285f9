/* SPDX-License-Identifier: MIT */

/*
 * The exchange type "topic": routing keys are words between dots; in a binding's key, `*` stands
 * for one word and `#` for any number of words, none included.
 */

#include "match.h"
#include "trie.h"

#include <stdio.h>

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int topic_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct trie *trie = host->allocate(host, sizeof(*trie));

	(void)exchange;
	if (!trie)
		return fail_memory(error);
	trie_init(trie, host);
	*ret_state = trie;
	return 0;
}

static void topic_destroy(void *state)
{
	struct trie *trie = state;

	trie_fini(trie);
	trie->host->free(trie->host, trie);
}

/* The cookie is the number of the binding's place. */
static int topic_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		      struct shunt_error *error)
{
	uint32_t place = trie_add(state, binding);

	if (place == 0)
		return fail_memory(error);
	*ret_cookie = (void *)(uintptr_t)place;
	return 0;
}

static void topic_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	(void)binding;
	trie_remove(state, (uint32_t)(uintptr_t)cookie);
}

static void topic_route(const void *state, const struct shunt_message *message,
			struct shunt_sink *sink)
{
	match_key(state, message->routing_key, sink);
}

static const struct shunt_exchange_type topic_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "topic",
	.description = "AMQP topic exchange, as per the AMQP specification",
	.create = topic_create,
	.destroy = topic_destroy,
	.bind = topic_bind,
	.unbind = topic_unbind,
	.route = topic_route,
	.routes_by_key = true,
};

static int topic_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &topic_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-topic",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type topic: routes by words and wildcards of the routing key",
	.start = topic_start,
};
