/* SPDX-License-Identifier: MIT */
/*
 * Counters: each loop counts on cache lines of its own, where only its thread writes, so that load
 * and store do what a dearer atomic addition would; who has no loop shares the last ones.
 */
#include "base/compiler.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/host.h"
#include "plugin/metric.h"
#include "plugin/plugin.h"

struct counter_line {
	_Alignas(CACHE_LINE_SIZE) _Atomic uint64_t value;
};

struct shunt_counter {
	unsigned n_loops;
	struct counter_line lines[]; /* one for each loop, and one for all other threads */
};

struct shunt_counter *plugin_counter_create(void)
{
	unsigned n_loops = loop_count();
	struct shunt_counter *counter = mem_zalloc_aligned(
		CACHE_LINE_SIZE, sizeof(*counter) + (n_loops + 1) * sizeof(struct counter_line));

	counter->n_loops = n_loops;
	return counter;
}

static void host_counter_add(const struct shunt_host *host, struct shunt_counter *counter,
			     uint64_t n)
{
	const struct loop *self = loop_self();
	_Atomic uint64_t *value;

	(void)host;
	if (self == NULL || loop_index(self) >= counter->n_loops) {
		atomic_fetch_add_explicit(&counter->lines[counter->n_loops].value, n,
					  memory_order_relaxed);
		return;
	}
	value = &counter->lines[loop_index(self)].value;
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static uint64_t host_counter_read(const struct shunt_host *host,
				  const struct shunt_counter *counter)
{
	uint64_t sum = 0;

	(void)host;
	for (unsigned i = 0; i <= counter->n_loops; i++)
		sum += atomic_load_explicit(&counter->lines[i].value, memory_order_relaxed);
	return sum;
}

static int64_t value_of(const struct plugin *plugin, const struct plugin_metric *metric)
{
	uint64_t sum;

	if (metric->counter == NULL)
		return metric->own.read(plugin->state);
	sum = host_counter_read(&plugin->host, metric->counter);
	return sum < INT64_MAX ? (int64_t)sum : INT64_MAX;
}

void plugins_for_each_metric(struct plugins *plugins,
			     void (*visit)(void *context, const struct plugin_metric_value *metric),
			     void *context)
{
	struct list *pos;

	list_for_each(pos, &plugins->active) {
		const struct plugin *plugin = container_of(pos, struct plugin, link);

		for (size_t i = 0; i < plugin->staged.n_metrics; i++) {
			const struct plugin_metric *metric = plugin->staged.metrics[i];
			const struct plugin_metric_value value = {
				.plugin = plugin->name,
				.name = metric->own.name,
				.help = metric->own.help != NULL ? metric->own.help : "",
				.is_gauge = metric->counter == NULL,
				.value = value_of(plugin, metric),
			};

			visit(context, &value);
		}
	}
}

void host_offer_counters(struct shunt_host *host)
{
	host->counter_add = host_counter_add;
	host->counter_read = host_counter_read;
}
