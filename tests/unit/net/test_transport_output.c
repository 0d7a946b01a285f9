/* SPDX-License-Identifier: MIT */
#include "net/transport.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "fixture.h"
#include "loop/loop.h"
#include "writing.h"

#include "../unit.h"

static void all_leaves_at_the_end_of_the_turn(void)
{
	struct end end;

	set(&end);
	write_reserved(&end, 100);
	write_copied(&end, 50);
	write_reserved(&end, 0);
	write_copied(&end, 0);
	write_shared(&end, 5000);
	write_shared(&end, 10); /* copied */
	CU_ASSERT_EQUAL(n_released, 1);
	write_reserved(&end, TRANSPORT_BLOCK_SIZE);
	write_reserved(&end, TRANSPORT_BLOCK_SIZE * 3);
	write_reserved(&end, 1);
	CU_ASSERT_EQUAL(transport_queued(end.t), written);
	CU_ASSERT_EQUAL(peer_receive(&end, (uint8_t[1]){0}, 1), -1);
	turn(1);
	CU_ASSERT_EQUAL(transport_queued(end.t), 0);
	CU_ASSERT_EQUAL(transport_bytes_written(end.t), written);
	CU_ASSERT_EQUAL(transport_last_write_ms(end.t), loop_now_ms());
	CU_ASSERT_EQUAL(n_released, 2);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, written);
	clear(&end);
}

static void part_of_a_reservation(void)
{
	struct end end;
	uint8_t *p;

	set(&end);
	p = transport_reserve(end.t, 1000);
	fill_pattern(p, 10, 0);
	transport_commit(end.t, 10);
	written = 10;
	write_reserved(&end, 10);
	CU_ASSERT_EQUAL(transport_queued(end.t), 20);
	turn(1);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 20);
	clear(&end);
}

static void idle_holds_no_memory(void)
{
	struct end end;

	set(&end);
	CU_ASSERT_PTR_NULL(end.t->out.open);
	write_reserved(&end, 100);
	CU_ASSERT_PTR_NOT_NULL(end.t->out.open);
	turn(1);
	CU_ASSERT_PTR_NULL(end.t->out.open);
	CU_ASSERT_PTR_NULL(end.t->out.first);
	CU_ASSERT_FALSE(end.t->is_armed);
	clear(&end);
}

static void large_reservation_may_fail(void)
{
	struct end end;

	set(&end);
	write_reserved(&end, 10);
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(transport_reserve(end.t, TRANSPORT_BLOCK_SIZE + 1));
	mem_fault_after(-1);
	CU_ASSERT_PTR_NULL(transport_reserve(end.t, SIZE_MAX));
	write_reserved(&end, 10);
	turn(1);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 20);
	clear(&end);
}

/* Everything in one random mixture, to a peer that reads slowly. */
static void slow_reader_gets_all_in_order(void)
{
	unsigned n_shared = 0;
	size_t n_wrong = 0;
	struct end end;

	set(&end);
	srand(7);
	while (written < 24 * KIB * KIB) {
		for (int i = rand() % 20; i > 0; i--) {
			switch (rand() % 4) {
			case 0:
				write_shared(&end, 1 + (size_t)rand() % (60 * KIB));
				n_shared++;
				break;
			case 1:
				write_copied(&end, (size_t)rand() % (40 * KIB));
				break;
			case 2:
				write_reserved(&end, 1 + (size_t)rand() % (20 * KIB));
				break;
			default:
				write_reserved(&end, 1 + (size_t)rand() % 100);
			}
		}
		turn(1);
		n_wrong += receive(&end, (size_t)rand() % (300 * KIB));
	}
	CU_ASSERT_TRUE(transport_queued(end.t) > 0);
	for (unsigned i = 0; i < 1000000 && received < written; i++) {
		n_wrong += receive(&end, 100 * KIB);
		turn(1);
	}
	CU_ASSERT_EQUAL(received, written);
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT_EQUAL(n_released, n_shared);
	CU_ASSERT_EQUAL(transport_queued(end.t), 0);
	CU_ASSERT_PTR_NULL(end.t->out.open);
	clear(&end);
}

static void watermarks(void)
{
	struct end end;

	set(&end);
	transport_set_watermarks(end.t, 100 * KIB, 200 * KIB);
	CU_ASSERT_FALSE(transport_is_congested(end.t));
	write_copied(&end, 200 * KIB);
	CU_ASSERT_FALSE(transport_is_congested(end.t));
	write_copied(&end, 1);
	CU_ASSERT_TRUE(transport_is_congested(end.t));
	CU_ASSERT_EQUAL(end.n_drained, 0);
	fill_up(&end);
	while (transport_queued(end.t) > 100 * KIB) {
		CU_ASSERT_TRUE(transport_is_congested(end.t));
		CU_ASSERT_EQUAL(end.n_drained, 0);
		CU_ASSERT_EQUAL(receive(&end, 50 * KIB), 0);
		turn(1);
	}
	CU_ASSERT_EQUAL(end.n_drained, 1);
	CU_ASSERT_FALSE(transport_is_congested(end.t));
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	turn(3);
	CU_ASSERT_EQUAL(end.n_drained, 1);
	clear(&end);
}

/*
 * Above the high watermark and empty again within one turn: whoever stopped because of it is told.
 */
static void drained_within_the_turn(void)
{
	int size = 1024 * 1024;
	struct end end;

	set(&end);
	(void)setsockopt(end.peer, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	transport_set_watermarks(end.t, 10, 20);
	write_copied(&end, 21);
	CU_ASSERT_TRUE(transport_is_congested(end.t));
	turn(1);
	CU_ASSERT_EQUAL(end.n_drained, 1);
	CU_ASSERT_FALSE(transport_is_congested(end.t));
	clear(&end);
}

static void write_more(struct end *end)
{
	if (end->n_drained < 5)
		write_copied(end, 30);
}

static void write_when_drained(void)
{
	struct end end;

	set(&end);
	end.on_drained = write_more;
	transport_set_watermarks(end.t, 10, 20);
	write_copied(&end, 30);
	turn(5);
	CU_ASSERT_EQUAL(end.n_drained, 5);
	CU_ASSERT_EQUAL(receive(&end, SIZE_MAX), 0);
	CU_ASSERT_EQUAL(received, 150);
	clear(&end);
}

static void destroy_when_drained(void)
{
	struct end end;

	set(&end);
	end.on_drained = destroy_when_called;
	transport_set_watermarks(end.t, 10, 20);
	write_copied(&end, 30);
	turn(2);
	CU_ASSERT_EQUAL(end.n_drained, 1);
	CU_ASSERT_EQUAL(n_released, 1);
	CU_ASSERT_EQUAL(end.n_closed, 0);
	clear(&end);
}

static void destroy_releases_what_is_shared(void)
{
	struct end end;

	set(&end);
	fill_up(&end);
	for (unsigned i = 0; i < 10; i++)
		write_shared(&end, 10 * KIB);
	CU_ASSERT_EQUAL(n_released, 0);
	transport_destroy(end.t);
	end.t = NULL;
	turn(1);
	CU_ASSERT_EQUAL(n_released, 10);
	CU_ASSERT_EQUAL(end.n_closed, 0);
	clear(&end);
}

UNIT_MAIN("net/transport output", UNIT_TEST(all_leaves_at_the_end_of_the_turn),
	  UNIT_TEST(part_of_a_reservation), UNIT_TEST(idle_holds_no_memory),
	  UNIT_TEST(large_reservation_may_fail), UNIT_TEST(slow_reader_gets_all_in_order),
	  UNIT_TEST(watermarks), UNIT_TEST(drained_within_the_turn), UNIT_TEST(write_when_drained),
	  UNIT_TEST(destroy_when_drained), UNIT_TEST(destroy_releases_what_is_shared))
