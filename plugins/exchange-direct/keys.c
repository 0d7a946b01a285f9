/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <string.h>

/*
 * Linear hashing: with n buckets, 2^k <= n < 2^(k+1), a key's bucket is the tag's lower k + 1 bits,
 * or its lower k bits where that bucket does not exist yet. Bucket n comes to be by splitting
 * bucket n - 2^k, and goes by being merged into it.
 */

#define CACHE_LINE     64u
#define KEYS_PER_LINE  3u /* on average, before there is a bucket more */
#define SMALL_SEGMENTS (KEYS_LARGE_BITS - KEYS_FIRST_BITS)

void keys_init(struct keys *keys, const struct shunt_host *host)
{
	memset(keys, 0, sizeof(*keys));
	keys->host = host;
	/* new at every start of the broker, like the host's hash */
	for (unsigned i = 0; i < 3; i++)
		keys->seeds[i] = host->hash(host, &"direct"[i], 4);
}

/* ---- Segments ---- */

static uint32_t segment_of(uint32_t bucket, uint32_t *ret_start)
{
	uint32_t position = bucket + (1u << KEYS_FIRST_BITS);
	uint32_t large = position >> KEYS_LARGE_BITS;
	unsigned bits;

	if (large > 0) {
		*ret_start = (large << KEYS_LARGE_BITS) - (1u << KEYS_FIRST_BITS);
		return SMALL_SEGMENTS - 1 + large;
	}
	bits = 31u - (unsigned)__builtin_clz(position);
	*ret_start = (1u << bits) - (1u << KEYS_FIRST_BITS);
	return bits - KEYS_FIRST_BITS;
}

static struct keys_line *bucket_at(const struct keys *keys, uint32_t bucket)
{
	uint32_t start;
	uint32_t segment = segment_of(bucket, &start);

	return &keys->segments[segment][bucket - start];
}

static struct keys_line *bucket_of(const struct keys *keys, uint32_t tag)
{
	uint32_t bucket = tag & keys->mask;

	return bucket_at(keys, bucket & (keys->mask >> (bucket >= keys->bucket_count)));
}

static int segments_reserve(struct keys *keys)
{
	uint32_t capacity = keys->segment_capacity > 0 ? 2 * keys->segment_capacity : 8;
	struct keys_line **more;

	if (keys->segment_count < keys->segment_capacity)
		return 0;
	more = keys->host->reallocate(keys->host, keys->segments, capacity * sizeof(*more));
	if (!more)
		return -1;
	keys->segments = more;
	keys->segment_capacity = capacity;
	return 0;
}

/* The pointer to what the host allocated stands before the first cache line. */
static int segment_add(struct keys *keys)
{
	uint32_t segment = keys->segment_count;
	uint32_t bits = segment < SMALL_SEGMENTS ? segment + KEYS_FIRST_BITS : KEYS_LARGE_BITS;
	uint8_t *memory, *start;

	if (segments_reserve(keys) < 0)
		return -1;
	memory = keys->host->allocate(keys->host, (sizeof(struct keys_line) << bits) +
							  sizeof(memory) + CACHE_LINE);
	if (!memory)
		return -1;
	start = memory + sizeof(memory);
	start += (CACHE_LINE - (uintptr_t)start % CACHE_LINE) % CACHE_LINE;
	memcpy(start - sizeof(memory), &memory, sizeof(memory));
	keys->segments[keys->segment_count++] = (struct keys_line *)(void *)start;
	return 0;
}

/* Frees segments from the end until so many are left. */
static void segments_trim(struct keys *keys, uint32_t count)
{
	while (keys->segment_count > count) {
		const struct keys_line *segment = keys->segments[--keys->segment_count];
		void *memory;

		memcpy(&memory, (const uint8_t *)segment - sizeof(memory), sizeof(memory));
		keys->host->free(keys->host, memory);
	}
}

/* There are no keys: gives all memory back. */
static void clear(struct keys *keys)
{
	segments_trim(keys, 0);
	keys->host->free(keys->host, keys->segments);
	keys->segments = NULL;
	keys->segment_capacity = 0;
	keys->bucket_count = 0;
	keys->mask = 0;
}

/* ---- Lines ---- */

static void line_set(struct keys_line *line, unsigned position, struct key *key)
{
	line->keys[position] = key;
	line->tags[position] = key->tag;
}

static void line_add(struct keys_line *line, struct key *key)
{
	for (unsigned i = 0; i < KEYS_LINE; i++) {
		if (!line->keys[i]) {
			key->next = NULL;
			line_set(line, i, key);
			return;
		}
	}
	key->next = line->keys[KEYS_LINE - 1]->next;
	line->keys[KEYS_LINE - 1]->next = key;
	line->more++;
}

/* Takes the first key out that is behind the last one. */
static struct key *line_take_more(struct keys_line *line)
{
	struct key *key = line->keys[KEYS_LINE - 1]->next;

	line->keys[KEYS_LINE - 1]->next = key->next;
	key->next = NULL;
	line->more--;
	return key;
}

/* Another one takes the place of the key at this position. */
static void line_fill(struct keys_line *line, unsigned position)
{
	unsigned last = KEYS_LINE - 1;

	if (line->more > 0 && position == last) {
		line_set(line, position, line->keys[position]->next);
		line->more--;
	} else if (line->more > 0) {
		line_set(line, position, line_take_more(line));
	} else {
		while (!line->keys[last])
			last--;
		line_set(line, position, line->keys[last]);
		line->keys[last] = NULL;
	}
}

static void line_remove(struct keys_line *line, struct key *key)
{
	struct key **link;

	for (unsigned i = 0; i < KEYS_LINE; i++) {
		if (line->keys[i] == key) {
			line_fill(line, i);
			return;
		}
	}
	link = &line->keys[KEYS_LINE - 1]->next;
	while (*link != key)
		link = &(*link)->next;
	*link = key->next;
	line->more--;
}

/* Moves all keys of a line to the buckets that they belong to now. */
static void line_distribute(struct keys *keys, struct keys_line line)
{
	while (line.more > 0) {
		struct key *key = line_take_more(&line);

		line_add(bucket_of(keys, key->tag), key);
	}
	for (unsigned i = 0; i < KEYS_LINE && line.keys[i]; i++)
		line_add(bucket_of(keys, line.tags[i]), line.keys[i]);
}

/* ---- Growing and shrinking ---- */

/* One bucket more. Without memory for it the lines get longer, that is all. */
static void grow(struct keys *keys)
{
	uint32_t bucket = keys->bucket_count;
	struct keys_line *split, old;
	uint32_t start;

	if (bucket >= KEYS_MAX ||
	    (segment_of(bucket, &start) >= keys->segment_count && segment_add(keys) < 0))
		return;
	memset(bucket_at(keys, bucket), 0, sizeof(*split));
	keys->bucket_count++;
	if (bucket == 0)
		return;
	if (bucket > keys->mask)
		keys->mask = keys->mask << 1 | 1;
	split = bucket_at(keys, bucket & keys->mask >> 1);
	old = *split;
	memset(split, 0, sizeof(*split));
	line_distribute(keys, old);
}

/* One bucket less, of two or more. Keeps one segment more than needed. */
static void shrink(struct keys *keys)
{
	uint32_t bucket = --keys->bucket_count;
	uint32_t start;

	if (bucket == (keys->mask >> 1) + 1)
		keys->mask >>= 1;
	line_distribute(keys, *bucket_at(keys, bucket));
	segments_trim(keys, segment_of(bucket, &start) + 2);
}

/* ---- Keys ---- */

static bool key_is(const struct key *key, struct shunt_bytes text)
{
	return key->size == text.size &&
	       (text.size == 0 || memcmp(key->text, text.data, text.size) == 0);
}

/* One bit for each tag of the line that is this one. Without branches: where in the line a key is
 * cannot be predicted. */
static unsigned line_compare(const struct keys_line *line, uint32_t tag)
{
	return (unsigned)(line->tags[0] == tag) | (unsigned)(line->tags[1] == tag) << 1 |
	       (unsigned)(line->tags[2] == tag) << 2 | (unsigned)(line->tags[3] == tag) << 3 |
	       (unsigned)(line->tags[4] == tag) << 4;
}

static struct key *find_hashed(const struct keys *keys, uint32_t tag, struct shunt_bytes text)
{
	const struct keys_line *line;
	struct key *key;
	unsigned equal;

	if (keys->count == 0)
		return NULL;
	line = bucket_of(keys, tag);
	for (equal = line_compare(line, tag); equal != 0; equal &= equal - 1) {
		key = line->keys[__builtin_ctz(equal)];
		if (key && key_is(key, text))
			return key;
	}
	if (line->more == 0)
		return NULL;
	key = line->keys[KEYS_LINE - 1]->next;
	while (key && (key->tag != tag || !key_is(key, text)))
		key = key->next;
	return key;
}

static uint64_t load(const uint8_t *p)
{
	uint64_t bytes;

	memcpy(&bytes, p, sizeof(bytes));
	return bytes;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* All of less than eight bytes. */
static uint64_t load_few(const uint8_t *p, size_t size)
{
	uint32_t first, last;

	if (size == 0)
		return 0;
	if (size < sizeof(first))
		return (uint32_t)p[0] | (uint32_t)p[size / 2] << 8 | (uint32_t)p[size - 1] << 16;
	memcpy(&first, p, sizeof(first));
	memcpy(&last, p + size - sizeof(last), sizeof(last));
	return (uint64_t)last << 32 | first;
}

/*
 * The lower bits of a hash of our own, as a call of the host's costs more than all the rest: 16
 * bytes a round, the last ones perhaps a second time.
 */
static uint32_t tag_of(const struct keys *keys, struct shunt_bytes text)
{
	uint64_t hash = keys->seeds[0] ^ text.size;
	uint64_t first, last = 0;
	size_t done = 0;

	for (; text.size - done > 16; done += 16)
		hash = fold(load(text.data + done) ^ keys->seeds[1],
			    load(text.data + done + 8) ^ hash);
	if (text.size >= 8) {
		first = load(text.size > 16 ? text.data + text.size - 16 : text.data);
		last = load(text.data + text.size - 8);
	} else {
		first = load_few(text.data, text.size);
	}
	hash = fold(first ^ keys->seeds[1], last ^ hash);
	return (uint32_t)fold(hash, keys->seeds[2]);
}

const struct key *keys_find(const struct keys *keys, struct shunt_bytes text)
{
	if (keys->count == 0)
		return NULL;
	return find_hashed(keys, tag_of(keys, text), text);
}

static struct key *key_create(struct keys *keys, uint32_t tag, struct shunt_bytes text)
{
	struct key *key;

	if (text.size > UINT32_MAX)
		return NULL;
	if (keys->count >= (size_t)keys->bucket_count * KEYS_PER_LINE)
		grow(keys);
	if (keys->bucket_count == 0) {
		clear(keys);
		return NULL;
	}
	key = keys->host->allocate(keys->host, sizeof(*key) + text.size);
	if (!key) {
		if (keys->count == 0)
			clear(keys);
		return NULL;
	}
	key->tag = tag;
	key->first = NULL;
	key->only = NULL;
	key->size = (uint32_t)text.size;
	if (text.size > 0)
		memcpy(key->text, text.data, text.size);
	line_add(bucket_of(keys, tag), key);
	keys->count++;
	return key;
}

static void key_destroy(struct keys *keys, struct key *key)
{
	line_remove(bucket_of(keys, key->tag), key);
	keys->host->free(keys->host, key);
	keys->count--;
	if (keys->count == 0)
		clear(keys);
	else if (keys->bucket_count > 1 &&
		 2 * keys->count < (size_t)keys->bucket_count * KEYS_PER_LINE)
		shrink(keys);
}

/* The new binding goes to the ring's end. */
static void ring_insert(struct key *key, struct entry *entry)
{
	entry->key = key;
	if (!key->first) {
		entry->previous = entry->next = entry;
		key->first = entry;
		key->only = entry->binding;
		return;
	}
	entry->next = key->first;
	entry->previous = key->first->previous;
	entry->previous->next = entry;
	key->first->previous = entry;
	key->only = NULL;
}

struct entry *keys_add(struct keys *keys, const struct shunt_binding *binding)
{
	uint32_t tag = tag_of(keys, binding->routing_key);
	struct entry *entry = keys->host->allocate(keys->host, sizeof(*entry));
	struct key *key = find_hashed(keys, tag, binding->routing_key);

	if (!entry)
		return NULL;
	if (!key)
		key = key_create(keys, tag, binding->routing_key);
	if (!key) {
		keys->host->free(keys->host, entry);
		return NULL;
	}
	entry->binding = binding;
	ring_insert(key, entry);
	return entry;
}

void keys_remove(struct keys *keys, struct entry *entry)
{
	struct key *key = entry->key;

	if (entry->next == entry) {
		key_destroy(keys, key);
	} else {
		entry->previous->next = entry->next;
		entry->next->previous = entry->previous;
		key->first = entry->next;
		key->only = key->first->next == key->first ? key->first->binding : NULL;
	}
	keys->host->free(keys->host, entry);
}

static void key_free_all(struct keys *keys, struct key *key)
{
	struct entry *entry = key->first;

	entry->previous->next = NULL;
	while (entry) {
		struct entry *next = entry->next;

		keys->host->free(keys->host, entry);
		entry = next;
	}
	keys->host->free(keys->host, key);
}

void keys_fini(struct keys *keys)
{
	for (uint32_t i = 0; i < keys->bucket_count; i++) {
		struct keys_line *line = bucket_at(keys, i);

		while (line->more > 0)
			key_free_all(keys, line_take_more(line));
		for (unsigned k = 0; k < KEYS_LINE && line->keys[k]; k++)
			key_free_all(keys, line->keys[k]);
	}
	clear(keys);
}
