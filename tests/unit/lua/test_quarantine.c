/* SPDX-License-Identifier: MIT */

/* Scripts that fail again and again are left alone; what is logged of them; what operators are
 * told. */

#include "describe.h"
#include "fake_services.h"
#include "lua_case.h"
#include "run/quarantine.h"
#include "unit.h"

#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)

static void fail(struct quarantine *quarantine, unsigned times, uint64_t now, unsigned seconds)
{
	for (unsigned i = 1; i < times; i++)
		CU_ASSERT_EQUAL(quarantine_failed(quarantine, CALL_ROUTE, false, false, now), 0);
	CU_ASSERT_EQUAL(quarantine_failed(quarantine, CALL_ROUTE, false, false, now), seconds);
}

static void backs_off(void)
{
	static const unsigned seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct quarantine quarantine;
	uint64_t now = 1000 * SECOND;

	quarantine_init(&quarantine, 20);
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_CALL);
	fail(&quarantine, 20, now, 1);
	for (unsigned i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_REFUSES);
		now += seconds[i] * SECOND;
		CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now - 1),
				QUARANTINE_REFUSES);
		CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_TRIAL);
		/* only one has it */
		CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_REFUSES);
		CU_ASSERT_EQUAL(quarantine_failed(&quarantine, CALL_ROUTE, true, false, now),
				i + 1 < sizeof(seconds) / sizeof(*seconds) ? seconds[i + 1] : 60);
	}
	/* other kinds have nothing to do with it */
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_PUBLISH, now), QUARANTINE_CALL);
}

static void success_ends_it(void)
{
	struct quarantine quarantine;
	uint64_t now = SECOND;

	quarantine_init(&quarantine, 3);
	fail(&quarantine, 3, now, 1);
	/* one that had begun before fails, too: that changes nothing */
	CU_ASSERT_EQUAL(quarantine_failed(&quarantine, CALL_ROUTE, false, false, now), 0);
	now += SECOND;
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_TRIAL);
	quarantine_succeeded(&quarantine, CALL_ROUTE);
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, now), QUARANTINE_CALL);
	/* and it begins anew, with a second */
	fail(&quarantine, 2, now, 0);
	quarantine_succeeded(&quarantine, CALL_ROUTE);
	fail(&quarantine, 3, now, 1);
}

static unsigned call_until_refused(struct lua_case *c, enum call_kind kind)
{
	unsigned calls = 0;

	while (calls < 1000 && lua_case_call(c, kind, "f") == CALL_FAILED)
		calls++;
	return calls;
}

/* What nothing that scripts have should do: 50 ms in one function of C that charges nothing. */
static int burn(lua_State *L)
{
	struct timespec begin, now;

	(void)L;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	do
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < 50000000);
	return 0;
}

static void add_burn(lua_State *L, void *context)
{
	(void)context;
	lua_pushcfunction(L, burn);
	lua_setglobal(L, "burn");
}

/* One call that held up everybody for long is enough. */
static void grave_failure(void)
{
	static const char source[] = "function f() burn() while true do end end";
	struct quarantine quarantine;
	struct lua_case c;

	quarantine_init(&quarantine, 20);
	CU_ASSERT_EQUAL(quarantine_failed(&quarantine, CALL_ROUTE, false, true, SECOND), 1);
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, SECOND), QUARANTINE_REFUSES);

	lua_case_open(&c, source, (const char *const[]){"cpu_time", "500", NULL});
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(call_run(lua_case_state(&c), CALL_LOAD, add_burn, NULL, NULL), CALL_OK);
	CU_ASSERT_EQUAL(call_until_refused(&c, CALL_PUBLISH), 1);
	CU_ASSERT_STRING_EQUAL(c.log, "publish took many times its `cpu_time`, no call for 1 s");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_QUARANTINED);
	CU_ASSERT_STRING_EQUAL(c.error.text, "publish is not called for a while, as it has failed");
	lua_case_close(&c);
}

static void may_be_off(void)
{
	struct quarantine quarantine;

	quarantine_init(&quarantine, 0);
	fail(&quarantine, 1000, SECOND, 0);
	CU_ASSERT_EQUAL(quarantine_ask(&quarantine, CALL_ROUTE, SECOND), QUARANTINE_CALL);
}

static void of_calls(void)
{
	struct lua_case c;

	lua_case_open(&c, "function f() error('x') end function g() return 1 end", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(call_until_refused(&c, CALL_PUBLISH), 20);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_QUARANTINED);
	CU_ASSERT_STRING_EQUAL(c.log, "publish has failed 20 times in a row, no call "
				      "for 1 s");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_DELIVER, "g"), CALL_OK);
	/* the time is up: the next call is tried */
	atomic_store(&c.script->quarantine->of_kind[CALL_PUBLISH].until_ns, 1);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_STRING_EQUAL(c.log, "publish has failed 20 times in a row, no call "
				      "for 2 s");
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_QUARANTINED);
	atomic_store(&c.script->quarantine->of_kind[CALL_PUBLISH].until_ns, 1);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_OK);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "g"), CALL_OK);
	CU_ASSERT_EQUAL(c.script->quarantine->of_kind[CALL_PUBLISH].failures, 0);
	CU_ASSERT_EQUAL(lua_case_state(&c)->failures, 22);
	lua_case_close(&c);
}

/* ---- Lines ---- */

static void lines_are_limited(void)
{
	struct lua_case c;
	struct state *state;

	lua_case_open(&c, "", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	state = lua_case_state(&c);
	for (unsigned i = 0; i < 12; i++)
		lines_log_limited(state, SHUNT_LOG_WARNING, "again", 7 * SECOND);
	CU_ASSERT_EQUAL(c.log_lines, 5);
	CU_ASSERT_STRING_EQUAL(c.log, "again");
	lines_log_limited(state, SHUNT_LOG_WARNING, "again", 8 * SECOND);
	CU_ASSERT_STRING_EQUAL(c.log, "again suppressed=7");
	lines_log_limited(state, SHUNT_LOG_WARNING, "again", 9 * SECOND);
	CU_ASSERT_STRING_EQUAL(c.log, "again");
	CU_ASSERT_EQUAL(c.log_lines, 7);
	lua_case_close(&c);
}

/* A failed call is logged with kind, file and line. */
static void failures_are_logged(void)
{
	struct lua_case c;

	lua_case_open(&c, "\n\nfunction f() error('x') end", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_DELIVER, "f"), CALL_FAILED);
	CU_ASSERT_EQUAL(c.log_lines, 1);
	CU_ASSERT_STRING_EQUAL(c.log, "deliver failed: case.lua:3: x");
	lua_case_close(&c);
}

/* In a route nothing may be logged: home does it. */
static void lines_of_routes_wait(void)
{
	static const char *const settings[] = {"quarantine_after", "0", NULL};
	struct lua_case c;

	lua_case_open(
		&c, "function f() error('x') end function g() for i = 1, 12 do log.info(i) end end",
		settings);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	c.script->plugin.activate(c.script);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_ROUTE, "f"), CALL_FAILED);
	CU_ASSERT_EQUAL(c.log_lines, 0);
	fake_services_run(&c.fake);
	CU_ASSERT_EQUAL(c.log_lines, 1);
	CU_ASSERT_STRING_EQUAL(c.log, "route failed: case.lua:1: x");
	fake_services_run(&c.fake);
	CU_ASSERT_EQUAL(c.log_lines, 1);

	/* more than there is room for */
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_ROUTE, "g"), CALL_OK);
	fake_services_run(&c.fake);
	CU_ASSERT_EQUAL(c.log_lines, 1 + LINES_WAITING + 1);
	CU_ASSERT_STRING_EQUAL(c.log, "4 lines of route functions were lost");

	/* and what waits when it is closed */
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_ROUTE, "f"), CALL_FAILED);
	c.log_lines = 0;
	lua_case_close(&c);
	CU_ASSERT_EQUAL(c.log_lines, 1);
}

/* ---- Figures ---- */

struct page {
	struct shunt_report report; /* first */
	char text[4096];
	size_t size;
};

static void print(struct shunt_report *report, struct shunt_bytes text)
{
	struct page *page = (struct page *)report;

	if (text.size >= sizeof(page->text) - page->size)
		return;
	memcpy(page->text + page->size, text.data, text.size);
	page->size += text.size;
	page->text[page->size] = '\0';
}

#define EXPECT_ON(page, what) CU_ASSERT_PTR_NOT_NULL(strstr((page)->text, (what)))

static void figures(void)
{
	static struct page page = {.report = {sizeof(struct shunt_report), print}};
	struct lua_case c;

	lua_case_open_loops(&c,
			    "function f() error('x') end function g() for i = 1, 1000 do end end",
			    (const char *const[]){"cpu_time", "10000000", NULL}, 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c.script);
	CU_ASSERT_EQUAL(call_until_refused(&c, CALL_PUBLISH), 20);
	for (unsigned i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(lua_case_call(&c, CALL_ROUTE, "g"), CALL_OK);
	describe_figures(c.script, &page.report);
	EXPECT_ON(&page, "limits: 100000 instructions, 10000000 us, 2048 KiB\n");
	EXPECT_ON(&page, "memory of loop 0: ");
	EXPECT_ON(&page, "memory of loop 1: ");
	EXPECT_ON(&page,
		  "publish: calls: 20, failures: 20, by error: 20, not called in quarantine: 1, "
		  "in quarantine for another ");
	EXPECT_ON(&page, "route: calls: 10, failures: 0\n  a call: ");
	EXPECT_ON(&page, " us, 10");
	EXPECT_ON(&page, "  instructions: <1024: ");
	CU_ASSERT_PTR_NULL(strstr(page.text, "deliver"));
	lua_case_close(&c);
}

UNIT_MAIN("lua_quarantine", UNIT_TEST(backs_off), UNIT_TEST(success_ends_it),
	  UNIT_TEST(grave_failure), UNIT_TEST(may_be_off), UNIT_TEST(of_calls),
	  UNIT_TEST(lines_are_limited), UNIT_TEST(failures_are_logged),
	  UNIT_TEST(lines_of_routes_wait), UNIT_TEST(figures))
