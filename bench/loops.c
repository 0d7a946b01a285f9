/* SPDX-License-Identifier: MIT */
/*
 * What loops cost each other: a turn, a letter, a wake-up, the big-reader lock. The numbers that
 * the model in docs/performance.md is made of.
 *
 *	bench/loops [LOOPS]
 *
 * LOOPS loops (2 by default), each on a thread of its own. Times are wall clock, of the best of
 * several rounds: what disturbs a round only ever makes it longer.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"
#include "loop/brlock.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#define ROUNDS 7

static unsigned n_loops;
static struct brlock *lock;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void print_line(const char *what, double ns)
{
	printf("%-58s %10.1f ns\n", what, ns);
	(void)fflush(stdout);
}

/* ---- letters ---- */

/* A letter that goes to and fro between loop 0 and another one. */
struct ball {
	struct letter letter;
	unsigned other;
	uint64_t hops_left;
};

/* One of many letters in one direction; the receiver only counts. */
struct parcel {
	struct letter letter;
};

static _Atomic uint64_t n_received; /* written by one loop */
static uint64_t n_balls_out;	    /* loop 0's */

static void ball_arrives(struct letter *letter)
{
	struct ball *ball = container_of(letter, struct ball, letter);
	unsigned here = loop_index(loop_self());

	if (ball->hops_left == 0 && here == 0) {
		mem_free(ball);
		n_balls_out--;
		return;
	}
	if (ball->hops_left > 0)
		ball->hops_left--;
	loop_post(here == 0 ? ball->other : 0, &ball->letter);
}

/* Nanoseconds a hop, with so many letters going round together: they share turns and wake-ups. */
static double time_hops(unsigned n_balls, uint64_t hops)
{
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();

		for (unsigned i = 0; i < n_balls; i++) {
			struct ball *ball = mem_alloc(sizeof(*ball));

			*ball = (struct ball){.letter.deliver = ball_arrives,
					      .other = n_loops - 1,
					      .hops_left = hops};
			loop_post(ball->other, &ball->letter);
		}
		n_balls_out = n_balls;
		while (n_balls_out > 0)
			loop_run_once(true);
		double ns = (double)(now_ns() - start) / (double)hops;
		if (round == 0 || ns < best)
			best = ns;
	}
	return best;
}

static void parcel_arrives(struct letter *letter)
{
	(void)letter; /* stays the sender's, who waits until all have arrived */
	atomic_store_explicit(&n_received,
			      atomic_load_explicit(&n_received, memory_order_relaxed) + 1,
			      memory_order_release);
}

/* Loop 0 sends `batch` letters a turn, as fast as it can, with at most 1024 under way. */
static double time_stream(unsigned batch)
{
	static struct parcel parcels[2048];
	const uint64_t total = 400000 / batch * batch;
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t sent = 0, start;

		atomic_store(&n_received, 0);
		start = now_ns();
		while (atomic_load_explicit(&n_received, memory_order_acquire) < total) {
			uint64_t arrived = atomic_load_explicit(&n_received, memory_order_acquire);

			for (unsigned i = 0; i < batch && sent < total && sent - arrived < 1024;
			     i++, sent++) {
				struct parcel *p = &parcels[sent % 2048];

				p->letter.deliver = parcel_arrives;
				loop_post(n_loops - 1, &p->letter);
			}
			loop_run_once(false);
		}
		double ns = (double)(now_ns() - start) / (double)total;
		if (round == 0 || ns < best)
			best = ns;
	}
	return best;
}

static double time_turns(void)
{
	const unsigned n = 100000;
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();

		for (unsigned i = 0; i < n; i++)
			loop_run_once(false);
		double ns = (double)(now_ns() - start) / n;
		if (round == 0 || ns < best)
			best = ns;
	}
	return best;
}

/* ---- the big-reader lock ---- */

/* Makes the other loops read, over and over, a moment at a time, until it is told to stop. */
struct reader {
	struct letter letter;
	unsigned loop;
};

static _Atomic bool stop_reading;
static _Atomic unsigned n_reading;

static void read_some(struct letter *letter)
{
	struct reader *reader = container_of(letter, struct reader, letter);

	if (atomic_load(&stop_reading)) {
		mem_free(reader);
		atomic_fetch_sub(&n_reading, 1);
		return;
	}
	for (unsigned i = 0; i < 64; i++) {
		brlock_read_acquire(lock);
		brlock_read_release(lock);
	}
	loop_post(reader->loop, &reader->letter);
}

static void start_readers(void)
{
	atomic_store(&stop_reading, false);
	for (unsigned i = 1; i < n_loops; i++) {
		struct reader *reader = mem_alloc(sizeof(*reader));

		*reader = (struct reader){.letter.deliver = read_some, .loop = i};
		atomic_fetch_add(&n_reading, 1);
		loop_post(i, &reader->letter);
	}
	loop_run_once(false);
}

static void stop_readers(void)
{
	atomic_store(&stop_reading, true);
	while (atomic_load(&n_reading) > 0)
		loop_run_once(false);
}

static double time_lock(void (*acquire)(struct brlock *), void (*release)(struct brlock *),
			unsigned n)
{
	double best = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();

		for (unsigned i = 0; i < n; i++) {
			acquire(lock);
			release(lock);
		}
		double ns = (double)(now_ns() - start) / n;
		if (round == 0 || ns < best)
			best = ns;
	}
	return best;
}

static void time_locks(void)
{
	print_line("read side, acquire and release, others idle",
		   time_lock(brlock_read_acquire, brlock_read_release, 1000000));
	print_line("write side, acquire and release, others idle",
		   time_lock(brlock_write_acquire, brlock_write_release, 100000));
	if (n_loops == 1)
		return;
	start_readers();
	print_line("read side, all other loops reading",
		   time_lock(brlock_read_acquire, brlock_read_release, 1000000));
	print_line("write side, all other loops reading",
		   time_lock(brlock_write_acquire, brlock_write_release, 10000));
	stop_readers();
}

static void time_letters(void)
{
	if (n_loops == 1)
		print_line("letter to the own loop, a turn each", time_hops(1, 100000));
	else {
		print_line("letter to a sleeping loop (a wake-up each)", time_hops(1, 20000));
		print_line("64 letters to a sleeping loop, each", time_hops(64, 5000) / 64);
		print_line("stream of letters, 1 a turn, each", time_stream(1));
		print_line("stream of letters, 8 a turn, each", time_stream(8));
		print_line("stream of letters, 64 a turn, each", time_stream(64));
	}
}

int main(int argc, char **argv)
{
	n_loops = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2;
	if (n_loops < 1 || n_loops > LOOP_COUNT_MAX || loop_pool_create(n_loops) != 0) {
		(void)fprintf(stderr, "Usage: loops [LOOPS]\n");
		return 64;
	}
	lock = brlock_create(n_loops);
	if (loop_pool_start() != 0) {
		(void)fprintf(stderr, "loops: no threads\n");
		return 70;
	}
	printf("%u loops\n", n_loops);
	print_line("a turn without anything to do", time_turns());
	time_letters();
	time_locks();
	loop_pool_stop();
	loop_run();
	brlock_destroy(lock);
	loop_pool_destroy();
	return 0;
}
