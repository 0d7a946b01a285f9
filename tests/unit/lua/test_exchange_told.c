/* SPDX-License-Identifier: MIT */

/* Exchange types that are told of their bindings: bind and unbind functions, on several loops. */

#include <pthread.h>
#include <string.h>

#include "exchange/instance.h"
#include "lua_exchange.h"
#include "run/quarantine.h"
#include "unit.h"

/* Keeps its own list; said: what it was told since the last route, by destination. */
#define TOLD                                                                                       \
	"said = ''\n"                                                                              \
	"exchange.register{ name = 'x',\n"                                                         \
	"bind = function(x, b) x.state[b.id] = b said = said .. '+' .. b.destination\n"            \
	"  if b.routing_key == 'bad' then error('bad') end end,\n"                                 \
	"unbind = function(x, b) said = said .. '-' .. b.destination\n"                            \
	"  if x.state[b.id] ~= b then error('another object') end\n"                               \
	"  x.state[b.id] = nil end,\n"                                                             \
	"route = function(m, bs, emit, x) log.info(said) said = ''\n"                              \
	"  local ids = {} for id in pairs(x.state) do ids[#ids + 1] = id end\n"                    \
	"  table.sort(ids) for i = 1, #ids do emit(x.state[ids[i]]) end end }"

static struct lua_exchange x;

/* What a loop's state was told since it last routed, and then where it routes to. */
static const char *told(unsigned loop)
{
	static char text[1600];

	fake_loop_index = loop;
	(void)lua_exchange_route(&x, "", NULL);
	fake_loop_index = 0;
	(void)snprintf(text, sizeof(text), "%s > %s", x.c.log, x.routed);
	return text;
}

#define ASSERT_TOLD(loop, expected) CU_ASSERT_STRING_EQUAL(told(loop), expected)

static void all_are_told_before_first_message(void)
{
	lua_exchange_open(&x, TOLD, 3);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	(void)lua_exchange_bind(&x, "", "b", NULL);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(((struct instance *)x.state)->seats->of_state[i].follows);
		CU_ASSERT_EQUAL(((struct instance *)x.state)->seats->of_state[i].told,
				((struct instance *)x.state)->changes.end);
	}
	ASSERT_TOLD(2, "+a+b > a b");
	lua_exchange_close(&x);
}

static void each_loop_is_told_before_its_next_route(void)
{
	lua_exchange_open(&x, TOLD, 2);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	ASSERT_TOLD(0, "+a > a");
	(void)lua_exchange_bind(&x, "", "b", NULL);
	ASSERT_TOLD(0, "+b > a b");
	lua_exchange_unbind(&x, &x.bindings[0]);
	(void)lua_exchange_bind(&x, "", "c", NULL);
	ASSERT_TOLD(1, "+a+b-a+c > b c");
	ASSERT_TOLD(0, "-a+c > b c");
	ASSERT_TOLD(1, " > b c");
	lua_exchange_close(&x);
}

/* It came and went before the state was told that it came. */
static void what_is_gone_can_still_be_looked_at(void)
{
	lua_exchange_open(&x,
			  "exchange.register{ name = 'x',\n"
			  "bind = function(x, b) local s = x.state\n"
			  "  s.text = (s.last and s.last.destination or '') .. b.destination .. "
			  "(b.arguments.a or '') s.last = b end,\n"
			  "route = function(m, bs, emit, x) log.info(x.state.text) end }",
			  1);
	struct fake_table arguments = {0};

	fake_table_put_text(&arguments, "a", "A");
	(void)lua_exchange_route(&x, "", NULL);
	(void)lua_exchange_bind(&x, "", "p", &arguments);
	fake_table_fini(&arguments);
	(void)lua_exchange_bind(&x, "", "q", NULL);
	lua_exchange_unbind(&x, &x.bindings[0]);
	ASSERT_TOLD(0, "pq > ");
	lua_exchange_close(&x);
}

static void who_lags_too_far_behind_begins_anew(void)
{
	lua_exchange_open(&x, TOLD, 2);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	ASSERT_TOLD(0, "+a > a");
	ASSERT_TOLD(1, "+a > a");
	for (unsigned i = 0; i < 2000; i++) {
		struct lua_exchange_binding *binding = lua_exchange_bind(&x, "", "b", NULL);

		lua_exchange_unbind(&x, binding);
		x.n_bindings--;
		ASSERT_TOLD(0, "+b-b > a");
	}
	/* the other one has none of the 4000, but what there is */
	ASSERT_TOLD(1, "+a > a");
	CU_ASSERT_TRUE(((struct instance *)x.state)->changes.capacity <= 1024);
	lua_exchange_close(&x);
}

static void nothing_is_kept_for_who_never_routes(void)
{
	lua_exchange_open(&x, TOLD, 2);
	ASSERT_TOLD(0, " > ");
	for (unsigned i = 0; i < 100; i++) {
		struct lua_exchange_binding *binding = lua_exchange_bind(&x, "", "b", NULL);

		lua_exchange_unbind(&x, binding);
		x.n_bindings--;
		ASSERT_TOLD(0, "+b-b > ");
	}
	CU_ASSERT_TRUE(((struct instance *)x.state)->changes.capacity <= 16);
	lua_exchange_close(&x);
}

static void failing_bind_is_counted_and_not_repeated(void)
{
	lua_exchange_open(&x, TOLD, 2);
	(void)lua_exchange_bind(&x, "bad", "a", NULL);
	CU_ASSERT_STRING_EQUAL(x.c.log, "bind failed: case.lua:4: bad");
	CU_ASSERT_EQUAL(x.c.script->states[0]->failures, 1);
	/* one failure, and all others are told on their own loops */
	CU_ASSERT_EQUAL(x.c.script->states[1]->failures, 0);
	(void)lua_exchange_bind(&x, "", "b", NULL);
	ASSERT_TOLD(0, "+a+b > a b");
	ASSERT_TOLD(1, "+a+b > a b");
	ASSERT_TOLD(0, " > a b");
	CU_ASSERT_EQUAL(x.c.script->states[0]->failures, 1);
	lua_exchange_close(&x);
}

/* Not called at all: it is told later. */
static void quarantine_loses_nothing(void)
{
	static const char *const settings[] = {"quarantine_after", "1", "cpu_time", "1000000",
					       NULL};

	lua_exchange_open_with(&x, TOLD, settings, 1);
	CU_ASSERT_EQUAL_FATAL(lua_exchange_declare(&x, NULL), 0);
	(void)lua_exchange_bind(&x, "bad", "a", NULL);
	(void)lua_exchange_bind(&x, "", "b", NULL);
	CU_ASSERT_STRING_EQUAL(lua_exchange_route(&x, "", NULL), "");
	atomic_store(&x.c.script->quarantine->of_kind[CALL_BIND].until_ns, 1);
	ASSERT_TOLD(0, "+a+b > a b");
	lua_exchange_close(&x);
}

static void only_bind_or_only_unbind(void)
{
	lua_exchange_open(&x,
			  "n = 0 exchange.register{ name = 'x', unbind = function(x, b) n = n + 1 "
			  "end, route = function(m, bs) log.info(n) return bs end }",
			  1);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	ASSERT_TOLD(0, "0 > a");
	lua_exchange_unbind(&x, &x.bindings[0]);
	ASSERT_TOLD(0, "1 > ");
	lua_exchange_close(&x);
}

static void types_without_functions_keep_nothing_per_loop(void)
{
	lua_exchange_open(
		&x, "exchange.register{ name = 'x', route = function(m, bs) return bs end }", 2);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	CU_ASSERT_STRING_EQUAL(lua_exchange_route(&x, "", NULL), "a");
	CU_ASSERT_EQUAL(((struct instance *)x.state)->seats->of_state[0].object, LUA_NOREF);
	CU_ASSERT_EQUAL(((struct instance *)x.state)->changes.end, 0);
	lua_exchange_close(&x);
}

/* Each allocation of bind() fails once: it is bound everywhere, or nowhere, and nothing is lost. */
static void bind_without_memory_changes_nothing(void)
{
	unsigned refused = 0;

	lua_exchange_open(&x, TOLD, 2);
	(void)lua_exchange_bind(&x, "", "a", NULL);
	ASSERT_TOLD(0, "+a > a");
	for (long n = 1; n < 12; n++) {
		struct lua_exchange_binding *binding;

		fake_host_fail(&x.c.fake, n, false);
		binding = lua_exchange_bind(&x, "k", "b", NULL);
		fake_host_fail_off(&x.c.fake);
		CU_ASSERT_STRING_EQUAL(lua_exchange_route(&x, "", NULL), binding ? "a b" : "a");
		if (binding) {
			lua_exchange_unbind(&x, binding);
			x.n_bindings--;
		} else {
			refused++;
			CU_ASSERT_EQUAL(x.c.error.code, SHUNT_RESOURCE_ERROR);
		}
		CU_ASSERT_STRING_EQUAL(lua_exchange_route(&x, "", NULL), "a");
	}
	CU_ASSERT_TRUE(refused >= 3);
	lua_exchange_close(&x);
}

/* ---- Several loops ---- */

struct loop {
	pthread_t thread;
	unsigned number;
	unsigned wrong;
};

/* Who changes does not wait for ever. */
static pthread_rwlock_t big_reader = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static _Atomic bool is_over;

/* Every message goes to all bindings that there are: so many. */
static void *route_many(void *context)
{
	struct loop *loop = context;
	const struct shunt_binding *answer[LUA_EXCHANGE_BINDINGS];
	struct fake_message message = {.message.size = sizeof(message.message)};

	fake_loop_index = loop->number;
	while (!atomic_load(&is_over)) {
		struct fake_sink sink;

		pthread_rwlock_rdlock(&big_reader);
		fake_sink_init(&sink, answer, LUA_EXCHANGE_BINDINGS);
		x.type->route(x.state, &message.message, &sink.sink);
		loop->wrong += sink.count != x.n_bindings;
		pthread_rwlock_unlock(&big_reader);
	}
	return NULL;
}

static void bind_and_unbind(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		pthread_rwlock_wrlock(&big_reader);
		if (i % 3 == 2) {
			x.n_bindings--;
			lua_exchange_unbind(&x, &x.bindings[x.n_bindings]);
		} else if (x.n_bindings < LUA_EXCHANGE_BINDINGS) {
			CU_ASSERT_PTR_NOT_NULL(lua_exchange_bind(&x, "", "q", NULL));
		}
		pthread_rwlock_unlock(&big_reader);
	}
}

static void loops_route_while_bindings_change(void)
{
	struct loop loops[3] = {{.number = 0}, {.number = 1}, {.number = 2}};

	lua_exchange_open(&x,
			  "exchange.register{ name = 'x',\n"
			  "bind = function(x, b) x.state[b.id] = b end,\n"
			  "unbind = function(x, b) x.state[b.id] = nil end,\n"
			  "route = function(m, bs, emit, x)\n"
			  "  for _, b in pairs(x.state) do emit(b) end end }",
			  3);
	atomic_store(&is_over, false);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&loops[i].thread, NULL, route_many, &loops[i]);
	bind_and_unbind(150);
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(loops[i].thread, NULL);
		CU_ASSERT_EQUAL(loops[i].wrong, 0);
	}
	lua_exchange_close(&x);
}

/* Another exchange of the same states is built meanwhile. */
static void loops_route_while_states_are_told(void)
{
	static struct shunt_exchange other;
	struct loop loops[2] = {{.number = 0}, {.number = 1}};
	struct lua_exchange_binding *binding;
	void *state, *cookies[200];

	lua_exchange_open(&x,
			  "exchange.register{ name = 'x',\n"
			  "bind = function(x, b) x.state[b.id] = b end,\n"
			  "route = function(m, bs, emit, x) return bs end }",
			  2);
	binding = lua_exchange_bind(&x, "", "q", NULL);
	other = x.exchange;
	atomic_store(&is_over, false);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&loops[i].thread, NULL, route_many, &loops[i]);
	CU_ASSERT_EQUAL(x.type->create(x.c.script, &other, &state, &x.c.error), 0);
	for (unsigned i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(x.type->bind(state, &binding->binding, &cookies[i], &x.c.error), 0);
	x.type->destroy(state);
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(loops[i].thread, NULL);
		CU_ASSERT_EQUAL(loops[i].wrong, 0);
	}
	lua_exchange_close(&x);
}

UNIT_MAIN("lua_exchange_told", UNIT_TEST(all_are_told_before_first_message),
	  UNIT_TEST(each_loop_is_told_before_its_next_route),
	  UNIT_TEST(what_is_gone_can_still_be_looked_at),
	  UNIT_TEST(who_lags_too_far_behind_begins_anew),
	  UNIT_TEST(nothing_is_kept_for_who_never_routes),
	  UNIT_TEST(failing_bind_is_counted_and_not_repeated), UNIT_TEST(quarantine_loses_nothing),
	  UNIT_TEST(only_bind_or_only_unbind),
	  UNIT_TEST(types_without_functions_keep_nothing_per_loop),
	  UNIT_TEST(bind_without_memory_changes_nothing),
	  UNIT_TEST(loops_route_while_bindings_change),
	  UNIT_TEST(loops_route_while_states_are_told))
