/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include <event2/event.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/slab.h"
#include "loop/counters.h"

static void setup(unsigned count)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(count), 0);
}

static void creator_is_loop_0(void)
{
	CU_ASSERT_PTR_NULL(loop_self());
	setup(1);
	CU_ASSERT_PTR_EQUAL(loop_self(), loop_at(0));
	CU_ASSERT_EQUAL(loop_index(loop_self()), 0);
	CU_ASSERT_EQUAL(loop_count(), 1);
	CU_ASSERT_TRUE(loop_is_own(0));
	CU_ASSERT_FALSE(loop_is_own(1));
	OWN(0);
	loop_pool_destroy();
	CU_ASSERT_PTR_NULL(loop_self());
	CU_ASSERT_FALSE(loop_is_own(0));
	CU_ASSERT_EQUAL(loop_count(), 0);
	loop_pool_destroy();
}

static void wrong_owner_stops(void)
{
	int status = 0;

	setup(2);
	pid_t pid = fork();
	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		OWN(1);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	loop_pool_destroy();
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	CU_ASSERT_EQUAL(read(fd, &byte, 1), 1);
	++*(int *)arg;
}

static void events_are_called(void)
{
	int fds[2], count = 0;

	setup(1);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	struct event *event = event_new(loop_base(loop_self()), fds[0], EV_READ | EV_PERSIST,
					on_readable, &count);
	CU_ASSERT_PTR_NOT_NULL_FATAL(event);
	CU_ASSERT_EQUAL(event_add(event, NULL), 0);
	loop_run_once(false);
	CU_ASSERT_EQUAL(count, 0);
	CU_ASSERT_EQUAL(write(fds[1], "xy", 2), 2);
	loop_run_once(true);
	CU_ASSERT_EQUAL(count, 1);
	loop_run_once(true);
	CU_ASSERT_EQUAL(count, 2);
	event_free(event);
	(void)close(fds[0]);
	(void)close(fds[1]);
	loop_pool_destroy();
}

static void clock_is_kept_for_a_turn(void)
{
	setup(1);
	loop_run_once(false);
	uint64_t before_ms = clock_monotonic_ms();
	uint64_t now_ms = loop_now_ms(), wall_ms = loop_now_wall_ms();
	CU_ASSERT_TRUE(now_ms >= before_ms);
	while (clock_monotonic_ms() <= now_ms + 1)
		(void)usleep(500);
	CU_ASSERT_EQUAL(loop_now_ms(), now_ms);
	CU_ASSERT_EQUAL(loop_now_wall_ms(), wall_ms);
	loop_run_once(false);
	CU_ASSERT_TRUE(loop_now_ms() > now_ms);
	CU_ASSERT_TRUE(loop_now_wall_ms() > wall_ms);
	loop_pool_destroy();
	CU_ASSERT_TRUE(loop_now_ms() > now_ms);
}

static int destroyed;

static void destroy_one(void *object)
{
	(void)object;
	destroyed++;
}

static void destroy_and_retire(void *object)
{
	destroyed++;
	loop_retire(object, destroy_one);
}

static void retired_go_at_the_end_of_the_turn(void)
{
	setup(1);
	destroyed = 0;
	loop_retire(&destroyed, destroy_one);
	loop_retire(&destroyed, destroy_and_retire);
	CU_ASSERT_EQUAL(destroyed, 0);
	loop_run_once(true); /* does not block */
	CU_ASSERT_EQUAL(destroyed, 3);
	for (int i = 0; i < 5000; i++)
		loop_retire(&destroyed, destroy_one);
	loop_run_once(true);
	CU_ASSERT_EQUAL(destroyed, 5003);
	loop_retire(&destroyed, destroy_one);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(destroyed, 5004);
}

static void visit_loop(void *arg)
{
	*(unsigned *)arg = loop_index(loop_self());
	OWN(*(unsigned *)arg);
	loop_run_once(false);
}

static void visits_in_the_name_of_others(void)
{
	unsigned seen = 99;

	setup(3);
	for (unsigned i = 0; i < 3; i++) {
		loop_pool_visit(i, visit_loop, &seen);
		CU_ASSERT_EQUAL(seen, i);
		CU_ASSERT_EQUAL(loop_index(loop_self()), 0);
	}
	loop_pool_destroy();
}

static bool is_late;

static void be_late(struct loop_timer *timer)
{
	(void)timer;
	is_late = true;
}

/* Nothing happens on the loop but its upkeep. */
static void unused_memory_goes_back_when_idle(void)
{
	static void *objects[1000];
	struct loop_timer limit;
	struct slab_usage usage;

	slab_use_when_sanitized(true);
	setup(1);
	for (int i = 0; i < 1000; i++)
		objects[i] = slab_alloc(8000);
	for (int i = 0; i < 1000; i++)
		slab_free(objects[i], 8000);
	slab_own_usage(&usage);
	CU_ASSERT(usage.used + usage.spare >= 8000000);
	loop_timer_init(&limit, be_late);
	loop_timer_start_ms(&limit, 60000);
	loop_run_once(false); /* at its end the loop sees that there is much */
	do {
		loop_run_once(true);
		slab_own_usage(&usage);
	} while (usage.used + usage.spare > 1u << 20 && !is_late);
	CU_ASSERT_FALSE(is_late);
	loop_timer_stop(&limit);
	loop_pool_destroy();
	slab_use_when_sanitized(false);
}

UNIT_MAIN("loop", UNIT_TEST(creator_is_loop_0), UNIT_TEST(wrong_owner_stops),
	  UNIT_TEST(events_are_called), UNIT_TEST(clock_is_kept_for_a_turn),
	  UNIT_TEST(retired_go_at_the_end_of_the_turn), UNIT_TEST(visits_in_the_name_of_others),
	  UNIT_TEST(unused_memory_goes_back_when_idle))
