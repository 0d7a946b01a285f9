/* SPDX-License-Identifier: MIT */

#include "run/call.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "run/fault.h"
#include "message/message.h"
#include "run/quarantine.h"
#include "script.h"
#include "run/state.h"

/* Loading and testing happen on a thread that nobody waits for, once. */
#define PATIENCE 100u

struct call {
	enum call_kind kind;
	void (*body)(lua_State *L, void *context);
	void *context;
	struct call *outer; /* of a nested one */
	uint64_t start_ns;
	bool trial;
};

const char *call_kind_name(enum call_kind kind)
{
	static const char *const names[CALL_KINDS] = {
		[CALL_LOAD] = "load",	    [CALL_STARTUP] = "startup",
		[CALL_TIMER] = "timer",	    [CALL_VALIDATE] = "validate",
		[CALL_BIND] = "bind",	    [CALL_ROUTE] = "route",
		[CALL_PUBLISH] = "publish", [CALL_AUTHENTICATE] = "authenticate",
		[CALL_DONE] = "done",	    [CALL_AUTHORIZE] = "authorize",
		[CALL_TEST] = "test",	    [CALL_DELIVER] = "deliver",
	};

	return names[kind];
}

enum call_kind call_kind_now(lua_State *L)
{
	return state_of(L)->call->kind;
}

bool call_is_in_route(const struct state *state)
{
	return state->call && state->call->kind == CALL_ROUTE;
}

static int run_body(lua_State *L)
{
	struct call *call = state_of(L)->call;

	call->body(L, call->context);
	return 0;
}

static void begin_budget(struct state *state, lua_State *L, const struct call *call)
{
	const struct limits *limits = &state->script->limits;
	bool patient = call->kind == CALL_LOAD || call->kind == CALL_TEST;
	uint64_t times = patient ? PATIENCE : 1;

	heap_begin_call(&state->heap);
	budget_begin(&state->budget, L, (int64_t)(limits->instructions * times),
		     limits->cpu_ns * times, call->start_ns);
}

static void say_quarantine(struct state *state, const struct call *call, bool grave,
			   unsigned seconds)
{
	const char *kind = call_kind_name(call->kind);
	char text[128];

	if (grave)
		(void)snprintf(text, sizeof(text),
			       "%s took many times its `cpu_time`, no call for %u s", kind,
			       seconds);
	else
		(void)snprintf(text, sizeof(text),
			       "%s has failed %u times in a row, no call for %u s", kind,
			       state->script->quarantine->after, seconds);
	lines_log(state, SHUNT_LOG_WARNING, text);
}

static void count_failure(struct state *state, const struct call *call, enum failure sort,
			  uint64_t now_ns)
{
	struct quarantine *quarantine = state->script->quarantine;
	bool grave = budget_is_overrun(&state->budget);
	char line[LINE_SIZE];
	unsigned seconds;

	stats_count_failure(&state->stats, call->kind, sort);
	if (call->kind == CALL_LOAD || call->kind == CALL_TEST)
		return; /* said to who has asked for it */
	(void)snprintf(line, sizeof(line), "%s failed: %s", call_kind_name(call->kind),
		       state->last_error);
	lines_log_limited(state, SHUNT_LOG_WARNING, line, now_ns);
	seconds = quarantine_failed(quarantine, call->kind, call->trial, grave, now_ns);
	if (seconds > 0)
		say_quarantine(state, call, grave, seconds);
}

static void finish_call(struct state *state, lua_State *L, const struct call *call, int status)
{
	const struct budget *budget = &state->budget;
	uint64_t now_ns = budget_now_ns();
	int64_t used = budget->total - budget->left;
	enum failure sort;

	stats_count_call(&state->stats, call->kind, now_ns - call->start_ns,
			 used > 0 ? (uint64_t)used : 0);
	if (status == LUA_OK) {
		quarantine_succeeded(state->script->quarantine, call->kind);
		return;
	}
	sort = fault_sort(L, status);
	fault_text(L, sort, state->last_error, sizeof(state->last_error));
	state->failures++;
	count_failure(state, call, sort, now_ns);
}

static void fill_error(const struct state *state, struct shunt_error *error)
{
	if (!error)
		return;
	error->code = 0;
	memcpy(error->text, state->last_error, sizeof(error->text));
}

static void fill_error_quarantined(enum call_kind kind, struct shunt_error *error)
{
	if (!error)
		return;
	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text),
		       "%s is not called for a while, as it has failed", call_kind_name(kind));
}

/* The stack of L is at least LUA_MINSTACK slots: of the main thread, or of a C function of a test.
 */
static enum call_result run_protected(struct state *state, struct call *call,
				      struct shunt_error *error)
{
	lua_State *L = call->outer ? state->budget.running : state->lua;
	int top = lua_gettop(L);
	int status = LUA_ERRMEM;

	begin_budget(state, L, call);
	if (lua_checkstack(L, 3)) {
		lua_pushcfunction(L, fault_handler);
		lua_pushcfunction(L, run_body);
		status = lua_pcall(L, 0, 0, top + 1);
	} else {
		lua_pushnil(L);
	}
	/* what is over stays over, even when the last pcall() has caught it */
	if (status == LUA_OK && state->budget.over != BUDGET_IS_LEFT)
		status = LUA_ERRRUN;
	finish_call(state, L, call, status);
	lua_settop(L, top);
	if (status == LUA_OK)
		return CALL_OK;
	fill_error(state, error);
	return CALL_FAILED;
}

static enum call_result run_entered(struct state *state, struct call *call,
				    struct shunt_error *error)
{
	struct quarantine *quarantine = state->script->quarantine;
	enum quarantine_answer answer;
	enum call_result result;

	call->start_ns = budget_now_ns();
	answer = quarantine_ask(quarantine, call->kind, call->start_ns);
	if (answer == QUARANTINE_REFUSES) {
		stats_count_quarantined(&state->stats, call->kind);
		fill_error_quarantined(call->kind, error);
		return CALL_QUARANTINED;
	}
	call->trial = answer == QUARANTINE_TRIAL;
	call->outer = state->call;
	state->call = call;
	result = run_protected(state, call, error);
	message_close(state); /* while nobody else can be in the state, who might look at it */
	state->call = call->outer;
	return result;
}

/* A test asks its own script: the outer call goes on with what it had, less what this one took. */
static enum call_result run_nested(struct state *state, struct call *call,
				   struct shunt_error *error)
{
	struct budget saved = state->budget;
	unsigned refusals = state->heap.refusals;
	enum call_result result = run_entered(state, call, error);

	saved.left -= state->budget.total - state->budget.left;
	saved.interval = state->budget.interval;
	state->budget = saved;
	state->heap.refusals = refusals;
	if (saved.left < 0)
		budget_end(&state->budget, BUDGET_INSTRUCTIONS);
	budget_arm(&state->budget, saved.running);
	return result;
}

static enum call_result run(struct state *state, struct call *call, bool wait,
			    struct shunt_error *error)
{
	uintptr_t self = (uintptr_t)pthread_self();
	uintptr_t nobody = 0;
	enum call_result result;

	while (!atomic_compare_exchange_strong_explicit(
		&state->entered, &nobody, self, memory_order_acquire, memory_order_relaxed)) {
		if (!wait)
			return CALL_BUSY;
		if (nobody == self)
			return run_nested(state, call, error);
		nobody = 0;
		(void)sched_yield();
	}
	result = run_entered(state, call, error);
	state->budget.running = NULL;
	atomic_store_explicit(&state->entered, 0, memory_order_release);
	return result;
}

enum call_result call_run(struct state *state, enum call_kind kind,
			  void (*body)(lua_State *L, void *context), void *context,
			  struct shunt_error *error)
{
	struct call call = {.kind = kind, .body = body, .context = context};

	return run(state, &call, true, error);
}

enum call_result call_try_run(struct state *state, enum call_kind kind,
			      void (*body)(lua_State *L, void *context), void *context,
			      struct shunt_error *error)
{
	struct call call = {.kind = kind, .body = body, .context = context};

	return run(state, &call, false, error);
}
