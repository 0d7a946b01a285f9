/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FLOOR_ROUTES_H
#define BENCH_FLOOR_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Queues, exchanges and bindings of bench/floor.c. Names are short strings as they are on the wire:
 * a length, then so many bytes. Nothing here is fast but a route that is remembered. One thread.
 */
struct name {
	uint8_t bytes[256];
};

/* `owner` is a connection, which nobody looks into here. */
struct consumer {
	void *owner;
	struct name tag;
	uint64_t delivered;
};

struct queue {
	struct name name;
	bool is_used;
	uint32_t kept; /* messages that found no consumer */
	struct consumer *consumers;
	unsigned consumer_count, consumer_next;
};

/* The queues that the last message of a connection went to. All zero at first. */
struct route {
	uint8_t names[520]; /* exchange and key */
	size_t names_size;
	uint64_t generation;
	unsigned *queues;
	unsigned count;
};

/* Says what the system refused, and ends the process. */
_Noreturn void floor_stop(const char *what);
/* Room for one more than `count`. */
void *floor_grow(void *array, size_t count, size_t size);

/* What is not there is made. */
struct queue *routes_queue(const uint8_t *name);
void routes_delete_queue(const uint8_t *name);
void routes_declare_exchange(const uint8_t *name, const uint8_t *type);
void routes_delete_exchange(const uint8_t *name);
void routes_bind(const uint8_t *queue, const uint8_t *exchange, const uint8_t *key);
void routes_consume(void *owner, const uint8_t *queue, const uint8_t *tag);
/* Those of this owner with this tag; NULL: all. */
void routes_cancel(const void *owner, const uint8_t *tag);

/* Names are the exchange's and the key, one after the other. The queues are in route->queues. */
void routes_find(struct route *route, const uint8_t *names, size_t names_size);
struct queue *routes_queue_at(unsigned index);

#endif
