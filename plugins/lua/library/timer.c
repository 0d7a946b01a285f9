/* SPDX-License-Identifier: MIT */
/*
 * A timer is an object of Lua's, which its own reference in the registry keeps while it is to fire.
 * At home it has a timer of the host, once the script is in force: none can be made before, as a
 * script is opened on any thread.
 */
#include "library/timer.h"

#include <stdio.h>
#include <string.h>

#include "policy/callee.h"
#include "script.h"
#include "run/state.h"

#define TIMERS_MAX  1000u /* of a state: those of the host are not in its memory */
#define SECONDS_MIN 0.001
#define SECONDS_MAX (10 * 366 * 86400.0)
#define TYPE_NAME   "timer"

/*
 * Timers of a script may take one part in so many of their loop's time, and no more of it at once
 * than AT_ONCE_NS; what is to fire then is put off, as otherwise connections would have to wait: a
 * thousand timers of a millisecond each would leave them nothing.
 */
#define ONE_IN	   5u
#define AT_ONCE_NS UINT64_C(20000000)
#define PUT_OFF_MS 100u

/* Of a state. */
struct timer_state {
	struct callee startup;
	struct timer *waiting; /* made before the script is in force; the last one first */
	unsigned n_timers;
	bool is_begun;
	bool has_told_of_share;
	uint64_t free_ns; /* when what timers have taken is made good */
};

/* The function is its user value. */
struct timer {
	struct state *state;
	struct shunt_timer *of_host; /* NULL: not begun, or over */
	struct timer *next;	     /* timer_state.waiting */
	uint64_t delay_ms, repeat_ms;
	int self; /* in the registry; LUA_NOREF: it is over */
};

static struct timer_state *own_of(const struct state *state)
{
	return state->of_module[MODULE_TIMER];
}

/* ---- Firing ---- */

/* Lua forgets it when the script does. Inside a call. */
static void forget(lua_State *L, struct timer *timer)
{
	if (timer->self == LUA_NOREF)
		return;
	luaL_unref(L, LUA_REGISTRYINDEX, timer->self);
	timer->self = LUA_NOREF;
	own_of(timer->state)->n_timers--;
}

static void forget_unfired(lua_State *L, void *context)
{
	forget(L, context);
}

/* Home. */
static void end(struct timer *timer)
{
	const struct shunt_host *host = timer->state->script->host;

	if (timer->of_host != NULL)
		host->timer_free(host, timer->of_host);
	timer->of_host = NULL;
}

/* The stack keeps it while its function runs, which may stop it. */
static void call(lua_State *L, void *context)
{
	struct timer *timer = context;

	lua_rawgeti(L, LUA_REGISTRYINDEX, timer->self);
	if (timer->of_host == NULL)
		forget(L, timer);
	lua_getiuservalue(L, -1, 1);
	lua_call(L, 0, 0);
}

static void call_startup(lua_State *L, void *context)
{
	const struct timer_state *own = context;

	callee_push(L, &own->startup);
	lua_call(L, 0, 0);
}

/* One that was to fire once, and must not now, is over all the same: what loads scripts is never
 * in quarantine. */
static void run(struct timer *timer)
{
	struct state *state = timer->state;
	bool is_last = timer->repeat_ms == 0;

	if (is_last)
		end(timer);
	if (call_run(state, CALL_TIMER, call, timer, NULL) == CALL_QUARANTINED && is_last)
		(void)call_run(state, CALL_LOAD, forget_unfired, timer, NULL);
}

/* In a test time stands still meanwhile. */
static bool has_share(const struct state *state, uint64_t now_ns)
{
	return own_of(state)->free_ns < now_ns + AT_ONCE_NS * ONE_IN || state->script->is_test;
}

static void put_off(struct timer *timer)
{
	struct state *state = timer->state;
	struct timer_state *own = own_of(state);
	const struct shunt_host *host = state->script->host;

	host->timer_start(host, timer->of_host, PUT_OFF_MS, timer->repeat_ms);
	if (own->has_told_of_share)
		return;
	own->has_told_of_share = true;
	lines_log(state, SHUNT_LOG_WARNING,
		  "timers take more than a fifth of the time: some fire later");
}

static void fire(void *context)
{
	struct timer *timer = context;
	struct timer_state *own = own_of(timer->state);
	uint64_t now_ns = budget_now_ns(), start_ns;

	if (!has_share(timer->state, now_ns)) {
		put_off(timer);
		return;
	}
	start_ns = budget_cpu_ns();
	run(timer);
	if (own->free_ns < now_ns)
		own->free_ns = now_ns;
	own->free_ns += (budget_cpu_ns() - start_ns) * ONE_IN;
}

/* ---- Making and stopping ---- */

static int begin(struct timer *timer)
{
	const struct shunt_host *host = timer->state->script->host;

	timer->of_host = host->timer_create(host, fire, timer);
	if (timer->of_host == NULL)
		return -1;
	host->timer_start(host, timer->of_host, timer->delay_ms, timer->repeat_ms);
	return 0;
}

static bool is_time_for_it(enum call_kind kind)
{
	return kind == CALL_LOAD || kind == CALL_STARTUP || kind == CALL_TIMER;
}

static uint64_t milliseconds(lua_State *L, int index)
{
	lua_Number seconds = luaL_checknumber(L, index);

	luaL_argcheck(L, seconds >= SECONDS_MIN && seconds <= SECONDS_MAX, index,
		      "seconds, from 0.001 to ten years, expected");
	return (uint64_t)(seconds * 1000 + 0.5);
}

/* It has a reference to itself, and is at the top. */
static struct timer *create(lua_State *L, struct state *state, bool repeats)
{
	struct timer_state *own = own_of(state);
	uint64_t ms = milliseconds(L, 1);
	struct timer *timer;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (own->n_timers >= TIMERS_MAX)
		luaL_error(L, "there are %d timers already", (int)own->n_timers);
	timer = lua_newuserdatauv(L, sizeof(*timer), 1);
	*timer = (struct timer){
		.state = state, .delay_ms = ms, .repeat_ms = repeats ? ms : 0, .self = LUA_NOREF};
	luaL_setmetatable(L, TYPE_NAME);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, -2, 1);
	lua_pushvalue(L, -1);
	timer->self = luaL_ref(L, LUA_REGISTRYINDEX);
	own->n_timers++;
	return timer;
}

static int make(lua_State *L, bool repeats)
{
	struct state *state = state_of(L);
	struct timer_state *own = own_of(state);
	struct timer *timer;

	if (!is_time_for_it(call_kind_now(L)))
		return luaL_error(L, "timers are made at top level, in startup() and in timers");
	timer = create(L, state, repeats);
	if (state->loop != 0) {
		forget(L, timer);
	} else if (!own->is_begun) {
		timer->next = own->waiting;
		own->waiting = timer;
	} else if (begin(timer) != 0) {
		forget(L, timer);
		return luaL_error(L, "not enough memory");
	}
	return 1;
}

/* timer.every(seconds, f) -> timer */
static int every(lua_State *L)
{
	return make(L, true);
}

/* timer.after(seconds, f) -> timer */
static int after(lua_State *L)
{
	return make(L, false);
}

/* Before it has begun it stays in the list, which is not read in order any more. */
static void unlink_waiting(struct timer_state *own, const struct timer *timer)
{
	struct timer **place = &own->waiting;

	while (*place != NULL && *place != timer)
		place = &(*place)->next;
	if (*place != NULL)
		*place = timer->next;
}

/* t:stop() */
static int stop(lua_State *L)
{
	struct timer *timer = luaL_checkudata(L, 1, TYPE_NAME);
	enum call_kind kind = call_kind_now(L);

	if (kind == CALL_ROUTE || kind == CALL_VALIDATE || kind == CALL_BIND)
		return luaL_error(L, "a timer cannot be stopped here");
	unlink_waiting(own_of(timer->state), timer);
	end(timer);
	forget(L, timer);
	return 0;
}

/* ---- In force ---- */

void timer_run_startup(struct script *script)
{
	struct state *home = script->states[0];

	if (callee_is_defined(&own_of(home)->startup))
		(void)call_run(home, CALL_STARTUP, call_startup, own_of(home), NULL);
}

/* In the order in which they were made. */
static struct timer *take_waiting(struct timer_state *own)
{
	struct timer *first = NULL;

	while (own->waiting != NULL) {
		struct timer *timer = own->waiting;

		own->waiting = timer->next;
		timer->next = first;
		first = timer;
	}
	return first;
}

static void begin_all(lua_State *L, void *context)
{
	struct state *home = context;
	struct timer_state *own = own_of(home);
	struct timer *next;

	own->is_begun = true;
	for (struct timer *timer = take_waiting(own); timer != NULL; timer = next) {
		next = timer->next;
		timer->next = NULL;
		if (begin(timer) == 0)
			continue;
		lines_log(home, SHUNT_LOG_ERROR, "no timer: not enough memory");
		forget(L, timer);
	}
}

/* Nothing of the script runs by that. */
void timer_begin(struct script *script)
{
	(void)call_run(script->states[0], CALL_LOAD, begin_all, script->states[0], NULL);
}

static void activate(struct script *script)
{
	timer_run_startup(script);
	timer_begin(script);
}

/* ---- The life of it ---- */

static void open_timer(lua_State *L, struct state *state)
{
	static const luaL_Reg functions[] = {{"every", every}, {"after", after}, {NULL, NULL}};
	const struct shunt_host *host = state->script->host;
	struct timer_state *own = host->allocate(host, sizeof(*own));

	if (own == NULL)
		luaL_error(L, "not enough memory");
	else
		*own = (struct timer_state){0};
	state->of_module[MODULE_TIMER] = own;
	luaL_newmetatable(L, TYPE_NAME);
	lua_newtable(L);
	lua_pushcfunction(L, stop);
	lua_setfield(L, -2, "stop");
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	lua_setglobal(L, "timer");
}

static void look(lua_State *L, struct state *state)
{
	callee_find(L, "startup", &own_of(state)->startup);
}

static void describe(const struct script *script, struct shunt_report *report)
{
	const struct timer_state *own = own_of(script->states[0]);
	char line[64];

	if (callee_is_defined(&own->startup))
		report->print(report, (struct shunt_bytes){(const uint8_t *)"startup\n", 8});
	if (own->n_timers == 0)
		return;
	(void)snprintf(line, sizeof(line), "timers: %u\n", own->n_timers);
	report->print(report, (struct shunt_bytes){(const uint8_t *)line, strlen(line)});
}

static void close_state(struct state *state)
{
	state->script->host->free(state->script->host, own_of(state));
}

const struct module timer_module = {
	.open = open_timer,
	.look = look,
	.activate = activate,
	.describe = describe,
	.close_state = close_state,
};
