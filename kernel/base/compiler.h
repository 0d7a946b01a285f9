/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_COMPILER_H
#define KERNEL_BASE_COMPILER_H

/* What the compiler is told about functions and branches. gcc and clang. */

#define MUST_USE		  __attribute__((warn_unused_result))
#define NO_RETURN		  __attribute__((noreturn))
#define PRINTF_FORMAT(nth, first) __attribute__((format(printf, nth, first)))
#define NO_INLINE		  __attribute__((noinline))
/* Seldom called: so is whatever leads there, which the compiler then puts aside. */
#define COLD	      __attribute__((cold))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

/*
 * What different threads write is kept this far apart: two lines, as adjacent lines are fetched
 * together.
 */
#define CACHE_LINE_SIZE 128

#endif
