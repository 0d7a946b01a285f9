/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_METRIC_H
#define KERNEL_PLUGIN_METRIC_H

/* The numbers that plugins keep for operators. */

#include <stdbool.h>
#include <stdint.h>

struct plugins;
struct shunt_counter;

struct plugin_metric_value {
	const char *plugin, *name, *help; /* help: "" if there is none */
	bool is_gauge;
	int64_t value; /* a counter's as well: as many as fit */
};

/* Of all plugins in force, in the order of registration. Home. */
void plugins_for_each_metric(struct plugins *plugins,
			     void (*visit)(void *context, const struct plugin_metric_value *metric),
			     void *context);

/* For the number of loops that there are. Released with mem_free(). */
struct shunt_counter *plugin_counter_create(void);

#endif
