/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_DENSE_H
#define KERNEL_BROKER_TOPOLOGY_DENSE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Small numbers for objects: dense, reused, and a way from number to object. Part of the topology,
 * so it is changed in the write side and read in the read side. Grows by chunks that never move;
 * owns those, not the objects.
 */
struct dense {
	uintptr_t **chunks; /* of an object, or of the next free index * 2 + 1 */
	uint32_t n_chunks;
	uint32_t limit; /* all indexes in use are below */
	uint32_t first_free;
};

void dense_init(struct dense *dense);
void dense_fini(struct dense *dense);

/* The lowest index that was never used, or one that was given back. */
uint32_t dense_add(struct dense *dense, void *object);
void dense_remove(struct dense *dense, uint32_t index);

/* NULL: none has that index now. */
void *dense_get(const struct dense *dense, uint32_t index);

#endif
