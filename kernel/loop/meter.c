/* SPDX-License-Identifier: MIT */
#include "loop/meter.h"

#include <stddef.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/state.h"

/* As loop_pool, set before its threads run. */
static struct {
	uint64_t ns;
	void (*tell)(const struct loop_long_turn *turn);
} watch = {.ns = UINT64_MAX};

void loop_watch_turns(uint64_t ns, void (*tell)(const struct loop_long_turn *turn))
{
	watch.ns = tell ? ns : UINT64_MAX;
	watch.tell = tell;
}

/* ---- The loop's own ---- */

/* Only the own thread writes it (but `recent`), so load and store do what an addition would. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

/* Where a reader takes it at the same moment, it has just been told of a longer one. */
static void raise(_Atomic uint64_t *longest, uint64_t ns)
{
	if (ns > atomic_load_explicit(longest, memory_order_relaxed))
		atomic_store_explicit(longest, ns, memory_order_relaxed);
}

static unsigned class_of(uint64_t ns)
{
	uint64_t n = ns / (LOOP_TURN_CLASS_US * 1000u);
	unsigned bits = n > 0 ? 64u - (unsigned)__builtin_clzll(n) : 0;

	return bits < LOOP_TURN_CLASSES ? bits : LOOP_TURN_CLASSES - 1;
}

static uint64_t stage_ms(uint64_t from, uint64_t to)
{
	return to > from ? (to - from) / 1000000u : 0;
}

static void tell(const struct meter *meter, uint64_t ns)
{
	const struct loop_long_turn turn = {
		.ns = ns,
		.events_ms = stage_ms(meter->began_ns, meter->events_ns),
		.letters_ms = stage_ms(meter->events_ns, meter->letters_ns),
		.tasks_ms = stage_ms(meter->letters_ns, meter->ended_ns),
	};

	watch.tell(&turn);
}

void meter_end_turn(struct meter *meter)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t ns = now - meter->began_ns;

	meter->ended_ns = now;
	add(&meter->busy_ns, ns);
	add(&meter->counts[class_of(ns)], 1);
	raise(&meter->longest_ns, ns);
	raise(&meter->recent_ns, ns);
	if (UNLIKELY(ns >= watch.ns))
		tell(meter, ns);
}

/* ---- For whoever asks ---- */

static uint64_t get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t loop_busy_ns(unsigned index)
{
	return get(&loop_at(index)->meter.busy_ns);
}

void loop_turns(unsigned index, struct loop_turns *ret_turns)
{
	const struct meter *meter = &loop_at(index)->meter;

	ret_turns->busy_ns = get(&meter->busy_ns);
	ret_turns->longest_ns = get(&meter->longest_ns);
	for (unsigned i = 0; i < LOOP_TURN_CLASSES; i++)
		ret_turns->counts[i] = get(&meter->counts[i]);
}

uint64_t loop_take_longest_ns(unsigned index)
{
	return atomic_exchange_explicit(&loop_at(index)->meter.recent_ns, 0, memory_order_relaxed);
}
