/* SPDX-License-Identifier: MIT */

#include "describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "run/quarantine.h"
#include "script.h"
#include "run/state.h"

#define KIB 1024u

static void print(struct shunt_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print(struct shunt_report *report, const char *format, ...)
{
	char text[256];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	report->print(report,
		      (struct shunt_bytes){(const uint8_t *)text, (size_t)length < sizeof(text)
									  ? (size_t)length
									  : sizeof(text) - 1});
}

void describe_parts(const struct script *script, struct shunt_report *report)
{
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->describe)
			modules[i]->describe(script, report);
	}
}

/* ---- Figures ---- */

/* Those of all states. */
struct sums {
	uint64_t calls, quarantined, ns, instructions;
	uint64_t failures[FAILURE_SORTS];
	uint64_t by_time[STATS_TIME_BUCKETS];
	uint64_t by_instructions[STATS_INSTRUCTIONS_BUCKETS];
};

static void add_all(uint64_t *sums, const _Atomic uint64_t *counters, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sums[i] += atomic_load_explicit(&counters[i], memory_order_relaxed);
}

static void sum_up(const struct script *script, enum call_kind kind, struct sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	for (unsigned i = 0; i < script->n_states; i++) {
		const struct stats_kind *of = &script->states[i]->stats.of_kind[kind];

		add_all(&sums->calls, &of->calls, 1);
		add_all(&sums->quarantined, &of->quarantined, 1);
		add_all(&sums->ns, &of->ns, 1);
		add_all(&sums->instructions, &of->instructions, 1);
		add_all(sums->failures, of->failures, FAILURE_SORTS);
		add_all(sums->by_time, of->by_time, STATS_TIME_BUCKETS);
		add_all(sums->by_instructions, of->by_instructions, STATS_INSTRUCTIONS_BUCKETS);
	}
}

static void describe_histogram(struct shunt_report *report, const char *name, double first,
			       const char *unit, const uint64_t *buckets, unsigned count)
{
	double limit = first;

	print(report, "  %s:", name);
	for (unsigned i = 0; i < count; i++, limit *= 2) {
		if (buckets[i] == 0)
			continue;
		if (i + 1 < count)
			print(report, " <%g%s: %" PRIu64, limit, unit, buckets[i]);
		else
			print(report, " more: %" PRIu64, buckets[i]);
	}
	print(report, "\n");
}

static void describe_failures(struct shunt_report *report, const uint64_t *failures)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < FAILURE_SORTS; i++)
		sum += failures[i];
	print(report, ", failures: %" PRIu64, sum);
	for (unsigned i = 0; i < FAILURE_SORTS; i++) {
		if (failures[i] > 0)
			print(report, ", by %s: %" PRIu64, failure_name((enum failure)i),
			      failures[i]);
	}
}

static void describe_quarantine(struct shunt_report *report, struct quarantine_kind *of,
				uint64_t refused)
{
	uint64_t until = atomic_load_explicit(&of->until_ns, memory_order_relaxed);
	uint64_t now = budget_now_ns();

	if (refused > 0)
		print(report, ", not called in quarantine: %" PRIu64, refused);
	if (until > now)
		print(report, ", in quarantine for another %" PRIu64 " ms",
		      (until - now) / 1000000);
	else if (until > 0)
		print(report, ", in quarantine until a call is tried");
}

static void describe_kind(const struct script *script, enum call_kind kind,
			  struct shunt_report *report)
{
	struct sums sums;

	sum_up(script, kind, &sums);
	if (sums.calls + sums.quarantined == 0)
		return;
	print(report, "%s: calls: %" PRIu64, call_kind_name(kind), sums.calls);
	describe_failures(report, sums.failures);
	describe_quarantine(report, &script->quarantine->of_kind[kind], sums.quarantined);
	print(report, "\n");
	if (sums.calls == 0)
		return;
	print(report, "  a call: %.2f us, %" PRIu64 " instructions\n",
	      (double)sums.ns / (double)sums.calls / 1000, sums.instructions / sums.calls);
	describe_histogram(report, "time", STATS_TIME_FIRST / 1000.0, " us", sums.by_time,
			   STATS_TIME_BUCKETS);
	describe_histogram(report, "instructions", STATS_INSTRUCTIONS_FIRST, "",
			   sums.by_instructions, STATS_INSTRUCTIONS_BUCKETS);
}

void describe_figures(const struct script *script, struct shunt_report *report)
{
	const struct limits *limits = &script->limits;

	print(report, "limits: %" PRIu64 " instructions, %" PRIu64 " us, %zu KiB\n",
	      limits->instructions, limits->cpu_ns / 1000, limits->memory / KIB);
	for (unsigned i = 0; i < script->n_states; i++) {
		const struct heap *heap = &script->states[i]->heap;

		print(report, "memory of loop %u: %zu KiB, at most %zu KiB\n", i,
		      atomic_load_explicit(&heap->used, memory_order_relaxed) / KIB,
		      atomic_load_explicit(&heap->largest, memory_order_relaxed) / KIB);
	}
	for (enum call_kind kind = 0; kind < CALL_KINDS; kind++)
		describe_kind(script, kind, report);
}
