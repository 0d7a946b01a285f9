/* SPDX-License-Identifier: MIT */
#include "loop/meter.h"

#include <event2/event.h>
#include <unistd.h>

#include "../unit.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#define SPIN_US 20000u

/* The clock's microsecond may be nearly over when it begins, so one more. */
static void spin(void)
{
	uint64_t end = clock_monotonic_us() + SPIN_US + 1;

	while (clock_monotonic_us() < end)
		;
}

static void spin_in_task(struct loop_task *task)
{
	(void)task;
	spin();
}

static void spin_in_letter(struct letter *letter)
{
	(void)letter;
	spin();
}

static void spin_in_timer(struct loop_timer *timer)
{
	(void)timer;
	spin();
}

static uint64_t count_all(const struct loop_turns *turns)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < LOOP_TURN_CLASSES; i++)
		count += turns->counts[i];
	return count;
}

static void classes_are_powers_of_two(void)
{
	CU_ASSERT_EQUAL(loop_turn_class_us(0), 0);
	CU_ASSERT_EQUAL(loop_turn_class_us(1), 64);
	CU_ASSERT_EQUAL(loop_turn_class_us(2), 128);
	CU_ASSERT_EQUAL(loop_turn_class_us(15), 1048576);
}

static void counts_turns(void)
{
	struct loop_turns turns;
	struct loop_task task;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	loop_turns(0, &turns);
	CU_ASSERT_EQUAL(count_all(&turns), 0);
	CU_ASSERT_EQUAL(turns.busy_ns, 0);
	loop_task_init(&task, spin_in_task);
	loop_defer(&task);
	loop_run_once(true);
	loop_turns(0, &turns);
	CU_ASSERT_EQUAL(count_all(&turns), 1);
	CU_ASSERT_TRUE(turns.longest_ns >= SPIN_US * 1000u);
	CU_ASSERT_EQUAL(turns.busy_ns, turns.longest_ns);
	CU_ASSERT_EQUAL(loop_busy_ns(0), turns.busy_ns);
	for (unsigned i = 0; i < LOOP_TURN_CLASSES; i++) {
		if (turns.counts[i] == 0)
			continue;
		CU_ASSERT_TRUE(turns.longest_ns / 1000 >= loop_turn_class_us(i));
		CU_ASSERT_TRUE(i + 1 == LOOP_TURN_CLASSES ||
			       turns.longest_ns / 1000 < loop_turn_class_us(i + 1));
	}
	loop_run_once(false);
	loop_turns(0, &turns);
	CU_ASSERT_EQUAL(count_all(&turns), 2);
	loop_turns(1, &turns);
	CU_ASSERT_EQUAL(count_all(&turns), 0);
	loop_pool_destroy();
}

static void the_longest_is_taken(void)
{
	struct loop_turns turns;
	struct loop_task task;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	CU_ASSERT_EQUAL(loop_take_longest_ns(0), 0);
	loop_task_init(&task, spin_in_task);
	loop_defer(&task);
	loop_run_once(true);
	loop_run_once(false);
	loop_turns(0, &turns);
	CU_ASSERT_EQUAL(loop_take_longest_ns(0), turns.longest_ns);
	CU_ASSERT_EQUAL(loop_take_longest_ns(0), 0);
	loop_run_once(false);
	CU_ASSERT_NOT_EQUAL(loop_take_longest_ns(0), 0);
	loop_turns(0, &turns);
	CU_ASSERT_TRUE(turns.longest_ns >= SPIN_US * 1000u);
	loop_pool_destroy();
}

/* Waits for a timer in the poll. Returns whether all but 50 ms of the wait is none of the turn. */
static bool waits_without_being_busy(void)
{
	uint64_t began, waited;
	struct loop_turns turns;
	struct loop_timer timer;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	loop_timer_init(&timer, spin_in_timer);
	began = clock_monotonic_ns();
	loop_timer_start_ms(&timer, 200);
	do {
		loop_run_once(true);
		loop_turns(0, &turns);
	} while (turns.longest_ns < SPIN_US * 1000u);
	waited = clock_monotonic_ns() - began;
	loop_pool_destroy();
	return turns.busy_ns + 150 * UINT64_C(1000000) <= waited;
}

/* A machine that is busy with other things may hold a turn up, but not each time. */
static void waiting_is_not_busy(void)
{
	bool is_seen = false;

	for (unsigned i = 0; i < 20 && !is_seen; i++)
		is_seen = waits_without_being_busy();
	CU_ASSERT_TRUE(is_seen);
}

static struct loop_long_turn told;
static unsigned n_told;

static void tell(const struct loop_long_turn *turn)
{
	told = *turn;
	n_told++;
}

/* The coarse clock ticks every 10 ms or faster. */
#define TICK_MS 10u

static void long_turns_are_told(void)
{
	struct letter letter = {.deliver = spin_in_letter};
	struct loop_task task;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	loop_watch_turns(SPIN_US * 1000u, tell);
	loop_task_init(&task, spin_in_task);
	loop_defer(&task);
	loop_run_once(true);
	CU_ASSERT_EQUAL_FATAL(n_told, 1);
	CU_ASSERT_TRUE(told.ns >= SPIN_US * 1000u);
	CU_ASSERT_TRUE(told.tasks_ms + TICK_MS >= SPIN_US / 1000);
	loop_post(0, &letter);
	loop_run_once(true);
	CU_ASSERT_EQUAL_FATAL(n_told, 2);
	CU_ASSERT_TRUE(told.letters_ms + TICK_MS >= SPIN_US / 1000);
	loop_watch_turns(SPIN_US * 1000u, NULL);
	loop_defer(&task);
	loop_run_once(true);
	CU_ASSERT_EQUAL(n_told, 2);
	loop_pool_destroy();
}

UNIT_MAIN("meter", UNIT_TEST(classes_are_powers_of_two), UNIT_TEST(counts_turns),
	  UNIT_TEST(the_longest_is_taken), UNIT_TEST(waiting_is_not_busy),
	  UNIT_TEST(long_turns_are_told))
