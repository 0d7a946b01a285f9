/* SPDX-License-Identifier: MIT */
#include "loop/task.h"

#include <string.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

static char trace[256];

struct step {
	struct loop_task task;
	char name;
	struct step *arms, *arms_late, *cancels;
};

static void run_step(struct loop_task *task)
{
	struct step *step = container_of(task, struct step, task);
	size_t n = strlen(trace);

	CU_ASSERT_FALSE(loop_task_is_armed(task));
	if (n + 1 < sizeof(trace)) {
		trace[n] = step->name;
		trace[n + 1] = '\0';
	}
	if (step->arms)
		loop_defer(&step->arms->task);
	if (step->arms_late)
		loop_defer_late(&step->arms_late->task);
	if (step->cancels)
		loop_cancel(&step->cancels->task);
}

static void step_init(struct step *step, char name)
{
	*step = (struct step){.name = name};
	loop_task_init(&step->task, run_step);
}

static void setup(struct step *steps, unsigned count)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	trace[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		step_init(&steps[i], (char)('a' + i));
}

static void once_in_order_of_arming(void)
{
	struct step s[3];

	setup(s, 3);
	loop_defer(&s[2].task);
	loop_defer(&s[0].task);
	loop_defer(&s[2].task);
	CU_ASSERT_TRUE(loop_task_is_armed(&s[2].task));
	CU_ASSERT_FALSE(loop_task_is_armed(&s[1].task));
	loop_run_once(true); /* does not block */
	CU_ASSERT_STRING_EQUAL(trace, "ca");
	loop_run_once(false);
	CU_ASSERT_STRING_EQUAL(trace, "ca");
	loop_pool_destroy();
}

static void armed_by_tasks_in_the_same_turn(void)
{
	struct step s[3];

	setup(s, 3);
	s[0].arms = &s[1];
	s[1].arms = &s[2];
	loop_defer(&s[0].task);
	loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "abc");
	loop_pool_destroy();
}

static void late_come_after_all_others(void)
{
	struct step s[4];

	setup(s, 4);
	s[1].arms = &s[2];
	s[0].arms = &s[3]; /* a late one arms an ordinary one */
	loop_defer_late(&s[0].task);
	loop_defer(&s[1].task);
	loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "bcad");
	loop_pool_destroy();
}

static void late_is_armed_once(void)
{
	struct step s[2];

	setup(s, 2);
	s[0].arms_late = &s[1];
	loop_defer_late(&s[1].task);
	loop_defer(&s[1].task); /* no-op: it is armed */
	loop_defer(&s[0].task);
	loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "ab");
	loop_pool_destroy();
}

static void cancelled_do_not_run(void)
{
	struct step s[4];

	setup(s, 4);
	s[0].cancels = &s[2]; /* of the same round */
	for (int i = 0; i < 4; i++)
		loop_defer(&s[i].task);
	loop_defer_late(&s[3].task);
	loop_cancel(&s[1].task);
	loop_cancel(&s[1].task);
	loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "ad");
	loop_pool_destroy();
}

/* A poll comes after LOOP_TASK_ROUNDS rounds, and output is flushed before it. */
static void endless_tasks_let_others_in(void)
{
	struct step s[2];

	setup(s, 2);
	s[0].arms = &s[0];
	loop_defer(&s[0].task);
	loop_defer_late(&s[1].task);
	loop_run_once(true);
	CU_ASSERT_EQUAL(strlen(trace), LOOP_TASK_ROUNDS + 1);
	CU_ASSERT_EQUAL(trace[LOOP_TASK_ROUNDS], 'b');
	CU_ASSERT_TRUE(loop_task_is_armed(&s[0].task));
	loop_run_once(true);
	CU_ASSERT_EQUAL(strlen(trace), 2 * LOOP_TASK_ROUNDS + 1);
	loop_cancel(&s[0].task);
	loop_pool_destroy();
}

struct work {
	struct loop_task task;
	unsigned n_steps; /* left */
};

/* A step of which two are more than a turn's share. */
static void long_step(struct loop_task *task)
{
	struct work *work = container_of(task, struct work, task);
	uint64_t end = clock_monotonic_us() + LOOP_BACKGROUND_US * 3 / 5;

	while (clock_monotonic_us() < end)
		;
	if (--work->n_steps > 0)
		loop_defer_background(task);
}

/* One after the other, some in each turn; ordinary ones go on. */
static void background_goes_over_turns(void)
{
	struct work work[2] = {{.n_steps = 3}, {.n_steps = 3}};
	struct step s[1];
	unsigned before, turns = 0;

	setup(s, 1);
	for (int i = 0; i < 2; i++) {
		loop_task_init(&work[i].task, long_step);
		loop_defer_background(&work[i].task);
		loop_defer_background(&work[i].task); /* no-op: it is armed */
	}
	for (before = 6; before > 0; before = work[0].n_steps + work[1].n_steps) {
		loop_defer(&s[0].task);
		loop_run_once(true);
		CU_ASSERT_TRUE(before - work[0].n_steps - work[1].n_steps <= 2);
		CU_ASSERT_EQUAL(strlen(trace), ++turns);
	}
	CU_ASSERT_TRUE(turns >= 3);
	CU_ASSERT_FALSE(loop_task_is_armed(&work[0].task));
	loop_defer_background(&work[0].task);
	loop_cancel(&work[0].task);
	loop_pool_destroy();
}

static void background_ends_with_the_loops(void)
{
	struct work work = {.n_steps = 5};
	struct step s[1];

	setup(s, 1);
	loop_task_init(&work.task, long_step);
	loop_defer_background(&work.task);
	loop_pool_stop();
	loop_run_once(true);
	CU_ASSERT_EQUAL(work.n_steps, 0);
	loop_pool_destroy();
}

static void next_turn_first_and_without_blocking(void)
{
	struct step s[2];

	setup(s, 2);
	loop_defer_next(&s[0].task);
	loop_defer(&s[0].task); /* armed already */
	loop_run_once(true);	/* its first tasks */
	CU_ASSERT_STRING_EQUAL(trace, "a");
	s[1].arms = &s[0];
	loop_defer(&s[1].task);
	loop_defer_next(&s[0].task);
	loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "aaba");
	loop_pool_destroy();
}

static struct step *again;

static void run_again_next(struct loop_task *task)
{
	run_step(task);
	loop_defer_next(&again->task);
}

static void once_a_turn_when_it_arms_itself_for_the_next(void)
{
	struct step s[1];

	setup(s, 1);
	again = &s[0];
	s[0].task.run = run_again_next;
	loop_defer(&s[0].task);
	for (unsigned i = 0; i < 3; i++)
		loop_run_once(true);
	CU_ASSERT_STRING_EQUAL(trace, "aaa");
	loop_cancel(&s[0].task);
	loop_pool_destroy();
}

static void free_own_object(struct loop_task *task)
{
	mem_free(container_of(task, struct step, task));
}

static void may_free_its_object(void)
{
	struct step *step = mem_zalloc(sizeof(*step));

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	loop_task_init(&step->task, free_own_object);
	loop_defer(&step->task);
	loop_run_once(true);
	loop_pool_destroy();
}

UNIT_MAIN("task", UNIT_TEST(once_in_order_of_arming), UNIT_TEST(armed_by_tasks_in_the_same_turn),
	  UNIT_TEST(late_come_after_all_others), UNIT_TEST(late_is_armed_once),
	  UNIT_TEST(cancelled_do_not_run), UNIT_TEST(endless_tasks_let_others_in),
	  UNIT_TEST(background_goes_over_turns), UNIT_TEST(background_ends_with_the_loops),
	  UNIT_TEST(next_turn_first_and_without_blocking),
	  UNIT_TEST(once_a_turn_when_it_arms_itself_for_the_next), UNIT_TEST(may_free_its_object))
