/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_AMQP_PLUGIN_TABLE_H
#define KERNEL_AMQP_PLUGIN_TABLE_H

/*
 * Field tables and the properties of messages as plugins see them: what is behind struct
 * shunt_host's table_next, table_find, array_next, message_headers and message_property. Of every
 * thread. What is not well-formed ends a walk; nothing is read beyond its end.
 */

#include <stdbool.h>
#include <stddef.h>

#include <shunt/plugin.h>

#include "amqp/value.h"
#include "base/slice.h"

static inline struct slice plugin_slice(struct shunt_bytes bytes)
{
	return slice_make(bytes.data, bytes.size);
}

static inline struct shunt_bytes plugin_bytes(struct slice slice)
{
	return (struct shunt_bytes){slice.data, slice.size};
}

void plugin_value_of(const struct amqp_value *from, struct shunt_value *ret);

/* *position begins with 0. False at the end. */
bool plugin_table_next(struct shunt_bytes table, size_t *position, struct shunt_bytes *ret_name,
		       struct shunt_value *ret_value);
/* The first entry of that name. */
bool plugin_table_find(struct shunt_bytes table, const char *name, struct shunt_value *ret_value);
bool plugin_array_next(struct shunt_bytes array, size_t *position, struct shunt_value *ret_value);

/* `properties`: as on the wire, from the flags on. Headers: empty when there are none. */
struct shunt_bytes plugin_properties_headers(struct slice properties);
/* False when it is not set, or there is no such property. */
bool plugin_properties_find(struct slice properties, enum shunt_property property,
			    struct shunt_value *ret_value);

#endif
