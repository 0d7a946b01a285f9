/* SPDX-License-Identifier: MIT */
/*
 * Exchange types that take their time: a message goes to the bindings whose key is its header "tenant"
 * (x-slow-header), or its routing key (x-slow-key). That is all that they depend on, and they say so; x-slow does not.
 * bench/instructions counts what is left of that time.
 */
#include <stdlib.h>
#include <string.h>

#include <shunt/plugin.h>

#define BINDINGS_MAX 256
#define HASHES	     200 /* about ten microseconds */

struct exchange {
	const struct shunt_host *host;
	bool is_by_header;
	size_t n;
	const struct shunt_binding *bindings[BINDINGS_MAX];
};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "answers",
	.version = "1",
	.licence = "MIT",
	.description = "Slow exchange types, for bench/instructions",
	.start = start,
};

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state, struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct exchange *e = host->allocate(host, sizeof(*e));

	if (e == NULL) {
		error->code = SHUNT_RESOURCE_ERROR;
		return -1;
	}
	memset(e, 0, sizeof(*e));
	e->host = host;
	e->is_by_header = exchange->type.size > 4 && memcmp(exchange->type.data + exchange->type.size - 3, "key", 3) != 0;
	*ret_state = e;
	return 0;
}

static void destroy(void *state)
{
	struct exchange *e = state;

	e->host->free(e->host, e);
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie, struct shunt_error *error)
{
	struct exchange *e = state;

	(void)ret_cookie;
	if (e->n == BINDINGS_MAX) {
		error->code = SHUNT_RESOURCE_ERROR;
		return -1;
	}
	e->bindings[e->n++] = binding;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct exchange *e = state;

	(void)cookie;
	for (size_t i = 0; i < e->n; i++)
		if (e->bindings[i] == binding)
			e->bindings[i--] = e->bindings[--e->n];
}

static bool is_equal(struct shunt_bytes a, struct shunt_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct exchange *e = state;
	struct shunt_value tenant;
	struct shunt_bytes key = message->routing_key;
	uint64_t sum = 0;

	if (e->is_by_header) {
		if (!e->host->table_find(e->host, e->host->message_headers(e->host, message), "tenant", &tenant) ||
		    tenant.type != 'S')
			return;
		key = tenant.bytes;
	}
	for (unsigned i = 0; i < HASHES; i++)
		sum += e->host->stable_hash(e->host, key.data, key.size, sum);
	for (size_t i = 0; i < e->n; i++)
		if (is_equal(e->bindings[i]->routing_key, key) && sum != 1)
			sink->emit(sink, &e->bindings[i], 1);
}

static const char *const by_header[] = { "headers.tenant", NULL };
static const char *const by_key[] = { "routing_key", NULL };

#define TYPE(type, depends_)                                                                                        \
	{                                                                                                           \
		.size = sizeof(struct shunt_exchange_type), .name = (type), .description = "slow on purpose",       \
		.create = create, .destroy = destroy, .bind = bind, .unbind = unbind, .route = route,               \
		.depends = (depends_),                                                                              \
	}
static const struct shunt_exchange_type types[] = {
	TYPE("x-slow", NULL), TYPE("x-slow-header", by_header), TYPE("x-slow-key", by_key),
};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (host->register_exchange_type(host, &types[i], error) != 0)
			return -1;
	return 0;
}
