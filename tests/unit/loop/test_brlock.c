/* SPDX-License-Identifier: MIT */
#include "loop/brlock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

static struct brlock *lock;

/*
 * Plain memory on purpose: only the lock makes it safe, and the thread sanitizer watches. first ==
 * second, outside of a write.
 */
static struct {
	uint64_t first;
	char apart[512];
	uint64_t second;
} shared;

static _Atomic uint64_t reads, broken, writes, late_writes;

#define SOON_US 1000000u

static void read_and_write_alone(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	lock = brlock_create(1);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_FALSE(brlock_is_reading(lock));
		brlock_read_acquire(lock);
		CU_ASSERT_TRUE(brlock_is_reading(lock));
		CU_ASSERT_FALSE(brlock_is_writing(lock));
		brlock_read_release(lock);
		brlock_write_acquire(lock);
		CU_ASSERT_TRUE(brlock_is_writing(lock));
		CU_ASSERT_FALSE(brlock_is_reading(lock));
		brlock_write_release(lock);
		CU_ASSERT_FALSE(brlock_is_writing(lock));
	}
	brlock_destroy(lock);
	brlock_destroy(NULL);
	loop_pool_destroy();
}

static void nest_reads(void)
{
	brlock_read_acquire(lock);
	brlock_read_acquire(lock);
}

static void nest_writes(void)
{
	brlock_write_acquire(lock);
	brlock_write_acquire(lock);
}

static void write_in_read(void)
{
	brlock_read_acquire(lock);
	brlock_write_acquire(lock);
}

static void read_in_write(void)
{
	brlock_write_acquire(lock);
	brlock_read_acquire(lock);
}

static void release_only(void)
{
	brlock_read_release(lock);
}

static void dies(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	CU_ASSERT_TRUE_FATAL(pid >= 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		(void)alarm(50); /* a deadlock instead ends by this signal */
		fn();
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status) ? WEXITSTATUS(status) == 70 : WTERMSIG(status) == SIGABRT);
}

static void misuse_stops(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	lock = brlock_create(1);
	dies(nest_reads);
	dies(nest_writes);
	dies(write_in_read);
	dies(read_in_write);
	dies(release_only);
	brlock_destroy(lock);
	loop_pool_destroy();
}

/* --- loops read as fast as they can, while others break the invariant and restore it --- */

static struct loop_task read_tasks[4];

static void read_often(struct loop_task *task)
{
	for (int i = 0; i < 200; i++) {
		brlock_read_acquire(lock);
		if (shared.first != shared.second)
			atomic_fetch_add(&broken, 1);
		brlock_read_release(lock);
	}
	atomic_fetch_add_explicit(&reads, 200, memory_order_relaxed);
	if (!loop_pool_is_stopping())
		loop_defer(task);
}

static void start_reading(struct letter *letter)
{
	struct loop_task *task = &read_tasks[loop_index(loop_self())];

	mem_free(letter);
	loop_task_init(task, read_often);
	loop_defer(task);
}

static void write_once(void)
{
	uint64_t start_us = clock_monotonic_us();

	brlock_write_acquire(lock);
	uint64_t waited_us = clock_monotonic_us() - start_us;
	if (shared.first != shared.second)
		atomic_fetch_add(&broken, 1);
	shared.first++;
	for (volatile int i = 0; i < 300; i++)
		;
	shared.second++;
	brlock_write_release(lock);
	atomic_fetch_add(&writes, 1);
	if (waited_us > SOON_US)
		atomic_fetch_add(&late_writes, 1);
}

struct writer {
	pthread_t thread;
	uint64_t count;
	useconds_t pause_us;
};

static void *write_often(void *arg)
{
	const struct writer *writer = arg;

	for (uint64_t i = 0; i < writer->count; i++) {
		write_once();
		if (writer->pause_us > 0)
			(void)usleep(writer->pause_us);
	}
	return NULL;
}

static void *join_writers_and_stop(void *arg)
{
	struct writer *writers = arg;

	for (int i = 0; i < 2; i++)
		(void)pthread_join(writers[i].thread, NULL);
	loop_pool_stop();
	return NULL;
}

static void run_readers_and_writers(unsigned loops, uint64_t count, useconds_t pause_us)
{
	struct writer writers[2];
	pthread_t joiner;

	shared.first = shared.second = 0;
	atomic_store(&reads, 0);
	atomic_store(&broken, 0);
	atomic_store(&writes, 0);
	atomic_store(&late_writes, 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(loops), 0);
	lock = brlock_create(loops);
	for (unsigned i = 0; i < loops; i++) {
		struct letter *letter = mem_alloc(sizeof(*letter));

		letter->deliver = start_reading;
		loop_post(i, letter);
	}
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	for (int i = 0; i < 2; i++) {
		writers[i] = (struct writer){ .count = count, .pause_us = pause_us };
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&writers[i].thread, NULL, write_often, &writers[i]), 0);
	}
	CU_ASSERT_EQUAL_FATAL(pthread_create(&joiner, NULL, join_writers_and_stop, writers), 0);
	loop_run();
	(void)pthread_join(joiner, NULL);
	CU_ASSERT_EQUAL(atomic_load(&broken), 0);
	CU_ASSERT_EQUAL(atomic_load(&writes), 2 * count);
	CU_ASSERT_EQUAL(shared.first, 2 * count);
	CU_ASSERT_TRUE(atomic_load(&reads) > 0);
	brlock_destroy(lock);
	loop_pool_destroy();
}

/*
 * Rare writers get in soon, however tightly the readers turn: the most of them, as a machine that is
 * busy with other things may let any of the threads wait.
 */
static void writers_get_in(void)
{
	for (unsigned loops = 1; loops <= 4; loops++) {
		run_readers_and_writers(loops, 100, 200);
		CU_ASSERT_TRUE(atomic_load(&late_writes) < atomic_load(&writes) / 10);
	}
}

/* Writers without a pause between do not keep the readers out. */
static void readers_get_in_between_writers(void)
{
	run_readers_and_writers(2, 2000, 0);
	CU_ASSERT_TRUE(atomic_load(&reads) >= 200);
}

/* --- loops that read and write, as the topology is used --- */

static _Atomic unsigned loops_done;

struct mixed {
	struct loop_task task;
	unsigned round;
};

static struct mixed mixed[4];

static void read_and_write(struct loop_task *task)
{
	struct mixed *m = container_of(task, struct mixed, task);

	for (int i = 0; i < 50; i++) {
		brlock_read_acquire(lock);
		if (shared.first != shared.second)
			atomic_fetch_add(&broken, 1);
		brlock_read_release(lock);
	}
	write_once();
	if (++m->round < 200)
		loop_defer(task);
	else if (atomic_fetch_add(&loops_done, 1) + 1 == loop_count())
		loop_pool_stop();
}

static void start_mixed(struct letter *letter)
{
	struct mixed *m = &mixed[loop_index(loop_self())];

	mem_free(letter);
	m->round = 0;
	loop_task_init(&m->task, read_and_write);
	loop_defer(&m->task);
}

static void loops_read_and_write(void)
{
	shared.first = shared.second = 0;
	atomic_store(&loops_done, 0);
	atomic_store(&broken, 0);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(4), 0);
	lock = brlock_create(4);
	for (unsigned i = 0; i < 4; i++) {
		struct letter *letter = mem_alloc(sizeof(*letter));

		letter->deliver = start_mixed;
		loop_post(i, letter);
	}
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	CU_ASSERT_EQUAL(atomic_load(&broken), 0);
	CU_ASSERT_EQUAL(shared.first, 4 * 200);
	brlock_destroy(lock);
	loop_pool_destroy();
}

UNIT_MAIN("brlock", UNIT_TEST(read_and_write_alone), UNIT_TEST(misuse_stops),
	  UNIT_TEST(writers_get_in), UNIT_TEST(readers_get_in_between_writers),
	  UNIT_TEST(loops_read_and_write))
