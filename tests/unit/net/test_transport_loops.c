/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "fixture.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#include "../unit.h"

/*
 * Two loops on threads of their own, with the two ends of each of some connections; one end sends,
 * the other sends back. The pools of both are busy at the same time. In the end everything is torn
 * down by one thread, in the name of each.
 */
#define N_PAIRS 8
#define TOTAL	((size_t)4 * 1024 * 1024)

struct side {
	struct letter letter;
	struct transport *t;
	int fd;
	bool is_echo;
	size_t n_sent;
	size_t n_received;
	size_t n_wrong;
	unsigned n_closed;
};

static struct side sides[N_PAIRS][2];
static _Atomic unsigned n_finished;

static void send_more(struct side *side)
{
	while (side->n_sent < TOTAL && !transport_is_congested(side->t)) {
		size_t size = 1 + (size_t)(side->n_sent * 7) % 5000;

		if (size > TOTAL - side->n_sent)
			size = TOTAL - side->n_sent;
		fill_pattern(transport_reserve(side->t, size), size, side->n_sent);
		transport_commit(side->t, size);
		side->n_sent += size;
	}
}

static size_t data(struct transport *t, struct slice bytes)
{
	struct side *side = transport_context(t);

	if (side->is_echo) {
		transport_write(t, bytes);
		if (transport_is_congested(t))
			transport_pause_reading(t);
		return bytes.size;
	}
	side->n_wrong += count_wrong(bytes.data, bytes.size, side->n_received);
	side->n_received += bytes.size;
	if (side->n_received == TOTAL && atomic_fetch_add(&n_finished, 1) + 1 == N_PAIRS)
		loop_pool_stop();
	return bytes.size;
}

static void closed(struct transport *t, int error)
{
	(void)error;
	((struct side *)transport_context(t))->n_closed++;
}

static void drained(struct transport *t)
{
	struct side *side = transport_context(t);

	if (side->is_echo)
		transport_resume_reading(t);
	else
		send_more(side);
}

static const struct transport_handler handler = {
	.data = data, .closed = closed, .drained = drained};

static void start(struct letter *letter)
{
	struct side *side = container_of(letter, struct side, letter);

	side->t = transport_create(side->fd, &handler, side);
	if (!side->is_echo)
		send_more(side);
}

static void tear_down(void *argument)
{
	transport_destroy(((struct side *)argument)->t);
}

static void two_busy_loops(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	atomic_store(&n_finished, 0);
	for (unsigned i = 0; i < N_PAIRS; i++) {
		int fds[2];

		CU_ASSERT_EQUAL_FATAL(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
		for (unsigned j = 0; j < 2; j++) {
			sides[i][j] = (struct side){
				.letter = {.deliver = start}, .fd = fds[j], .is_echo = j == 1};
			loop_post((i + j) % 2, &sides[i][j].letter);
		}
	}
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();
	for (unsigned i = 0; i < N_PAIRS; i++) {
		CU_ASSERT_EQUAL(sides[i][0].n_received, TOTAL);
		CU_ASSERT_EQUAL(sides[i][0].n_wrong, 0);
		CU_ASSERT_EQUAL(sides[i][0].n_closed + sides[i][1].n_closed, 0);
		loop_pool_visit(i % 2, tear_down, &sides[i][0]);
		loop_pool_visit((i + 1) % 2, tear_down, &sides[i][1]);
	}
	loop_pool_destroy();
}

/* ---- From loop to loop ---- */

static struct {
	struct transport *t;
	int fd; /* the other end */
	char got[64];
	size_t n_got, n_to_take;
	unsigned n_closed;
} traveller;

static size_t take_some(struct transport *t, struct slice bytes)
{
	size_t n = bytes.size < traveller.n_to_take ? bytes.size : traveller.n_to_take;

	memcpy(traveller.got + traveller.n_got, bytes.data, n);
	traveller.n_got += n;
	traveller.n_to_take -= n;
	if (traveller.n_to_take == 0)
		transport_pause_reading(t);
	return n;
}

static void note_end(struct transport *t, int error)
{
	(void)error;
	traveller.n_closed++;
	transport_destroy(t);
}

static const struct transport_handler traveller_handler = {.data = take_some, .closed = note_end};

static void create_here(void *fd)
{
	traveller.t = transport_create(*(int *)fd, &traveller_handler, NULL);
}

static void turn_here(void *unused)
{
	(void)unused;
	loop_run_once(false);
}

static void leave_here(void *unused)
{
	(void)unused;
	CU_ASSERT_TRUE_FATAL(transport_can_leave(traveller.t));
	transport_leave(traveller.t);
}

static void arrive_here(void *unused)
{
	(void)unused;
	transport_arrive(traveller.t);
	CU_ASSERT_TRUE(transport_is_paused(traveller.t));
}

static void go_on_here(void *unused)
{
	(void)unused;
	transport_resume_reading(traveller.t);
}

static void write_here(void *unused)
{
	(void)unused;
	transport_write(traveller.t, SLICE_LITERAL("hello"));
	CU_ASSERT_FALSE(transport_can_leave(traveller.t)); /* not with output */
}

static void turn_twice(unsigned loop)
{
	loop_pool_visit(loop, turn_here, NULL);
	loop_pool_visit(loop, turn_here, NULL);
}

/* What was kept comes over there, and then what comes there. */
static void from_loop_to_loop(void)
{
	char bytes[16];
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	memset(&traveller, 0, sizeof(traveller));
	traveller.n_to_take = 4;
	loop_pool_visit(0, create_here, &fds[1]);
	CU_ASSERT_FALSE(transport_can_leave(traveller.t)); /* it reads */
	CU_ASSERT_EQUAL(write(fds[0], "0123456789", 10), 10);
	turn_twice(0);
	CU_ASSERT_EQUAL(traveller.n_got, 4);
	loop_pool_visit(0, write_here, NULL);
	turn_twice(0);
	CU_ASSERT_EQUAL(read(fds[0], bytes, sizeof(bytes)), 5);

	loop_pool_visit(0, leave_here, NULL);
	CU_ASSERT_EQUAL(write(fds[0], "abcdef", 6), 6);
	traveller.n_to_take = 60;
	turn_twice(0);
	loop_pool_visit(1, arrive_here, NULL);
	turn_twice(1);
	CU_ASSERT_EQUAL(traveller.n_got, 4);
	loop_pool_visit(1, go_on_here, NULL);
	turn_twice(0);
	CU_ASSERT_EQUAL(traveller.n_got, 4);
	turn_twice(1);
	CU_ASSERT_EQUAL(traveller.n_got, 16);
	CU_ASSERT_EQUAL(memcmp(traveller.got, "0123456789abcdef", 16), 0);
	loop_pool_visit(1, write_here, NULL);
	turn_twice(1);
	CU_ASSERT_EQUAL(read(fds[0], bytes, sizeof(bytes)), 5);
	(void)close(fds[0]);
	turn_twice(1);
	CU_ASSERT_EQUAL(traveller.n_closed, 1);
	loop_pool_destroy();
}

UNIT_MAIN("net/transport loops", UNIT_TEST(two_busy_loops), UNIT_TEST(from_loop_to_loop))
