/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_FAKE_TABLE_H
#define TESTS_PLUGIN_FAKE_TABLE_H

/* AMQP field tables and arrays for the tests of plugins: a writer, and the readers behind the fake
 * host's functions. */

#include <shunt/plugin.h>

/* The raw contents of a table, or of an array when the names are NULL. Owned by the test:
 * fake_table_fini(). */
struct fake_table {
	uint8_t *data;
	size_t size;
};

void fake_table_fini(struct fake_table *table);
struct shunt_bytes fake_table_bytes(const struct fake_table *table);

/* Any of b B s u I i l L T, t (0, 1), V; cut to the type's width. */
void fake_table_put(struct fake_table *table, const char *name, char type, int64_t value);
/* f d */
void fake_table_put_real(struct fake_table *table, const char *name, char type, double value);
void fake_table_put_decimal(struct fake_table *table, const char *name, uint8_t scale,
			    uint32_t value);
/* S x F A */
void fake_table_put_bytes(struct fake_table *table, const char *name, char type, const void *data,
			  size_t size);
/* A value as on the wire, its type first. */
void fake_table_put_raw(struct fake_table *table, const char *name, const void *data, size_t size);
void fake_table_put_text(struct fake_table *table, const char *name, const char *text);

/* As in struct shunt_host. A malformed table ends the process: the tests made it. */
bool fake_table_next(struct shunt_bytes table, size_t *position, struct shunt_bytes *ret_name,
		     struct shunt_value *ret_value);
bool fake_array_next(struct shunt_bytes array, size_t *position, struct shunt_value *ret_value);

#endif
