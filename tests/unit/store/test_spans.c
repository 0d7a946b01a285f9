/* SPDX-License-Identifier: MIT */
#include "store/log/spans.h"

#include <string.h>

#include "../unit.h"

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

enum { SPAN_QUEUES = 900 };

static void spans_answer_by_queue(void)
{
	static uint64_t first[SPAN_QUEUES + 1], last[SPAN_QUEUES + 1];
	struct spans spans = {.table = NULL};

	random_state = 7;
	memset(first, 0, sizeof(first));
	CU_ASSERT_FALSE(spans_overlap(&spans, 1, 0, UINT64_MAX));
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t queue = 1 + draw(SPAN_QUEUES), seq = 1 + draw(1000);

		spans_add(&spans, queue * queue, seq);
		if (first[queue] == 0 || seq < first[queue])
			first[queue] = seq;
		if (seq > last[queue])
			last[queue] = seq;
		queue = 1 + draw(SPAN_QUEUES);
		uint64_t from = draw(1100), to = from + draw(40);
		CU_ASSERT_EQUAL(spans_overlap(&spans, queue * queue, from, to),
				first[queue] != 0 && from <= last[queue] && to >= first[queue]);
	}
	CU_ASSERT_FALSE(spans.is_full);
	spans_fini(&spans);
}

static void too_many_queues_are_everything(void)
{
	struct spans spans = {.table = NULL};

	for (uint64_t queue = 1; queue <= 1024; queue++)
		spans_add(&spans, queue, 5);
	CU_ASSERT_TRUE(spans_overlap(&spans, 3, 5, 5));
	CU_ASSERT_FALSE(spans_overlap(&spans, 3, 6, 6));
	spans_add(&spans, 7, 6);
	CU_ASSERT_FALSE(spans_overlap(&spans, 5000, 1, 9));
	spans_add(&spans, 5000, 5);
	CU_ASSERT_TRUE(spans_overlap(&spans, 6000, 1, 1));
	spans_add(&spans, 6000, 1);
	CU_ASSERT_PTR_NULL(spans.table);
	spans_fini(&spans);
}

UNIT_MAIN("store/spans", UNIT_TEST(spans_answer_by_queue),
	  UNIT_TEST(too_many_queues_are_everything))
