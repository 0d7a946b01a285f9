/* SPDX-License-Identifier: MIT */
#include "loop/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/state.h"

#define LOOPS_MAX 4
#define LIMIT_MS 60000

/* A numbered letter; each receiver checks that each sender's numbers come in order. */
struct numbered {
	struct letter letter;
	unsigned from;
	uint64_t number;
};

static struct {
	uint64_t next_in[LOOPS_MAX + 1]; /* written by one loop each */
	char apart[128];
} received[LOOPS_MAX];

static _Atomic uint64_t delivered, out_of_order;

static void check_number(struct letter *letter)
{
	struct numbered *n = container_of(letter, struct numbered, letter);
	uint64_t *expected = &received[loop_index(loop_self())].next_in[n->from];

	if (n->number != *expected)
		atomic_fetch_add(&out_of_order, 1);
	*expected = n->number + 1;
	mem_free(n);
	atomic_fetch_add(&delivered, 1);
}

static struct letter *make_numbered(unsigned from, uint64_t number)
{
	struct numbered *n = mem_alloc(sizeof(*n));

	*n = (struct numbered){ .letter.deliver = check_number, .from = from, .number = number };
	return &n->letter;
}

static void setup(unsigned loops)
{
	for (unsigned i = 0; i < LOOPS_MAX; i++) {
		for (unsigned k = 0; k <= LOOPS_MAX; k++)
			received[i].next_in[k] = 0;
	}
	atomic_store(&delivered, 0);
	atomic_store(&out_of_order, 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(loops), 0);
}

static void to_itself_in_order_and_not_inside_the_call(void)
{
	setup(1);
	for (uint64_t i = 0; i < 1000; i++)
		loop_post(0, make_numbered(0, i));
	CU_ASSERT_EQUAL(delivered, 0);
	loop_run_once(true); /* does not block */
	CU_ASSERT_EQUAL(delivered, 1000);
	CU_ASSERT_EQUAL(out_of_order, 0);
	loop_pool_destroy();
}

static void run_once(void *arg)
{
	(void)arg;
	loop_run_once(false);
}

/* Loop 0 posts to loop 1, all on this thread. */
static void outbox_is_pushed_at_the_end_of_the_turn(void)
{
	setup(2);
	for (uint64_t i = 0; i < 10; i++)
		loop_post(1, make_numbered(0, i));
	loop_pool_visit(1, run_once, NULL);
	CU_ASSERT_EQUAL(delivered, 0);
	loop_run_once(false);
	loop_pool_visit(1, run_once, NULL);
	CU_ASSERT_EQUAL(delivered, 10);
	CU_ASSERT_EQUAL(out_of_order, 0);
	loop_pool_destroy();
}

static void full_outbox_is_pushed_at_once(void)
{
	setup(2);
	for (uint64_t i = 0; i < LETTER_BATCH + 5; i++)
		loop_post(1, make_numbered(0, i));
	loop_pool_visit(1, run_once, NULL);
	CU_ASSERT_EQUAL(delivered, LETTER_BATCH);
	loop_run_once(false);
	loop_pool_visit(1, run_once, NULL);
	CU_ASSERT_EQUAL(delivered, LETTER_BATCH + 5);
	CU_ASSERT_EQUAL(out_of_order, 0);
	loop_pool_destroy();
}

static void undelivered_are_delivered_at_the_end(void)
{
	setup(2);
	loop_post(0, make_numbered(0, 0));
	loop_post(1, make_numbered(0, 0));
	loop_post_outside(1, make_numbered(1, 0));
	loop_pool_destroy();
	CU_ASSERT_EQUAL(delivered, 3);
}

/* --- every loop floods every loop, itself too --- */

struct flood {
	struct loop_task task;
	uint64_t sent, total;
};

static struct flood floods[LOOPS_MAX];

/* Between one letter and some hundred a turn, so that batches of all sizes come. */
static void flood_some(struct loop_task *task)
{
	struct flood *flood = container_of(task, struct flood, task);
	unsigned self = loop_index(loop_self());
	uint64_t burst = 1 + flood->sent * 7919 % 400;

	for (uint64_t i = 0; i < burst && flood->sent < flood->total; i++, flood->sent++) {
		for (unsigned target = 0; target < loop_count(); target++)
			loop_post(target, make_numbered(self, flood->sent));
	}
	if (flood->sent < flood->total)
		loop_defer(task);
}

static void start_flood(struct letter *letter)
{
	struct flood *flood = &floods[loop_index(loop_self())];

	mem_free(letter);
	loop_task_init(&flood->task, flood_some);
	loop_defer(&flood->task);
}

static void post_start(unsigned target, void (*deliver)(struct letter *letter))
{
	struct letter *letter = mem_alloc(sizeof(*letter));

	letter->deliver = deliver;
	loop_post_outside(target, letter);
}

static _Atomic uint64_t stop_at;

/*
 * On a thread of its own: ends the pool when all has come, or (then the test fails) when it takes
 * too long.
 */
static void *stop_when_done(void *arg)
{
	uint64_t end_ms = clock_monotonic_ms() + LIMIT_MS;

	(void)arg;
	while (atomic_load(&delivered) < atomic_load(&stop_at) && clock_monotonic_ms() < end_ms)
		(void)usleep(500);
	loop_pool_stop();
	return NULL;
}

static void run_until_delivered(uint64_t count)
{
	pthread_t watcher;

	atomic_store(&stop_at, count);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&watcher, NULL, stop_when_done, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	(void)pthread_join(watcher, NULL);
	CU_ASSERT_EQUAL(atomic_load(&delivered), count);
	CU_ASSERT_EQUAL(atomic_load(&out_of_order), 0);
}

static void everyone_to_everyone(void)
{
	for (unsigned loops = 1; loops <= LOOPS_MAX; loops++) {
		setup(loops);
		for (unsigned i = 0; i < loops; i++) {
			floods[i] = (struct flood){ .total = 20000 };
			post_start(i, start_flood);
		}
		run_until_delivered((uint64_t)loops * loops * 20000);
		loop_pool_destroy();
	}
}

/*
 * Stopping while letters are on their way: none leaks (the address sanitizer looks), and all
 * arrive.
 */
static void stop_amid_a_flood(void)
{
	pthread_t watcher;
	uint64_t sent = 0;

	setup(3);
	for (unsigned i = 0; i < 3; i++) {
		floods[i] = (struct flood){ .total = 100000 };
		post_start(i, start_flood);
	}
	atomic_store(&stop_at, 20000);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&watcher, NULL, stop_when_done, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	(void)pthread_join(watcher, NULL);
	for (unsigned i = 0; i < 3; i++)
		sent += floods[i].sent * 3;
	CU_ASSERT_EQUAL(atomic_load(&delivered), sent);
	CU_ASSERT_EQUAL(atomic_load(&out_of_order), 0);
	loop_pool_destroy();
}

/* --- a ring: one letter goes round, so all loops sleep between --- */

static void pass_on(struct letter *letter)
{
	struct numbered *n = container_of(letter, struct numbered, letter);

	atomic_fetch_add(&delivered, 1);
	if (n->number-- == 0)
		mem_free(n);
	else
		loop_post((loop_index(loop_self()) + 1) % loop_count(), letter);
}

static void ring_of_sleepers(void)
{
	for (unsigned loops = 2; loops <= LOOPS_MAX; loops++) {
		setup(loops);
		for (unsigned tokens = 1; tokens <= 3; tokens++) {
			struct letter *token = make_numbered(0, 3000 - 1);

			token->deliver = pass_on;
			loop_post_outside(tokens % loops, token);
		}
		run_until_delivered(3 * 3000);
		loop_pool_destroy();
	}
}

/* --- from threads without a loop --- */

static void *post_from_outside(void *arg)
{
	for (uint64_t i = 0; i < 20000; i++)
		loop_post_outside((unsigned)(i % 2), make_numbered(*(unsigned *)arg, i / 2));
	return NULL;
}

static void from_outside(void)
{
	pthread_t threads[2];
	unsigned senders[2] = { 2, 3 };

	setup(2);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[i], NULL, post_from_outside, &senders[i]), 0);
	run_until_delivered(2 * 20000);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	loop_pool_destroy();
}

/* --- how often anyone is woken --- */

static void wait_until_asleep(unsigned index)
{
	uint64_t end_ms = clock_monotonic_ms() + LIMIT_MS;

	while (!atomic_load(&loop_at(index)->inbox.asleep) && clock_monotonic_ms() < end_ms)
		(void)usleep(500);
	CU_ASSERT_TRUE(atomic_load(&loop_at(index)->inbox.asleep));
}

static void wait_until_delivered(uint64_t count)
{
	uint64_t end_ms = clock_monotonic_ms() + LIMIT_MS;

	while (atomic_load(&delivered) < count && clock_monotonic_ms() < end_ms)
		(void)usleep(500);
	CU_ASSERT_EQUAL(atomic_load(&delivered), count);
}

/* Loop 1 runs on its thread, loop 0 is driven by hand. */
static void many_letters_one_wake_up(void)
{
	setup(2);
	uint64_t at_first = counter_sum(COUNTER_WAKE_UPS), end_ms = clock_monotonic_ms() + LIMIT_MS;
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	for (uint64_t round = 0;
	     round < 20 || (counter_sum(COUNTER_WAKE_UPS) - at_first < 10 && clock_monotonic_ms() < end_ms);
	     round++) {
		wait_until_asleep(1);
		uint64_t before = counter_sum(COUNTER_WAKE_UPS);
		for (uint64_t i = 0; i < 100; i++)
			loop_post(1, make_numbered(0, round * 100 + i));
		CU_ASSERT_EQUAL(counter_sum(COUNTER_WAKE_UPS), before);
		loop_run_once(false);
		/*
		 * None if it is awake for a moment, because an earlier wake-up came when it was
		 * about to look by itself.
		 */
		CU_ASSERT_TRUE(counter_sum(COUNTER_WAKE_UPS) - before <= 1);
		wait_until_delivered((round + 1) * 100);
	}
	CU_ASSERT_TRUE(counter_sum(COUNTER_WAKE_UPS) - at_first >= 10);
	CU_ASSERT_EQUAL(atomic_load(&out_of_order), 0);
	loop_pool_stop();
	loop_run();
	loop_pool_destroy();
}

static void awake_targets_are_not_woken(void)
{
	setup(2);
	uint64_t before = counter_sum(COUNTER_WAKE_UPS);
	loop_post(1, make_numbered(0, 0));
	loop_run_once(false); /* loop 1 never blocked */
	CU_ASSERT_EQUAL(counter_sum(COUNTER_WAKE_UPS), before);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(atomic_load(&delivered), 1);
}

static void *stop_after_a_while(void *arg)
{
	(void)arg;
	(void)usleep(300000);
	loop_pool_stop();
	return NULL;
}

static void idle_loops_are_not_woken(void)
{
	pthread_t watcher;

	setup(3);
	uint64_t before = counter_sum(COUNTER_TURNS);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&watcher, NULL, stop_after_a_while, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	(void)pthread_join(watcher, NULL);
	CU_ASSERT_TRUE(counter_sum(COUNTER_TURNS) - before <= 3);
	loop_pool_destroy();
}

UNIT_MAIN("mailbox", UNIT_TEST(to_itself_in_order_and_not_inside_the_call),
	  UNIT_TEST(outbox_is_pushed_at_the_end_of_the_turn),
	  UNIT_TEST(full_outbox_is_pushed_at_once), UNIT_TEST(undelivered_are_delivered_at_the_end),
	  UNIT_TEST(everyone_to_everyone), UNIT_TEST(stop_amid_a_flood),
	  UNIT_TEST(ring_of_sleepers), UNIT_TEST(from_outside), UNIT_TEST(many_letters_one_wake_up),
	  UNIT_TEST(awake_targets_are_not_woken), UNIT_TEST(idle_loops_are_not_woken))
