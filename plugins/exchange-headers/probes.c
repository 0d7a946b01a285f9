/* SPDX-License-Identifier: MIT */
#include "probes.h"

#include <string.h>

#define FIRST_SMALLEST ((size_t)4)

void probes_init(struct probes *probes, const struct shunt_host *host)
{
	memset(probes, 0, sizeof(*probes));
	probes->host = host;
}

/* Frees blocks from the end until so many are left; with none, all memory. */
static void trim(struct probes *probes, size_t block_count)
{
	while (probes->block_count > block_count)
		probes->host->free(probes->host, probes->blocks[--probes->block_count]);
	if (block_count > 0)
		return;
	probes->host->free(probes->host, probes->blocks);
	probes->blocks = NULL;
	probes->block_capacity = 0;
	probes->first_capacity = 0;
}

void probes_fini(struct probes *probes)
{
	trim(probes, 0);
}

static int block_add(struct probes *probes)
{
	const struct shunt_host *host = probes->host;
	size_t capacity = probes->block_capacity ? probes->block_capacity * 2 : 1;
	size_t size = probes->block_count > 0 ? PROBES_BLOCK : FIRST_SMALLEST;
	struct probe **blocks;
	struct probe *block;

	if (probes->block_count == probes->block_capacity) {
		blocks = host->reallocate(host, probes->blocks, capacity * sizeof(struct probe *));
		if (!blocks)
			return -1;
		probes->blocks = blocks;
		probes->block_capacity = capacity;
	}
	block = host->allocate(host, size * sizeof(*block));
	if (!block) {
		if (probes->block_count == 0)
			trim(probes, 0);
		return -1;
	}
	if (probes->block_count == 0)
		probes->first_capacity = size;
	probes->blocks[probes->block_count++] = block;
	return 0;
}

static int first_grow(struct probes *probes)
{
	const struct shunt_host *host = probes->host;
	size_t capacity = probes->first_capacity * 2;
	struct probe *block = host->reallocate(host, probes->blocks[0], capacity * sizeof(*block));

	if (!block)
		return -1;
	probes->blocks[0] = block;
	probes->first_capacity = capacity;
	return 0;
}

static int reserve(struct probes *probes)
{
	if (probes->count == probes->block_count * PROBES_BLOCK)
		return block_add(probes);
	if (probes->count == probes->first_capacity && probes->count < PROBES_BLOCK)
		return first_grow(probes);
	return 0;
}

int probes_add(struct probes *probes, struct probe probe)
{
	if (reserve(probes) < 0)
		return -1;
	*probes_at(probes, probes->count++) = probe;
	return 0;
}

/* One empty block is kept, so that a count that swings around a border does not allocate each time.
 */
void probes_drop(struct probes *probes)
{
	size_t used = (--probes->count + PROBES_BLOCK - 1) / PROBES_BLOCK;

	if (used == 0)
		trim(probes, 0);
	else if (probes->block_count > used + 1)
		trim(probes, used + 1);
}
