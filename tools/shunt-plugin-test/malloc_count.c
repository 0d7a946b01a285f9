/* SPDX-License-Identifier: MIT */
#include "base/compiler.h"
#include "trace.h"

#include <stdlib.h>

/*
 * Counts what a plugin's route() asks the C library for. The library's own functions are behind it;
 * where there are no such (another library, a sanitizer), nothing is counted.
 */
#if defined(__GLIBC__) && !IS_SANITIZED

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
	trace_frame.mallocs += trace_frame.in_route;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	trace_frame.mallocs += trace_frame.in_route;
	return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	trace_frame.mallocs += trace_frame.in_route;
	return __libc_realloc(memory, size);
}

#else
/* A file has to declare something. */
extern struct trace *trace_own;
#endif
