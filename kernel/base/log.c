/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/log_settings.h"

static _Thread_local int current_loop = -1;

void log_set_thread(int loop)
{
	current_loop = loop;
}

/* `2026-01-02T03:04:05.678Z W conn[2]: `; returns its length. */
static size_t put_prefix(char *out, size_t size, enum log_level level, const char *category)
{
	uint64_t now_ms = clock_wall_ms();
	time_t seconds = (time_t)(now_ms / 1000u);
	char loop[16] = "";
	struct tm tm = {0};

	(void)gmtime_r(&seconds, &tm);
	if (current_loop >= 0)
		(void)snprintf(loop, sizeof(loop), "[%d]", current_loop);
	size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	int rest = snprintf(out + n, size - n, ".%03uZ %c %.64s%s: ", (unsigned)(now_ms % 1000u),
			    "EWID"[level & 3], category, loop);
	return n + (size_t)rest;
}

/* Terminals take the C1 characters (U+0080 to U+009F) for control sequences as well. */
static void mask_controls(char *text, size_t size)
{
	unsigned char before = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte < ' ' || byte == 0x7f)
			text[i] = '?';
		if (before == 0xc2 && byte >= 0x80 && byte <= 0x9f)
			text[i - 1] = text[i] = '?';
		before = byte;
	}
}

/* Room is kept for the newline. */
static size_t put_text(char *out, size_t used, const char *format, va_list args)
	PRINTF_FORMAT(3, 0);

static size_t put_text(char *out, size_t used, const char *format, va_list args)
{
	size_t room = LOG_LINE_SIZE - 1 - used;
	int n = vsnprintf(out + used, room, format, args);
	size_t end = n < 0 ? used : (size_t)n < room ? used + (size_t)n : used + room - 1;

	mask_controls(out + used, end - used);
	return end;
}

static size_t put_suppressed(char *out, size_t used, uint64_t suppressed)
{
	char text[40];
	int n = snprintf(text, sizeof(text), " suppressed=%" PRIu64, suppressed);

	if (used + (size_t)n > LOG_LINE_SIZE - 2)
		used = LOG_LINE_SIZE - 2 - (size_t)n;
	memcpy(out + used, text, (size_t)n);
	return used + (size_t)n;
}

static void write_line(enum log_level level, const char *category, uint64_t suppressed,
		       const char *format, va_list args) PRINTF_FORMAT(4, 0);

static void write_line(enum log_level level, const char *category, uint64_t suppressed,
		       const char *format, va_list args)
{
	char line[LOG_LINE_SIZE];
	size_t n = put_prefix(line, sizeof(line), level, category);

	n = put_text(line, n, format, args);
	if (suppressed > 0)
		n = put_suppressed(line, n, suppressed);
	line[n++] = '\n';
	log_put_line(level, category, line, n);
}

void log_vwrite(enum log_level level, const char *category, const char *format, va_list args)
{
	if ((int)level <= log_level())
		write_line(level, category, 0, format, args);
}

void log_write(enum log_level level, const char *category, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, category, format, args);
	va_end(args);
}

/*
 * Two threads at the turn of a second may both begin it: then a few lines more are written than
 * allowed, no harm.
 */
static bool limit_allows(struct log_limit *limit)
{
	uint64_t second = clock_monotonic_ms() / 1000u;

	if (atomic_load_explicit(&limit->second, memory_order_relaxed) != second) {
		atomic_store_explicit(&limit->written, 0, memory_order_relaxed);
		atomic_store_explicit(&limit->second, second, memory_order_relaxed);
	}
	if (atomic_fetch_add_explicit(&limit->written, 1, memory_order_relaxed) < limit->per_second)
		return true;
	atomic_fetch_sub_explicit(&limit->written, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
	return false;
}

bool log_limit_take(struct log_limit *limit, enum log_level level)
{
	return (int)level <= log_level() && limit_allows(limit);
}

static void write_taken(struct log_limit *limit, enum log_level level, const char *category,
			const char *format, va_list args) PRINTF_FORMAT(4, 0);

static void write_taken(struct log_limit *limit, enum log_level level, const char *category,
			const char *format, va_list args)
{
	write_line(level, category,
		   atomic_exchange_explicit(&limit->suppressed, 0, memory_order_relaxed), format,
		   args);
}

void log_taken(struct log_limit *limit, enum log_level level, const char *category,
	       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_taken(limit, level, category, format, args);
	va_end(args);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *category,
		 const char *format, ...)
{
	va_list args;

	if (!log_limit_take(limit, level))
		return;
	va_start(args, format);
	write_taken(limit, level, category, format, args);
	va_end(args);
}

/* The bytes of one escaped character; returns how many. */
static size_t escape(char out[4], uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	const char *plain = "\"\\\n\r\t", *shorts = "\"\\nrt";
	const char *found = byte != 0 ? strchr(plain, byte) : NULL;

	if (found) {
		out[0] = '\\';
		out[1] = shorts[found - plain];
		return 2;
	}
	if (byte >= ' ' && byte < 0x7f) {
		out[0] = (char)byte;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = hex[byte >> 4];
	out[3] = hex[byte & 15];
	return 4;
}

char *log_quote(char *out, size_t size, struct slice bytes)
{
	static const char cut[] = "...\"";
	size_t n = 0, last_fit = 1;

	bug_on(size < 8);
	out[n++] = '"';
	for (size_t i = 0; i < bytes.size; i++) {
		char text[4];
		size_t length = escape(text, bytes.data[i]);

		if (n + length + 2 > size) { /* the closing quote and the NUL */
			memcpy(out + last_fit, cut, sizeof(cut));
			return out;
		}
		memcpy(out + n, text, length);
		n += length;
		if (n + sizeof(cut) <= size)
			last_fit = n;
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}
