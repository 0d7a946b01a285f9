/* SPDX-License-Identifier: MIT */

/* The exchange type "@NAME@": to the bindings with the longest key that the message's key begins
 * with. */

#include <shunt/plugin.h>

#include <stdio.h>
#include <string.h>

#define KEY_MAX 255 /* bytes that AMQP lets a binding's key have */

/* A binding. All are in one tree, in which the next two bits of the key's hash say which way to go
 * on. */
struct node {
	const struct shunt_binding *binding;
	uint64_t hash;
	struct node *child[4];
	struct node *next,
		*previous; /* others with the same key: only the first of them is in the tree */
};

/* One exchange. */
struct prefixes {
	const struct shunt_host *host;
	struct node *root;
	size_t of_size[KEY_MAX + 1]; /* how many bindings have keys of so many bytes */
};

static int fail(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
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

static bool has_key(const struct node *node, uint64_t hash, struct shunt_bytes key)
{
	const struct shunt_bytes own = node->binding->routing_key;

	return node->hash == hash && own.size == key.size &&
	       (key.size == 0 || memcmp(own.data, key.data, key.size) == 0);
}

/* Where the tree holds the first node of that key, or would hold it. */
static struct node **place_of(struct node **place, uint64_t hash, struct shunt_bytes key)
{
	for (uint64_t bits = hash; *place && !has_key(*place, hash, key); bits <<= 2)
		place = &(*place)->child[bits >> 62];
	return place;
}

/* Takes out a node at or below the place that has none below itself: it may stand wherever it was
 * reached by. */
static struct node *take_leaf(struct node **place)
{
	struct node *leaf;

	for (size_t i = 0; i < 4; i++) {
		while ((*place)->child[i]) {
			place = &(*place)->child[i];
			i = 0;
		}
	}
	leaf = *place;
	*place = NULL;
	return leaf;
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	struct prefixes *prefixes = state;
	const struct shunt_host *host = prefixes->host;
	const struct shunt_bytes key = binding->routing_key;
	struct node *node = host->allocate(host, sizeof(*node)), **place;

	if (!node)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*node = (struct node){.binding = binding, .hash = host->hash(host, key.data, key.size)};
	place = place_of(&prefixes->root, node->hash, key);
	if (*place) {
		node->previous = *place;
		node->next = node->previous->next;
		node->previous->next = node;
		if (node->next)
			node->next->previous = node;
	} else {
		*place = node;
	}
	prefixes->of_size[key.size]++;
	*ret_cookie = node;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct prefixes *prefixes = state;
	struct node *node = cookie, *heir, **place;

	prefixes->of_size[binding->routing_key.size]--;
	if (node->next)
		node->next->previous = node->previous;
	if (node->previous) {
		node->previous->next = node->next;
	} else {
		place = place_of(&prefixes->root, node->hash, binding->routing_key);
		heir = node->next ? node->next : take_leaf(place);
		if (heir != node) {
			memcpy(heir->child, node->child, sizeof(heir->child));
			*place = heir;
		}
	}
	prefixes->host->free(prefixes->host, node);
}

static void destroy(void *state)
{
	struct prefixes *prefixes = state;

	while (prefixes->root) {
		struct node *node = take_leaf(&prefixes->root);

		while (node) {
			struct node *next = node->next;

			prefixes->host->free(prefixes->host, node);
			node = next;
		}
	}
	prefixes->host->free(prefixes->host, prefixes);
}

/* The first binding of that key, or NULL. */
static const struct node *find(const struct prefixes *prefixes, struct shunt_bytes key)
{
	struct node *root = prefixes->root;

	if (prefixes->of_size[key.size] == 0)
		return NULL;
	return *place_of(&root, prefixes->host->hash(prefixes->host, key.data, key.size), key);
}

/* Looks for the whole key, then for one byte less, and so on. */
static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	struct shunt_bytes key = message->routing_key;
	const struct node *node;

	/* keys of CC headers may be longer */
	key.size = key.size < KEY_MAX ? key.size : KEY_MAX;
	do {
		node = find(state, key);
	} while (!node && key.size-- > 0);
	for (; node; node = node->next)
		sink->emit(sink, &node->binding, 1);
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
