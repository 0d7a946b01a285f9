/* SPDX-License-Identifier: MIT */
#ifndef LUA_SHARED_H
#define LUA_SHARED_H

/*
 * Numbers that all loops, and all versions of a script, share: counters and token buckets. They are
 * the language's, one table for each name of a script; a table lasts as long as a version of the
 * script does. At most SHARED_NAMES_MAX names each; beyond that those go that were not used for the
 * longest time (about: each of SHARED_SHARDS parts looks at its own). Any thread; in route.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#define SHARED_NAMES_MAX     65536u
#define SHARED_NAME_SIZE_MAX 255u
#define SHARED_SHARDS	     64u

struct shared_tables;
struct shared_table;

/* A number as Lua has them. */
struct shared_number {
	bool is_float;
	lua_Integer integer;
	lua_Number real;
};

struct shared_name {
	const char *data;
	size_t size; /* at most SHARED_NAME_SIZE_MAX */
};

/* NULL: memory is out. Destroyed when all tables have been released. */
struct shared_tables *shared_tables_create(void);
void shared_tables_destroy(struct shared_tables *tables);

/* The table of a script's name, made when there is none. tables NULL: one of its own. NULL: memory
 * is out. */
struct shared_table *shared_table_acquire(struct shared_tables *tables, const char *script);
void shared_table_release(struct shared_table *table);

/* Names that are kept, those included whose time is over and that nobody has met. */
size_t shared_table_count(struct shared_table *table);

/*
 * now_us: any clock, always the same one, that does not go back. ttl_us: 0: for ever. -1: memory is
 * out, and nothing has changed.
 */

/* Adds to what the name has, 0 if it is new or its time is over; then ttl_us counts from now. */
int shared_add(struct shared_table *table, struct shared_name name, struct shared_number n,
	       uint64_t ttl_us, uint64_t now_us, struct shared_number *ret_sum);
int shared_set(struct shared_table *table, struct shared_name name, struct shared_number n,
	       uint64_t ttl_us, uint64_t now_us);
/* 0 if there is none. */
struct shared_number shared_get(struct shared_table *table, struct shared_name name,
				uint64_t now_us);

/*
 * Takes a token of the bucket of that name, which holds `burst` when it is new and gets per_second
 * of them a second, up to `burst`. *ret_taken: there was one. Buckets have names of their own,
 * apart from numbers.
 */
int shared_take(struct shared_table *table, struct shared_name name, double per_second,
		double burst, uint64_t now_us, bool *ret_taken);

extern const struct module shared_module;

#endif
