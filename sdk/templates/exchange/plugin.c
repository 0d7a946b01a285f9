/* SPDX-License-Identifier: MIT */

/* The exchange type "@NAME@": to the bindings with the longest key that the message's key begins with. */

#include <shunt/plugin.h>

#include <stdio.h>
#include <string.h>

/*
 * One exchange: its bindings in the order of their keys. route() finds the longest prefix by bisection, and a bind moves
 * those behind the new one, which is cheap up to some 100 000 bindings.
 */
struct prefixes {
	const struct shunt_host *host;
	const struct shunt_binding **bindings;
	size_t count, capacity;
};

static int fail(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static size_t common_prefix(struct shunt_bytes a, struct shunt_bytes b)
{
	size_t size = 0;

	while (size < a.size && size < b.size && a.data[size] == b.data[size])
		size++;
	return size;
}

static bool has_key(const struct shunt_binding *binding, struct shunt_bytes key)
{
	return binding->routing_key.size == key.size &&
	       common_prefix(binding->routing_key, key) == key.size;
}

/* Keys in the order of their bytes, a prefix before what it begins; bindings of one key in the order of their ids. */
static bool is_before(const struct shunt_binding *binding, struct shunt_bytes key, uint64_t id)
{
	const struct shunt_bytes own = binding->routing_key;
	size_t size = common_prefix(own, key);

	if (size < own.size && size < key.size)
		return own.data[size] < key.data[size];
	return own.size != key.size ? own.size < key.size : binding->id < id;
}

static size_t count_before(const struct prefixes *prefixes, struct shunt_bytes key, uint64_t id)
{
	size_t low = 0, high = prefixes->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before(prefixes->bindings[middle], key, id))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		  struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct prefixes *prefixes = host->allocate(host, sizeof(*prefixes));

	(void)exchange;
	if (!prefixes)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*prefixes = (struct prefixes){.host = host};
	*ret_state = prefixes;
	return 0;
}

static void destroy(void *state)
{
	struct prefixes *prefixes = state;

	prefixes->host->free(prefixes->host, prefixes->bindings);
	prefixes->host->free(prefixes->host, prefixes);
}

static int grow(struct prefixes *prefixes)
{
	size_t capacity = prefixes->capacity ? prefixes->capacity * 2 : 8;
	const struct shunt_binding **bindings = prefixes->host->reallocate(
		prefixes->host, prefixes->bindings, capacity * sizeof(*bindings));

	if (!bindings)
		return -1;
	prefixes->bindings = bindings;
	prefixes->capacity = capacity;
	return 0;
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	struct prefixes *prefixes = state;
	size_t place = count_before(prefixes, binding->routing_key, binding->id);

	(void)ret_cookie;
	if (prefixes->count == prefixes->capacity && grow(prefixes) < 0)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	memmove(prefixes->bindings + place + 1, prefixes->bindings + place,
		(prefixes->count - place) * sizeof(*prefixes->bindings));
	prefixes->bindings[place] = binding;
	prefixes->count++;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct prefixes *prefixes = state;
	size_t place = count_before(prefixes, binding->routing_key, binding->id);

	(void)cookie;
	prefixes->count--;
	memmove(prefixes->bindings + place, prefixes->bindings + place + 1,
		(prefixes->count - place) * sizeof(*prefixes->bindings));
}

/*
 * All prefixes of the key come before it. If the last binding before it is none, then no prefix is longer than what the
 * two have in common: so look again with that. Bindings of one key lie beside each other.
 */
static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct prefixes *prefixes = state;
	struct shunt_bytes key = message->routing_key, last;
	size_t end, first;

	do {
		end = count_before(prefixes, key, UINT64_MAX);
		if (end == 0)
			return;
		last = prefixes->bindings[end - 1]->routing_key;
		key.size = common_prefix(key, last);
	} while (key.size < last.size);
	first = end - 1;
	while (first > 0 && has_key(prefixes->bindings[first - 1], key))
		first--;
	sink->emit(sink, prefixes->bindings + first, end - first);
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type),
	.name = "@NAME@",
	.description = "to the bindings with the longest prefix of the routing key",
	.create = create,
	.destroy = destroy,
	.bind = bind,
	.unbind = unbind,
	.route = route,
	.routes_by_key = true,
};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "@NAME@",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type @NAME@: routes by the longest prefix",
	.start = start,
};
