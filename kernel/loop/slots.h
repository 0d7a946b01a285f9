/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_SLOTS_H
#define KERNEL_LOOP_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * How others speak of what a loop owns: a ref may be kept, copied and sent anywhere; only on its
 * own loop does it become a pointer again, or NULL if the object is gone. Serials never repeat, so
 * a ref never finds a later object in its slot.
 */
struct actor_ref {
	uint32_t loop;
	uint32_t slot;
	uint64_t serial; /* 0: none */
};

#define ACTOR_REF_NONE ((struct actor_ref){0, 0, 0})

static inline bool actor_ref_is_none(struct actor_ref ref)
{
	return ref.serial == 0;
}

static inline bool actor_ref_equal(struct actor_ref a, struct actor_ref b)
{
	return a.serial == b.serial && a.loop == b.loop && a.slot == b.slot;
}

/* Enters an object of this loop. It stays until slots_remove(). object is not NULL. */
struct actor_ref slots_add(void *object) MUST_USE;

/* NULL if gone or none. Only on the ref's own loop. */
void *slots_get(struct actor_ref ref);

/* No-op if gone or none. Only on the ref's own loop. */
void slots_remove(struct actor_ref ref);

#endif
