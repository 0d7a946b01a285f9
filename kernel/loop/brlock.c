/* SPDX-License-Identifier: MIT */
#include "loop/brlock.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop/state.h"

/*
 * A reader raises its flag and then looks for a writer; a writer announces itself and then looks at
 * the flags. Both are sequentially consistent, so at least one of them sees the other. A reader
 * that sees a writer lowers its flag at once and waits: so the writer waits only for those who are
 * inside already, however eager the readers are.
 *
 * The other way round, writers must not keep readers out by following each other closely: readers
 * that wait are counted, and a writer announces itself only when those that waited for the one
 * before have come in (or after GRACE_US, as one of them may have lost its processor).
 *
 * Leaving is a plain store, without a look for who waits: a writer, being rare, polls the flags,
 * first spinning, then yielding, then with short sleeps. Readers stay inside for at most 100 us.
 */
enum {
	READER_SPINS = 200,
	WRITER_SPINS = 500,
	WRITER_YIELDS = 20,
	WRITER_SLEEP_NS = 20000,
	GRACE_US = 1000,
};

struct reader {
	_Alignas(CACHE_LINE_SIZE) _Atomic uint32_t inside;
};

struct brlock {
	/*
	 * 1: a writer is announced or inside. The futex of waiting readers. Read by every reader,
	 * so nothing that changes without a writer is on its line.
	 */
	_Alignas(CACHE_LINE_SIZE) _Atomic uint32_t writer;
	unsigned n_readers;

	_Alignas(CACHE_LINE_SIZE) pthread_mutex_t writers;
	_Atomic uint32_t waiting; /* readers that met a writer and are not in yet */
	_Atomic uintptr_t owner;  /* the thread that writes: thread_id() */

	struct reader readers[];
};

static uintptr_t thread_id(void)
{
	static _Thread_local char id;

	return (uintptr_t)&id;
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

struct brlock *brlock_create(unsigned n_loops)
{
	size_t size = sizeof(struct brlock) + n_loops * sizeof(struct reader);
	struct brlock *lock = mem_zalloc_aligned(_Alignof(struct brlock), size);
	int rc = pthread_mutex_init(&lock->writers, NULL);

	bug_on(rc != 0);
	lock->n_readers = n_loops;
	return lock;
}

void brlock_destroy(struct brlock *lock)
{
	if (!lock)
		return;
	bug_on(atomic_load(&lock->writer) != 0);
	(void)pthread_mutex_destroy(&lock->writers);
	mem_free(lock);
}

bool brlock_is_writing(const struct brlock *lock)
{
	return atomic_load_explicit(&lock->owner, memory_order_relaxed) == thread_id();
}

bool brlock_is_reading(const struct brlock *lock)
{
	const struct loop *self = loop_current;

	return self && self->index < lock->n_readers &&
	       atomic_load_explicit(&lock->readers[self->index].inside, memory_order_relaxed) != 0;
}

static inline struct reader *own_reader(struct brlock *lock)
{
	const struct loop *self = loop_current;

	bug_on(!self || self->index >= lock->n_readers);
	return &lock->readers[self->index];
}

static void wait_for_writer(struct brlock *lock)
{
	for (int i = 0; i < READER_SPINS; i++) {
		if (atomic_load(&lock->writer) == 0)
			return;
		relax();
	}
	/*
	 * Returns at once if the writer has left meanwhile; for whatever reason it returns, the
	 * caller looks again.
	 */
	(void)syscall(SYS_futex, &lock->writer, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static __attribute__((noinline)) void back_off(struct brlock *lock, struct reader *reader)
{
	bug_on(brlock_is_writing(lock));
	atomic_fetch_add(&lock->waiting, 1);
	do {
		atomic_store_explicit(&reader->inside, 0, memory_order_release);
		wait_for_writer(lock);
		atomic_store(&reader->inside, 1);
	} while (atomic_load(&lock->writer) != 0);
	atomic_fetch_sub(&lock->waiting, 1);
}

void brlock_read_acquire(struct brlock *lock)
{
	struct reader *reader = own_reader(lock);

	bug_on(atomic_load_explicit(&reader->inside, memory_order_relaxed) != 0);
	atomic_store(&reader->inside, 1);
	if (UNLIKELY(atomic_load(&lock->writer) != 0))
		back_off(lock, reader);
}

void brlock_read_release(struct brlock *lock)
{
	struct reader *reader = own_reader(lock);

	bug_on(atomic_load_explicit(&reader->inside, memory_order_relaxed) != 1);
	atomic_store_explicit(&reader->inside, 0, memory_order_release);
}

/*
 * One step of waiting, the n-th; each kind of step gives the others more room than the one before.
 */
static void writer_rest(int n)
{
	static const struct timespec nap = {.tv_nsec = WRITER_SLEEP_NS};

	if (n < WRITER_SPINS)
		relax();
	else if (n < WRITER_SPINS + WRITER_YIELDS)
		(void)sched_yield();
	else
		(void)nanosleep(&nap, NULL);
}

static void let_waiting_readers_in(struct brlock *lock)
{
	uint64_t start_us = 0;

	for (int n = 0; atomic_load(&lock->waiting) != 0; n += n < INT16_MAX) {
		if (start_us == 0)
			start_us = clock_monotonic_us();
		else if (clock_monotonic_us() - start_us > GRACE_US)
			return;
		writer_rest(n);
	}
}

void brlock_write_acquire(struct brlock *lock)
{
	bug_on(brlock_is_reading(lock) || brlock_is_writing(lock));
	int rc = pthread_mutex_lock(&lock->writers);
	bug_on(rc != 0);

	let_waiting_readers_in(lock);
	atomic_store_explicit(&lock->owner, thread_id(), memory_order_relaxed);
	atomic_store(&lock->writer, 1);
	for (unsigned i = 0; i < lock->n_readers; i++) {
		for (int n = 0; atomic_load(&lock->readers[i].inside) != 0; n += n < INT16_MAX)
			writer_rest(n);
	}
}

void brlock_write_release(struct brlock *lock)
{
	bug_on(!brlock_is_writing(lock));
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
	atomic_store(&lock->writer, 0);
	/*
	 * A reader counts itself before it sleeps on the futex, and the kernel looks at `writer`
	 * before it lets it sleep.
	 */
	if (atomic_load(&lock->waiting) != 0)
		(void)syscall(SYS_futex, &lock->writer, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL,
			      0);
	int rc = pthread_mutex_unlock(&lock->writers);
	bug_on(rc != 0);
}
