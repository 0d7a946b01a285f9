/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

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

UNIT_MAIN("net/transport loops", UNIT_TEST(two_busy_loops))
