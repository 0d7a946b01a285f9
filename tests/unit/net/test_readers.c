/* SPDX-License-Identifier: MIT */
#include "net/readers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "fixture.h"
#include "loop/budget.h"
#include "loop/lag.h"
#include "loop/loop.h"

#include "../unit.h"

#define BLOCK	   ((size_t)128 * 1024)
#define UNIT_BYTES 40u
#define ENDS	   20u

static uint8_t block[BLOCK];
static struct end ends[ENDS];
static struct end *order[2 * ENDS];
static unsigned n_order;

/* As input of small messages. */
static size_t consume(struct end *end, struct slice bytes)
{
	if (n_order < sizeof(order) / sizeof(order[0]))
		order[n_order++] = end;
	end->n_got += bytes.size;
	loop_spend(bytes.size / UNIT_BYTES);
	return bytes.size;
}

/* It makes up all the work of a long turn. */
static size_t consume_dearly(struct end *end, struct slice bytes)
{
	(void)consume(end, bytes);
	loop_spend(LOOP_LONG_UNITS);
	return bytes.size;
}

/* Their sockets never run dry. */
static void fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)peer_send(&ends[i], block, BLOCK);
}

/* All are busy afterwards: each has had a full read. */
static void open_busy(unsigned n)
{
	loop_set();
	for (unsigned i = 0; i < n; i++) {
		end_open(&ends[i]);
		ends[i].consume = consume;
	}
	for (unsigned turns = 0; turns < 2 * n; turns++) {
		fill(n);
		loop_shorten();
		turn(1);
	}
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_TRUE(ends[i].n_data > 0);
		ends[i].n_data = 0;
		ends[i].n_got = 0;
	}
	n_order = 0;
}

static void close_all(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		end_close(&ends[i]);
	loop_clear();
}

static void busy_ones_are_read_in_turn(void)
{
	open_busy(4);
	for (unsigned turns = 0; turns < 40; turns++) {
		fill(4);
		loop_shorten();
		turn(1);
	}
	for (unsigned i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(ends[i].n_data >= 9 && ends[i].n_data <= 11);
		CU_ASSERT_TRUE(ends[i].n_got * 4 > ends[(i + 1) % 4].n_got * 3);
	}
	close_all(4);
}

static size_t got_by_all(unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += ends[i].n_got;
	return sum;
}

/* However many there are. One read may go beyond the budget, by itself. */
static void turn_reads_no_more_than_its_budget(void)
{
	open_busy(ENDS);
	for (unsigned turns = 0; turns < 10; turns++) {
		size_t before = got_by_all(ENDS);

		fill(ENDS);
		loop_shorten();
		turn(1);
		CU_ASSERT_TRUE(got_by_all(ENDS) > before);
		CU_ASSERT_TRUE(got_by_all(ENDS) - before <=
			       (size_t)2 * LOOP_SHORT_UNITS * UNIT_BYTES);
	}
	close_all(ENDS);
}

/* One alone has all of a long turn. */
static void one_alone_is_read_in_large_pieces(void)
{
	open_busy(1);
	turn(LOOP_SHORT_TURNS + 1);
	ends[0].largest = 0;
	for (unsigned turns = 0; turns < 3; turns++) {
		fill(1);
		turn(1);
	}
	CU_ASSERT_TRUE(ends[0].largest > (size_t)2 * LOOP_SHORT_UNITS * UNIT_BYTES);
	close_all(1);
}

static void others_come_before_busy_ones(void)
{
	open_busy(3);
	turn(1);
	end_open(&ends[3]);
	ends[3].consume = consume;
	fill(3);
	CU_ASSERT_EQUAL(peer_send(&ends[3], block, 10), 10);
	n_order = 0;
	turn(1);
	CU_ASSERT_TRUE(n_order > 1);
	CU_ASSERT_PTR_EQUAL(order[0], &ends[3]);
	close_all(4);
}

static void busy_one_gets_its_part_whatever_others_do(void)
{
	open_busy(1);
	for (unsigned i = 1; i < 4; i++) {
		end_open(&ends[i]);
		ends[i].consume = consume_dearly;
	}
	for (unsigned turns = 0; turns < 12; turns++) {
		fill(1);
		for (unsigned i = 1; i < 4; i++)
			CU_ASSERT_EQUAL(peer_send(&ends[i], block, 10), 10);
		turn(1);
	}
	CU_ASSERT_EQUAL(ends[0].n_data, 12);
	/* Those that the turn had no room for were not forgotten either. */
	for (unsigned i = 1; i < 4; i++)
		CU_ASSERT_TRUE(ends[i].n_data >= 4);
	close_all(4);
}

static void paused_one_is_not_read_in_its_turn(void)
{
	open_busy(2);
	fill(2);
	loop_shorten();
	turn(1); /* one was read, the other waits */
	struct end *waiting = ends[0].n_data == 0 ? &ends[0] : &ends[1];
	CU_ASSERT_EQUAL_FATAL(waiting->n_data, 0);
	CALL(transport_pause_reading(waiting->t));
	turn(3);
	CU_ASSERT_EQUAL(waiting->n_data, 0);
	CALL(transport_resume_reading(waiting->t));
	turn(3);
	CU_ASSERT_TRUE(waiting->n_data > 0);
	close_all(2);
}

/* Or a client that never ends would keep the loops from it. */
static void nothing_is_read_when_the_loops_have_stopped(void)
{
	open_busy(3);
	fill(3);
	loop_shorten();
	turn(1); /* some are read, others wait */
	size_t before = got_by_all(3);
	loop_pool_stop();
	loop_pool_drain();
	CU_ASSERT_EQUAL(got_by_all(3), before);
	close_all(3);
}

/* Its messages are for a queue whose deliveries lag behind. */
static size_t feed(struct end *end, struct slice bytes)
{
	for (unsigned i = 0; i < bytes.size / UNIT_BYTES; i++)
		loop_lag_fed();
	return consume(end, bytes);
}

/* Reads what acknowledgements allow, until it is held. */
static void feed_until_held(struct end *end)
{
	end->consume = feed;
	loop_lag_settled(2000);
	for (unsigned i = 0; i < 100 && !loop_lag_holds(); i++) {
		(void)peer_send(end, block, BLOCK);
		turn(1);
	}
	CU_ASSERT_TRUE_FATAL(loop_lag_holds());
}

static void one_that_feeds_goes_on_after_acknowledgements(void)
{
	open_busy(1);
	feed_until_held(&ends[0]);
	(void)peer_send(&ends[0], block, BLOCK);
	for (unsigned turns = 0; turns < 10; turns++) {
		size_t before = ends[0].n_got;

		loop_lag_settled(2000);
		(void)peer_send(&ends[0], block, BLOCK);
		turn(2);
		CU_ASSERT_TRUE(ends[0].n_got > before);
	}
	close_all(1);
}

/* Nobody acknowledges any more, and in the end nothing wakes the loop but the end of the hold. */
static void one_that_feeds_goes_on_without_acknowledgements(void)
{
	open_busy(1);
	feed_until_held(&ends[0]);
	for (unsigned turns = 0; turns < 10; turns++) {
		size_t before = ends[0].n_got;

		loop_shorten();
		(void)peer_send(&ends[0], block, BLOCK);
		uint64_t end_ms = clock_monotonic_ms() + 60000;
		while (ends[0].n_got == before && clock_monotonic_ms() < end_ms)
			turn(1);
		CU_ASSERT_TRUE(ends[0].n_got > before);
	}
	close_all(1);
}

static void held_one_does_not_hold_others(void)
{
	open_busy(2);
	feed_until_held(&ends[0]);
	for (unsigned turns = 0; turns < 10; turns++) {
		size_t before = ends[1].n_got;

		loop_shorten();
		fill(2);
		turn(1);
		CU_ASSERT_TRUE(ends[1].n_got > before);
	}
	close_all(2);
}

static void held_one_may_be_paused(void)
{
	open_busy(1);
	feed_until_held(&ends[0]);
	(void)peer_send(&ends[0], block, BLOCK);
	turn(1);
	CALL(transport_pause_reading(ends[0].t));
	size_t before = ends[0].n_got;

	loop_lag_settled(2000);
	turn(1);
	CU_ASSERT_EQUAL(ends[0].n_got, before);
	CALL(transport_resume_reading(ends[0].t));
	turn(3);
	CU_ASSERT_TRUE(ends[0].n_got > before);
	close_all(1);
}

UNIT_MAIN("net/readers", UNIT_TEST(busy_ones_are_read_in_turn),
	  UNIT_TEST(turn_reads_no_more_than_its_budget),
	  UNIT_TEST(one_alone_is_read_in_large_pieces), UNIT_TEST(others_come_before_busy_ones),
	  UNIT_TEST(busy_one_gets_its_part_whatever_others_do),
	  UNIT_TEST(paused_one_is_not_read_in_its_turn),
	  UNIT_TEST(nothing_is_read_when_the_loops_have_stopped),
	  UNIT_TEST(one_that_feeds_goes_on_after_acknowledgements),
	  UNIT_TEST(one_that_feeds_goes_on_without_acknowledgements),
	  UNIT_TEST(held_one_does_not_hold_others), UNIT_TEST(held_one_may_be_paused))
