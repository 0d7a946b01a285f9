/* SPDX-License-Identifier: MIT */
#include "library/shared.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHARD_NAMES_MAX	  (SHARED_NAMES_MAX / SHARED_SHARDS)
#define SHARD_BUCKETS_MIN 16u

/*
 * A name belongs to one shard by its hash; a shard has a lock, a hash table of chains, and a list
 * of its entries, the one used last in front. What is done under the lock is a look-up and some
 * arithmetic; a name that is new costs an allocation too, and now and then a table of twice the
 * size, of at most SHARD_NAMES_MAX places. A full shard uses the memory of the entry that goes, if
 * the new name fits.
 */

enum entry_kind { ENTRY_NUMBER, ENTRY_BUCKET };

struct entry {
	struct entry *next; /* of the same place */
	struct entry *newer, *older;
	uint64_t hash;
	uint64_t until_us;  /* of numbers; 0: for ever */
	uint64_t filled_us; /* of buckets: when tokens was right */
	struct shared_number number;
	double tokens;
	uint8_t kind;
	uint8_t size, room;
	char name[];
};

struct shard {
	pthread_mutex_t lock;
	struct entry **places;
	size_t place_count; /* a power of two, or 0 */
	size_t count;
	struct entry *newest, *oldest;
} __attribute__((aligned(64)));

struct shared_table {
	struct shared_tables *tables; /* NULL: nobody else knows it */
	struct shared_table *next;
	unsigned references; /* tables->lock */
	uint64_t seed;
	char *script;
	struct shard shards[SHARED_SHARDS];
};

struct shared_tables {
	pthread_mutex_t lock;
	struct shared_table *first;
};

/* ---- Tables ---- */

struct shared_tables *shared_tables_create(void)
{
	struct shared_tables *tables = calloc(1, sizeof(*tables));

	if (tables && pthread_mutex_init(&tables->lock, NULL) != 0) {
		free(tables);
		return NULL;
	}
	return tables;
}

void shared_tables_destroy(struct shared_tables *tables)
{
	if (!tables)
		return;
	(void)pthread_mutex_destroy(&tables->lock);
	free(tables);
}

static void table_free(struct shared_table *table)
{
	for (size_t i = 0; i < SHARED_SHARDS; i++) {
		struct shard *shard = &table->shards[i];

		for (struct entry *entry = shard->newest, *older; entry; entry = older) {
			older = entry->older;
			free(entry);
		}
		free(shard->places);
		(void)pthread_mutex_destroy(&shard->lock);
	}
	free(table->script);
	free(table);
}

static struct shared_table *table_create(struct shared_tables *tables, const char *script)
{
	struct shared_table *table = aligned_alloc(_Alignof(struct shard), sizeof(*table));

	if (!table)
		return NULL;
	memset(table, 0, sizeof(*table));
	for (size_t i = 0; i < SHARED_SHARDS; i++)
		(void)pthread_mutex_init(&table->shards[i].lock, NULL);
	/* without it names could be chosen that meet in one place; they are few in any case */
	if (getrandom(&table->seed, sizeof(table->seed), GRND_NONBLOCK) < 0)
		table->seed = (uintptr_t)table;
	table->tables = tables;
	table->references = 1;
	table->script = strdup(script);
	if (!table->script) {
		table_free(table);
		return NULL;
	}
	return table;
}

struct shared_table *shared_table_acquire(struct shared_tables *tables, const char *script)
{
	struct shared_table *table;

	if (!tables)
		return table_create(NULL, script);
	(void)pthread_mutex_lock(&tables->lock);
	for (table = tables->first; table && strcmp(table->script, script) != 0;)
		table = table->next;
	if (table) {
		table->references++;
	} else {
		table = table_create(tables, script);
		if (table) {
			table->next = tables->first;
			tables->first = table;
		}
	}
	(void)pthread_mutex_unlock(&tables->lock);
	return table;
}

static bool table_is_last(struct shared_table *table)
{
	struct shared_tables *tables = table->tables;
	bool is_last;

	(void)pthread_mutex_lock(&tables->lock);
	is_last = --table->references == 0;
	if (is_last) {
		struct shared_table **link = &tables->first;

		while (*link != table)
			link = &(*link)->next;
		*link = table->next;
	}
	(void)pthread_mutex_unlock(&tables->lock);
	return is_last;
}

void shared_table_release(struct shared_table *table)
{
	if (table && (!table->tables || table_is_last(table)))
		table_free(table);
}

size_t shared_table_count(struct shared_table *table)
{
	size_t count = 0;

	for (size_t i = 0; i < SHARED_SHARDS; i++) {
		(void)pthread_mutex_lock(&table->shards[i].lock);
		count += table->shards[i].count;
		(void)pthread_mutex_unlock(&table->shards[i].lock);
	}
	return count;
}

/* ---- Entries of a shard, whose lock is held ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0x9fb21c651e98df25u;
	x = (x ^ x >> 29) * 0x9e3779b97f4a7c15u;
	return x ^ x >> 32;
}

static uint64_t hash_of(const struct shared_table *table, struct shared_name name,
			enum entry_kind kind)
{
	uint64_t hash = table->seed ^ (name.size << 1 | (uint64_t)kind), word;

	while (name.size >= sizeof(word)) {
		memcpy(&word, name.data, sizeof(word));
		hash = mix(hash ^ word);
		name.data += sizeof(word);
		name.size -= sizeof(word);
	}
	word = 0;
	if (name.size > 0)
		memcpy(&word, name.data, name.size);
	return mix(hash ^ word);
}

/* The low bits choose the shard. */
static struct entry **place_of(const struct shard *shard, uint64_t hash)
{
	return &shard->places[(hash / SHARED_SHARDS) & (shard->place_count - 1)];
}

static void list_remove(struct shard *shard, struct entry *entry)
{
	*(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
}

static void list_add(struct shard *shard, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = shard->newest;
	*(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
	shard->newest = entry;
}

static struct entry *find(struct shard *shard, uint64_t hash, struct shared_name name,
			  enum entry_kind kind)
{
	struct entry *entry = shard->place_count > 0 ? *place_of(shard, hash) : NULL;

	while (entry && (entry->hash != hash || entry->kind != kind || entry->size != name.size ||
			 memcmp(entry->name, name.data, name.size) != 0))
		entry = entry->next;
	if (entry && entry != shard->newest) {
		list_remove(shard, entry);
		list_add(shard, entry);
	}
	return entry;
}

static int grow(struct shard *shard)
{
	size_t count = shard->place_count > 0 ? shard->place_count * 2 : SHARD_BUCKETS_MIN;
	struct entry **places;

	if (shard->count < shard->place_count)
		return 0;
	places = calloc(count, sizeof(*places));
	if (!places)
		return -1;
	free(shard->places);
	shard->places = places;
	shard->place_count = count;
	for (struct entry *entry = shard->newest; entry; entry = entry->older) {
		struct entry **place = place_of(shard, entry->hash);

		entry->next = *place;
		*place = entry;
	}
	return 0;
}

/* The one that was not used for the longest time, which is nowhere any more. */
static struct entry *take_oldest(struct shard *shard)
{
	struct entry *entry = shard->oldest, **link = place_of(shard, entry->hash);

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	list_remove(shard, entry);
	shard->count--;
	return entry;
}

static struct entry *add(struct shard *shard, uint64_t hash, struct shared_name name,
			 enum entry_kind kind)
{
	struct entry *entry = NULL, **place;

	if (grow(shard) < 0)
		return NULL;
	if (shard->count >= SHARD_NAMES_MAX)
		entry = take_oldest(shard);
	if (!entry || entry->room < name.size) {
		free(entry);
		entry = malloc(sizeof(*entry) + name.size);
		if (!entry)
			return NULL;
		entry->room = (uint8_t)name.size;
	}
	entry->hash = hash;
	entry->kind = (uint8_t)kind;
	entry->size = (uint8_t)name.size;
	memcpy(entry->name, name.data, name.size);
	place = place_of(shard, hash);
	entry->next = *place;
	*place = entry;
	list_add(shard, entry);
	shard->count++;
	return entry;
}

/* ---- Numbers ---- */

/* Its shard is locked; NULL, if not `make` or memory is out: there is none. */
static struct entry *number_of(struct shard *shard, uint64_t hash, struct shared_name name,
			       bool make, uint64_t ttl_us, uint64_t now_us)
{
	struct entry *entry = find(shard, hash, name, ENTRY_NUMBER);
	bool is_new = !entry || (entry->until_us > 0 && now_us >= entry->until_us);

	if (!make)
		return is_new ? NULL : entry;
	if (!entry)
		entry = add(shard, hash, name, ENTRY_NUMBER);
	if (entry && is_new) {
		entry->number = (struct shared_number){.is_float = false};
		entry->until_us = ttl_us > 0 ? now_us + ttl_us : 0;
	}
	return entry;
}

/* As Lua adds: integers wrap. */
static void number_add(struct shared_number *sum, struct shared_number n)
{
	if (!sum->is_float && !n.is_float) {
		sum->integer = (lua_Integer)((lua_Unsigned)sum->integer + (lua_Unsigned)n.integer);
		return;
	}
	sum->real = (sum->is_float ? sum->real : (lua_Number)sum->integer) +
		    (n.is_float ? n.real : (lua_Number)n.integer);
	sum->is_float = true;
}

int shared_add(struct shared_table *table, struct shared_name name, struct shared_number n,
	       uint64_t ttl_us, uint64_t now_us, struct shared_number *ret_sum)
{
	uint64_t hash = hash_of(table, name, ENTRY_NUMBER);
	struct shard *shard = &table->shards[hash % SHARED_SHARDS];
	struct entry *entry;

	(void)pthread_mutex_lock(&shard->lock);
	entry = number_of(shard, hash, name, true, ttl_us, now_us);
	if (entry) {
		number_add(&entry->number, n);
		*ret_sum = entry->number;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return entry ? 0 : -1;
}

int shared_set(struct shared_table *table, struct shared_name name, struct shared_number n,
	       uint64_t ttl_us, uint64_t now_us)
{
	uint64_t hash = hash_of(table, name, ENTRY_NUMBER);
	struct shard *shard = &table->shards[hash % SHARED_SHARDS];
	struct entry *entry;

	(void)pthread_mutex_lock(&shard->lock);
	entry = number_of(shard, hash, name, true, ttl_us, now_us);
	if (entry) {
		entry->number = n;
		entry->until_us = ttl_us > 0 ? now_us + ttl_us : 0;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return entry ? 0 : -1;
}

struct shared_number shared_get(struct shared_table *table, struct shared_name name,
				uint64_t now_us)
{
	uint64_t hash = hash_of(table, name, ENTRY_NUMBER);
	struct shard *shard = &table->shards[hash % SHARED_SHARDS];
	struct shared_number number = {.is_float = false};
	const struct entry *entry;

	(void)pthread_mutex_lock(&shard->lock);
	entry = number_of(shard, hash, name, false, 0, now_us);
	if (entry)
		number = entry->number;
	(void)pthread_mutex_unlock(&shard->lock);
	return number;
}

/* ---- Token buckets ---- */

static struct entry *bucket_of(struct shard *shard, uint64_t hash, struct shared_name name,
			       double burst, uint64_t now_us)
{
	struct entry *entry = find(shard, hash, name, ENTRY_BUCKET);

	if (entry)
		return entry;
	entry = add(shard, hash, name, ENTRY_BUCKET);
	if (entry) {
		entry->tokens = burst;
		entry->filled_us = now_us;
	}
	return entry;
}

static bool bucket_take(struct entry *bucket, double per_second, double burst, uint64_t now_us)
{
	/* another loop may have looked at its clock later, and come first */
	if (now_us > bucket->filled_us) {
		bucket->tokens += (double)(now_us - bucket->filled_us) / 1e6 * per_second;
		bucket->filled_us = now_us;
	}
	if (bucket->tokens > burst)
		bucket->tokens = burst;
	if (bucket->tokens < 1)
		return false;
	bucket->tokens -= 1;
	return true;
}

int shared_take(struct shared_table *table, struct shared_name name, double per_second,
		double burst, uint64_t now_us, bool *ret_taken)
{
	uint64_t hash = hash_of(table, name, ENTRY_BUCKET);
	struct shard *shard = &table->shards[hash % SHARED_SHARDS];
	struct entry *bucket;

	(void)pthread_mutex_lock(&shard->lock);
	bucket = bucket_of(shard, hash, name, burst, now_us);
	if (bucket)
		*ret_taken = bucket_take(bucket, per_second, burst, now_us);
	(void)pthread_mutex_unlock(&shard->lock);
	return bucket ? 0 : -1;
}
