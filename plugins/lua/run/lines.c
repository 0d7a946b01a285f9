/* SPDX-License-Identifier: MIT */

#include "run/lines.h"

#include <stdio.h>
#include <string.h>

#include "run/call.h"
#include "script.h"
#include "run/state.h"

#define PER_SECOND 5u

static void write_line(struct state *state, enum shunt_log_level level, const char *text)
{
	const struct shunt_host *host = state->script->host;

	host->log(host, level, text);
}

static void put(struct lines *lines, enum shunt_log_level level, const char *text)
{
	uint32_t written = atomic_load_explicit(&lines->written, memory_order_relaxed);
	struct line *line = &lines->ring[written % LINES_WAITING];

	if (written - atomic_load_explicit(&lines->read, memory_order_acquire) == LINES_WAITING) {
		atomic_fetch_add_explicit(&lines->lost, 1, memory_order_relaxed);
		return;
	}
	line->level = level;
	(void)snprintf(line->text, sizeof(line->text), "%s", text);
	atomic_store_explicit(&lines->written, written + 1, memory_order_release);
}

void lines_log(struct state *state, enum shunt_log_level level, const char *text)
{
	if (call_is_in_route(state) && !state->script->is_test)
		put(&state->lines, level, text);
	else
		write_line(state, level, text);
}

void lines_flush(struct state *state)
{
	struct lines *lines = &state->lines;
	uint32_t read = atomic_load_explicit(&lines->read, memory_order_relaxed);
	uint32_t lost;
	char text[64];

	while (read != atomic_load_explicit(&lines->written, memory_order_acquire)) {
		const struct line *line = &lines->ring[read % LINES_WAITING];

		write_line(state, line->level, line->text);
		atomic_store_explicit(&lines->read, ++read, memory_order_release);
	}
	lost = atomic_exchange_explicit(&lines->lost, 0, memory_order_relaxed);
	if (lost == 0)
		return;
	(void)snprintf(text, sizeof(text), "%u lines of route functions were lost", lost);
	write_line(state, SHUNT_LOG_WARNING, text);
}

/* Several loops may see a new second at once: one of them wins, and says what was left out. */
static bool may_log(struct line_limit *limit, uint64_t second, uint32_t *ret_suppressed)
{
	uint64_t seen = atomic_load(&limit->second);

	*ret_suppressed = 0;
	if (seen != second && atomic_compare_exchange_strong(&limit->second, &seen, second)) {
		atomic_store(&limit->count, 0);
		*ret_suppressed = atomic_exchange(&limit->suppressed, 0);
	}
	if (atomic_fetch_add(&limit->count, 1) < PER_SECOND)
		return true;
	atomic_fetch_add(&limit->suppressed, 1);
	return false;
}

void lines_log_limited(struct state *state, enum shunt_log_level level, const char *text,
		       uint64_t now_ns)
{
	char line[LINE_SIZE];
	uint32_t suppressed;

	if (!may_log(&state->script->line_limit, now_ns / 1000000000u + 1, &suppressed))
		return;
	if (suppressed == 0) {
		lines_log(state, level, text);
		return;
	}
	(void)snprintf(line, sizeof(line), "%.*s suppressed=%u", LINE_SIZE - 32, text, suppressed);
	lines_log(state, level, line);
}

static void flush_all(void *context)
{
	const struct script *script = context;

	for (unsigned i = 0; i < script->n_states; i++)
		lines_flush(script->states[i]);
}

/* Without a timer lines wait until the script is closed. */
void lines_start(struct script *script)
{
	const struct shunt_host *host = script->host;

	script->line_timer = host->timer_create(host, flush_all, script);
	if (script->line_timer)
		host->timer_start(host, script->line_timer, LINES_EVERY_MS, LINES_EVERY_MS);
}
