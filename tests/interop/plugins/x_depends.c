/* SPDX-License-Identifier: MIT */
/*
 * Exchange types that say what their answers depend on, and count how often they are asked: the bindings whose key is
 *
 *	x-by-tenant	the header "tenant"
 *	x-by-user	the name of who published
 *	x-by-type	the type that the exchange was declared with; they depend on nothing
 *	x-by-moment	the routing key, for 50 ms
 */
#include <string.h>

#include <shunt/plugin.h>

#define BINDINGS_MAX 64

struct exchange;

struct plugin {
	const struct shunt_host *host;
	struct shunt_counter *asked;
};

struct exchange {
	struct plugin *plugin;
	struct shunt_bytes (*key)(const struct exchange *exchange, const struct shunt_message *message);
	struct shunt_bytes type;
	size_t n;
	const struct shunt_binding *bindings[BINDINGS_MAX];
};

static bool is_equal(struct shunt_bytes a, struct shunt_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ---- By what ---- */

static struct shunt_bytes by_tenant(const struct exchange *exchange, const struct shunt_message *message)
{
	const struct shunt_host *host = exchange->plugin->host;
	struct shunt_value tenant;

	if (!host->table_find(host, host->message_headers(host, message), "tenant", &tenant) || tenant.type != 'S')
		return (struct shunt_bytes){ NULL, 0 };
	return tenant.bytes;
}

static struct shunt_bytes by_user(const struct exchange *exchange, const struct shunt_message *message)
{
	(void)exchange;
	return message->user;
}

static struct shunt_bytes by_type(const struct exchange *exchange, const struct shunt_message *message)
{
	(void)message;
	return exchange->type;
}

static struct shunt_bytes by_moment(const struct exchange *exchange, const struct shunt_message *message)
{
	(void)exchange;
	return message->routing_key;
}

/* ---- The type ---- */

static int create_as(void *plugin, const struct shunt_exchange *exchange, void **ret_state, struct shunt_error *error,
		     struct shunt_bytes (*key)(const struct exchange *, const struct shunt_message *))
{
	struct plugin *p = plugin;
	struct exchange *e = p->host->allocate(p->host, sizeof(*e));

	if (e == NULL) {
		error->code = SHUNT_RESOURCE_ERROR;
		return -1;
	}
	*e = (struct exchange){ .plugin = p, .key = key, .type = exchange->type };
	*ret_state = e;
	return 0;
}

#define CREATE(by)                                                                                                  \
	static int create_##by(void *plugin, const struct shunt_exchange *exchange, void **ret_state,               \
			       struct shunt_error *error)                                                           \
	{                                                                                                           \
		return create_as(plugin, exchange, ret_state, error, by);                                           \
	}
CREATE(by_tenant)
CREATE(by_user)
CREATE(by_type)
CREATE(by_moment)

static void destroy(void *state)
{
	struct exchange *e = state;

	e->plugin->host->free(e->plugin->host, e);
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
	size_t i = 0;

	(void)cookie;
	while (e->bindings[i] != binding)
		i++;
	e->bindings[i] = e->bindings[--e->n];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct exchange *e = state;
	struct shunt_bytes key = e->key(e, message);

	e->plugin->host->counter_add(e->plugin->host, e->plugin->asked, 1);
	for (size_t i = 0; i < e->n; i++)
		if (is_equal(e->bindings[i]->routing_key, key))
			sink->emit(sink, &e->bindings[i], 1);
}

static const char *const tenant[] = { "headers.tenant", NULL };
static const char *const user[] = { "user", NULL };
static const char *const nothing[] = { NULL };
static const char *const routing_key[] = { "routing_key", NULL };

#define TYPE(type, by, depends_, ...)                                                                               \
	{                                                                                                           \
		.size = sizeof(struct shunt_exchange_type), .name = (type), .description = "says what it looks at", \
		.create = create_##by, .destroy = destroy, .bind = bind, .unbind = unbind, .route = route,          \
		.depends = (depends_), __VA_ARGS__                                                                  \
	}

static const struct shunt_exchange_type types[] = {
	TYPE("x-by-tenant", by_tenant, tenant, ),
	TYPE("x-by-user", by_user, user, ),
	TYPE("x-by-type", by_type, nothing, ),
	TYPE("x-by-moment", by_moment, routing_key, .depends_ms = 50),
};

/* ---- The plugin ---- */

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	static const struct shunt_metric asked = {
		.size = sizeof(asked), .name = "asked", .help = "How often route() ran"
	};
	struct plugin *plugin = host->allocate(host, sizeof(*plugin));

	if (plugin == NULL) {
		error->code = SHUNT_RESOURCE_ERROR;
		return -1;
	}
	plugin->host = host;
	*ret_plugin = plugin;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (host->register_exchange_type(host, &types[i], error) != 0)
			return -1;
	return host->register_metric(host, &asked, &plugin->asked, error);
}

static void stop(void *plugin)
{
	struct plugin *p = plugin;

	p->host->free(p->host, p);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-depends",
	.version = "1",
	.licence = "MIT",
	.description = "Exchange types that say what they look at",
	.start = start,
	.stop = stop,
};
