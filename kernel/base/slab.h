/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_SLAB_H
#define KERNEL_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * Memory for what is made and freed millions of times a second, often on one thread and then on
 * another: messages, and letters between loops. Any thread may allocate, and any thread may free
 * what any other has allocated, also when that one has ended.
 *
 * Each thread that allocates has a heap of its own, without locks. What another thread frees goes
 * back to the owner's heap. A thread that works in turns gathers such objects, and gives them back
 * at the end of its turn, many at once.
 *
 * Objects of at most SLAB_OBJECT_MAX bytes come in 66 sizes: steps of 16 bytes up to 544, then of
 * an eighth at most, and each of these is 32 bytes more than a round number: so that something of a
 * round size and its header waste nothing. Larger ones are malloc()'s. All are aligned to 16 bytes.
 * The size that an object was made with is told again when it is freed.
 *
 * Memory that is not used goes back to the system, by and by: see slab_upkeep().
 *
 * In a build with sanitizers all objects are malloc()'s, so that those see each one.
 */
#define SLAB_OBJECT_MAX 8224

/* NULL when memory is out. Of the try family (base/mem.h), with its injected faults. */
void *slab_try_alloc(size_t size) __attribute__((malloc, alloc_size(1))) MUST_USE;

/* Moves the object if it must. On failure (NULL) p is untouched and still the caller's. */
void *slab_try_realloc(void *p, size_t old_size, size_t size)
	__attribute__((alloc_size(3))) MUST_USE;

/* Stops the process when memory is out, as mem_alloc(). */
void *slab_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1))) MUST_USE;

/* p is not NULL, and of this size when it was allocated. */
void slab_free(void *p, size_t size);

/*
 * From now on the calling thread works in turns, and calls slab_finish_turn() at the end of each:
 * true. Or it does so no longer: false, which is what a thread begins with. Loops do this by
 * themselves.
 *
 * wake(arg), if it is not NULL, is called from other threads when slab_upkeep() has returned 0 and
 * something comes back that could be released: to let the thread finish a turn. It must be callable
 * until all other threads have ended.
 */
void slab_set_in_turns(bool in_turns, void (*wake)(void *arg), void *arg);

/*
 * What was gathered for other threads is given back. Returns whether slab_upkeep() should be called
 * after SLAB_UPKEEP_MS, by a timer, also if nothing else happens till then: the thread has much
 * memory, and has used its heap or got something back since the last upkeep.
 */
bool slab_finish_turn(void);

#define SLAB_UPKEEP_MS 500u

/*
 * Takes in what others have given back, and returns memory to the system: as much as was never used
 * since the last time, but for a MiB; so steady traffic makes no system calls. A limited piece of
 * work, well below a millisecond. Returns after how many milliseconds to call it again: few if
 * there is more to do; 0: not before slab_finish_turn() asks for it, as nothing is left to do. (Of
 * what the thread itself frees after that, up to 32 KiB of each size may go unnoticed.)
 */
unsigned slab_upkeep(void);

/* Of the calling thread's heap, in bytes. */
struct slab_usage {
	size_t used;   /* slabs in which there are objects */
	size_t spare;  /* slabs without any, kept for the next */
	size_t mapped; /* address space */
};

void slab_own_usage(struct slab_usage *ret_usage);

/* For tests in a build with sanitizers: whether objects come from slabs there, too. */
void slab_use_when_sanitized(bool use);

#endif
