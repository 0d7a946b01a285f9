/* SPDX-License-Identifier: MIT */
#include "base/ring.h"

#include "../unit.h"

static void first_in_first_out(void)
{
	struct ring ring;
	uint64_t in = 0, out = 0;
	unsigned wrong = 0;

	ring_init(&ring);
	/* Grows by one a round, and turns around its array all the time. */
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 8; i++)
			ring_push(&ring, in++);
		for (int i = 0; i < 7; i++)
			wrong += ring_pop(&ring) != out++;
	}
	CU_ASSERT_EQUAL(ring_count(&ring), 1000);
	for (size_t i = 0; i < 1000; i++)
		wrong += *ring_at(&ring, i) != out + i;
	while (ring_count(&ring) > 0)
		wrong += ring_pop(&ring) != out++;
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(in, out);
	CU_ASSERT_TRUE(ring.capacity <= 16);
	ring_fini(&ring);
}

static void push_front(void)
{
	struct ring ring;

	ring_init(&ring);
	for (uint64_t i = 100; i < 200; i++)
		ring_push(&ring, i);
	for (uint64_t i = 100; i-- > 0;)
		ring_push_front(&ring, i);
	CU_ASSERT_EQUAL(ring_count(&ring), 200);
	*ring_at(&ring, 150) = 7;
	for (uint64_t i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(ring_pop(&ring), i == 150 ? 7 : i);
	ring_fini(&ring);
}

static void clear_empties(void)
{
	struct ring ring;

	ring_init(&ring);
	ring_push(&ring, 1);
	ring_clear(&ring);
	CU_ASSERT_EQUAL(ring_count(&ring), 0);
	ring_push(&ring, 2);
	CU_ASSERT_EQUAL(ring_pop(&ring), 2);
	ring_fini(&ring);
}

UNIT_MAIN("ring", UNIT_TEST(first_in_first_out), UNIT_TEST(push_front), UNIT_TEST(clear_empties))
