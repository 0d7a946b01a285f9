/* SPDX-License-Identifier: MIT */
#include "broker/alarm.h"

#include "../unit.h"
#include "base/account.h"
#include "base/clock.h"
#include "loop/loop.h"

#define LIMIT_MS 5000u

static struct alarms *alarms;

struct listener {
	struct alarm_listener listener;
	unsigned changes;
	bool is_set;
} listeners[2];

static void changed(struct alarm_listener *listener, bool is_set)
{
	struct listener *l = container_of(listener, struct listener, listener);

	l->changes++;
	l->is_set = is_set;
}

static void turn(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

static void check(void *arg)
{
	(void)arg;
	alarms_check(alarms);
	loop_run_once(false);
}

static void turn_all(void)
{
	for (unsigned i = 0; i < 4; i++)
		loop_pool_visit(i % 2, turn, NULL);
}

static void setup(uint64_t limit)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	alarms = alarms_create(2, limit);
	for (unsigned i = 0; i < 2; i++) {
		listeners[i] = (struct listener){.listener.changed = changed};
		alarms_listen(alarms, i, &listeners[i].listener);
	}
}

static void teardown(void)
{
	alarms_destroy(alarms);
	loop_pool_destroy();
}

/* Time passes in loop 0's name; other loops need not look. */
static void wait_for(bool is_set)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (alarms_memory_is_set(alarms) != is_set && clock_monotonic_ms() < until)
		loop_run_once(false);
	CU_ASSERT_EQUAL(alarms_memory_is_set(alarms), is_set);
}

static void set_and_cleared_with_hysteresis(void)
{
	uint64_t base = account_total();

	setup(base + 100000);
	alarms_check(alarms);
	CU_ASSERT_FALSE(alarms_memory_is_set(alarms));

	account_add(ACCOUNT_OTHER, 200000);
	loop_pool_visit(1, check, NULL);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	turn_all();
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(listeners[i].changes, 1);
		CU_ASSERT_TRUE(listeners[i].is_set);
	}

	account_add(ACCOUNT_OTHER, -200000);
	wait_for(false);
	turn_all();
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(listeners[i].changes, 2);
		CU_ASSERT_FALSE(listeners[i].is_set);
	}
	teardown();
}

static void just_below_the_limit_it_stays(void)
{
	setup(1000000);
	ptrdiff_t above = 1000001 - (ptrdiff_t)account_total();
	account_add(ACCOUNT_OTHER, above);
	alarms_check(alarms);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	account_add(ACCOUNT_OTHER, -40000);
	turn_all();
	uint64_t until = clock_monotonic_ms() + 600; /* two looks and more */
	while (clock_monotonic_ms() < until)
		loop_run_once(true);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	account_add(ACCOUNT_OTHER, -above + 40000);
	wait_for(false);
	teardown();
}

static void no_limit_no_alarm(void)
{
	setup(0);
	account_add(ACCOUNT_OTHER, 1 << 30);
	alarms_check(alarms);
	CU_ASSERT_FALSE(alarms_memory_is_set(alarms));

	alarms_set_memory_limit(alarms, 1000);
	CU_ASSERT_EQUAL(alarms_memory_limit(alarms), 1000);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	alarms_set_memory_limit(alarms, 0);
	turn_all();
	wait_for(false);
	account_add(ACCOUNT_OTHER, -(1 << 30));
	teardown();
}

/* Letters that are still on their way when the alarms end find nobody, and free what is left. */
static void ended_with_letters_under_way(void)
{
	setup(1);
	account_add(ACCOUNT_OTHER, 1000);
	alarms_check(alarms);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	teardown();
	CU_ASSERT_EQUAL(listeners[0].changes, 0);
	account_add(ACCOUNT_OTHER, -1000);
}

UNIT_MAIN("alarm", UNIT_TEST(set_and_cleared_with_hysteresis),
	  UNIT_TEST(just_below_the_limit_it_stays), UNIT_TEST(no_limit_no_alarm),
	  UNIT_TEST(ended_with_letters_under_way))
