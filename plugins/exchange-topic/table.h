/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_TOPIC_TABLE_H
#define EXCHANGE_TOPIC_TABLE_H

/*
 * A hash table from 64-bit keys to a number that is not 0 and a pointer. A bucket is two adjacent
 * cache lines, which are loaded together, with six entries, and a chain of more of them in the rare
 * case; so finding something, or finding that it is not there, usually costs one cache miss. The
 * table grows and shrinks by one bucket at a time (linear hashing): no insertion has to move
 * everything.
 */

#include "pool.h"

#include <string.h>

#define TABLE_LINE_ENTRIES 6

struct table_line {
	uint32_t lows[TABLE_LINE_ENTRIES]; /* the halves of the keys */
	uint32_t highs[TABLE_LINE_ENTRIES];
	void *contents[TABLE_LINE_ENTRIES];
	/* 0: no entry; the used ones first. The last is no entry's, but the number of another line
	 * of this bucket, in the pool; 0: none. */
	uint32_t values[TABLE_LINE_ENTRIES + 1];
	uint32_t unused;
};

_Static_assert(sizeof(struct table_line) <= 128, "a bucket is two cache lines");

#define TABLE_LINE_NEXT TABLE_LINE_ENTRIES

/* A value of 0: nothing. */
struct table_entry {
	uint32_t value;
	void *content;
};

/* Secret numbers, so that nobody can choose keys of one bucket. */
struct table_seeds {
	uint64_t plus, low, high;
};

struct table {
	struct array buckets; /* struct table_line */
	struct pool lines;    /* struct table_line */
	struct table_seeds seeds;
	uint32_t bucket_count;
	uint32_t mask; /* bucket_count - 1, rounded up to a power of two less one */
	uint32_t count;
};

/* New at every start of the broker, like the host's hash. */
void table_seeds_init(struct table_seeds *seeds, const struct shunt_host *host);

void table_init(struct table *table, const struct shunt_host *host,
		const struct table_seeds *seeds);
void table_fini(struct table *table);

/* Adds an entry whose key is not there, its content NULL. 0, or -1 when memory is out. Entries
 * move. */
int table_insert(struct table *table, uint64_t key, uint32_t value);

/* Where the entry's value and content stand; NULL if there is no such entry. */
uint32_t *table_value(const struct table *table, uint64_t key);
void **table_content(const struct table *table, uint64_t key);

/* Removes the entry, which is there. Entries move. */
void table_remove(struct table *table, uint64_t key);

/* Calls it for every entry. */
void table_each(const struct table *table,
		void (*call)(void *context, uint32_t value, void *content), void *context);

/*
 * Multilinear hashing: the upper half of the sum is strongly universal, that is, whatever two keys
 * are chosen without knowing the seeds, they meet as rarely as random ones do. Without branches,
 * like all that follows: what is looked for cannot be predicted.
 */
static inline uint32_t table_bucket(const struct table *table, uint64_t key)
{
	uint64_t sum = table->seeds.plus + (uint32_t)key * table->seeds.low +
		       (key >> 32) * table->seeds.high;
	uint32_t bucket = (uint32_t)(sum >> 32) & table->mask;

	return bucket & (table->mask >> (bucket >= table->bucket_count));
}

/*
 * Looking up in two steps, so that several lines can be under way at once: the line in which the
 * key is, if at all, and beginning to load it; then what is in it. The table must have entries.
 */
static inline struct table_line *table_line(const struct table *table, uint64_t key)
{
	struct table_line *line =
		array_at(&table->buckets, table_bucket(table, key), sizeof(*line));

	__builtin_prefetch(line);
	__builtin_prefetch((const uint8_t *)line + ARRAY_CACHE_LINE);
	return line;
}

typedef uint32_t table_vector __attribute__((vector_size(16)));

static inline table_vector table_vector_load(const uint32_t *from)
{
	table_vector vector;

	memcpy(&vector, from, sizeof(vector));
	return vector;
}

/* The position of the key, which may be that of a place that is not in use; TABLE_LINE_NEXT if it
 * is not there. Compares the places 0 to 3 and 2 to 5. */
static inline unsigned table_line_position(const struct table_line *line, uint64_t key)
{
	uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32);
	table_vector lows = {low, low, low, low}, highs = {high, high, high, high};
	table_vector first = (table_vector)(table_vector_load(line->lows) == lows) &
			     (table_vector)(table_vector_load(line->highs) == highs);
	table_vector last = (table_vector)(table_vector_load(line->lows + 2) == lows) &
			    (table_vector)(table_vector_load(line->highs + 2) == highs);
	table_vector bits =
		(first & (table_vector){1, 2, 4, 8}) | (last & (table_vector){4, 8, 16, 32});
	uint64_t halves[2], both;

	memcpy(halves, &bits, sizeof(halves));
	both = halves[0] | halves[1];
	return (unsigned)__builtin_ctz((uint32_t)both | (uint32_t)(both >> 32) |
				       1u << TABLE_LINE_NEXT);
}

/* 1 if the key is not in the line, else 0; in a way that compilers make no branch of. */
static inline uint32_t table_is_absent(unsigned position)
{
	return (position + 8 - TABLE_LINE_NEXT) >> 3;
}

static inline struct table_entry table_line_find(const struct table *table,
						 const struct table_line *line, uint64_t key)
{
	unsigned i = table_line_position(line, key);

	/* absent, and there is a line more */
	while (__builtin_expect(line->values[i] & -table_is_absent(i), 0)) {
		line = pool_at(&table->lines, line->values[i], sizeof(*line));
		i = table_line_position(line, key);
	}
	return (struct table_entry){line->values[i], line->contents[i - table_is_absent(i)]};
}

static inline struct table_entry table_find(const struct table *table, uint64_t key)
{
	if (table->count == 0)
		return (struct table_entry){0};
	return table_line_find(table, table_line(table, key), key);
}

#endif
