/* SPDX-License-Identifier: MIT */
/* Lists of queues and consumers in slices, while they come and go. */
#include "broker/queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_endpoint.h"
#include "queue_fixture.h"

#include "../unit.h"

#define N_QUEUES 20u

static struct queue *queues[N_QUEUES];
static unsigned seen[N_QUEUES], n_seen;

static void set(void)
{
	const struct queue_options options = fixture_options();

	fixture_begin(1);
	for (unsigned i = 0; i < N_QUEUES; i++)
		queues[i] = queue_create(&fixture_broker, &fixture_entry, i + 1, &options);
	n_seen = 0;
	memset(seen, 0, sizeof(seen));
}

static void end(unsigned i)
{
	if (queues[i] != NULL)
		(void)queue_destroy(queues[i]);
	queues[i] = NULL;
}

static void clear(void)
{
	for (unsigned i = 0; i < N_QUEUES; i++)
		end(i);
	loop_run_once(false);
	fixture_end();
}

static void see(void *context, struct queue *queue)
{
	(void)context;
	for (unsigned i = 0; i < N_QUEUES; i++)
		if (queues[i] == queue)
			seen[i]++;
	n_seen++;
}

static bool list(struct queue_cursor *cursor, unsigned limit)
{
	return queue_list(&fixture_broker, cursor, limit, see, NULL);
}

static void each_once_in_slices_of_any_size(void)
{
	for (unsigned limit = 1; limit <= N_QUEUES + 1; limit++) {
		struct queue_cursor cursor = {0};

		set();
		while (list(&cursor, limit))
			;
		CU_ASSERT_EQUAL(n_seen, N_QUEUES);
		for (unsigned i = 0; i < N_QUEUES; i++)
			CU_ASSERT_EQUAL(seen[i], 1);
		clear();
	}
}

static void nothing_to_list(void)
{
	struct queue_cursor cursor = {0};

	set();
	for (unsigned i = 0; i < N_QUEUES; i++)
		end(i);
	CU_ASSERT_FALSE(list(&cursor, 5));
	CU_ASSERT_EQUAL(n_seen, 0);
	clear();
}

/* The last one of a slice goes, or all of it, or all before: the rest is seen once all the same. */
static void goes_on_where_it_was(unsigned first_gone, unsigned last_gone)
{
	struct queue_cursor cursor = {0};

	set();
	CU_ASSERT_TRUE(list(&cursor, 5));
	CU_ASSERT_TRUE(list(&cursor, 5)); /* 5 to 9 */
	for (unsigned i = first_gone; i <= last_gone; i++)
		end(i);
	while (list(&cursor, 5))
		;
	CU_ASSERT_EQUAL(n_seen, last_gone < 10 ? N_QUEUES : N_QUEUES - (last_gone - 9));
	for (unsigned i = 0; i < N_QUEUES; i++)
		CU_ASSERT_EQUAL(seen[i], i >= 10 && i <= last_gone ? 0 : 1);
	clear();
}

static void queues_that_go_meanwhile(void)
{
	goes_on_where_it_was(9, 9);
	goes_on_where_it_was(5, 5);
	goes_on_where_it_was(7, 9);
	goes_on_where_it_was(5, 9);
	goes_on_where_it_was(0, 9);
	goes_on_where_it_was(9, 12);
	goes_on_where_it_was(0, N_QUEUES - 1);
}

/* ---- Consumers ---- */

#define N_CONSUMERS 10u

static struct fake_endpoint endpoints[2];

static void answered(struct queue_request *request)
{
	CU_ASSERT_EQUAL(request->error.code, 0);
}

static void request(enum queue_operation operation, unsigned i)
{
	struct queue_request r = {
		.operation = operation,
		.queue = queue_ref(queues[0]),
		.asker = endpoints[i % 2].endpoint.ref,
		.done = answered,
	};

	if (operation == QUEUE_CONSUME) {
		r.consume.consumer = i + 1;
		snprintf(r.consume.tag, sizeof(r.consume.tag), "%u", i);
	} else {
		r.cancel.consumer = i + 1;
	}
	queue_request_submit(&r);
}

static void see_consumer(void *context, const struct queue_consumer_info *info)
{
	(void)context;
	CU_ASSERT_EQUAL(info->number, (uint64_t)atoi(info->tag) + 1);
	seen[atoi(info->tag)]++;
	n_seen++;
}

static void set_consumers(void)
{
	set();
	for (unsigned i = 0; i < 2; i++)
		fake_endpoint_begin(&endpoints[i]);
	for (unsigned i = 0; i < N_CONSUMERS; i++)
		request(QUEUE_CONSUME, i);
}

static void clear_consumers(void)
{
	for (unsigned i = 0; i < N_CONSUMERS; i++)
		request(QUEUE_CANCEL, i);
	loop_run_once(false);
	for (unsigned i = 0; i < 2; i++)
		fake_endpoint_end(&endpoints[i]);
	clear();
}

static void consumers_once_in_slices_of_any_size(void)
{
	for (unsigned limit = 1; limit <= N_CONSUMERS + 1; limit++) {
		struct queue_consumer_cursor cursor = {0};

		set_consumers();
		while (queue_list_consumers(queues[0], &cursor, limit, see_consumer, NULL))
			;
		CU_ASSERT_EQUAL(n_seen, N_CONSUMERS);
		for (unsigned i = 0; i < N_CONSUMERS; i++)
			CU_ASSERT_EQUAL(seen[i], 1);
		clear_consumers();
	}
}

static void consumers_that_go_meanwhile(void)
{
	struct queue_consumer_cursor cursor = {0};

	set_consumers();
	CU_ASSERT_TRUE(queue_list_consumers(queues[0], &cursor, 4, see_consumer, NULL));
	for (unsigned i = 0; i < N_CONSUMERS; i++)
		if (seen[i] != 0)
			request(QUEUE_CANCEL, i);
	while (queue_list_consumers(queues[0], &cursor, 4, see_consumer, NULL))
		;
	CU_ASSERT_EQUAL(n_seen, N_CONSUMERS);
	CU_ASSERT_FALSE(queue_list_consumers(queues[0], &cursor, 4, see_consumer, NULL));
	CU_ASSERT_EQUAL(n_seen, N_CONSUMERS);
	clear_consumers();
}

UNIT_MAIN("queue_list", UNIT_TEST(each_once_in_slices_of_any_size), UNIT_TEST(nothing_to_list),
	  UNIT_TEST(queues_that_go_meanwhile), UNIT_TEST(consumers_once_in_slices_of_any_size),
	  UNIT_TEST(consumers_that_go_meanwhile))
