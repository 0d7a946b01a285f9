/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_TABLE_H
#define EXCHANGE_TOPIC_TABLE_H

/*
 * A hash table from 64-bit keys to numbers that are not 0. A bucket is one cache line of five
 * entries, with a chain of more lines in the rare case; so finding something, or finding that it is
 * not there, usually costs one cache miss. The table grows and shrinks by one bucket at a time
 * (linear hashing): no insertion has to move everything.
 */

#include "pool.h"

#define TABLE_LINE_ENTRIES 5

struct table_line {
	uint64_t keys[TABLE_LINE_ENTRIES];
	uint32_t values[TABLE_LINE_ENTRIES]; /* 0: no entry; the used ones first */
	uint32_t next;			     /* another line of this bucket, in the pool; 0: none */
};

_Static_assert(sizeof(struct table_line) == 64, "a bucket is a cache line");

struct table {
	struct array buckets; /* struct table_line */
	struct pool lines;    /* struct table_line */
	uint64_t seed;
	uint32_t bucket_count;
	uint32_t mask; /* bucket_count - 1, rounded up to a power of two less one */
	uint32_t count;
};

void table_init(struct table *table, const struct shunt_host *host, uint64_t seed);
void table_fini(struct table *table);

/* Adds an entry whose key is not there. 0, or -1 when memory is out. Invalidates pointers to
 * values. */
int table_insert(struct table *table, uint64_t key, uint32_t value);

/* Removes the entry, which is there. Invalidates pointers to values. */
void table_remove(struct table *table, uint64_t key);

static inline uint32_t table_bucket(const struct table *table, uint64_t key)
{
	uint64_t hash = key ^ table->seed;
	uint32_t bucket;

	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	bucket = (uint32_t)(hash >> 32) & table->mask;
	return bucket < table->bucket_count ? bucket : bucket & table->mask >> 1;
}

/*
 * Looking up in two steps, so that several lines can be under way at once: the line in which the
 * key is, if at all, and beginning to load it; then the value in it. The table must have entries.
 */
static inline struct table_line *table_line(const struct table *table, uint64_t key)
{
	struct table_line *line =
		array_at(&table->buckets, table_bucket(table, key), sizeof(*line));

	__builtin_prefetch(line);
	return line;
}

/* One bit for each key of the line that is this one. Without branches: where in the line it is
 * cannot be predicted. */
static inline unsigned table_line_compare(const struct table_line *line, uint64_t key)
{
	return (unsigned)(line->keys[0] == key) | (unsigned)(line->keys[1] == key) << 1 |
	       (unsigned)(line->keys[2] == key) << 2 | (unsigned)(line->keys[3] == key) << 3 |
	       (unsigned)(line->keys[4] == key) << 4;
}

/* The value, or NULL. */
static inline uint32_t *table_line_find(const struct table *table, struct table_line *line,
					uint64_t key)
{
	for (;;) {
		unsigned equal = table_line_compare(line, key);

		if (equal != 0) {
			uint32_t *value = &line->values[__builtin_ctz(equal)];

			return *value != 0 ? value : NULL;
		}
		if (line->next == 0)
			return NULL;
		line = pool_at(&table->lines, line->next, sizeof(*line));
	}
}

static inline uint32_t *table_find(const struct table *table, uint64_t key)
{
	if (table->count == 0)
		return NULL;
	return table_line_find(table, table_line(table, key), key);
}

#endif
