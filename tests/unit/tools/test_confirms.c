/* SPDX-License-Identifier: MIT */
#include "confirms.h"

#include "../unit.h"

static struct confirms confirms;

static void publish(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		confirms_publish(&confirms, 1000 + confirms.published);
}

static void the_window_is_kept(void)
{
	confirms_init(&confirms, 3);
	CU_ASSERT_EQUAL(confirms_room(&confirms), 3);
	publish(3);
	CU_ASSERT_EQUAL(confirms_room(&confirms), 0);
	confirms_settle(&confirms, 1, false, false, 2000, NULL);
	CU_ASSERT_EQUAL(confirms_room(&confirms), 1);
	CU_ASSERT_EQUAL(confirms.confirmed, 1);
	confirms_fini(&confirms);
}

static void multiple_confirms_all_up_to_the_tag(void)
{
	confirms_init(&confirms, 100);
	publish(50);
	confirms_settle(&confirms, 30, true, false, 2000, NULL);
	CU_ASSERT(confirms.confirmed == 30 && confirms.outstanding == 20);
	confirms_settle(&confirms, 50, true, true, 2000, NULL);
	CU_ASSERT(confirms.confirmed == 30 && confirms.nacked == 20);
	CU_ASSERT(confirms.outstanding == 0 && confirms.wrong == 0);
	confirms_fini(&confirms);
}

static void single_ones_may_come_in_any_order(void)
{
	confirms_init(&confirms, 100);
	publish(10);
	for (uint64_t tag = 10; tag > 0; tag--)
		confirms_settle(&confirms, tag, false, false, 2000, NULL);
	CU_ASSERT(confirms.confirmed == 10 && confirms.base == 10 && confirms.wrong == 0);
	confirms_fini(&confirms);
}

static void multiple_passes_over_single_ones(void)
{
	confirms_init(&confirms, 100);
	publish(10);
	confirms_settle(&confirms, 3, false, false, 2000, NULL);
	confirms_settle(&confirms, 5, true, false, 2000, NULL);
	CU_ASSERT(confirms.confirmed == 5 && confirms.wrong == 0);
	confirms_fini(&confirms);
}

static void twice_or_never_published_is_wrong(void)
{
	confirms_init(&confirms, 100);
	publish(5);
	confirms_settle(&confirms, 6, false, false, 2000, NULL);
	CU_ASSERT_EQUAL(confirms.wrong, 1);
	confirms_settle(&confirms, 3, false, false, 2000, NULL);
	confirms_settle(&confirms, 3, false, false, 2000, NULL);
	CU_ASSERT_EQUAL(confirms.wrong, 2);
	confirms_settle(&confirms, 5, true, false, 2000, NULL);
	confirms_settle(&confirms, 5, true, false, 2000, NULL);
	CU_ASSERT(confirms.wrong == 3 && confirms.confirmed == 5);
	confirms_fini(&confirms);
}

static void a_straggler_does_not_meet_itself(void)
{
	unsigned rounds = 0;

	confirms_init(&confirms, 10);
	publish(1);
	/* everything but the first is confirmed, until there is no room at all */
	while (confirms_room(&confirms) > 0 && rounds++ < 1000) {
		publish(1);
		confirms_settle(&confirms, confirms.published, false, false, 2000, NULL);
	}
	CU_ASSERT(rounds > 10 && rounds < 1000);
	CU_ASSERT_EQUAL(confirms.outstanding, 1);
	confirms_settle(&confirms, 1, false, false, 2000, NULL);
	CU_ASSERT(confirms.base == confirms.published && confirms.wrong == 0);
	CU_ASSERT_EQUAL(confirms_room(&confirms), 10);
	confirms_fini(&confirms);
}

static void latencies_are_kept(void)
{
	static struct histogram latencies;

	confirms_init(&confirms, 10);
	publish(4); /* at 1000, 1001, 1002, 1003 */
	confirms_settle(&confirms, 4, true, false, 1103, &latencies);
	CU_ASSERT_EQUAL(latencies.count, 4);
	CU_ASSERT_EQUAL(latencies.max, 103);
	CU_ASSERT_EQUAL(histogram_quantile(&latencies, 0), 100);
	confirms_fini(&confirms);
}

UNIT_MAIN("confirms", UNIT_TEST(the_window_is_kept), UNIT_TEST(multiple_confirms_all_up_to_the_tag),
	  UNIT_TEST(single_ones_may_come_in_any_order), UNIT_TEST(multiple_passes_over_single_ones),
	  UNIT_TEST(twice_or_never_published_is_wrong), UNIT_TEST(a_straggler_does_not_meet_itself),
	  UNIT_TEST(latencies_are_kept))
