/* SPDX-License-Identifier: MIT */
#include "admin/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- Memory ---- */

#define CHUNK_SIZE ((size_t)64 << 10)

struct plan_chunk {
	struct plan_chunk *next;
	size_t used, size;
	_Alignas(16) uint8_t bytes[];
};

static struct plan_chunk *add_chunk(struct plan *plan, size_t size)
{
	struct plan_chunk *chunk =
		mem_try_alloc(sizeof(*chunk) + (size > CHUNK_SIZE ? size : CHUNK_SIZE));

	if (!chunk)
		return NULL;
	chunk->next = plan->chunks;
	chunk->used = 0;
	chunk->size = size > CHUNK_SIZE ? size : CHUNK_SIZE;
	plan->chunks = chunk;
	return chunk;
}

static uint8_t *take(struct plan *plan, size_t size)
{
	struct plan_chunk *chunk = plan->chunks;
	uint8_t *bytes;

	if (!chunk || size > chunk->size - chunk->used)
		chunk = add_chunk(plan, size);
	if (!chunk)
		return NULL;
	bytes = chunk->bytes + chunk->used;
	chunk->used += size;
	return bytes;
}

struct slice plan_keep(struct plan *plan, struct slice text)
{
	uint8_t *bytes = take(plan, text.size + 1);

	if (!bytes)
		return SLICE_EMPTY;
	slice_copy(bytes, text);
	bytes[text.size] = '\0';
	return slice_make(bytes, text.size);
}

void *plan_alloc(struct plan *plan, size_t size)
{
	uint8_t *bytes;
	size_t gap;

	bytes = take(plan, size + 15);
	if (!bytes)
		return NULL;
	gap = (16 - (uintptr_t)bytes % 16) % 16;
	memset(bytes + gap, 0, size);
	return bytes + gap;
}

/* ---- Items ---- */

static const size_t sizes[PLAN_KINDS] = {
	[PLAN_VHOSTS] = sizeof(struct plan_vhost),
	[PLAN_USERS] = sizeof(struct plan_user),
	[PLAN_PERMISSIONS] = sizeof(struct plan_permission),
	[PLAN_TOPIC_PERMISSIONS] = sizeof(struct plan_topic_permission),
	[PLAN_PARAMETERS] = sizeof(struct plan_parameter),
	[PLAN_EXCHANGES] = sizeof(struct plan_exchange),
	[PLAN_QUEUES] = sizeof(struct plan_queue),
	[PLAN_BINDINGS] = sizeof(struct plan_binding),
};

struct plan *plan_create(void)
{
	struct plan *plan = mem_zalloc(sizeof(*plan));

	map_init(&plan->names);
	buffer_init(&plan->warnings);
	return plan;
}

void plan_destroy(struct plan *plan)
{
	struct plan_chunk *chunk;

	if (!plan)
		return;
	map_fini(&plan->names);
	buffer_fini(&plan->warnings);
	for (size_t i = 0; i < PLAN_KINDS; i++)
		mem_free(plan->lists[i].items);
	while ((chunk = plan->chunks) != NULL) {
		plan->chunks = chunk->next;
		mem_free(chunk);
	}
	mem_free(plan);
}

size_t plan_item_size(enum plan_kind kind)
{
	return sizes[kind];
}

void *plan_item(const struct plan *plan, enum plan_kind kind, size_t index)
{
	return (uint8_t *)plan->lists[kind].items + index * sizes[kind];
}

void *plan_add(struct plan *plan, enum plan_kind kind)
{
	struct plan_list *list = &plan->lists[kind];

	if (list->n == list->capacity) {
		size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
		void *items = mem_try_realloc(list->items, capacity * sizes[kind]);

		if (!items)
			return NULL;
		list->items = items;
		list->capacity = capacity;
	}
	return memset(plan_item(plan, kind, list->n++), 0, sizes[kind]);
}

void plan_warn(struct plan *plan, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (plan->n_warnings++ >= PLAN_WARNINGS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buffer_append_cstr(&plan->warnings, line);
	buffer_append_byte(&plan->warnings, '\n');
}

/* ---- Names ---- */

/* Two names are told apart by the vhost's size. */
static struct slice name_key(uint8_t *key, size_t room, char kind, struct slice vhost,
			     struct slice name)
{
	size_t size = 2 + vhost.size + name.size;

	if (size > room)
		return SLICE_EMPTY;
	key[0] = (uint8_t)kind;
	key[1] = (uint8_t)vhost.size;
	slice_copy(key + 2, vhost);
	slice_copy(key + 2 + vhost.size, name);
	return slice_make(key, size);
}

#define KEY_MAX (2 + 255 + PLAN_PAIR_MAX)

bool plan_has_name(const struct plan *plan, char kind, struct slice vhost, struct slice name)
{
	uint8_t key[KEY_MAX];

	return map_find(&plan->names, name_key(key, sizeof(key), kind, vhost, name)) != NULL;
}

int plan_name(struct plan *plan, char kind, struct slice vhost, struct slice name)
{
	struct map_node *node;
	uint8_t bytes[KEY_MAX];
	struct slice key = name_key(bytes, sizeof(bytes), kind, vhost, name);

	if (map_find(&plan->names, key))
		return -EEXIST;
	node = plan_alloc(plan, sizeof(*node));
	key = plan_keep(plan, key);
	if (!node || !key.data)
		return -ENOMEM;
	map_insert(&plan->names, node, key);
	return 0;
}
