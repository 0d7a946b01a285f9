/* SPDX-License-Identifier: MIT */
#include "seats.h"

#include <string.h>

#define BLOCK_SMALLEST ((size_t)4)

void seats_init(struct seats *seats, const struct shunt_host *host)
{
	memset(seats, 0, sizeof(*seats));
	seats->host = host;
}

void seats_fini(struct seats *seats)
{
	const struct shunt_host *host = seats->host;

	for (size_t i = 0; i < seats->count; i++)
		host->free(host, seats->blocks[i / BLOCK_SIZE].seats[i % BLOCK_SIZE]);
	for (size_t i = 0; i * BLOCK_SIZE < seats->count; i++) {
		host->free(host, seats->blocks[i].bindings);
		host->free(host, seats->blocks[i].seats);
	}
	host->free(host, seats->blocks);
}

/* A failure between the two leaves one array larger than it need be, which does no harm. */
static int block_resize(struct seats *seats, struct block *block, size_t capacity)
{
	const struct shunt_host *host = seats->host;
	void *memory;

	memory = host->reallocate(host, block->bindings, capacity * sizeof(*block->bindings));
	if (!memory)
		return -1;
	block->bindings = memory;
	memory = host->reallocate(host, block->seats, capacity * sizeof(*block->seats));
	if (!memory)
		return -1;
	block->seats = memory;
	return 0;
}

static int blocks_reserve(struct seats *seats, size_t count)
{
	size_t capacity = seats->blocks_capacity ? seats->blocks_capacity * 2 : 1;
	void *memory;

	if (count <= seats->blocks_capacity)
		return 0;
	memory = seats->host->reallocate(seats->host, seats->blocks,
					 capacity * sizeof(*seats->blocks));
	if (!memory)
		return -1;
	seats->blocks = memory;
	seats->blocks_capacity = capacity;
	return 0;
}

static void block_free(struct seats *seats, struct block *block)
{
	seats->host->free(seats->host, block->bindings);
	seats->host->free(seats->host, block->seats);
}

/* Room for one more, in a new block if all are full. */
static int reserve(struct seats *seats)
{
	size_t used = seats->count % BLOCK_SIZE;
	size_t block = seats->count / BLOCK_SIZE;

	if (used == 0) {
		struct block fresh = {0};

		if (blocks_reserve(seats, block + 1) < 0)
			return -1;
		if (block_resize(seats, &fresh, BLOCK_SMALLEST) < 0) {
			block_free(seats, &fresh);
			return -1;
		}
		seats->blocks[block] = fresh;
		seats->last_capacity = BLOCK_SMALLEST;
		return 0;
	}
	if (used < seats->last_capacity)
		return 0;
	if (block_resize(seats, &seats->blocks[block], seats->last_capacity * 2) < 0)
		return -1;
	seats->last_capacity *= 2;
	return 0;
}

static void put(struct seats *seats, size_t position, const struct shunt_binding *binding,
		struct seat *seat)
{
	struct block *block = &seats->blocks[position / BLOCK_SIZE];

	block->bindings[position % BLOCK_SIZE] = binding;
	block->seats[position % BLOCK_SIZE] = seat;
	seat->position = position;
}

struct seat *seats_add(struct seats *seats, const struct shunt_binding *binding)
{
	struct seat *seat = seats->host->allocate(seats->host, sizeof(*seat));

	if (!seat)
		return NULL;
	if (reserve(seats) < 0) {
		seats->host->free(seats->host, seat);
		return NULL;
	}
	put(seats, seats->count, binding, seat);
	seats->count++;
	return seat;
}

void seats_remove(struct seats *seats, struct seat *seat)
{
	size_t last = --seats->count;
	struct block *block = &seats->blocks[last / BLOCK_SIZE];

	if (seat->position != last)
		put(seats, seat->position, block->bindings[last % BLOCK_SIZE],
		    block->seats[last % BLOCK_SIZE]);
	seats->host->free(seats->host, seat);
	if (last % BLOCK_SIZE == 0) {
		block_free(seats, block);
		seats->last_capacity = BLOCK_SIZE;
	}
	if (last == 0) {
		seats->host->free(seats->host, seats->blocks);
		seats->blocks = NULL;
		seats->blocks_capacity = 0;
	}
}
