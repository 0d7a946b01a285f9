/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <pthread.h>
#include <stdatomic.h>

#include "../unit.h"
#include "base/mem.h"

/* When a heap needs an upkeep, and when it does not. */

#define MANY	  20000 /* objects: more than what is kept for good */
#define MANY_SIZE 150
#define KEPT	  (1u << 20)

static void slabs_are_used_with_sanitizers(void)
{
	slab_use_when_sanitized(true);
}

static struct slab_usage usage(void)
{
	struct slab_usage now;

	slab_own_usage(&now);
	return now;
}

static void **make_many(void)
{
	void **objects = mem_alloc(MANY * sizeof(*objects));

	for (int i = 0; i < MANY; i++)
		objects[i] = slab_alloc(MANY_SIZE);
	return objects;
}

static void free_many(void **objects)
{
	for (int i = 0; i < MANY; i++)
		slab_free(objects[i], MANY_SIZE);
	mem_free(objects);
}

static void *free_in_turns(void *arg)
{
	slab_set_in_turns(true, NULL, NULL);
	free_many(arg);
	(void)slab_finish_turn();
	return NULL;
}

static void free_on_another_thread(void **objects)
{
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, free_in_turns, objects), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_join(thread, NULL), 0);
}

static atomic_int n_woken;

static void wake(void *arg)
{
	CU_ASSERT_PTR_EQUAL(arg, &n_woken);
	atomic_fetch_add(&n_woken, 1);
}

/* How many upkeeps a thread without work needs until it asks for no more; 100: too many. */
static int upkeeps_until_rest(void)
{
	int n = 1;

	while (slab_upkeep() > 0 && n < 100)
		n++;
	return n;
}

/* However much it has. */
static void who_has_nothing_to_do_rests(void)
{
	slab_set_in_turns(true, wake, &n_woken);
	void **objects = make_many();

	CU_ASSERT_TRUE(slab_finish_turn());
	CU_ASSERT(upkeeps_until_rest() <= 3);
	CU_ASSERT(usage().used > 2 * KEPT);
	CU_ASSERT_FALSE(slab_finish_turn());

	void *another = slab_alloc(MANY_SIZE);

	CU_ASSERT_TRUE(slab_finish_turn());
	slab_free(another, MANY_SIZE);
	free_many(objects);
	CU_ASSERT_TRUE(slab_finish_turn());
	CU_ASSERT(upkeeps_until_rest() < 100);
	CU_ASSERT(usage().spare <= KEPT);
	CU_ASSERT_EQUAL(atomic_load(&n_woken), 0);
	slab_set_in_turns(false, NULL, NULL);
}

static void what_comes_back_wakes_once(void)
{
	slab_set_in_turns(true, wake, &n_woken);
	void **objects = make_many();

	CU_ASSERT(upkeeps_until_rest() <= 3);
	CU_ASSERT_FALSE(slab_finish_turn());
	free_on_another_thread(objects);
	CU_ASSERT_EQUAL(atomic_load(&n_woken), 1);
	CU_ASSERT_TRUE(slab_finish_turn());
	CU_ASSERT(upkeeps_until_rest() < 100);
	CU_ASSERT(usage().used + usage().spare <= 2 * KEPT);
	slab_set_in_turns(false, NULL, NULL);
}

UNIT_MAIN("slab rest", UNIT_TEST(slabs_are_used_with_sanitizers),
	  UNIT_TEST(who_has_nothing_to_do_rests), UNIT_TEST(what_comes_back_wakes_once))
