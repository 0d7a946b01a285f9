/* SPDX-License-Identifier: MIT */
#ifndef LUA_BINDINGS_H
#define LUA_BINDINGS_H

/*
 * The bindings of an exchange's instance, without Lua: as an array, by routing key, and by slot. A
 * slot is a number that a binding keeps while it is there; together with the binding's id, which is
 * never used again, a script's object finds its binding, or finds that it is gone.
 *
 * Changed by bind() and unbind(), alone; read by all loops.
 */

#include <shunt/plugin.h>

#include "exchange/keys.h"

/* A binding; what bind() leaves as its cookie. */
struct entry {
	const struct shunt_binding *binding;
	struct key *key;
	uint32_t place;	    /* in the array */
	uint32_t key_place; /* among those of its key */
	uint32_t slot;
	struct record *record; /* changes.h; NULL: the type has no bind and unbind functions */
};

struct slot {
	struct entry *entry; /* NULL: free */
	uint32_t next_free;
};

struct bindings {
	const struct shunt_host *host;
	const struct shunt_binding **all; /* the array, in any order */
	struct entry **entries;		  /* in parallel */
	uint32_t count, capacity;
	struct slot *slots;
	uint32_t n_slots, slot_capacity, first_free;
	struct keys keys;
};

void bindings_init(struct bindings *bindings, const struct shunt_host *host);
/* Frees the entries, but not their records. */
void bindings_fini(struct bindings *bindings);

/* NULL: memory is out, nothing has changed. */
struct entry *bindings_add(struct bindings *bindings, const struct shunt_binding *binding);
/* Frees the entry, but not its record. */
void bindings_remove(struct bindings *bindings, struct entry *entry);

/* NULL: it is gone. */
static inline struct entry *bindings_at_slot(const struct bindings *bindings, uint32_t slot,
					     uint64_t id)
{
	struct entry *entry = slot < bindings->n_slots ? bindings->slots[slot].entry : NULL;

	return entry && entry->binding->id == id ? entry : NULL;
}

#endif
