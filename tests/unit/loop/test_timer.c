/* SPDX-License-Identifier: MIT */
#include "loop/timer.h"

#include <stddef.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/counters.h"
#include "loop/loop.h"

#define LIMIT_MS 60000

static unsigned n_fired; /* of all probes */

struct probe {
	struct loop_timer timer;
	unsigned fired;
	unsigned nth; /* the how manieth of all that have fired */
	uint64_t fired_ms;
	uint64_t again_ms;
};

static void on_fire(struct loop_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	CU_ASSERT_FALSE(loop_timer_is_armed(timer));
	probe->fired++;
	probe->nth = ++n_fired;
	probe->fired_ms = loop_now_ms();
	if (probe->again_ms > 0)
		loop_timer_start_ms(timer, probe->again_ms);
}

static void setup(struct probe *probes, unsigned count)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	n_fired = 0;
	for (unsigned i = 0; i < count; i++) {
		probes[i] = (struct probe){ 0 };
		loop_timer_init(&probes[i].timer, on_fire);
	}
}

static void run_until_fired(const struct probe *probe, unsigned times)
{
	uint64_t end_ms = clock_monotonic_ms() + LIMIT_MS;

	while (probe->fired < times && clock_monotonic_ms() < end_ms)
		loop_run_once(true);
	CU_ASSERT_EQUAL(probe->fired, times);
}

static void fires_once_and_not_early(void)
{
	struct probe p;

	setup(&p, 1);
	CU_ASSERT_FALSE(loop_timer_is_armed(&p.timer));
	uint64_t start_ms = loop_now_ms();
	loop_timer_start_ms(&p.timer, 30);
	CU_ASSERT_TRUE(loop_timer_is_armed(&p.timer));
	run_until_fired(&p, 1);
	CU_ASSERT_TRUE(p.fired_ms >= start_ms + 30);
	CU_ASSERT_TRUE(p.fired_ms < start_ms + LIMIT_MS);
	loop_run_once(false);
	CU_ASSERT_EQUAL(p.fired, 1);
	loop_pool_destroy();
}

static void zero_fires_in_the_next_turn(void)
{
	struct probe p;

	setup(&p, 1);
	loop_timer_start_ms(&p.timer, 0);
	CU_ASSERT_EQUAL(p.fired, 0);
	run_until_fired(&p, 1);
	loop_pool_destroy();
}

/* Also where the machine is so busy that both are due when the loop looks. */
static void order_is_by_deadline(void)
{
	struct probe p[2];

	setup(p, 2);
	loop_timer_start_ms(&p[0].timer, 60);
	loop_timer_start_ms(&p[1].timer, 10);
	run_until_fired(&p[1], 1);
	run_until_fired(&p[0], 1);
	CU_ASSERT_EQUAL(p[1].nth, 1);
	CU_ASSERT_EQUAL(p[0].nth, 2);
	loop_pool_destroy();
}

static void restart_later_postpones(void)
{
	struct probe p;

	setup(&p, 1);
	uint64_t start_ms = loop_now_ms();
	loop_timer_start_ms(&p.timer, 10);
	loop_timer_start_ms(&p.timer, 60);
	run_until_fired(&p, 1);
	CU_ASSERT_TRUE(p.fired_ms >= start_ms + 60);
	loop_pool_destroy();
}

static void restart_earlier_hastens(void)
{
	struct probe p;

	setup(&p, 1);
	uint64_t start_ms = loop_now_ms();
	loop_timer_start_ms(&p.timer, 100000);
	loop_timer_start_ms(&p.timer, 10);
	run_until_fired(&p, 1);
	CU_ASSERT_TRUE(p.fired_ms < start_ms + LIMIT_MS);
	loop_pool_destroy();
}

static void stopped_does_not_fire(void)
{
	struct probe p[2];

	setup(p, 2);
	loop_timer_stop(&p[0].timer);
	loop_timer_start_ms(&p[0].timer, 5);
	loop_timer_start_ms(&p[1].timer, 30);
	loop_timer_stop(&p[0].timer);
	CU_ASSERT_FALSE(loop_timer_is_armed(&p[0].timer));
	run_until_fired(&p[1], 1);
	CU_ASSERT_EQUAL(p[0].fired, 0);
	loop_timer_start_ms(&p[0].timer, 5); /* usable again */
	run_until_fired(&p[0], 1);
	loop_pool_destroy();
}

static void fire_may_start_again(void)
{
	struct probe p;

	setup(&p, 1);
	p.again_ms = 3;
	loop_timer_start_ms(&p.timer, 3);
	run_until_fired(&p, 5);
	CU_ASSERT_TRUE(loop_timer_is_armed(&p.timer));
	loop_timer_stop(&p.timer);
	loop_pool_destroy();
}

static bool freed;

static void free_own_object(struct loop_timer *timer)
{
	mem_free(container_of(timer, struct probe, timer));
	freed = true;
}

static void fire_may_free(void)
{
	struct probe *p = mem_zalloc(sizeof(*p));

	freed = false;
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	loop_timer_init(&p->timer, free_own_object);
	loop_timer_start_ms(&p->timer, 1);
	while (!freed)
		loop_run_once(true);
	loop_pool_destroy();
}

/* Heartbeats: restarted with every read, so a restart must not touch the loop's timer heap. */
static void postponing_costs_no_wake_up(void)
{
	struct probe p[2];

	setup(p, 2);
	loop_timer_start_ms(&p[0].timer, 1000);
	uint64_t wake_ms = p[0].timer.wake_ms;
	for (int i = 0; i < 100000; i++)
		loop_timer_start_ms(&p[0].timer, 1000 + (uint64_t)i % 7);
	CU_ASSERT_EQUAL(p[0].timer.wake_ms, wake_ms);
	uint64_t turns = counter_sum(COUNTER_TURNS);
	loop_timer_start_ms(&p[1].timer, 50);
	run_until_fired(&p[1], 1);
	CU_ASSERT_TRUE(counter_sum(COUNTER_TURNS) - turns < 8);
	loop_timer_stop(&p[0].timer);
	loop_pool_destroy();
}

static void longest_time_is_fine(void)
{
	struct probe p;

	setup(&p, 1);
	loop_timer_start_ms(&p.timer, UINT64_MAX);
	CU_ASSERT_TRUE(loop_timer_is_armed(&p.timer));
	loop_run_once(false);
	CU_ASSERT_EQUAL(p.fired, 0);
	loop_timer_stop(&p.timer);
	loop_pool_destroy();
}

UNIT_MAIN("timer", UNIT_TEST(fires_once_and_not_early), UNIT_TEST(zero_fires_in_the_next_turn),
	  UNIT_TEST(order_is_by_deadline), UNIT_TEST(restart_later_postpones),
	  UNIT_TEST(restart_earlier_hastens), UNIT_TEST(stopped_does_not_fire),
	  UNIT_TEST(fire_may_start_again), UNIT_TEST(fire_may_free),
	  UNIT_TEST(postponing_costs_no_wake_up), UNIT_TEST(longest_time_is_fine))
