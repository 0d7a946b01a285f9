/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <string.h>

/* Four buckets have this many entries, on average, before there is another bucket. */
#define TABLE_GROW_PER_4 15u

/*
 * Linear hashing: with n buckets, 2^k <= n < 2^(k+1), the bucket is the hash's lower k + 1 bits, or
 * its lower k bits where that bucket does not exist yet. Bucket n comes to be by splitting bucket n
 * - 2^k, and goes by being merged into it.
 */

void table_seeds_init(struct table_seeds *seeds, const struct shunt_host *host)
{
	seeds->plus = host->hash(host, "exchange-topic +", 16);
	seeds->low = host->hash(host, "exchange-topic l", 16);
	seeds->high = host->hash(host, "exchange-topic h", 16);
}

void table_init(struct table *table, const struct shunt_host *host, const struct table_seeds *seeds)
{
	array_init(&table->buckets, host, sizeof(struct table_line));
	pool_init(&table->lines, host, sizeof(struct table_line));
	table->seeds = *seeds;
	table->bucket_count = 0;
	table->mask = 0;
	table->count = 0;
}

void table_fini(struct table *table)
{
	array_fini(&table->buckets);
	pool_fini(&table->lines);
}

static struct table_line *bucket_at(const struct table *table, uint32_t bucket)
{
	return array_at(&table->buckets, bucket, sizeof(struct table_line));
}

static struct table_line *line_at(const struct table *table, uint32_t line)
{
	return pool_at(&table->lines, line, sizeof(struct table_line));
}

static void key_set(struct table_line *line, unsigned position, uint64_t key)
{
	line->lows[position] = (uint32_t)key;
	line->highs[position] = (uint32_t)(key >> 32);
}

static uint64_t key_at(const struct table_line *line, unsigned position)
{
	return (uint64_t)line->highs[position] << 32 | line->lows[position];
}

/* Puts the entry into the first free place of the bucket; takes another line for it from *spare,
 * then from the pool. */
static int bucket_add(struct table *table, struct table_line *line, uint64_t key, uint32_t value,
		      void *content, uint32_t *spare)
{
	uint32_t more;

	for (;;) {
		for (unsigned i = 0; i < TABLE_LINE_ENTRIES; i++) {
			if (line->values[i] == 0) {
				key_set(line, i, key);
				line->values[i] = value;
				line->contents[i] = content;
				return 0;
			}
		}
		if (line->values[TABLE_LINE_NEXT] == 0)
			break;
		line = line_at(table, line->values[TABLE_LINE_NEXT]);
	}
	more = *spare;
	if (more != 0)
		*spare = line_at(table, more)->values[TABLE_LINE_NEXT];
	else
		more = pool_take(&table->lines);
	if (more == 0)
		return -1;
	line->values[TABLE_LINE_NEXT] = more;
	line = line_at(table, more);
	memset(line, 0, sizeof(*line));
	key_set(line, 0, key);
	line->values[0] = value;
	line->contents[0] = content;
	return 0;
}

/*
 * Distributes the entries of a chain over the buckets that they belong to now, using its lines
 * again. Entries come in the order of the lines, so there is always a spare line when a bucket
 * needs one: 6 m entries in two buckets need at most m - 1 lines besides the buckets themselves.
 * (Where two chains are merged, the caller puts one line into *spare.)
 */
static void chain_distribute(struct table *table, struct table_line first, uint32_t *spare)
{
	struct table_line line = first;

	for (;;) {
		uint32_t next = line.values[TABLE_LINE_NEXT];

		for (unsigned i = 0; i < TABLE_LINE_ENTRIES && line.values[i] != 0; i++) {
			uint32_t bucket = table_bucket(table, key_at(&line, i));

			(void)bucket_add(table, bucket_at(table, bucket), key_at(&line, i),
					 line.values[i], line.contents[i], spare);
		}
		if (next == 0)
			return;
		line = *line_at(table, next);
		line_at(table, next)->values[TABLE_LINE_NEXT] = *spare;
		*spare = next;
	}
}

static void spare_give(struct table *table, uint32_t spare)
{
	while (spare != 0) {
		uint32_t next = line_at(table, spare)->values[TABLE_LINE_NEXT];

		pool_give(&table->lines, spare);
		spare = next;
	}
}

/* One bucket more. Without memory for it the chains get longer, that is all. */
static void table_grow(struct table *table)
{
	uint32_t bucket = table->bucket_count;
	uint32_t spare = 0;
	struct table_line *split, old;

	if (array_reserve(&table->buckets, bucket) < 0)
		return;
	memset(bucket_at(table, bucket), 0, sizeof(struct table_line));
	table->bucket_count++;
	if (bucket == 0)
		return;
	if (bucket > table->mask)
		table->mask = table->mask << 1 | 1;
	split = bucket_at(table, bucket & table->mask >> 1);
	old = *split;
	memset(split, 0, sizeof(*split));
	chain_distribute(table, old, &spare);
	spare_give(table, spare);
}

/* One bucket less, if the line is there that this may take. */
static void table_shrink(struct table *table)
{
	uint32_t bucket = table->bucket_count - 1;
	uint32_t spare = pool_take(&table->lines);

	if (spare == 0)
		return;
	line_at(table, spare)->values[TABLE_LINE_NEXT] = 0;
	table->bucket_count--;
	if (bucket == (table->mask >> 1) + 1)
		table->mask >>= 1;
	chain_distribute(table, *bucket_at(table, bucket), &spare);
	spare_give(table, spare);
	array_trim(&table->buckets, table->bucket_count);
}

int table_insert(struct table *table, uint64_t key, uint32_t value)
{
	uint32_t spare = 0;
	uint32_t bucket;

	if (TABLE_GROW_PER_4 * (uint64_t)table->bucket_count <= 4 * (uint64_t)table->count)
		table_grow(table);
	if (table->bucket_count == 0)
		return -1;
	bucket = table_bucket(table, key);
	if (bucket_add(table, bucket_at(table, bucket), key, value, NULL, &spare) < 0)
		return -1;
	table->count++;
	return 0;
}

/* The line and the position of the entry; NULL if it is not there. */
static struct table_line *entry_find(const struct table *table, uint64_t key,
				     unsigned *ret_position)
{
	struct table_line *line;
	unsigned i;

	if (table->count == 0)
		return NULL;
	line = bucket_at(table, table_bucket(table, key));
	while ((i = table_line_position(line, key)) == TABLE_LINE_NEXT) {
		if (line->values[i] == 0)
			return NULL;
		line = line_at(table, line->values[i]);
	}
	*ret_position = i;
	return line->values[i] != 0 ? line : NULL;
}

uint32_t *table_value(const struct table *table, uint64_t key)
{
	unsigned i;
	struct table_line *line = entry_find(table, key, &i);

	return line ? &line->values[i] : NULL;
}

void **table_content(const struct table *table, uint64_t key)
{
	unsigned i;
	struct table_line *line = entry_find(table, key, &i);

	return line ? &line->contents[i] : NULL;
}

/* The bucket's last entry fills the place of the one that goes; a line that got empty is given
 * back. */
static void bucket_remove(struct table *table, uint64_t key)
{
	struct table_line *before = NULL;
	struct table_line *end = bucket_at(table, table_bucket(table, key));
	unsigned last = TABLE_LINE_ENTRIES - 1;
	unsigned position;
	struct table_line *line = entry_find(table, key, &position);

	if (!line)
		return;
	while (end->values[TABLE_LINE_NEXT] != 0) {
		before = end;
		end = line_at(table, end->values[TABLE_LINE_NEXT]);
	}
	while (end->values[last] == 0)
		last--;
	key_set(line, position, key_at(end, last));
	line->values[position] = end->values[last];
	line->contents[position] = end->contents[last];
	key_set(end, last, 0);
	end->values[last] = 0;
	if (last == 0 && before) {
		uint32_t empty = before->values[TABLE_LINE_NEXT];

		before->values[TABLE_LINE_NEXT] = 0;
		pool_give(&table->lines, empty);
	}
}

void table_remove(struct table *table, uint64_t key)
{
	bucket_remove(table, key);
	table->count--;
	if (table->count == 0) {
		array_fini(&table->buckets);
		table->bucket_count = 0;
		table->mask = 0;
	} else if (table->count < table->bucket_count && table->bucket_count > 1) {
		table_shrink(table);
	}
}

void table_each(const struct table *table,
		void (*call)(void *context, uint32_t value, void *content), void *context)
{
	for (uint32_t bucket = 0; bucket < table->bucket_count; bucket++) {
		const struct table_line *line = bucket_at(table, bucket);

		for (;;) {
			for (unsigned i = 0; i < TABLE_LINE_ENTRIES && line->values[i] != 0; i++)
				call(context, line->values[i], line->contents[i]);
			if (line->values[TABLE_LINE_NEXT] == 0)
				break;
			line = line_at(table, line->values[TABLE_LINE_NEXT]);
		}
	}
}
