/* SPDX-License-Identifier: MIT */
#include "floor_routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct binding {
	struct name exchange, key;
	unsigned queue;
};

struct exchange {
	struct name name, type;
};

static struct queue *queues;
static struct exchange *exchanges;
static struct binding *bindings;
static unsigned queue_count, exchange_count, binding_count;
static uint64_t generation = 1; /* of what a route depends on */

_Noreturn void floor_stop(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

void *floor_grow(void *array, size_t count, size_t size)
{
	/* by powers of two */
	if ((count & (count - 1)) == 0)
		array = realloc(array, (count == 0 ? 1 : 2 * count) * size);
	if (!array)
		floor_stop("realloc");
	return array;
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	return *a == *b && memcmp(a + 1, b + 1, *a) == 0;
}

static void copy(struct name *name, const uint8_t *bytes)
{
	memcpy(name->bytes, bytes, (size_t)*bytes + 1);
}

static unsigned find_queue(const uint8_t *name)
{
	for (unsigned i = 0; i < queue_count; i++) {
		if (queues[i].is_used && same(queues[i].name.bytes, name))
			return i;
	}
	return UINT32_MAX;
}

static unsigned declare_queue(const uint8_t *name)
{
	unsigned i = find_queue(name);

	if (i != UINT32_MAX)
		return i;
	queues = floor_grow(queues, queue_count, sizeof(*queues));
	queues[queue_count] = (struct queue){.is_used = true};
	copy(&queues[queue_count].name, name);
	generation++;
	return queue_count++;
}

struct queue *routes_queue(const uint8_t *name)
{
	unsigned i = declare_queue(name); /* which may move the array */

	return &queues[i];
}

struct queue *routes_queue_at(unsigned index)
{
	return &queues[index];
}

void routes_declare_exchange(const uint8_t *name, const uint8_t *type)
{
	exchanges = floor_grow(exchanges, exchange_count, sizeof(*exchanges));
	copy(&exchanges[exchange_count].name, name);
	copy(&exchanges[exchange_count++].type, type);
}

void routes_bind(const uint8_t *queue, const uint8_t *exchange, const uint8_t *key)
{
	struct binding *binding;

	bindings = floor_grow(bindings, binding_count, sizeof(*bindings));
	binding = &bindings[binding_count++];
	copy(&binding->exchange, exchange);
	copy(&binding->key, key);
	binding->queue = declare_queue(queue);
	generation++;
}

/* A topic's key meets the binding that has the same words but the last; any other the same key. */
static bool meets(const uint8_t *key, const struct binding *binding, char type)
{
	const uint8_t *dot = type == 't' ? memrchr(key + 1, '.', *key) : NULL;

	if (type == 'f')
		return true;
	if (!dot)
		return same(key, binding->key.bytes);
	return (size_t)(dot - key) <= binding->key.bytes[0] &&
	       memcmp(key + 1, binding->key.bytes + 1, (size_t)(dot - key)) == 0;
}

static void add(struct route *route, unsigned queue)
{
	route->queues = floor_grow(route->queues, route->count, sizeof(*route->queues));
	route->queues[route->count++] = queue;
}

static char type_of(const uint8_t *exchange)
{
	for (unsigned i = 0; i < exchange_count; i++) {
		if (same(exchanges[i].name.bytes, exchange))
			return (char)exchanges[i].type.bytes[1];
	}
	return 'd';
}

void routes_find(struct route *route, const uint8_t *names, size_t names_size)
{
	const uint8_t *key = names + *names + 1;
	char type;

	if (route->generation == generation && route->names_size == names_size &&
	    memcmp(route->names, names, names_size) == 0)
		return;
	type = type_of(names);
	route->count = 0;
	if (*names == 0 && find_queue(key) != UINT32_MAX)
		add(route, find_queue(key));
	for (unsigned i = 0; i < binding_count; i++) {
		if (same(bindings[i].exchange.bytes, names) && meets(key, &bindings[i], type) &&
		    queues[bindings[i].queue].is_used)
			add(route, bindings[i].queue);
	}
	route->names_size = names_size;
	memcpy(route->names, names, names_size);
	route->generation = generation;
}

void routes_cancel(const void *owner, const uint8_t *tag)
{
	for (unsigned i = 0; i < queue_count; i++) {
		struct queue *queue = &queues[i];

		for (unsigned k = 0; k < queue->consumer_count;) {
			struct consumer *consumer = &queue->consumers[k];

			if (consumer->owner != owner || (tag && !same(consumer->tag.bytes, tag)))
				k++;
			else
				*consumer = queue->consumers[--queue->consumer_count];
		}
	}
}

void routes_consume(void *owner, const uint8_t *name, const uint8_t *tag)
{
	struct queue *queue = &queues[declare_queue(name)];
	struct consumer *consumer;

	queue->consumers =
		floor_grow(queue->consumers, queue->consumer_count, sizeof(*queue->consumers));
	consumer = &queue->consumers[queue->consumer_count++];
	*consumer = (struct consumer){.owner = owner};
	copy(&consumer->tag, tag);
}

void routes_delete_queue(const uint8_t *name)
{
	unsigned i = find_queue(name);

	if (i == UINT32_MAX)
		return;
	free(queues[i].consumers);
	queues[i] = (struct queue){.is_used = false};
	generation++;
}

void routes_delete_exchange(const uint8_t *name)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < binding_count; i++) {
		if (!same(bindings[i].exchange.bytes, name))
			bindings[kept++] = bindings[i];
	}
	/* the array stays as large as grow() believes it to be, or larger */
	binding_count = kept;
	generation++;
}
