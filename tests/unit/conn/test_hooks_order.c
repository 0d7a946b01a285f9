/* SPDX-License-Identifier: MIT */
/* Which hooks are in force, and in which order. */
#include "conn/hooks/hooks.h"

#include "../unit.h"
#include "loop/loop.h"

static struct hooks hooks;

static enum shunt_decision pass(void *plugin, const struct shunt_publish *publish, struct shunt_draft *draft,
				struct shunt_error *error)
{
	(void)plugin;
	(void)publish;
	(void)draft;
	(void)error;
	return SHUNT_PASS;
}

static const struct shunt_hook x = { .name = "x", .publish = pass }, y = { .name = "y", .publish = pass },
			       z = { .name = "z", .publish = pass };

static void begin(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	hooks_init(&hooks);
}

static void end(void)
{
	hooks_fini(&hooks);
	loop_pool_destroy();
}

static void check_order(const char *expected)
{
	const struct hook_list *list = hooks_on_publish(&hooks);
	char names[8];
	size_t n = 0;

	for (size_t i = 0; list != NULL && i < list->n; i++)
		names[n++] = list->items[i].functions->name[0];
	names[n] = '\0';
	CU_ASSERT_STRING_EQUAL(names, expected);
}

static void new_hooks_come_in_the_place_of_old_ones(void)
{
	const struct hook one[] = { { &x, NULL, "1", 0 }, { &y, NULL, "1", 0 } }, two = { &z, NULL, "2", 0 };

	begin();
	CU_ASSERT_PTR_NULL(hooks_on_publish(&hooks));
	hooks_replace(&hooks, NULL, one, 2);
	hooks_replace(&hooks, NULL, &two, 1);
	check_order("xyz");
	hooks_replace(&hooks, one[0].owner, &two, 1);
	check_order("zz");
	hooks_replace(&hooks, two.owner, one, 2);
	check_order("xy");
	CU_ASSERT_PTR_NULL(hooks_on_deliver(&hooks));
	CU_ASSERT(!list_is_empty(&hooks.replaced));
	loop_pool_drain();
	CU_ASSERT(list_is_empty(&hooks.replaced));
	hooks_replace(&hooks, one[0].owner, NULL, 0);
	CU_ASSERT_PTR_NULL(hooks_on_publish(&hooks));
	end();
}

/* Also when the version before had none: that has left no place. */
static void hooks_stay_in_the_order_of_their_ranks(void)
{
	const struct hook one = { &x, NULL, "1", 1 }, two[] = { { &y, NULL, "2", 2 }, { &z, NULL, "2", 2 } },
			  three = { &x, NULL, "3", 3 };

	begin();
	hooks_replace(&hooks, NULL, &one, 1);
	hooks_replace(&hooks, NULL, &three, 1);
	hooks_replace(&hooks, "2, without any", two, 2);
	check_order("xyzx");
	hooks_replace(&hooks, one.owner, NULL, 0);
	check_order("yzx");
	hooks_replace(&hooks, "1, without any", &one, 1);
	check_order("xyzx");
	end();
}

UNIT_MAIN("hooks_order", UNIT_TEST(new_hooks_come_in_the_place_of_old_ones),
	  UNIT_TEST(hooks_stay_in_the_order_of_their_ranks))
