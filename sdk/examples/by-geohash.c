/* SPDX-License-Identifier: MIT */
/* Exchange type "x-by-geohash". A binding's key is a geohash: "u33d" is a part of Berlin, "" the
 * world. A message's key begins with one, the rest is free: "u33dc0.taxi.7". It goes to all areas
 * that it lies in, the large and the small, so that a city and a street can listen at once. */
#include <shunt/plugin.h>
#include <string.h>
#define FAIL(error, code, text) (*(error) = (struct shunt_error){code, text}, -1)
#define LETTERS			"0123456789bcdefghjkmnpqrstuvwxyz"
#define LETTERS_MAX		12
#define BUCKETS			4093 /* of a table that does not grow: some 10 000 areas */

struct area { /* an instance is an array of BUCKETS of them, each the head of a ring */
	struct area *next, *previous;
	const struct shunt_binding *binding;
};
static const struct shunt_host *host; /* set by start() */

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_heads,
		  struct shunt_error *error)
{
	struct area *heads = host->allocate(host, BUCKETS * sizeof(*heads));

	(void)plugin, (void)exchange;
	if (!heads)
		return FAIL(error, SHUNT_RESOURCE_ERROR, "out of memory");
	for (size_t i = 0; i < BUCKETS; i++)
		heads[i] = (struct area){&heads[i], &heads[i], NULL};
	*ret_heads = heads;
	return 0;
}

static int check(const void *heads, const struct shunt_binding *b, struct shunt_error *error)
{
	(void)heads;
	for (size_t i = 0; i < b->routing_key.size; i++)
		if (i == LETTERS_MAX || !memchr(LETTERS, b->routing_key.data[i], strlen(LETTERS)))
			return FAIL(error, SHUNT_PRECONDITION_FAILED, "the key is no geohash");
	return 0;
}

static int bind(void *heads, const struct shunt_binding *binding, void **ret_area,
		struct shunt_error *error)
{
	const struct shunt_bytes key = binding->routing_key;
	struct area *head = (struct area *)heads + host->hash(host, key.data, key.size) % BUCKETS;
	struct area *area = host->allocate(host, sizeof(*area));

	if (!area)
		return FAIL(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*area = (struct area){head->next, head, binding};
	*ret_area = area->next->previous = head->next = area;
	return 0;
}

static void unbind(void *heads, const struct shunt_binding *binding, void *cookie)
{
	struct area *area = cookie;

	(void)heads, (void)binding;
	area->next->previous = area->previous;
	area->previous->next = area->next;
	host->free(host, area);
}

static void destroy(void *heads)
{
	for (struct area *head = heads; head < (struct area *)heads + BUCKETS; head++)
		while (head->next != head)
			unbind(heads, NULL, head->next);
	host->free(host, heads);
}

static void route(const void *heads, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct shunt_bytes key = message->routing_key;
	const struct area *head, *area;

	for (size_t n = 0; n <= key.size && n <= LETTERS_MAX; n++) {
		head = (const struct area *)heads + host->hash(host, key.data, n) % BUCKETS;
		for (area = head->next; area != head; area = area->next)
			if (area->binding->routing_key.size == n &&
			    (n == 0 || memcmp(area->binding->routing_key.data, key.data, n) == 0))
				sink->emit(sink, &area->binding, 1);
	}
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type), .name = "x-by-geohash", .description = "to all areas around a place",
	.create = create, .destroy = destroy, .validate_binding = check, .bind = bind,
	.unbind = unbind, .route = route, .routes_by_key = true};

static int start(const struct shunt_host *given, void **ret_plugin, struct shunt_error *error)
{
	(void)ret_plugin;
	host = given;
	return host->register_exchange_type(host, &type, error);
}
SHUNT_PLUGIN = {SHUNT_PLUGIN_MAGIC, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR, sizeof(struct shunt_plugin),
		"x-by-geohash", "0.1.0", "MIT", "Exchange type x-by-geohash", .start = start};
