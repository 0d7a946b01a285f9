/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_LOG_H
#define KERNEL_BASE_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

/*
 * One event, one line on standard error or in a file (base/log_settings.h), written by one write():
 *
 *	2026-01-02T03:04:05.678Z W conn[2]: handshake refused: reason=auth user="bob"
 *
 * [2] is the calling thread's loop, left out where there is none. Any thread may log. Control bytes
 * in the text become '?', a line longer than LOG_LINE_SIZE is cut. Bytes from a peer go through
 * log_quote() first.
 */
#define LOG_LINE_SIZE 2048

enum log_level {
	LOG_LEVEL_ERROR,   /* the operator must act */
	LOG_LEVEL_WARNING, /* we went on */
	LOG_LEVEL_INFO,	   /* life cycle */
	LOG_LEVEL_DEBUG,
};

/* Lines above this level are not written anywhere, whatever their category. Any thread. */
int log_level(void);

/* For tests and tools: one level for everything. Any thread, any time. At first INFO. */
void log_set_level(enum log_level level);

/* The loop number of the calling thread; -1 (as at first): none. */
void log_set_thread(int loop);

void log_write(enum log_level level, const char *category, const char *format, ...)
	PRINTF_FORMAT(3, 4);
void log_vwrite(enum log_level level, const char *category, const char *format, va_list args)
	PRINTF_FORMAT(3, 0);

/* Arguments are evaluated only if the line is written. */
#define log_at(level, ...) ((int)(level) <= log_level() ? log_write((level), __VA_ARGS__) : (void)0)
#define log_error(...)	   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)   log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	   log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * For lines that a peer can cause: at most per_second of them in each second from all threads; the
 * first line after a second with more ends with " suppressed=K". Usually `static struct log_limit
 * limit = LOG_LIMIT(10);` at the one place that logs the line.
 */
struct log_limit {
	uint32_t per_second;
	_Atomic uint32_t written; /* in the second `second` */
	_Atomic uint64_t second;
	_Atomic uint64_t suppressed;
};

/* clang-format off */
#define LOG_LIMIT(lines_per_second) { .per_second = (lines_per_second) }
/* clang-format on */

void log_limited(struct log_limit *limit, enum log_level level, const char *category,
		 const char *format, ...) PRINTF_FORMAT(4, 5);

/*
 * The same in two steps, for lines whose arguments are dear to make: whether a line may be written,
 * which counts it; and if so, the line.
 */
bool log_limit_take(struct log_limit *limit, enum log_level level) MUST_USE;
void log_taken(struct log_limit *limit, enum log_level level, const char *category,
	       const char *format, ...) PRINTF_FORMAT(4, 5);

/*
 * Writes the bytes in double quotes, with \" \\ \n \r \t and \xHH for what is not printable ASCII,
 * NUL-terminated and cut to size (then it ends with `..."`). size is at least 8. Returns out.
 */
char *log_quote(char *out, size_t size, struct slice bytes);

#endif
