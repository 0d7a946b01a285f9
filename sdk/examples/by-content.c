/* SPDX-License-Identifier: MIT */
/* Exchange type "x-by-content": each message goes to one binding, chosen by a hash of its body. So
 * equal bodies meet in one queue, whose consumer can drop what it has seen already. The binding
 * with the highest score for a body gets it: when one goes, only its bodies move. Scores come from
 * what a binding says, so they are the same after a restart, and on every machine. */
#include <shunt/plugin.h>
#define FAIL(error, code, text) (*(error) = (struct shunt_error){code, text}, -1)

struct seat {
	uint64_t hash; /* of what the binding says */
	const struct shunt_binding *binding;
};
struct seats { /* an instance; in no order */
	struct seat *seats;
	size_t count;
};
static const struct shunt_host *host; /* set by start() */

static uint64_t hash(struct shunt_bytes bytes, uint64_t seed)
{
	return host->stable_hash(host, bytes.data, bytes.size, seed);
}

static int create(void *plugin, const struct shunt_exchange *exchange, void **ret_seats,
		  struct shunt_error *error)
{
	struct seats *seats = host->allocate(host, sizeof(*seats));

	(void)plugin, (void)exchange;
	if (!seats)
		return FAIL(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*seats = (struct seats){0};
	*ret_seats = seats;
	return 0;
}

static void destroy(void *state)
{
	host->free(host, ((struct seats *)state)->seats);
	host->free(host, state);
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
		struct shunt_error *error)
{
	struct seats *seats = state;
	uint64_t seed = hash(binding->routing_key, binding->destination_is_exchange);
	size_t size = (seats->count + 1) * sizeof(struct seat);
	struct seat *grown = host->reallocate(host, seats->seats, size);

	(void)ret_cookie;
	if (!grown)
		return FAIL(error, SHUNT_RESOURCE_ERROR, "out of memory");
	seats->seats = grown;
	seed = hash(binding->arguments, hash(binding->destination, seed));
	grown[seats->count++] = (struct seat){seed, binding};
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct seats *seats = state;
	struct seat *seat = seats->seats;

	(void)cookie;
	while (seat->binding != binding)
		seat++;
	*seat = seats->seats[--seats->count];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct seats *seats = state;
	uint64_t body = hash(message->body, 0), score, best_score = 0;
	const struct seat *best = NULL, *seat = seats->seats;

	for (size_t left = seats->count; left > 0; left--, seat++) {
		score = (seat->hash ^ body) * 0x9fb21c651e98df25u;
		score = (score ^ score >> 32) * 0x9e3779b97f4a7c15u;
		if (!best || score > best_score ||
		    (score == best_score && seat->binding->id < best->binding->id))
			best = seat, best_score = score;
	}
	if (best)
		sink->emit(sink, &best->binding, 1);
}

static const struct shunt_exchange_type type = {
	.size = sizeof(type), .name = "x-by-content", .description = "to one binding, by the body",
	.create = create, .destroy = destroy, .bind = bind, .unbind = unbind, .route = route};

static int start(const struct shunt_host *given, void **ret_plugin, struct shunt_error *error)
{
	(void)ret_plugin;
	host = given;
	return host->register_exchange_type(host, &type, error);
}
SHUNT_PLUGIN = {SHUNT_PLUGIN_MAGIC, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR, sizeof(struct shunt_plugin),
		"x-by-content", "0.1.0", "MIT", "Exchange type x-by-content", .start = start};
