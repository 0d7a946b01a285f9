/* SPDX-License-Identifier: MIT */
/* startup(), timers, and what scripts publish. */
#include "part_case.h"

#include "../unit.h"

#include <string.h>
#include <time.h>

static struct part part;

/* Says which have been published since the last call, as "a b". */
static const char *published(void)
{
	static char text[PART_TEXT];

	text[0] = '\0';
	for (struct part_published *p = part.published; p != NULL; p = p->next) {
		if (text[0] != '\0')
			strcat(text, " ");
		strcat(text, p->text);
	}
	part_tell(&part, SHUNT_ROUTED);
	return text;
}

#define SAY "local function say(body) broker.publish{ routing_key = 'q', body = body } end\n"

static void startup_at_home(void)
{
	part_run(&part, SAY "function startup() say('up') end\nlocal function unused() end", NULL);
	CU_ASSERT_STRING_EQUAL(published(), "/||q|up");
	part_close(&part);
}

static void startup_may_fail(void)
{
	part_run(&part, SAY "timer.every(1, function() say('t') end)\nfunction startup() error('s') end", NULL);
	CU_ASSERT(part_has_logged(&part, "part.lua:3: s"));
	fake_services_run(&part.host);
	CU_ASSERT_STRING_EQUAL(published(), "/||q|t");
	part_close(&part);
}

static void timers_of_all_kinds(void)
{
	part_run(&part,
		 SAY "timer.every(60, function() say('every') end)\n"
		     "timer.after(0.5, function() say('after') end)\n"
		     "function startup()\n"
		     "  timer.after(1, function() say('started') timer.after(1, function() say('late') end) end)\n"
		     "end\n",
		 NULL);
	CU_ASSERT_STRING_EQUAL(published(), "");
	fake_services_run(&part.host);
	{
		const char *got = published();

		CU_ASSERT_PTR_NOT_NULL(strstr(got, "every"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "after"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "started"));
	}
	fake_services_run(&part.host);
	{
		const char *got = published();

		CU_ASSERT_PTR_NOT_NULL(strstr(got, "every"));
		CU_ASSERT_PTR_NULL(strstr(got, "after"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "late"));
	}
	fake_services_run(&part.host);
	CU_ASSERT_STRING_EQUAL(published(), "/||q|every");
	part_close(&part);
}

static uint64_t ns_of(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Two timers, each of which takes more than may be taken at once. Returns whether one was put off;
 * *ret_is_starved: the machine has let us run for so little of the time that what they took may be no
 * more than a fifth of it.
 */
static bool one_is_put_off(bool *ret_is_starved)
{
	static const char *const settings[] = {"cpu_time", "10000000", "instructions", "100000000", NULL};
	uint64_t began_ns, began_cpu_ns, passed_ns, taken_ns;
	bool is_put_off;

	part_run(&part,
		 SAY "for i = 1, 2 do timer.every(60, function() for i = 1, 10 do local s = 0 "
		     "for j = 1, 1e6 do s = s + j end end say('long') end) end",
		 settings);
	began_ns = ns_of(CLOCK_MONOTONIC);
	began_cpu_ns = ns_of(CLOCK_THREAD_CPUTIME_ID);
	fake_services_run(&part.host);
	passed_ns = ns_of(CLOCK_MONOTONIC) - began_ns;
	taken_ns = ns_of(CLOCK_THREAD_CPUTIME_ID) - began_cpu_ns;
	*ret_is_starved = passed_ns > 2 * taken_ns;
	is_put_off = strcmp(published(), "/||q|long") == 0 &&
		     part_has_logged(&part, "timers take more than a fifth of the time");
	part_close(&part);
	return is_put_off;
}

/* They leave time to others. */
static void too_many_timers(void)
{
	bool is_put_off = false, is_starved = true;

	for (unsigned i = 0; i < 5 && !is_put_off && is_starved; i++)
		is_put_off = one_is_put_off(&is_starved);
	CU_ASSERT_TRUE(is_put_off || is_starved);
}

static void stopped_timers(void)
{
	part_run(&part,
		 SAY "local never = timer.every(1, function() say('never') end)\n"
		     "never:stop() never:stop()\n"
		     "local t, n = nil, 0\n"
		     "t = timer.every(1, function() n = n + 1 say('t' .. n) if n == 2 then t:stop() end end)\n"
		     "local late = timer.after(1, function() say('late') end)\n"
		     "function startup() late:stop() end\n",
		 NULL);
	for (int i = 0; i < 4; i++)
		fake_services_run(&part.host);
	CU_ASSERT_STRING_EQUAL(published(), "/||q|t1 /||q|t2");
	part_close(&part);
}

/* Nobody but the broker holds them. */
static void timers_are_not_collected(void)
{
	part_run(&part,
		 SAY "timer.every(1, function() say('t') for i = 1, 200 do local t = { i } end end)\n",
		 NULL);
	for (int i = 0; i < 50; i++)
		fake_services_run(&part.host);
	CU_ASSERT_EQUAL(strlen(published()), 50 * strlen("/||q|t ") - 1);
	part_close(&part);
}

static void a_failing_timer_goes_on(void)
{
	part_run(&part,
		 SAY "local n = 0\n"
		     "timer.every(1, function() n = n + 1 say('t' .. n) error('bad') end)\n"
		     "timer.after(1, function() error('worse') end)\n",
		 NULL);
	fake_services_run(&part.host);
	fake_services_run(&part.host);
	CU_ASSERT_STRING_EQUAL(published(), "/||q|t1 /||q|t2");
	CU_ASSERT(part_has_logged(&part, "part.lua:3: bad"));
	part_close(&part);
}

static void wrong_timers(void)
{
	static const char *const sources[] = {
		"timer.every(0, print)",       "timer.every('soon', print)",
		"timer.every(1, 'print')",     "timer.after(-1, print)",
		"timer.after(0/0, print)",     "timer.every(1e300, print)",
		"timer.every(1)",	       "local t = timer.every(1, print) t.stop(1)",
		"for i = 1, 1001 do timer.after(1, print) end",
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		CU_ASSERT(!part_open(&part, sources[i], NULL));
		CU_ASSERT_PTR_NOT_NULL(strstr(part.error.text, "part.lua:1: "));
		part_close(&part);
	}
}

static void timers_are_made_at_home(void)
{
	const struct fake_message message = part_message();

	part_run(&part, "function hook.publish() timer.after(1, print) end", NULL);
	CU_ASSERT_STRING_EQUAL(part_publish(&part, &message, "bob", false),
			       "nack: the script has failed");
	CU_ASSERT(part_has_logged(&part, "timers are made at top level"));
	part_close(&part);
}

UNIT_MAIN("lua timer", UNIT_TEST(startup_at_home), UNIT_TEST(startup_may_fail),
	  UNIT_TEST(timers_of_all_kinds), UNIT_TEST(too_many_timers), UNIT_TEST(stopped_timers),
	  UNIT_TEST(timers_are_not_collected), UNIT_TEST(a_failing_timer_goes_on),
	  UNIT_TEST(wrong_timers), UNIT_TEST(timers_are_made_at_home))
