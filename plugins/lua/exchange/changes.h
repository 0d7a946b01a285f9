/* SPDX-License-Identifier: MIT */
#ifndef LUA_CHANGES_H
#define LUA_CHANGES_H

/*
 * What states are still to be told: the bindings of an instance that came and went, in order. Only
 * of types that have functions for it.
 *
 * A binding that went is gone in the broker when a state is told, so there is a copy of it, the
 * record. Written by bind() and unbind(), alone; read by all loops.
 */

#include <shunt/plugin.h>
#include <stdbool.h>

/* Counted: by the entry of a binding, and by the events. */
struct record {
	unsigned refs; /* changes alone */
	uint32_t slot;
	struct shunt_binding view; /* its bytes are `text` */
	uint8_t text[];
};

struct record *record_create(const struct shunt_host *host, const struct shunt_binding *binding);
void record_unref(const struct shunt_host *host, struct record *record);

struct event {
	struct record *record;
	bool is_unbind;
};

/* A ring. Events have numbers that only grow; those from `first` to before `end` are there. */
struct changes {
	const struct shunt_host *host;
	struct event *events;
	size_t capacity; /* a power of two, or 0 */
	uint64_t first, end;
};

void changes_init(struct changes *changes, const struct shunt_host *host);
void changes_fini(struct changes *changes);

/*
 * Adds an event. When there are `most` already, or memory is out, all go, the new one too: `first`
 * is `end` then, and who has not been told of all must begin anew.
 */
void changes_add(struct changes *changes, struct record *record, bool is_unbind, size_t most);

/* Nobody needs what is before that number. */
void changes_trim(struct changes *changes, uint64_t first);

static inline const struct event *changes_at(const struct changes *changes, uint64_t number)
{
	return &changes->events[number & (changes->capacity - 1)];
}

#endif
