/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "amqp/argument_schema.h"
#include "amqp/plugin_table.h"
#include "amqp/table.h"
#include "rng.h"
#include "trace.h"

/* What plugins may call in route(), too. */

static uint64_t host_hash(const struct shunt_host *host, const void *data, size_t size)
{
	const struct world *w = world_of(host);

	return XXH3_64bits_withSeed(data, size, w->hash_seed) & w->hash_mask;
}

static uint64_t host_stable_hash(const struct shunt_host *host, const void *data, size_t size,
				 uint64_t seed)
{
	(void)host;
	return XXH3_64bits_withSeed(data, size, seed);
}

static uint64_t host_random(const struct shunt_host *host)
{
	struct world *w = world_of(host);
	struct rng rng = {atomic_fetch_add(&w->random, 0x9e3779b97f4a7c15u)};

	atomic_store(&w->asked_random, true);
	return rng_next(&rng);
}

/* ---- Tables ---- */

/* So that tables with these names can be made. On the main thread only: others ask for the same. */
static void learn(struct world *w, const char *name)
{
	size_t n = atomic_load(&w->n_names);

	if (w->is_plain || trace_frame.loop != 0 || n == HOST_NAMES_MAX ||
	    strlen(name) >= sizeof(w->names[0]))
		return;
	for (size_t i = 0; i < n; i++)
		if (strcmp(w->names[i], name) == 0)
			return;
	(void)memcpy(w->names[n], name, strlen(name) + 1);
	atomic_store(&w->n_names, n + 1);
}

static bool host_table_next(const struct shunt_host *host, struct shunt_bytes table,
			    size_t *position, struct shunt_bytes *ret_name,
			    struct shunt_value *ret_value)
{
	(void)host;
	return plugin_table_next(table, position, ret_name, ret_value);
}

static bool host_table_find(const struct shunt_host *host, struct shunt_bytes table,
			    const char *name, struct shunt_value *ret_value)
{
	learn(world_of(host), name);
	return plugin_table_find(table, name, ret_value);
}

static bool host_array_next(const struct shunt_host *host, struct shunt_bytes array,
			    size_t *position, struct shunt_value *ret_value)
{
	(void)host;
	return plugin_array_next(array, position, ret_value);
}

/* As the broker does: what does not fit is as if it were not there. */
static bool host_argument(const struct shunt_host *host, struct shunt_bytes table,
			  const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	struct amqp_value value;

	learn(world_of(host), argument->name);
	if (argument->type == SHUNT_ARGUMENT_ANY) {
		if (plugin_table_find(table, argument->name, ret_value))
			return true;
	} else if (amqp_table_find(plugin_slice(table), argument->name, &value) &&
		   argument_schema_read(argument, &value, ret_value)) {
		return true;
	}
	return argument_schema_default(argument, ret_value);
}

/* ---- Messages ---- */

static struct shunt_bytes host_message_headers(const struct shunt_host *host,
					       const struct shunt_message *message)
{
	(void)host;
	return plugin_properties_headers(((const struct test_message *)message)->properties);
}

static bool host_message_property(const struct shunt_host *host,
				  const struct shunt_message *message, enum shunt_property property,
				  struct shunt_value *ret_value)
{
	(void)host;
	return plugin_properties_find(((const struct test_message *)message)->properties, property,
				      ret_value);
}

/* For who remembers answers. */
static void host_answer_varies(const struct shunt_host *host)
{
	host_enter(host, "answer_varies");
	trace_frame.answer_varies = true;
}

/* ---- Loops and counters ---- */

static unsigned host_loop_count(const struct shunt_host *host)
{
	(void)host;
	return HOST_LOOPS;
}

static unsigned host_loop_index(const struct shunt_host *host)
{
	(void)host;
	trace_frame.asked_loop = true;
	return trace_frame.loop;
}

static void host_counter_add(const struct shunt_host *host, struct shunt_counter *counter,
			     uint64_t n)
{
	struct world *w = world_of(host);

	host_enter(host, "counter_add");
	if (counter < w->counters || counter >= w->counters + HOST_OTHERS_MAX)
		trace_fail("it called shunt_host.counter_add with what is no counter");
	atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

void host_init_route(struct shunt_host *host)
{
	host->hash = host_hash;
	host->stable_hash = host_stable_hash;
	host->random = host_random;
	host->table_next = host_table_next;
	host->table_find = host_table_find;
	host->array_next = host_array_next;
	host->argument = host_argument;
	host->message_headers = host_message_headers;
	host->message_property = host_message_property;
	host->answer_varies = host_answer_varies;
	host->loop_count = host_loop_count;
	host->loop_index = host_loop_index;
	host->counter_add = host_counter_add;
}
