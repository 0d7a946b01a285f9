/* SPDX-License-Identifier: MIT */
#include "broker/alarm.h"

#include <errno.h>

#include "../unit.h"
#include "base/account.h"
#include "base/clock.h"
#include "loop/loop.h"

#define LIMIT_MS 60000u

static struct alarms *alarms;

struct listener {
	struct alarm_listener listener;
	unsigned changes, set;
} listeners[2];

static void changed(struct alarm_listener *listener, unsigned set)
{
	struct listener *l = container_of(listener, struct listener, listener);

	l->changes++;
	l->set = set;
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
static void wait_until(bool (*condition)(void))
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;

	while (!condition() && clock_monotonic_ms() < until)
		loop_run_once(false);
	CU_ASSERT_TRUE(condition());
}

static bool memory_is_clear(void)
{
	return !alarms_memory_is_set(alarms);
}

static bool disk_is_clear(void)
{
	return !alarms_disk_is_set(alarms);
}

/* As nobody may check any more after what comes last. */
static void much_in_one_millisecond(void)
{
	setup(account_total() + 100000);
	alarms_check(alarms);
	account_add(ACCOUNT_OTHER, 200000);
	alarms_check(alarms); /* loop_now_ms() is the turn's */
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	account_add(ACCOUNT_OTHER, -200000);
	teardown();
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
		CU_ASSERT_EQUAL(listeners[i].set, ALARM_MEMORY);
	}

	account_add(ACCOUNT_OTHER, -200000);
	wait_until(memory_is_clear);
	turn_all();
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(listeners[i].changes, 2);
		CU_ASSERT_EQUAL(listeners[i].set, 0);
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
	wait_until(memory_is_clear);
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
	wait_until(memory_is_clear);
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

/* ---- The disk ---- */

static struct {
	uint64_t free_bytes;
	int error;
	unsigned looks;
} disk;

static int measure(const char *path, uint64_t *ret_free_bytes)
{
	CU_ASSERT_STRING_EQUAL(path, "/data");
	disk.looks++;
	if (disk.error == 0)
		*ret_free_bytes = disk.free_bytes;
	return disk.error;
}

static void setup_disk(uint64_t free_bytes, uint64_t limit)
{
	disk.free_bytes = free_bytes;
	disk.error = 0;
	disk.looks = 0;
	setup(0);
	alarms_measure_disk_by(alarms, measure);
	alarms_watch_disk(alarms, "/data", limit);
	CU_ASSERT_EQUAL(disk.looks, limit != 0);
}

static void expect_told(unsigned changes, unsigned set)
{
	turn_all();
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(listeners[i].changes, changes);
		CU_ASSERT_EQUAL(listeners[i].set, set);
	}
}

/* Checks all the time, as a publisher on loop 1 does, until the disk has been looked at again. */
static void wait_for_a_look(void)
{
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;
	unsigned before = disk.looks;

	while (disk.looks == before && clock_monotonic_ms() < until)
		loop_pool_visit(1, check, NULL);
	CU_ASSERT_EQUAL(disk.looks, before + 1);
}

static void low_from_the_start(void)
{
	setup_disk(99, 100);
	CU_ASSERT_TRUE(alarms_disk_is_set(alarms));
	CU_ASSERT_FALSE(alarms_memory_is_set(alarms));
	expect_told(1, ALARM_DISK);
	disk.free_bytes = 100;
	wait_until(disk_is_clear);
	expect_told(2, 0);
	teardown();
}

static void low_later(void)
{
	setup_disk(100, 100);
	CU_ASSERT_FALSE(alarms_disk_is_set(alarms));
	loop_pool_visit(1, check, NULL);
	disk.free_bytes = 99;
	wait_for_a_look();
	CU_ASSERT_TRUE(alarms_disk_is_set(alarms));
	expect_told(1, ALARM_DISK);
	disk.free_bytes = 101;
	wait_until(disk_is_clear);
	teardown();
}

static void nobody_looks_while_idle(void)
{
	setup_disk(1000, 100);
	turn_all();
	uint64_t until = clock_monotonic_ms() + 3 * DISK_INTERVAL_MIN_MS;
	while (clock_monotonic_ms() < until)
		loop_run_once(false);
	CU_ASSERT_EQUAL(disk.looks, 1);
	teardown();
}

/* With plenty of room many checks are one look. */
static void seldom_when_far(void)
{
	setup_disk(UINT64_C(1) << 40, 100);
	uint64_t until = clock_monotonic_ms() + 3 * DISK_INTERVAL_MIN_MS;
	while (clock_monotonic_ms() < until)
		loop_pool_visit(1, check, NULL);
	CU_ASSERT_EQUAL(disk.looks, 1);
	teardown();
}

static void a_disk_that_does_not_tell(void)
{
	setup_disk(99, 100);
	disk.error = -EIO;
	disk.looks = 0;
	turn_all();
	uint64_t until = clock_monotonic_ms() + LIMIT_MS;
	while (disk.looks < 2 && clock_monotonic_ms() < until)
		loop_run_once(false);
	CU_ASSERT_TRUE(alarms_disk_is_set(alarms)); /* stays as it was */
	disk.error = 0;
	disk.free_bytes = 200;
	wait_until(disk_is_clear);
	disk.error = -EIO;
	alarms_set_disk_limit(alarms, 1000);
	CU_ASSERT_FALSE(alarms_disk_is_set(alarms));
	teardown();
}

static void a_new_disk_limit(void)
{
	setup_disk(1000, 0);
	CU_ASSERT_FALSE(alarms_disk_is_set(alarms));
	alarms_set_disk_limit(alarms, 2000);
	CU_ASSERT_EQUAL(alarms_disk_limit(alarms), 2000);
	CU_ASSERT_TRUE(alarms_disk_is_set(alarms));
	turn_all();
	alarms_set_disk_limit(alarms, 500);
	wait_until(disk_is_clear);
	alarms_set_disk_limit(alarms, 2000);
	turn_all();
	alarms_set_disk_limit(alarms, 0); /* no alarm, however little there is */
	wait_until(disk_is_clear);
	teardown();
}

/* Each is set and cleared for itself; listeners always hear of all. */
static void both(void)
{
	setup_disk(99, 100);
	expect_told(1, ALARM_DISK);
	account_add(ACCOUNT_OTHER, 1000);
	alarms_set_memory_limit(alarms, 1);
	expect_told(2, ALARM_DISK | ALARM_MEMORY);
	disk.free_bytes = 100;
	wait_until(disk_is_clear);
	CU_ASSERT_TRUE(alarms_memory_is_set(alarms));
	expect_told(3, ALARM_MEMORY);
	alarms_set_memory_limit(alarms, 0);
	wait_until(memory_is_clear);
	expect_told(4, 0);
	account_add(ACCOUNT_OTHER, -1000);
	teardown();
}

/* The loops have turned already when somebody begins to listen. */
static void heard_late(void)
{
	uint64_t base = account_total();

	setup(base + 1);
	account_add(ACCOUNT_OTHER, 1000);
	loop_pool_visit(1, check, NULL);
	turn_all();
	for (unsigned i = 0; i < 2; i++) {
		listeners[i] = (struct listener){.listener.changed = changed};
		alarms_listen(alarms, i, &listeners[i].listener);
	}
	turn_all();
	expect_told(1, ALARM_MEMORY);
	account_add(ACCOUNT_OTHER, -1000);
	teardown();
}

UNIT_MAIN("alarm", UNIT_TEST(heard_late), UNIT_TEST(much_in_one_millisecond),
	  UNIT_TEST(set_and_cleared_with_hysteresis), UNIT_TEST(just_below_the_limit_it_stays),
	  UNIT_TEST(no_limit_no_alarm), UNIT_TEST(ended_with_letters_under_way),
	  UNIT_TEST(low_from_the_start), UNIT_TEST(low_later), UNIT_TEST(nobody_looks_while_idle),
	  UNIT_TEST(seldom_when_far), UNIT_TEST(a_disk_that_does_not_tell),
	  UNIT_TEST(a_new_disk_limit), UNIT_TEST(both))
