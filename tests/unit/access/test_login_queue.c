/* SPDX-License-Identifier: MIT */
#include "access/login_queue.h"

#include <stdio.h>

#include "../unit.h"

struct guest {
	struct login_queued queued;
	char from;
};

static struct throttle_address address_of(char from)
{
	char host[] = "10.0.0.0";

	host[7] = from;
	return throttle_address_of(slice_cstr(host), false);
}

static bool add(struct login_queue *queue, struct guest *guest, char from)
{
	struct throttle_address address = address_of(from);

	*guest = (struct guest){ .from = from };
	list_init(&guest->queued.link);
	return login_queue_add(queue, &address, &guest->queued);
}

static struct guest *take(struct login_queue *queue)
{
	struct login_queued *queued = login_queue_take(queue);

	return queued != NULL ? container_of(queued, struct guest, queued) : NULL;
}

static void one_of_each_address_in_turn(void)
{
	static const char *const come = "1111112213", *const go = "1231211111";
	struct login_queue queue;
	struct guest guests[10], *guest;

	login_queue_init(&queue);
	CU_ASSERT_PTR_NULL(take(&queue));
	for (int i = 0; i < 10; i++)
		CU_ASSERT_TRUE(add(&queue, &guests[i], come[i]));
	for (int i = 0; i < 10; i++) {
		guest = take(&queue);
		CU_ASSERT_PTR_NOT_NULL_FATAL(guest);
		CU_ASSERT_EQUAL(guest->from, go[i]);
		login_queue_leave(&queue, &guest->queued);
	}
	CU_ASSERT_PTR_NULL(take(&queue));
	login_queue_fini(&queue);
}

static void in_order_within_an_address(void)
{
	struct login_queue queue;
	struct guest guests[100];

	login_queue_init(&queue);
	for (int i = 0; i < 100; i++)
		CU_ASSERT_TRUE(add(&queue, &guests[i], '1'));
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_PTR_EQUAL(take(&queue), &guests[i]);
		login_queue_leave(&queue, &guests[i].queued);
	}
	login_queue_fini(&queue);
}

/* Whoever comes while another has many waiting is the next. */
static void who_comes_late_waits_for_one(void)
{
	struct login_queue queue;
	static struct guest guests[LOGIN_QUEUE_ADDRESS_MAX];
	struct guest late, *guest;

	login_queue_init(&queue);
	for (unsigned i = 0; i < LOGIN_QUEUE_ADDRESS_MAX; i++)
		CU_ASSERT_TRUE(add(&queue, &guests[i], '1'));
	CU_ASSERT_TRUE(add(&queue, &late, '2'));
	CU_ASSERT_EQUAL(take(&queue)->from, '1');
	CU_ASSERT_PTR_EQUAL(take(&queue), &late);
	login_queue_leave(&queue, &late.queued);
	login_queue_leave(&queue, &guests[0].queued);
	while ((guest = take(&queue)) != NULL)
		login_queue_leave(&queue, &guest->queued);
	login_queue_fini(&queue);
}

/* Also those that were taken count until they leave. */
static void an_address_has_so_many_and_no_more(void)
{
	static struct guest guests[LOGIN_QUEUE_ADDRESS_MAX + 1];
	struct login_queue queue;
	struct guest other, *guest;

	login_queue_init(&queue);
	for (unsigned i = 0; i < LOGIN_QUEUE_ADDRESS_MAX; i++)
		CU_ASSERT_TRUE(add(&queue, &guests[i], '1'));
	CU_ASSERT_FALSE(add(&queue, &guests[LOGIN_QUEUE_ADDRESS_MAX], '1'));
	CU_ASSERT_TRUE(add(&queue, &other, '2'));
	CU_ASSERT_PTR_EQUAL(take(&queue), &guests[0]);
	CU_ASSERT_FALSE(add(&queue, &guests[LOGIN_QUEUE_ADDRESS_MAX], '1'));
	login_queue_leave(&queue, &guests[0].queued);
	CU_ASSERT_TRUE(add(&queue, &guests[LOGIN_QUEUE_ADDRESS_MAX], '1'));
	while ((guest = take(&queue)) != NULL)
		login_queue_leave(&queue, &guest->queued);
	login_queue_fini(&queue);
}

static void all_have_so_many_and_no_more(void)
{
	static struct guest guests[LOGIN_QUEUE_MAX];
	struct login_queue queue;
	struct guest other, *guest;

	login_queue_init(&queue);
	for (unsigned i = 0; i < LOGIN_QUEUE_MAX; i++)
		CU_ASSERT_TRUE(add(&queue, &guests[i], (char)('0' + i % 8)));
	CU_ASSERT_FALSE(add(&queue, &other, '9'));
	guest = take(&queue);
	login_queue_leave(&queue, &guest->queued);
	CU_ASSERT_TRUE(add(&queue, &other, '9'));
	while ((guest = take(&queue)) != NULL)
		login_queue_leave(&queue, &guest->queued);
	login_queue_fini(&queue);
}

UNIT_MAIN("access/login_queue", UNIT_TEST(one_of_each_address_in_turn), UNIT_TEST(in_order_within_an_address),
	  UNIT_TEST(who_comes_late_waits_for_one), UNIT_TEST(an_address_has_so_many_and_no_more),
	  UNIT_TEST(all_have_so_many_and_no_more))
