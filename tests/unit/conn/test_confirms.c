/* SPDX-License-Identifier: MIT */
#include "conn/publish/confirms.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "base/mem.h"

/* What was told, as text: "a3m" is an ack up to 3, "n4" a nack of 4. */
struct told {
	char text[4096];
	bool acked[1024], nacked[1024];
};

static void tell(void *context, uint64_t seq, bool multiple, bool rejected)
{
	struct told *told = context;
	size_t n = strlen(told->text);

	snprintf(told->text + n, sizeof(told->text) - n, "%s%c%llu%s", n != 0 ? " " : "", rejected ? 'n' : 'a',
		 (unsigned long long)seq, multiple ? "m" : "");
	for (uint64_t s = multiple ? 1 : seq; s <= seq && s < 1024; s++) {
		if (rejected)
			told->nacked[s] = true;
		else if (!told->nacked[s])
			told->acked[s] = true;
	}
}

static const char *flush(struct confirms *confirms)
{
	static struct told told;

	memset(&told, 0, sizeof(told));
	confirms_flush(confirms, tell, &told);
	return told.text;
}

static void publish(struct confirms *confirms, uint64_t seq, uint32_t n_pending)
{
	CU_ASSERT_FATAL(confirms_publish(confirms, seq, n_pending, false) == 0);
}

static void settled_at_once_is_one_multiple(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	CU_ASSERT_FALSE(confirms_has_news(&confirms));
	for (uint64_t seq = 1; seq <= 5; seq++)
		publish(&confirms, seq, 0);
	CU_ASSERT_TRUE(confirms_has_news(&confirms));
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a5m");
	CU_ASSERT_FALSE(confirms_has_news(&confirms));
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "");
	publish(&confirms, 6, 0);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a6");
	confirms_fini(&confirms);
}

static void multiple_stops_at_the_smallest_open(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	for (uint64_t seq = 1; seq <= 6; seq++)
		publish(&confirms, seq, 1);
	CU_ASSERT_EQUAL(confirms_open(&confirms), 6);
	confirms_settle(&confirms, 1, false);
	confirms_settle(&confirms, 2, false);
	confirms_settle(&confirms, 5, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a2m a5");
	confirms_settle(&confirms, 3, false);
	confirms_settle(&confirms, 4, false);
	confirms_settle(&confirms, 6, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a6m");
	CU_ASSERT_EQUAL(confirms_open(&confirms), 0);
	confirms_fini(&confirms);
}

static void several_targets_must_all_report(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	publish(&confirms, 1, 3);
	confirms_settle(&confirms, 1, false);
	confirms_settle(&confirms, 1, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "");
	confirms_settle(&confirms, 1, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a1");
	confirms_fini(&confirms);
}

static void rejected_is_nacked_by_itself(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	publish(&confirms, 1, 0);
	CU_ASSERT_EQUAL(confirms_publish(&confirms, 2, 0, true), 0);
	publish(&confirms, 3, 0);
	publish(&confirms, 4, 2);
	confirms_settle(&confirms, 4, true);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a1 n2 a3");
	confirms_settle(&confirms, 4, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "n4");
	confirms_fini(&confirms);
}

static void what_was_told_singly_is_not_told_again(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	for (uint64_t seq = 1; seq <= 3; seq++)
		publish(&confirms, seq, 1);
	confirms_settle(&confirms, 2, true);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "n2");
	confirms_settle(&confirms, 1, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a1");
	confirms_settle(&confirms, 3, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a3");
	confirms_fini(&confirms);
}

static void unknown_numbers_are_ignored(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	confirms_settle(&confirms, 0, false);
	confirms_settle(&confirms, 7, false);
	publish(&confirms, 1, 0);
	(void)flush(&confirms);
	confirms_settle(&confirms, 1, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "");
	confirms_fini(&confirms);
}

/* Any order of settling, flushes in between: each is told, once, and the right thing. */
static void every_publish_is_told_once(void)
{
	enum { COUNT = 1000 };
	struct told told;
	struct confirms confirms;
	uint32_t left[COUNT + 1];
	bool rejects[COUNT + 1];
	unsigned seed = 7;

	memset(&told, 0, sizeof(told));
	confirms_init(&confirms);
	for (uint64_t seq = 1; seq <= COUNT; seq++) {
		left[seq] = (uint32_t)(rand_r(&seed) % 3);
		rejects[seq] = left[seq] != 0 && rand_r(&seed) % 10 == 0;
		publish(&confirms, seq, left[seq]);
	}
	for (unsigned round = 0; round < 20 * COUNT; round++) {
		uint64_t seq = (uint64_t)rand_r(&seed) % COUNT + 1;

		if (left[seq] != 0)
			confirms_settle(&confirms, seq, --left[seq] == 0 && rejects[seq]);
		if (round % 97 == 0) {
			told.text[0] = '\0';
			confirms_flush(&confirms, tell, &told);
		}
	}
	for (uint64_t seq = 1; seq <= COUNT; seq++)
		for (; left[seq] != 0; left[seq]--)
			confirms_settle(&confirms, seq, left[seq] == 1 && rejects[seq]);
	told.text[0] = '\0';
	confirms_flush(&confirms, tell, &told);
	for (uint64_t seq = 1; seq <= COUNT; seq++) {
		CU_ASSERT_EQUAL(told.nacked[seq], rejects[seq]);
		CU_ASSERT_TRUE(told.acked[seq] || told.nacked[seq]);
	}
	CU_ASSERT_EQUAL(confirms_open(&confirms), 0);
	confirms_fini(&confirms);
}

static void memory_may_be_out(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	mem_fault_after(1);
	CU_ASSERT_TRUE(confirms_publish(&confirms, 1, 1, false) < 0);
	mem_fault_after(-1);
	publish(&confirms, 1, 1);
	publish(&confirms, 2, 1);
	mem_fault_after(1); /* no room to note that 2 is done: it is told when 1 is */
	confirms_settle(&confirms, 2, false);
	mem_fault_after(-1);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "");
	confirms_settle(&confirms, 1, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a2m");
	confirms_fini(&confirms);
}

/* Neither of the two that are told before it is told once more when the rejected one comes to its turn. */
static void nothing_is_told_twice_behind_a_rejected_one(void)
{
	struct confirms confirms;

	confirms_init(&confirms);
	for (uint64_t seq = 1; seq <= 4; seq++)
		publish(&confirms, seq, 1);
	confirms_settle(&confirms, 2, false);
	confirms_settle(&confirms, 3, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a2 a3");
	confirms_settle(&confirms, 1, true);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "n1");
	confirms_settle(&confirms, 4, false);
	CU_ASSERT_STRING_EQUAL(flush(&confirms), "a4");
	confirms_fini(&confirms);
}

UNIT_MAIN("confirms", UNIT_TEST(settled_at_once_is_one_multiple), UNIT_TEST(multiple_stops_at_the_smallest_open),
	  UNIT_TEST(several_targets_must_all_report), UNIT_TEST(rejected_is_nacked_by_itself),
	  UNIT_TEST(what_was_told_singly_is_not_told_again), UNIT_TEST(unknown_numbers_are_ignored),
	  UNIT_TEST(every_publish_is_told_once), UNIT_TEST(memory_may_be_out),
	  UNIT_TEST(nothing_is_told_twice_behind_a_rejected_one))
