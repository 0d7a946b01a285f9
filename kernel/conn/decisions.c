/* SPDX-License-Identifier: MIT */
/*
 * A small table of sets: the hash says the set, whose entries are compared by 32 bits of the hash
 * and then by the names, all of them: an answer about another name must never do. Entries of a set
 * are replaced in turn.
 */
#include "conn/decisions.h"

#include <assert.h>
#include <string.h>

#include "base/account.h"
#include "base/mem.h"

/* Odd, with bits all over. */
#define DIGEST_HEAD UINT64_C(0x9e3779b97f4a7c15)
#define DIGEST_TAIL UINT64_C(0xc2b2ae3d27d4eb4f)

struct decision_entry {
	uint8_t operation, resource, name_size, key_size;
	uint8_t *bytes; /* name and routing key; NULL: free */
};

struct decision_set {
	uint32_t tags[DECISION_WAYS];
	struct decision_entry entries[DECISION_WAYS];
};

struct decisions {
	uint64_t generation;
	uint8_t next[DECISION_SETS]; /* the entry that is replaced next */
	struct decision_set sets[DECISION_SETS];
};

static_assert((DECISION_SETS & (DECISION_SETS - 1)) == 0 &&
		      (DECISION_WAYS & (DECISION_WAYS - 1)) == 0,
	      "masks");

struct decisions *decisions_create(void)
{
	struct decisions *decisions = mem_try_zalloc(sizeof(*decisions));

	if (decisions != NULL)
		account_add(ACCOUNT_CONNECTION, (ptrdiff_t)sizeof(*decisions));
	return decisions;
}

static size_t entry_size(const struct decision_entry *entry)
{
	return (size_t)entry->name_size + entry->key_size + 1; /* never 0 */
}

static void entry_free(struct decision_entry *entry)
{
	if (entry->bytes == NULL)
		return;
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)entry_size(entry));
	mem_free(entry->bytes);
	entry->bytes = NULL;
}

static void decisions_forget(struct decisions *decisions)
{
	for (unsigned i = 0; i < DECISION_SETS; i++)
		for (unsigned j = 0; j < DECISION_WAYS; j++)
			entry_free(&decisions->sets[i].entries[j]);
}

void decisions_destroy(struct decisions *decisions)
{
	if (decisions == NULL)
		return;
	decisions_forget(decisions);
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)sizeof(*decisions));
	mem_free(decisions);
}

/* Its beginning and its end, and how long it is. */
static inline uint64_t name_digest(struct slice name)
{
	uint64_t head = 0, tail = 0;
	uint32_t head_32, tail_32;

	if (name.size >= 8) {
		memcpy(&head, name.data, 8);
		memcpy(&tail, name.data + name.size - 8, 8);
	} else if (name.size >= 4) {
		memcpy(&head_32, name.data, 4);
		memcpy(&tail_32, name.data + name.size - 4, 4);
		head = head_32;
		tail = tail_32;
	} else if (name.size != 0) {
		head = name.data[0];
		tail = (uint64_t)name.data[name.size / 2] << 8 | name.data[name.size - 1];
	}
	return (head ^ tail * DIGEST_TAIL ^ name.size) * DIGEST_HEAD;
}

/* A connection uses few names, but perhaps many routing keys. Equal hashes cost a question, no
 * more: who aims at that hurts himself. */
static inline uint64_t decision_hash(const struct decision *d)
{
	uint64_t hash = name_digest(d->name) + (uint64_t)d->operation * 8 + d->resource;

	hash ^= hash >> 32;
	return d->routing_key.size != 0 ? hash ^ slice_hash(d->routing_key) : hash * DIGEST_HEAD;
}

static inline bool entry_is(const struct decision_entry *entry, const struct decision *d)
{
	return entry->bytes != NULL && entry->operation == d->operation &&
	       entry->resource == d->resource &&
	       slice_equal(d->name, slice_make(entry->bytes, entry->name_size)) &&
	       slice_equal(d->routing_key,
			   slice_make(entry->bytes + entry->name_size, entry->key_size));
}

bool decisions_have(struct decisions *decisions, uint64_t generation, const struct decision *d)
{
	const struct decision_set *set;
	uint64_t hash;

	if (decisions == NULL || decisions->generation != generation)
		return false;
	hash = decision_hash(d);
	set = &decisions->sets[hash >> 32 & (DECISION_SETS - 1)];
	for (unsigned i = 0; i < DECISION_WAYS; i++)
		if (set->tags[i] == (uint32_t)hash && entry_is(&set->entries[i], d))
			return true;
	return false;
}

void decisions_add(struct decisions *decisions, uint64_t generation, const struct decision *d)
{
	uint64_t hash = decision_hash(d);
	unsigned at = hash >> 32 & (DECISION_SETS - 1), way;
	struct decision_entry *entry;

	if (decisions == NULL || d->name.size > UINT8_MAX || d->routing_key.size > UINT8_MAX)
		return;
	if (decisions->generation != generation) {
		decisions_forget(decisions);
		decisions->generation = generation;
	}
	way = decisions->next[at]++ & (DECISION_WAYS - 1);
	entry = &decisions->sets[at].entries[way];
	entry_free(entry);
	*entry = (struct decision_entry){
		.operation = (uint8_t)d->operation,
		.resource = (uint8_t)d->resource,
		.name_size = (uint8_t)d->name.size,
		.key_size = (uint8_t)d->routing_key.size,
	};
	entry->bytes = mem_try_alloc(entry_size(entry));
	if (entry->bytes == NULL)
		return;
	account_add(ACCOUNT_CONNECTION, (ptrdiff_t)entry_size(entry));
	slice_copy(entry->bytes, d->name);
	slice_copy(entry->bytes + entry->name_size, d->routing_key);
	decisions->sets[at].tags[way] = (uint32_t)hash;
}
