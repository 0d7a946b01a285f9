/* SPDX-License-Identifier: MIT */
#include "loop/counters.h"

#include <pthread.h>

#include "../unit.h"

#define ROUNDS 100000

static void adds(void)
{
	uint64_t before = counter_sum(COUNTER_BYTES_IN);

	counter_add(COUNTER_BYTES_IN, 7);
	counters_set_thread(3);
	counter_add(COUNTER_BYTES_IN, 5);
	counters_set_thread(-1);
	counter_add(COUNTER_BYTES_IN, 1);
	CU_ASSERT_EQUAL(counter_sum(COUNTER_BYTES_IN) - before, 13);
	CU_ASSERT_EQUAL(counter_sum(COUNTER_BYTES_OUT), 0);
}

static void *count_here(void *arg)
{
	counters_set_thread(*(const int *)arg);
	for (int i = 0; i < ROUNDS; i++)
		counter_add(COUNTER_MESSAGES_ACKED, 1);
	return NULL;
}

static void sums_threads(void)
{
	pthread_t threads[4];
	int indexes[4] = { 0, 1, -1, -1 };
	uint64_t last = 0;

	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, count_here, &indexes[i]),
				      0);
	for (int i = 0; i < 100; i++) {
		uint64_t sum = counter_sum(COUNTER_MESSAGES_ACKED);

		CU_ASSERT_TRUE(sum >= last);
		last = sum;
	}
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(counter_sum(COUNTER_MESSAGES_ACKED), 4 * ROUNDS);
}

static void names(void)
{
	CU_ASSERT_STRING_EQUAL(counter_name(COUNTER_CONNECTIONS_OPENED), "connections_opened");
	CU_ASSERT_STRING_EQUAL(counter_name(COUNTER_WAKE_UPS), "wake_ups");
}

UNIT_MAIN("counters", UNIT_TEST(adds), UNIT_TEST(sums_threads), UNIT_TEST(names))
