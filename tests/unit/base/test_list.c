/* SPDX-License-Identifier: MIT */
#include "base/list.h"

#include "../unit.h"
#include "base/mem.h"

struct item {
	int value;
	struct list link;
};

static struct item items[5];

static void fill(struct list *head)
{
	list_init(head);
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_add_tail(head, &items[i].link);
	}
}

static void check(struct list *head, const int *values, int count)
{
	struct list *pos;
	int i = 0;

	list_for_each(pos, head)
	{
		CU_ASSERT_TRUE_FATAL(i < count);
		CU_ASSERT_EQUAL(container_of(pos, struct item, link)->value, values[i]);
		CU_ASSERT_PTR_EQUAL(pos->next->prev, pos);
		i++;
	}
	CU_ASSERT_EQUAL(i, count);
}

static void keeps_order(void)
{
	struct list head;
	struct item first = { .value = -1 };

	fill(&head);
	check(&head, (int[]){ 0, 1, 2, 3, 4 }, 5);
	list_add_head(&head, &first.link);
	check(&head, (int[]){ -1, 0, 1, 2, 3, 4 }, 6);
	CU_ASSERT_PTR_EQUAL(list_first(&head), &first.link);
	CU_ASSERT_PTR_EQUAL(list_last(&head), &items[4].link);
}

static void removing_twice_is_harmless(void)
{
	struct list head;

	fill(&head);
	list_remove(&items[2].link);
	CU_ASSERT_FALSE(list_is_linked(&items[2].link));
	list_remove(&items[2].link);
	check(&head, (int[]){ 0, 1, 3, 4 }, 4);
	CU_ASSERT_TRUE(list_is_linked(&items[1].link));
}

static void empties(void)
{
	struct list head;

	fill(&head);
	for (int i = 0; i < 5; i++)
		CU_ASSERT_PTR_EQUAL(list_pop(&head), &items[i].link);
	CU_ASSERT_TRUE(list_is_empty(&head));
	CU_ASSERT_PTR_NULL(list_pop(&head));
	CU_ASSERT_PTR_NULL(list_first(&head));
	CU_ASSERT_PTR_NULL(list_last(&head));
}

static void safe_iteration_may_free_the_current(void)
{
	struct list head, *pos, *next;
	int sum = 0;

	list_init(&head);
	for (int i = 0; i < 10; i++) {
		struct item *item = mem_alloc(sizeof(*item));

		item->value = i;
		list_add_tail(&head, &item->link);
	}
	list_for_each_safe(pos, next, &head)
	{
		struct item *item = container_of(pos, struct item, link);

		sum += item->value;
		list_remove(pos);
		mem_free(item);
	}
	CU_ASSERT_EQUAL(sum, 45);
	CU_ASSERT_TRUE(list_is_empty(&head));
}

static void splice_moves_all(void)
{
	struct list head, other;
	struct item more[2] = { { .value = 5 }, { .value = 6 } };

	fill(&head);
	list_init(&other);
	list_splice_tail(&head, &other);
	check(&head, (int[]){ 0, 1, 2, 3, 4 }, 5);
	list_add_tail(&other, &more[0].link);
	list_add_tail(&other, &more[1].link);
	list_splice_tail(&head, &other);
	check(&head, (int[]){ 0, 1, 2, 3, 4, 5, 6 }, 7);
	CU_ASSERT_TRUE(list_is_empty(&other));
	list_splice_tail(&other, &head);
	check(&other, (int[]){ 0, 1, 2, 3, 4, 5, 6 }, 7);
	CU_ASSERT_TRUE(list_is_empty(&head));
}

static void splice_moves_the_rest(void)
{
	struct list head, other;
	struct item more = { .value = 9 };

	fill(&head);
	list_init(&other);
	list_add_tail(&other, &more.link);
	list_splice_rest(&other, &head, &items[3].link);
	check(&head, (int[]){ 0, 1, 2 }, 3);
	check(&other, (int[]){ 9, 3, 4 }, 3);
	list_splice_rest(&other, &head, &items[0].link);
	CU_ASSERT_TRUE(list_is_empty(&head));
	check(&other, (int[]){ 9, 3, 4, 0, 1, 2 }, 6);
}

UNIT_MAIN("list", UNIT_TEST(keeps_order), UNIT_TEST(removing_twice_is_harmless), UNIT_TEST(empties),
	  UNIT_TEST(safe_iteration_may_free_the_current), UNIT_TEST(splice_moves_all),
	  UNIT_TEST(splice_moves_the_rest))
