/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "base/mem.h"

#define MANY	  20000 /* objects: more than what is kept for good */
#define MANY_SIZE 150
#define KEPT	  (1u << 20)

static void *make(size_t size)
{
	void *p = slab_try_alloc(size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memset(p, (int)(size & 0xff), size);
	return p;
}

static bool is_filled(const void *p, size_t size)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != (size & 0xff))
			return false;
	}
	return true;
}

/* Until it has nothing more to do at once. */
static unsigned keep_up(void)
{
	unsigned again_ms;

	do
		again_ms = slab_upkeep();
	while (again_ms != 0 && again_ms < SLAB_UPKEEP_MS);
	return again_ms;
}

/* The first notes what is not used, the second sees that it was not used since. */
static void keep_up_twice(void)
{
	(void)keep_up();
	(void)keep_up();
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
		objects[i] = make(MANY_SIZE);
	return objects;
}

static void free_many(void **objects)
{
	for (int i = 0; i < MANY; i++) {
		CU_ASSERT_FATAL(is_filled(objects[i], MANY_SIZE));
		slab_free(objects[i], MANY_SIZE);
	}
	mem_free(objects);
}

static void run_thread(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run, arg), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_join(thread, NULL), 0);
}

static void every_size_has_its_room(void)
{
	static void *objects[2][SLAB_OBJECT_MAX + 100];

	for (int i = 0; i < 2; i++) {
		for (size_t size = 0; size < SLAB_OBJECT_MAX + 100; size++) {
			objects[i][size] = make(size);
			CU_ASSERT_EQUAL_FATAL((uintptr_t)objects[i][size] % 16, 0);
		}
	}
	for (size_t size = 0; size < SLAB_OBJECT_MAX + 100; size++) {
		for (int i = 0; i < 2; i++) {
			CU_ASSERT_FATAL(is_filled(objects[i][size], size));
			slab_free(objects[i][size], size);
		}
	}
}

static void little_is_wasted(void)
{
	for (size_t size = 100; size <= SLAB_OBJECT_MAX; size = size * 5 / 4) {
		size_t before = usage().used, count = (4u << 20) / size;
		void **objects = mem_alloc(count * sizeof(*objects));

		for (size_t i = 0; i < count; i++)
			objects[i] = make(size);
		CU_ASSERT(usage().used - before < (4u << 20) / 100 * 125);
		for (size_t i = 0; i < count; i++)
			slab_free(objects[i], size);
		mem_free(objects);
		(void)keep_up();
	}
}

static void the_last_freed_is_used_next(void)
{
	void *first = make(200), *second = make(200);

	slab_free(first, 200);
	CU_ASSERT_PTR_EQUAL(make(200), first);
	slab_free(second, 200);
	slab_free(first, 200);
	CU_ASSERT_PTR_EQUAL(make(193), first);
	CU_ASSERT_PTR_EQUAL(make(208), second);
	slab_free(first, 193);
	slab_free(second, 208);
}

static void realloc_keeps_the_bytes(void)
{
	static const size_t sizes[] = {40, 41, 300, 48, 5000, 100000, 50000, 200, 10};
	uint8_t *p = slab_try_alloc(40);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memcpy(p, "0123456789", 10);
	for (size_t i = 1; i < sizeof(sizes) / sizeof(*sizes); i++) {
		p = slab_try_realloc(p, sizes[i - 1], sizes[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		CU_ASSERT_EQUAL(memcmp(p, "0123456789", 10), 0);
		memset(p + 10, 1, sizes[i] - 10);
	}
	slab_free(p, 10);
}

static void faults_are_injected(void)
{
	static const size_t sizes[] = {100, 100000};

	for (int i = 0; i < 2; i++) {
		void *p = make(sizes[i]);

		mem_fault_after(1);
		CU_ASSERT_PTR_NULL(slab_try_alloc(sizes[i]));
		mem_fault_after(1);
		CU_ASSERT_PTR_NULL(slab_try_realloc(p, sizes[i], 2 * sizes[i]));
		CU_ASSERT(is_filled(p, sizes[i]));
		slab_free(p, sizes[i]);
		p = slab_try_alloc(sizes[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		slab_free(p, sizes[i]);
	}
}

static void unused_memory_goes_back(void)
{
	keep_up_twice();
	struct slab_usage before = usage();
	void **objects = make_many();

	CU_ASSERT(usage().used >= before.used + (size_t)MANY * MANY_SIZE);
	CU_ASSERT(usage().mapped >= usage().used);
	CU_ASSERT_TRUE(slab_finish_turn());
	keep_up_twice();
	free_many(objects);
	keep_up_twice();
	CU_ASSERT_EQUAL(usage().used, before.used);
	CU_ASSERT(usage().spare <= KEPT);
	CU_ASSERT(usage().mapped <= before.mapped);
	CU_ASSERT_FALSE(slab_finish_turn());
	CU_ASSERT_EQUAL(keep_up(), 0);
}

/* Only a part of each region is free, so none can go as a whole. */
static void unused_memory_goes_back_in_pieces(void)
{
	void **objects = make_many();
	struct slab_usage before = usage();

	for (int i = 0; i < MANY; i++) {
		if (i / (MANY / 4) % 2 == 0)
			slab_free(objects[i], MANY_SIZE);
	}
	keep_up_twice();
	CU_ASSERT(usage().used <= before.used * 6 / 10);
	CU_ASSERT(usage().spare <= KEPT);
	for (int i = 0; i < MANY; i++) {
		if (i / (MANY / 4) % 2 == 0)
			objects[i] = make(MANY_SIZE);
	}
	free_many(objects);
	keep_up_twice();
	CU_ASSERT(usage().spare <= KEPT);
}

static void what_is_used_again_and_again_stays(void)
{
	free_many(make_many());
	(void)keep_up();
	struct slab_usage before = usage();

	for (int i = 0; i < 10; i++) {
		free_many(make_many());
		(void)keep_up();
		CU_ASSERT(usage().spare + usage().used >= before.spare + before.used);
	}
	keep_up_twice();
	CU_ASSERT(usage().spare <= KEPT);
}

/* ---- Other threads ---- */

struct order {
	void **objects;
	bool in_turns, finish_turn;
};

static void *free_elsewhere(void *arg)
{
	const struct order *order = arg;

	slab_set_in_turns(order->in_turns, NULL, NULL);
	free_many(order->objects);
	if (order->finish_turn)
		(void)slab_finish_turn();
	return NULL;
}

static void comes_back(bool in_turns, bool finish_turn)
{
	keep_up_twice();
	struct slab_usage before = usage();
	struct order order = {make_many(), in_turns, finish_turn};

	run_thread(free_elsewhere, &order);
	keep_up_twice();
	CU_ASSERT_EQUAL(usage().used, before.used);
	CU_ASSERT(usage().spare <= KEPT);
}

static void comes_back_from_a_thread_without_turns(void)
{
	comes_back(false, false);
}

static void comes_back_at_the_end_of_a_turn(void)
{
	comes_back(true, true);
}

static void comes_back_when_the_thread_ends(void)
{
	comes_back(true, false);
}

/* A few objects are gathered until then. */
static void *free_one_in_turns(void *arg)
{
	void **steps = arg;

	slab_set_in_turns(true, NULL, NULL);
	slab_free(steps[0], MANY_SIZE);
	steps[1] = slab_try_alloc(MANY_SIZE); /* never another heap's */
	CU_ASSERT_PTR_NOT_EQUAL(steps[0], steps[1]);
	return NULL;
}

static void an_object_goes_to_its_owner_only(void)
{
	void *steps[2] = {make(MANY_SIZE), NULL};

	run_thread(free_one_in_turns, steps);
	CU_ASSERT_PTR_NOT_NULL_FATAL(steps[1]);
	slab_free(steps[1], MANY_SIZE); /* its thread has ended */
}

/* Without an upkeep: the owner finds them when it needs objects, and does not grow. */
static void what_came_back_is_used_next(void)
{
	keep_up_twice();
	struct order order = {make_many(), true, true};
	size_t used = usage().used;

	run_thread(free_elsewhere, &order);
	free_many(make_many());
	CU_ASSERT(usage().used <= used);
	keep_up_twice();
}

static void *make_elsewhere(void *arg)
{
	void ***ret_objects = arg;

	*ret_objects = make_many();
	return NULL;
}

static void *use_the_heap_that_was_left(void *arg)
{
	struct slab_usage *ret_usage = arg;
	void *p = make(10);

	keep_up_twice();
	slab_own_usage(ret_usage);
	slab_free(p, 10);
	return NULL;
}

static void objects_outlive_their_thread(void)
{
	struct slab_usage left;
	void **objects;

	run_thread(make_elsewhere, &objects);
	free_many(objects);
	run_thread(use_the_heap_that_was_left, &left);
	CU_ASSERT(left.used < KEPT);
	CU_ASSERT(left.spare <= KEPT);
}

/* ---- All at once: each thread makes objects, which another one frees ---- */

#define THREADS 4
#define ROUNDS	300
#define BATCH	500

struct place {
	_Alignas(CACHE_LINE_SIZE) _Atomic(void **) batch;
};

static struct place places[THREADS];
static atomic_int n_wrong;

static size_t size_at(int round, int i)
{
	return 24 + (size_t)(round * 131 + i * 29) % 700;
}

static void put_batch(struct place *place, int round)
{
	void **batch = slab_alloc(BATCH * sizeof(*batch)), **none = NULL;

	for (int i = 0; i < BATCH; i++) {
		batch[i] = slab_alloc(size_at(round, i));
		memset(batch[i], (int)(size_at(round, i) & 0xff), size_at(round, i));
	}
	while (!atomic_compare_exchange_weak(&place->batch, &none, batch)) {
		none = NULL;
		(void)sched_yield();
	}
}

static void take_batch(struct place *place, int round)
{
	void **batch;

	while (!(batch = atomic_exchange(&place->batch, NULL)))
		(void)sched_yield();
	for (int i = 0; i < BATCH; i++) {
		if (!is_filled(batch[i], size_at(round, i)))
			atomic_fetch_add(&n_wrong, 1);
		slab_free(batch[i], size_at(round, i));
	}
	slab_free(batch, BATCH * sizeof(*batch));
}

static void *pass_on(void *arg)
{
	int self = *(int *)arg;

	slab_set_in_turns(self != 0, NULL, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		put_batch(&places[self], round);
		take_batch(&places[(self + 1) % THREADS], round);
		(void)slab_finish_turn();
		if (round % 16 == 0)
			(void)slab_upkeep();
	}
	return NULL;
}

static void threads_free_what_others_made(void)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, pass_on, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL(pthread_join(threads[i], NULL), 0);
	CU_ASSERT_EQUAL(atomic_load(&n_wrong), 0);
}

/* ---- What goes wrong ---- */

static int status_of(void (*run)(void))
{
	int status = 0;
	pid_t pid = fork();

	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		run();
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void free_twice(void)
{
	void *p = make(100);

	slab_free(p, 100);
	slab_free(p, 100);
	(void)slab_upkeep();
}

static void freeing_twice_stops_the_process(void)
{
#ifdef SHUNT_ABORT_ON_BUG
	CU_ASSERT_EQUAL(status_of(free_twice), -SIGABRT);
#else
	CU_ASSERT_EQUAL(status_of(free_twice), 70);
#endif
}

#if !IS_SANITIZED
/* Sanitizers need address space of their own. */

#define SOME_SPACE (64u << 20)

static void limit_space(void)
{
	struct rlimit limit = {SOME_SPACE, SOME_SPACE};

	if (setrlimit(RLIMIT_AS, &limit) != 0)
		_exit(2);
}

static void fill_space(void)
{
	void **last = NULL, **p;
	size_t n = 0, again = 0;

	limit_space();
	for (; (p = slab_try_alloc(MANY_SIZE)); n++) {
		*p = last;
		last = p;
	}
	while (last) {
		p = *last;
		slab_free(last, MANY_SIZE);
		last = p;
	}
	for (; again < n && slab_try_alloc(MANY_SIZE); again++) {
		/* as many as before */
	}
	_exit(n > 1000 && again == n ? 0 : 1);
}

static void out_of_memory_is_null(void)
{
	CU_ASSERT_EQUAL(status_of(fill_space), 0);
}

static void never_return_null(void)
{
	limit_space();
	for (;;)
		*(volatile char *)slab_alloc(MANY_SIZE) = 1;
}

static void out_of_memory_stops_the_process(void)
{
	CU_ASSERT_EQUAL(status_of(never_return_null), 70);
}

#define OUT_OF_MEMORY_TESTS                                                                        \
	, UNIT_TEST(out_of_memory_is_null), UNIT_TEST(out_of_memory_stops_the_process)
#else
#define OUT_OF_MEMORY_TESTS
#endif

/* The first, or the others would test malloc(). */
static void slabs_are_used_with_sanitizers(void)
{
	slab_use_when_sanitized(true);
	slab_free(make(1), 1);
	CU_ASSERT(usage().used > 0);
}

UNIT_MAIN("slab", UNIT_TEST(slabs_are_used_with_sanitizers), UNIT_TEST(every_size_has_its_room),
	  UNIT_TEST(little_is_wasted), UNIT_TEST(the_last_freed_is_used_next),
	  UNIT_TEST(realloc_keeps_the_bytes), UNIT_TEST(faults_are_injected),
	  UNIT_TEST(unused_memory_goes_back), UNIT_TEST(unused_memory_goes_back_in_pieces),
	  UNIT_TEST(what_is_used_again_and_again_stays),
	  UNIT_TEST(comes_back_from_a_thread_without_turns),
	  UNIT_TEST(comes_back_at_the_end_of_a_turn), UNIT_TEST(comes_back_when_the_thread_ends),
	  UNIT_TEST(an_object_goes_to_its_owner_only), UNIT_TEST(what_came_back_is_used_next),
	  UNIT_TEST(objects_outlive_their_thread), UNIT_TEST(threads_free_what_others_made),
	  UNIT_TEST(freeing_twice_stops_the_process) OUT_OF_MEMORY_TESTS)
