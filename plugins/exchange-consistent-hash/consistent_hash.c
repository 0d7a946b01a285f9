/* SPDX-License-Identifier: MIT */

/*
 * The exchange type "x-consistent-hash": each message to one binding, which follows from a hash of
 * its routing key (or a header or property), and changes for few messages when a binding comes or
 * goes. The routing key of a binding is its weight.
 */

#include "ring.h"
#include "subject.h"
#include "weight.h"

#include <stdio.h>

struct state {
	struct ring ring;
	struct subject subject;
};

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static int consistent_hash_validate(void *plugin, const struct shunt_exchange *exchange,
				    struct shunt_error *error)
{
	return subject_validate(plugin, exchange->arguments, error);
}

static int consistent_hash_create(void *plugin, const struct shunt_exchange *exchange,
				  void **ret_state, struct shunt_error *error)
{
	const struct shunt_host *host = plugin;
	struct state *state = host->allocate(host, sizeof(*state));

	if (!state)
		return fail_memory(error);
	ring_init(&state->ring, host);
	state->subject = subject_read(host, exchange->arguments);
	*ret_state = state;
	return 0;
}

static void consistent_hash_destroy(void *instance)
{
	struct state *state = instance;

	ring_fini(&state->ring);
	state->ring.host->free(state->ring.host, state);
}

static int consistent_hash_validate_binding(const void *instance,
					    const struct shunt_binding *binding,
					    struct shunt_error *error)
{
	uint32_t weight;

	(void)instance;
	return weight_parse(binding->routing_key, &weight, error);
}

/* A key that is no weight did not pass validate_binding(). */
static int consistent_hash_bind(void *instance, const struct shunt_binding *binding,
				void **ret_cookie, struct shunt_error *error)
{
	struct state *state = instance;
	struct owner *owner;
	uint32_t weight;

	if (weight_parse(binding->routing_key, &weight, error) < 0)
		return -1;
	owner = ring_add(&state->ring, binding, weight);
	if (!owner)
		return fail_memory(error);
	*ret_cookie = owner;
	return 0;
}

static void consistent_hash_unbind(void *instance, const struct shunt_binding *binding,
				   void *cookie)
{
	struct state *state = instance;

	(void)binding;
	ring_remove(&state->ring, cookie);
}

static void consistent_hash_route(const void *instance, const struct shunt_message *message,
				  struct shunt_sink *sink)
{
	const struct state *state = instance;
	const struct shunt_binding *binding;

	if (state->ring.used == 0)
		return;
	binding = ring_find(&state->ring, subject_hash(&state->subject, state->ring.host, message));
	if (binding)
		sink->emit(sink, &binding, 1);
}

static const struct shunt_exchange_type consistent_hash_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "x-consistent-hash",
	.description = "Consistent Hashing Exchange",
	.validate = consistent_hash_validate,
	.create = consistent_hash_create,
	.destroy = consistent_hash_destroy,
	.validate_binding = consistent_hash_validate_binding,
	.bind = consistent_hash_bind,
	.unbind = consistent_hash_unbind,
	.route = consistent_hash_route,
	.declare_arguments = subject_arguments,
	.routes_by_first_key = true,
};

static int consistent_hash_start(const struct shunt_host *host, void **ret_plugin,
				 struct shunt_error *error)
{
	*ret_plugin = (void *)(uintptr_t)host;
	return host->register_exchange_type(host, &consistent_hash_type, error);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "exchange-consistent-hash",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Exchange type x-consistent-hash: each key to one queue, by weight",
	.start = consistent_hash_start,
};
