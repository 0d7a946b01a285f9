/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_MEM_H
#define KERNEL_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * Memory. The first family is for our own small objects: it stops the process (status 70) when
 * memory is out, and never returns NULL. The try family is for sizes that a peer, a file or a
 * plugin decides: it returns NULL when memory is out, which is an ordinary error there. All is
 * released with mem_free(), which accepts NULL; it is free().
 */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1))) MUST_USE;
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1))) MUST_USE;
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull, alloc_size(2))) MUST_USE;
/* alignment is a power of two; size is rounded up to a multiple of it. Zeroed. */
void *mem_zalloc_aligned(size_t alignment, size_t size)
	__attribute__((malloc, returns_nonnull)) MUST_USE;
char *mem_strdup(const char *string) __attribute__((malloc, returns_nonnull)) MUST_USE;
char *mem_printf(const char *format, ...) PRINTF_FORMAT(1, 2)
	__attribute__((malloc, returns_nonnull)) MUST_USE;

void *mem_try_alloc(size_t size) __attribute__((malloc, alloc_size(1))) MUST_USE;
void *mem_try_zalloc(size_t size) __attribute__((malloc, alloc_size(1))) MUST_USE;
/* On failure p is untouched and still the caller's. */
void *mem_try_realloc(void *p, size_t size) __attribute__((alloc_size(2))) MUST_USE;

void mem_free(void *p);

/* What the first family does when memory is out. For other allocators. */
NO_RETURN void mem_stop(void);

/*
 * For tests: the n-th call of the try family on this thread from now on fails (1 = the next), once;
 * -1 = none does.
 */
void mem_fault_after(int n);

/* For other allocators that belong to the try family: counts a call, and says whether it fails. */
extern _Thread_local int mem_calls_to_fault; /* still to succeed before one fails; -1: all */

static inline bool mem_fault_is_due(void)
{
	return UNLIKELY(mem_calls_to_fault >= 0) && mem_calls_to_fault-- == 0;
}

#endif
