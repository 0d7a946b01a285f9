/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Thread_local struct trace_frame trace_frame;
struct trace *trace_own;

static struct trace_thread *own_thread(void)
{
	return &trace_own->threads[trace_frame.loop % TRACE_THREADS];
}

void trace_begin(const char *call)
{
	struct trace_thread *thread = own_thread();

	trace_frame.call = call;
	atomic_store_explicit(&thread->call, call, memory_order_relaxed);
	atomic_fetch_add_explicit(&thread->count, 1, memory_order_relaxed);
}

void trace_end(void)
{
	struct trace_thread *thread = own_thread();

	trace_frame.call = NULL;
	atomic_store_explicit(&thread->call, NULL, memory_order_relaxed);
	atomic_fetch_add_explicit(&thread->count, 1, memory_order_relaxed);
}

void trace_with(const char *format, ...)
{
	struct trace_thread *thread = own_thread();
	va_list args;

	va_start(args, format);
	(void)vsnprintf(thread->with, sizeof(thread->with), format, args);
	va_end(args);
}

void trace_round(unsigned round)
{
	atomic_store_explicit(&trace_own->round, round, memory_order_relaxed);
}

/* Of several threads the first one speaks; the process ends under the others. */
static void PRINTF_FORMAT(2, 0) end_as(enum trace_outcome outcome, const char *format, va_list args)
{
	if (atomic_exchange(&trace_own->claimed, true))
		for (;;)
			(void)pause();
	(void)vsnprintf(trace_own->text, sizeof(trace_own->text), format, args);
	atomic_store(&trace_own->outcome, outcome);
	_exit(0);
}

void trace_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_as(TRACE_FAILED, format, args);
	va_end(args);
	abort();
}

void trace_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_as(TRACE_SKIPPED, format, args);
	va_end(args);
	abort();
}

void trace_note(const char *format, ...)
{
	va_list args;

	if (trace_own->note[0] != '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(trace_own->note, sizeof(trace_own->note), format, args);
	va_end(args);
}

void trace_figure(const char *name, double value)
{
	struct trace_figure *figure;

	if (trace_own->n_figures == sizeof(trace_own->figures) / sizeof(trace_own->figures[0]))
		return;
	figure = &trace_own->figures[trace_own->n_figures++];
	(void)snprintf(figure->name, sizeof(figure->name), "%s", name);
	figure->value = value;
}

const char *trace_quote(const void *data, size_t size)
{
	static _Thread_local char ring[4][160];
	static _Thread_local unsigned next;
	char *out = ring[next++ % 4];
	const uint8_t *bytes = data;
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < size && n < sizeof(ring[0]) - 24; i++) {
		bool plain = bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '"';

		n += (size_t)snprintf(out + n, 8, plain ? "%c" : "\\x%02x", bytes[i]);
	}
	(void)snprintf(out + n, sizeof(ring[0]) - n, size * 4 > n ? "\"(%zu bytes)" : "\"", size);
	return out;
}
