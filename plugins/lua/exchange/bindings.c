/* SPDX-License-Identifier: MIT */
#include "exchange/bindings.h"

#include <stdbool.h>
#include <stddef.h>

#define NO_SLOT UINT32_MAX

void bindings_init(struct bindings *bindings, const struct shunt_host *host)
{
	*bindings = (struct bindings){.host = host, .first_free = NO_SLOT};
	keys_init(&bindings->keys, host);
}

static void free_arrays(struct bindings *bindings)
{
	const struct shunt_host *host = bindings->host;

	host->free(host, bindings->all);
	host->free(host, bindings->entries);
	host->free(host, bindings->slots);
	bindings->all = NULL;
	bindings->entries = NULL;
	bindings->slots = NULL;
	bindings->capacity = 0;
	bindings->n_slots = bindings->slot_capacity = 0;
	bindings->first_free = NO_SLOT;
}

void bindings_fini(struct bindings *bindings)
{
	for (uint32_t i = 0; i < bindings->count; i++)
		bindings->host->free(bindings->host, bindings->entries[i]);
	keys_fini(&bindings->keys);
	free_arrays(bindings);
	bindings->count = 0;
}

/* ---- Room for one more ---- */

static int reserve_array(struct bindings *bindings)
{
	const struct shunt_host *host = bindings->host;
	uint32_t capacity = bindings->capacity > 0 ? bindings->capacity * 2 : 4;
	void *array;

	if (bindings->count < bindings->capacity)
		return 0;
	array = host->reallocate(host, bindings->all, capacity * sizeof(*bindings->all));
	if (!array)
		return -1;
	bindings->all = array;
	array = host->reallocate(host, bindings->entries, capacity * sizeof(struct entry *));
	if (!array)
		return -1;
	bindings->entries = array;
	bindings->capacity = capacity;
	return 0;
}

static int reserve_slot(struct bindings *bindings)
{
	const struct shunt_host *host = bindings->host;
	uint32_t capacity = bindings->slot_capacity > 0 ? bindings->slot_capacity * 2 : 4;
	void *slots;

	if (bindings->first_free != NO_SLOT)
		return 0;
	if (bindings->n_slots == bindings->slot_capacity) {
		slots = host->reallocate(host, bindings->slots, capacity * sizeof(struct slot));
		if (!slots)
			return -1;
		bindings->slots = slots;
		bindings->slot_capacity = capacity;
	}
	bindings->slots[bindings->n_slots] = (struct slot){.next_free = NO_SLOT};
	bindings->first_free = bindings->n_slots++;
	return 0;
}

/* ---- Coming and going ---- */

static void put_in_place(struct bindings *bindings, struct entry *entry, struct key *key)
{
	entry->key = key;
	entry->place = bindings->count;
	entry->slot = bindings->first_free;
	bindings->all[entry->place] = entry->binding;
	bindings->entries[entry->place] = entry;
	bindings->count++;
	bindings->first_free = bindings->slots[entry->slot].next_free;
	bindings->slots[entry->slot].entry = entry;
	key_add(key, entry);
}

struct entry *bindings_add(struct bindings *bindings, const struct shunt_binding *binding)
{
	const struct shunt_host *host = bindings->host;
	struct entry *entry = host->allocate(host, sizeof(*entry));
	struct key *key = NULL;

	if (entry && reserve_array(bindings) == 0 && reserve_slot(bindings) == 0)
		key = keys_reserve(&bindings->keys, binding->routing_key);
	if (!key) {
		host->free(host, entry);
		if (bindings->count == 0)
			free_arrays(bindings);
		return NULL;
	}
	*entry = (struct entry){.binding = binding};
	put_in_place(bindings, entry, key);
	return entry;
}

void bindings_remove(struct bindings *bindings, struct entry *entry)
{
	struct entry *last = bindings->entries[--bindings->count];

	bindings->entries[entry->place] = last;
	bindings->all[entry->place] = last->binding;
	last->place = entry->place;
	bindings->slots[entry->slot] = (struct slot){.next_free = bindings->first_free};
	bindings->first_free = entry->slot;
	key_remove(&bindings->keys, entry->key, entry);
	bindings->host->free(bindings->host, entry);
	if (bindings->count == 0)
		free_arrays(bindings);
}
