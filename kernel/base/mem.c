/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_OWN_FAULT 70

_Thread_local int mem_calls_to_fault = -1;

NO_RETURN void mem_stop(void)
{
	static const char text[] = "out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* Nothing is left to tell it to. */
	}
	_exit(EXIT_OWN_FAULT);
}

static void *must(void *p)
{
	if (UNLIKELY(!p))
		mem_stop();
	return p;
}

/* malloc(0) may return NULL elsewhere than in glibc. */
static size_t at_least_one(size_t size)
{
	return size > 0 ? size : 1;
}

void *mem_alloc(size_t size)
{
	return must(malloc(at_least_one(size)));
}

void *mem_zalloc(size_t size)
{
	return must(calloc(1, at_least_one(size)));
}

void *mem_realloc(void *p, size_t size)
{
	return must(realloc(p, at_least_one(size)));
}

void *mem_zalloc_aligned(size_t alignment, size_t size)
{
	if (size > SIZE_MAX - alignment)
		mem_stop();
	size = (at_least_one(size) + alignment - 1) & ~(alignment - 1);
	return memset(must(aligned_alloc(alignment, size)), 0, size);
}

char *mem_strdup(const char *string)
{
	size_t size = strlen(string) + 1;

	return memcpy(mem_alloc(size), string, size);
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&text, format, args);
	va_end(args);
	return must(n < 0 ? NULL : text);
}

void mem_fault_after(int n)
{
	mem_calls_to_fault = n > 0 ? n - 1 : n;
}

void *mem_try_alloc(size_t size)
{
	return mem_fault_is_due() ? NULL : malloc(at_least_one(size));
}

void *mem_try_zalloc(size_t size)
{
	return mem_fault_is_due() ? NULL : calloc(1, at_least_one(size));
}

void *mem_try_realloc(void *p, size_t size)
{
	return mem_fault_is_due() ? NULL : realloc(p, at_least_one(size));
}

void mem_free(void *p)
{
	free(p);
}
