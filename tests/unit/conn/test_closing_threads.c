/* SPDX-License-Identifier: MIT */
/*
 * Connections are closed while they go from loop to loop, on threads of their own: all that were meant, and each once.
 * For the thread sanitizer, too.
 */
#define WORLD_PLACEMENT PLACEMENT_RESTLESS
#include "conversation.h"

#include <poll.h>
#include <pthread.h>

#include "base/clock.h"
#include "conn/closing.h"
#include "loop/counters.h"

enum { N = 16, ROUNDS = 6, LIMIT_MS = 60000, MOVES = 20 };

static struct client clients[N];
static struct loop_timer timer;
static struct conn_closing closing;
static _Atomic bool has_ended;
static uint64_t began_ms, n_moves;
static bool is_in_time;

static void ended(struct conn_closing *unused)
{
	(void)unused;
	is_in_time = true;
	has_ended = true;
	loop_pool_stop();
}

/* Closes them when they have moved about. */
static void look(struct loop_timer *unused)
{
	(void)unused;
	if (clock_monotonic_ms() - began_ms > LIMIT_MS) {
		has_ended = true;
		loop_pool_stop();
	} else if (counter_sum(COUNTER_CONNECTIONS_MOVED) - n_moves >= MOVES && closing.parts == NULL) {
		conn_close_matching(&closing);
	}
	loop_timer_start_ms(&timer, 5);
}

/* All publish, until their broker says that it is over. */
static void *publish_on(void *unused)
{
	while (!has_ended) {
		for (unsigned i = 0; i < N; i++) {
			read_in(&clients[i]);
			if (clients[i].close_code == 0 && clients[i].out.size < 4096)
				publish(&clients[i], 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 10);
			write_out(&clients[i]);
		}
		(void)poll(NULL, 0, 0);
	}
	return unused;
}

static void one_round(void)
{
	pthread_t thread;
	unsigned n_closed = 0;

	world_create();
	for (unsigned i = 0; i < N; i++) {
		client_connect(&clients[i], i % LOOPS);
		begin(&clients[i]);
	}
	for (unsigned i = 0; i < N; i += 2)
		settle(&clients[i], &clients[i + 1]);
	closing = (struct conn_closing){
		.service = service,
		.user = SLICE_LITERAL("guest"),
		.reason = "it is enough",
		.done = ended,
	};
	has_ended = is_in_time = false;
	began_ms = clock_monotonic_ms();
	n_moves = counter_sum(COUNTER_CONNECTIONS_MOVED);
	loop_timer_init(&timer, look);
	loop_timer_start_ms(&timer, 1);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, publish_on, NULL), 0);
	loop_run();
	(void)pthread_join(thread, NULL);
	loop_timer_stop(&timer);
	CU_ASSERT_TRUE(is_in_time);
	for (unsigned i = 0; i < N; i++) {
		read_in(&clients[i]);
		n_closed += clients[i].close_code == AMQP_CONNECTION_FORCED;
		client_end(&clients[i]);
	}
	CU_ASSERT_EQUAL(closing.n_closed, N);
	CU_ASSERT_EQUAL(n_closed, N);
}

static void cut_here(void *unused)
{
	(void)unused;
	conn_service_cut(service);
}

static void they_move_meanwhile(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		one_round();
		for (unsigned loop = 0; loop < LOOPS; loop++)
			loop_pool_visit(loop, cut_here, NULL);
		loop_pool_drain();
		world_destroy();
	}
}

UNIT_MAIN("conn/closing_threads", UNIT_TEST(they_move_meanwhile))
