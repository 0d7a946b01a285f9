/* SPDX-License-Identifier: MIT */

/* A script on several loops at once, each in its own state; who enters a state, and how deep. */

#include "describe.h"
#include "lua_case.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define LOOPS 4
#define CALLS 2000

static const char source[] =
	"n = 0 function f() n = n + 1 return n end "
	"function bad() n = n + 1 if n % 3 == 0 then error('x') end return n end";

static void call_global(lua_State *L, void *context)
{
	lua_getglobal(L, context);
	lua_call(L, 0, 0);
}

struct loop {
	pthread_t thread;
	struct script *script;
	unsigned number;
	unsigned state; /* in which it calls */
	_Atomic bool done;
};

static void *run_loop(void *context)
{
	struct loop *loop = context;
	static char f[] = "f", bad[] = "bad";

	fake_loop_index = loop->number;
	for (unsigned i = 0; i < CALLS; i++) {
		(void)call_run(loop->script->states[loop->state], CALL_PUBLISH, call_global, f,
			       NULL);
		(void)call_run(loop->script->states[loop->state], CALL_ROUTE, call_global, bad,
			       NULL);
	}
	atomic_store(&loop->done, true);
	return NULL;
}

static void discard(struct shunt_report *report, struct shunt_bytes text)
{
	(void)report;
	(void)text;
}

/* Home reads figures and lines meanwhile. */
static void watch(struct script *script, struct loop *loops, unsigned count)
{
	struct shunt_report report = {sizeof(report), discard};

	for (unsigned i = 0; i < count;) {
		describe_figures(script, &report);
		for (unsigned s = 0; s < script->n_states; s++)
			lines_flush(script->states[s]);
		i += atomic_load(&loops[i].done);
		(void)sched_yield();
	}
}

/* own_state: each in its own, else all in the first one. */
static void run_loops(struct lua_case *c, bool own_state)
{
	struct loop loops[LOOPS];

	for (unsigned i = 0; i < LOOPS; i++) {
		loops[i].script = c->script;
		loops[i].number = i;
		loops[i].state = own_state ? i : 0;
		atomic_init(&loops[i].done, false);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&loops[i].thread, NULL, run_loop, &loops[i]),
				      0);
	}
	watch(c->script, loops, LOOPS);
	for (unsigned i = 0; i < LOOPS; i++)
		CU_ASSERT_EQUAL(pthread_join(loops[i].thread, NULL), 0);
}

static uint64_t calls_of(const struct state *state, enum call_kind kind)
{
	return atomic_load(&state->stats.of_kind[kind].calls) +
	       atomic_load(&state->stats.of_kind[kind].quarantined);
}

static void each_in_its_own(void)
{
	struct lua_case c;

	lua_case_open_loops(&c, source, NULL, LOOPS);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(c.script->n_states, LOOPS);
	for (unsigned i = 0; i < LOOPS; i++) {
		fake_loop_index = i;
		CU_ASSERT_PTR_EQUAL(script_state_here(c.script), c.script->states[i]);
	}
	fake_loop_index = 0;
	run_loops(&c, true);
	for (unsigned i = 0; i < LOOPS; i++) {
		CU_ASSERT_EQUAL(calls_of(c.script->states[i], CALL_PUBLISH), CALLS);
		CU_ASSERT_EQUAL(calls_of(c.script->states[i], CALL_ROUTE), CALLS);
	}
	lua_case_close(&c);
}

/* They wait for each other. */
static void all_in_one(void)
{
	struct lua_case c;

	lua_case_open_loops(&c, source, NULL, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	run_loops(&c, false);
	CU_ASSERT_EQUAL(calls_of(c.script->states[0], CALL_PUBLISH), LOOPS * CALLS);
	lua_case_close(&c);
}

/* ---- Calls within calls, as tests make them ---- */

struct nest {
	struct lua_case *c;
	const char *function;
	enum call_result result;
};

static struct nest nest;

static void nothing(lua_State *L, void *context)
{
	(void)L;
	(void)context;
}

static int ask_again(lua_State *L)
{
	(void)L;
	CU_ASSERT_EQUAL(call_try_run(lua_case_state(nest.c), CALL_BIND, nothing, NULL, NULL),
			CALL_BUSY);
	nest.result = lua_case_call(nest.c, CALL_PUBLISH, nest.function);
	return 0;
}

static void test_body(lua_State *L, void *context)
{
	(void)context;
	CU_ASSERT_EQUAL(call_kind_now(L), CALL_TEST);
	lua_pushcfunction(L, ask_again);
	lua_setglobal(L, "ask");
	lua_getglobal(L, "test");
	lua_call(L, 0, 0);
	CU_ASSERT_EQUAL(call_kind_now(L), CALL_TEST);
}

static void within(const char *function, enum call_result inner, enum call_result outer)
{
	struct lua_case c;

	lua_case_open(&c,
		      "function f() return 7 end function endless() while true do end end "
		      "function test() ask() local n = 0 for i = 1, 300000 do n = n + 1 end end "
		      "function wrapped() coroutine.wrap(test)() end",
		      (const char *const[]){"cpu_time", "10000000", NULL});
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	nest = (struct nest){&c, function, CALL_BUSY};
	CU_ASSERT_EQUAL(call_run(lua_case_state(&c), CALL_TEST, test_body, NULL, NULL), outer);
	CU_ASSERT_EQUAL(nest.result, inner);
	CU_ASSERT_EQUAL(call_try_run(lua_case_state(&c), CALL_BIND, nothing, NULL, NULL), CALL_OK);
	lua_case_close(&c);
}

/* The inner call has the budget of its kind; that it is over does not end the outer one. */
static void nested(void)
{
	within("f", CALL_OK, CALL_OK);
	within("nothing", CALL_FAILED, CALL_OK);
	within("endless", CALL_FAILED, CALL_OK);
}

UNIT_MAIN("lua_loops", UNIT_TEST(each_in_its_own), UNIT_TEST(all_in_one), UNIT_TEST(nested))
