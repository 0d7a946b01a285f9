/* SPDX-License-Identifier: MIT */
#include "loop/slots.h"

#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "loop/state.h"

#define CHUNK_SHIFT 8
#define CHUNK_SIZE  (1u << CHUNK_SHIFT)
#define SLOT_NONE   UINT32_MAX

void slots_init(struct slots *slots)
{
	*slots = (struct slots){.first_free = SLOT_NONE};
}

void slots_fini(struct slots *slots)
{
	for (uint32_t i = 0; i < slots->n_chunks; i++)
		mem_free(slots->chunks[i]);
	mem_free(slots->chunks);
	slots_init(slots);
}

static struct slot *slot_at(const struct slots *slots, uint32_t index)
{
	return &slots->chunks[index >> CHUNK_SHIFT][index & (CHUNK_SIZE - 1)];
}

static void add_chunk(struct slots *slots)
{
	/* The array of chunks doubles; a power of two says that it is full. */
	if ((slots->n_chunks & (slots->n_chunks - 1)) == 0) {
		size_t capacity = slots->n_chunks > 0 ? (size_t)slots->n_chunks * 2 : 1;

		slots->chunks = mem_realloc(slots->chunks, capacity * sizeof(struct slot *));
	}
	slots->chunks[slots->n_chunks++] = mem_zalloc(CHUNK_SIZE * sizeof(struct slot));
}

static uint32_t take_free(struct slots *slots)
{
	uint32_t index = slots->first_free;

	if (index != SLOT_NONE) {
		slots->first_free = slot_at(slots, index)->next_free;
		return index;
	}
	bug_on(slots->n_used == SLOT_NONE);
	if (slots->n_used == (uint64_t)slots->n_chunks << CHUNK_SHIFT)
		add_chunk(slots);
	return slots->n_used++;
}

struct actor_ref slots_add(void *object)
{
	struct loop *self = loop_current;

	bug_on(!self || !object);
	uint32_t index = take_free(&self->slots);
	struct slot *slot = slot_at(&self->slots, index);

	slot->object = object;
	slot->serial = ++self->slots.last_serial;
	return (struct actor_ref){.loop = self->index, .slot = index, .serial = slot->serial};
}

/* NULL if the ref's object is gone. */
static struct slot *find(struct loop *self, struct actor_ref ref)
{
	if (actor_ref_is_none(ref))
		return NULL;
	bug_on(!self || self->index != ref.loop);
	/* Such a ref never came from slots_add(); but names that a client sends carry refs too. */
	if (ref.slot >= self->slots.n_used)
		return NULL;

	struct slot *slot = slot_at(&self->slots, ref.slot);

	return slot->serial == ref.serial ? slot : NULL;
}

void *slots_get(struct actor_ref ref)
{
	struct slot *slot = find(loop_current, ref);

	return slot ? slot->object : NULL;
}

void slots_remove(struct actor_ref ref)
{
	struct loop *self = loop_current;
	struct slot *slot = find(self, ref);

	if (!slot)
		return;
	slot->object = NULL;
	slot->serial = 0;
	slot->next_free = self->slots.first_free;
	self->slots.first_free = ref.slot;
}
