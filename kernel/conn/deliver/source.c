/* SPDX-License-Identifier: MIT */
#include "conn/deliver/source.h"

#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/queue/queue.h"
#include "conn/placement/move.h"

#define SOURCE_INDEX_BITS 16
#define SOURCES_MAX	  ((1u << SOURCE_INDEX_BITS) - 1)

static int source_index(struct channel *ch)
{
	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] == NULL)
			return (int)i;
	if (ch->n_sources == SOURCES_MAX)
		return -1;
	if (ch->n_sources == ch->sources_capacity) {
		unsigned capacity = ch->sources_capacity != 0 ? ch->sources_capacity * 2 : 2;
		struct source **sources =
			mem_try_realloc(ch->sources, capacity * sizeof(struct source *));

		if (sources == NULL)
			return -1;
		ch->sources = sources;
		ch->sources_capacity = capacity;
	}
	return (int)ch->n_sources++;
}

struct source *source_create(struct channel *ch, struct actor_ref queue, struct slice queue_name,
			     struct slice tag)
{
	struct source *source = mem_try_zalloc(sizeof(*source) + tag.size + 1 + queue_name.size);
	int index = source != NULL ? source_index(ch) : -1;

	if (index < 0) {
		mem_free(source);
		return NULL;
	}
	ch->sources[index] = source;
	source->channel = ch;
	source->queue = queue;
	move_note_letter(ch->connection, queue.loop); /* of settles and credit */
	source->index = (uint32_t)index;
	source->tag_size = (uint8_t)tag.size;
	source->queue_name_size = (uint8_t)queue_name.size;
	slice_copy((uint8_t *)source->tag, tag);
	slice_copy((uint8_t *)source->tag + tag.size + 1, queue_name);
	list_init(&source->indebted);
	list_init(&source->wanting);
	return source;
}

/* A number that no earlier consumer of the channel had: 65536 reuses of a slot lie between two
 * equal ones. */
void source_begin_consuming(struct source *source)
{
	struct channel *ch = source->channel;

	if (++ch->generation == 0)
		ch->generation = 1;
	source->number = (uint32_t)ch->generation << SOURCE_INDEX_BITS | source->index;
	source->is_consuming = true;
	map_insert(&ch->tags, &source->by_tag, slice_make(source->tag, source->tag_size));
	ch->n_consumers++;
}

void source_end_consuming(struct source *source)
{
	if (!source->is_consuming)
		return;
	source->is_consuming = false;
	map_remove(&source->channel->tags, &source->by_tag);
	source->channel->n_consumers--;
	list_remove(&source->wanting);
	list_remove(&source->indebted);
	source->channel->n_limited -= source->n_granted;
	source->n_granted = 0;
	source_release(source);
}

struct source *source_find_tag(struct channel *ch, struct slice tag)
{
	struct map_node *node = map_find(&ch->tags, tag);

	return node != NULL ? container_of(node, struct source, by_tag) : NULL;
}

struct source *source_find_number(struct channel *ch, uint32_t number)
{
	uint32_t index = number & SOURCES_MAX;

	if (index >= ch->n_sources || ch->sources[index] == NULL ||
	    ch->sources[index]->number != number)
		return NULL;
	return ch->sources[index];
}

struct source *source_for_get(struct channel *ch, struct actor_ref queue, struct slice queue_name)
{
	for (unsigned i = 0; i < ch->n_sources; i++)
		if (ch->sources[i] != NULL && ch->sources[i]->number == 0 &&
		    actor_ref_equal(ch->sources[i]->queue, queue))
			return ch->sources[i];
	return source_create(ch, queue, queue_name, SLICE_LITERAL(""));
}

void source_release(struct source *source)
{
	struct channel *ch = source->channel;

	if (source->is_consuming || source->n_unacked != 0)
		return;
	ch->sources[source->index] = NULL;
	list_remove(&source->indebted);
	list_remove(&source->wanting);
	mem_free(source);
}

void source_give_credit(struct source *source)
{
	uint64_t debt = source->debt;

	source->debt = 0;
	list_remove(&source->indebted);
	if (source->is_consuming)
		queue_credit(source->queue, source->channel->endpoint.ref, source->number, debt);
}

void source_add_debt(struct source *source, uint64_t bytes)
{
	struct connection *c = source->channel->connection;

	source->debt += bytes;
	if (source->debt < QUEUE_CREDIT_STEP || list_is_linked(&source->indebted))
		return;
	list_add_tail(&c->indebted, &source->indebted);
	loop_defer(&c->flush);
}
