/* SPDX-License-Identifier: MIT */
#ifndef LUA_HEAP_H
#define LUA_HEAP_H

/*
 * The memory of a state: never more than its limit, and no block larger than `block`, as some
 * instructions of Lua look at a whole string or table at once, and no hook comes in between.
 *
 * The first refusal in a call is an error that the script can catch, and costs it a full
 * collection; the second one ends the call. Growing is charged to the call as looking at the bytes
 * would be.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <shunt/plugin.h>

struct budget;

/* Strings from here on make the hook come more often (budget.h). */
#define HEAP_BIG_STRING	 (8u << 10)
#define HEAP_HUGE_STRING (64u << 10)

struct heap {
	const struct shunt_host *host; /* its memory is aligned as malloc()'s is */
	struct budget *budget;	       /* of the calls that allocate */
	size_t limit, block;
	_Atomic size_t used, largest;	    /* bytes; written by who is in the state */
	unsigned big_strings, huge_strings; /* that live now */
	unsigned refusals;		    /* since heap_begin_call() */
};

void heap_init(struct heap *heap, const struct shunt_host *host, struct budget *budget,
	       size_t limit, size_t block);
void heap_begin_call(struct heap *heap);

/* A lua_Alloc; the first argument is the heap. */
void *heap_allocate(void *heap, void *memory, size_t old_size, size_t new_size);

#endif
