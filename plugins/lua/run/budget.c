/* SPDX-License-Identifier: MIT */

#include "run/budget.h"

#include <string.h>
#include <time.h>

#include "run/state.h"

/*
 * Instructions from hook to hook. Most take some ns. One that looks at a whole string (a
 * comparison, or a number made of it) takes some 0.6 ns a byte: so the more often, the longer the
 * strings are that there are. One that goes through a chain of __index may take 20 us: that shows.
 */
#define INTERVAL	     50
#define INTERVAL_SLOW	     5
#define INTERVAL_BIG_STRING  10
#define INTERVAL_HUGE_STRING 2
#define SLOW_NS		     20000u

#define OVERRUN_TIMES 5

/*
 * What C functions charge, in instructions, from one look at the clock to the next: what they do may
 * take longer than they charge (an element is found through a chain of __index), and while they call
 * each other no hook comes.
 */
#define CHARGED_UNSEEN 400

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t budget_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t budget_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void place_find(struct place *place, lua_State *L)
{
	lua_Debug frame;

	for (int level = 0; lua_getstack(L, level, &frame) == 1; level++) {
		if (lua_getinfo(L, "Sl", &frame) != 0 && frame.currentline > 0) {
			memcpy(place->source, frame.short_src, sizeof(place->source));
			place->line = frame.currentline;
			return;
		}
	}
}

static void take_base(struct budget *budget, uint64_t elapsed)
{
	uint64_t limit = budget->limit_ns;

	budget->cpu_base_ns = budget_cpu_ns();
	budget->before_ns = elapsed;
	budget->cpu_left_ns = limit - (elapsed < limit ? limit / 8 : limit / 2);
}

/*
 * Reading the CPU's clock is a system call, so it is done when the cheap one says that it may be
 * needed. The base is taken after an eighth of the limit, which counts as used up; should the hook come
 * for the first time when all of it may be, then a half counts. Where instructions may take long it is
 * taken at the start.
 */
static bool is_time_over(struct budget *budget, uint64_t now_ns)
{
	uint64_t elapsed = now_ns - budget->start_ns;
	uint64_t limit = budget->limit_ns;

	if (elapsed < limit / 8)
		return false;
	if (budget->cpu_base_ns == 0) {
		take_base(budget, elapsed);
		return false;
	}
	return elapsed >= limit &&
	       budget_cpu_ns() - budget->cpu_base_ns >= budget->cpu_left_ns;
}

static int choose_interval(const struct budget *budget, const struct heap *heap)
{
	if (heap->huge_strings > 0)
		return INTERVAL_HUGE_STRING;
	if (budget->is_slow)
		return INTERVAL_SLOW;
	return heap->big_strings > 0 ? INTERVAL_BIG_STRING : INTERVAL;
}

/* Whether what is allowed is spent; else looks whether the hook comes often enough. */
static bool look(struct budget *budget, lua_State *L)
{
	uint64_t now_ns = budget_now_ns();

	budget->left -= lua_gethookcount(L);
	budget->looked_left = budget->left;
	if (budget->left < 0)
		budget_end(budget, BUDGET_INSTRUCTIONS);
	else if (is_time_over(budget, now_ns))
		budget_end(budget, BUDGET_TIME);
	if (now_ns - budget->looked_ns > SLOW_NS && !budget->is_slow) {
		budget->is_slow = true;
		budget->interval = choose_interval(budget, &state_of(L)->heap);
		budget_arm(budget, L);
	}
	budget->looked_ns = now_ns;
	return budget->over != BUDGET_IS_LEFT;
}

static void budget_hook(lua_State *L, lua_Debug *event)
{
	struct budget *budget = &state_of(L)->budget;

	(void)event;
	if (budget->over != BUDGET_IS_LEFT || look(budget, L))
		budget_raise(L, budget);
}

void budget_arm(struct budget *budget, lua_State *L)
{
	int interval = budget->over == BUDGET_IS_LEFT ? budget->interval : 1;

	if (lua_gethookcount(L) != interval)
		lua_sethook(L, budget_hook, LUA_MASKCOUNT, interval);
}

void budget_begin(struct budget *budget, lua_State *L, int64_t instructions, uint64_t limit_ns,
		  uint64_t now_ns)
{
	const struct heap *heap = &state_of(L)->heap;
	bool may_be_slow = budget->is_slow || heap->big_strings > 0;

	budget->running = L;
	budget->interval = choose_interval(budget, heap);
	budget->is_slow = false;
	budget->over = BUDGET_IS_LEFT;
	budget->total = budget->left = budget->looked_left = instructions;
	budget->start_ns = budget->looked_ns = now_ns;
	budget->limit_ns = budget->cpu_left_ns = limit_ns;
	budget->before_ns = 0;
	budget->cpu_base_ns = may_be_slow ? budget_cpu_ns() : 0;
	budget->place.source[0] = '\0';
	budget_arm(budget, L);
}

void budget_end(struct budget *budget, enum budget_over reason)
{
	if (budget->over != BUDGET_IS_LEFT || !budget->running)
		return;
	budget->over = reason;
	place_find(&budget->place, budget->running);
	lua_sethook(budget->running, budget_hook, LUA_MASKCOUNT, 1);
}

bool budget_is_overrun(const struct budget *budget)
{
	uint64_t cpu;

	if (budget->over != BUDGET_TIME)
		return false;
	cpu = read_clock(CLOCK_THREAD_CPUTIME_ID) - budget->cpu_base_ns;
	return budget->before_ns + cpu > OVERRUN_TIMES * budget->limit_ns;
}

void budget_raise(lua_State *L, struct budget *budget)
{
	lua_pushlightuserdata(L, budget);
	(void)lua_error(L);
	__builtin_unreachable();
}

bool budget_is_raised(lua_State *L, const struct budget *budget)
{
	return lua_touserdata(L, -1) == budget;
}

/* Raises nothing: it may be called in the midst of anything. */
static void spend(struct budget *budget, int64_t instructions, int64_t unseen)
{
	if (budget->over != BUDGET_IS_LEFT)
		return;
	budget->left -= instructions;
	if (budget->left < 0) {
		budget_end(budget, BUDGET_INSTRUCTIONS);
	} else if (budget->looked_left - budget->left > unseen) {
		budget->looked_left = budget->left;
		if (is_time_over(budget, budget_now_ns()))
			budget_end(budget, BUDGET_TIME);
	}
}

void budget_charge_bytes(struct budget *budget, size_t bytes)
{
	if (budget->running)
		spend(budget, (int64_t)(bytes / BUDGET_BYTES), CHARGED_UNSEEN);
}

/* Lua asks again after it has collected all garbage, so what is refused is refused twice. */
void budget_memory_refused(struct budget *budget, unsigned refusals)
{
	if (!budget->running || budget->over != BUDGET_IS_LEFT)
		return;
	if (refusals > 2)
		budget_end(budget, BUDGET_MEMORY);
	else
		place_find(&budget->place, budget->running);
}

void budget_strings_grew(struct budget *budget, bool huge)
{
	int interval = huge ? INTERVAL_HUGE_STRING : INTERVAL_BIG_STRING;

	if (!budget->running || budget->interval <= interval)
		return;
	if (huge && budget->cpu_base_ns == 0)
		take_base(budget, budget_now_ns() - budget->start_ns);
	budget->interval = interval;
	budget_arm(budget, budget->running);
}

static void charge(lua_State *L, uint64_t instructions, int64_t unseen)
{
	struct budget *budget = &state_of(L)->budget;

	if (instructions > (uint64_t)INT64_MAX / 2)
		instructions = (uint64_t)INT64_MAX / 2;
	spend(budget, (int64_t)instructions, unseen);
	if (budget->over != BUDGET_IS_LEFT)
		budget_raise(L, budget);
}

void call_charge(lua_State *L, uint64_t instructions)
{
	charge(L, instructions, CHARGED_UNSEEN);
}

void call_charge_slow(lua_State *L, uint64_t instructions)
{
	charge(L, instructions, 0);
}

bool call_is_over(lua_State *L)
{
	return state_of(L)->budget.over != BUDGET_IS_LEFT;
}
