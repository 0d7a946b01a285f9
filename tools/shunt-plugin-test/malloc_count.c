/* SPDX-License-Identifier: MIT */
#include "base/compiler.h"
#include "trace.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/*
 * Counts what a plugin's route() asks the C library for, and hands it on to whose turn it would be:
 * the C library, or a sanitizer or another checker that was loaded before it. A sanitizer that is
 * built in has its own functions in our place.
 */
#if defined(__GLIBC__) && !IS_SANITIZED

typedef void *(*malloc_fn)(size_t size);
typedef void *(*calloc_fn)(size_t n, size_t size);
typedef void *(*realloc_fn)(void *memory, size_t size);

/* All three are found by the first call, which comes before there are threads. */
static struct {
	malloc_fn malloc;
	calloc_fn calloc;
	realloc_fn realloc;
} next;

/* The way from an object to a function that POSIX has and C has not. */
static void find(const char *name, void *ret_function)
{
	void *symbol = dlsym(RTLD_NEXT, name);

	memcpy(ret_function, &symbol, sizeof(symbol));
}

static void count(void)
{
	if (UNLIKELY(next.realloc == NULL)) {
		find("malloc", &next.malloc);
		find("calloc", &next.calloc);
		find("realloc", &next.realloc);
	}
	trace_frame.mallocs += trace_frame.in_route;
}

void *malloc(size_t size)
{
	count();
	return next.malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count();
	return next.calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
	count();
	return next.realloc(memory, size);
}

#else
/* A file has to declare something. */
extern struct trace *trace_own;
#endif
