/* SPDX-License-Identifier: MIT */
#include "loop/slots.h"

#include <stddef.h>

#include "../unit.h"
#include "base/mem.h"
#include "loop/loop.h"

#define MANY 100000

static void none_is_nothing(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	CU_ASSERT_TRUE(actor_ref_is_none(ACTOR_REF_NONE));
	CU_ASSERT_PTR_NULL(slots_get(ACTOR_REF_NONE));
	slots_remove(ACTOR_REF_NONE);
	loop_pool_destroy();
}

static void found_until_removed(void)
{
	int a, b;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	struct actor_ref ref_a = slots_add(&a), ref_b = slots_add(&b);
	CU_ASSERT_FALSE(actor_ref_is_none(ref_a));
	CU_ASSERT_FALSE(actor_ref_equal(ref_a, ref_b));
	CU_ASSERT_TRUE(actor_ref_equal(ref_a, ref_a));
	CU_ASSERT_PTR_EQUAL(slots_get(ref_a), &a);
	CU_ASSERT_PTR_EQUAL(slots_get(ref_b), &b);
	slots_remove(ref_a);
	CU_ASSERT_PTR_NULL(slots_get(ref_a));
	CU_ASSERT_PTR_EQUAL(slots_get(ref_b), &b);
	slots_remove(ref_a);
	slots_remove(ref_b);
	loop_pool_destroy();
}

static void reused_slot_has_a_new_serial(void)
{
	int a, b;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	struct actor_ref old = slots_add(&a);
	slots_remove(old);
	struct actor_ref new = slots_add(&b);
	CU_ASSERT_EQUAL(old.slot, new.slot);
	CU_ASSERT_PTR_NULL(slots_get(old));
	slots_remove(old); /* must not hit the new one */
	CU_ASSERT_PTR_EQUAL(slots_get(new), &b);
	slots_remove(new);
	loop_pool_destroy();
}

/* As a reply-to name that a client made up would have it. */
static void forged_ref_finds_nothing(void)
{
	int a;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	struct actor_ref ref = slots_add(&a);
	CU_ASSERT_PTR_NULL(slots_get(
		(struct actor_ref){ .loop = 0, .slot = 4000000000u, .serial = ref.serial }));
	CU_ASSERT_PTR_NULL(
		slots_get((struct actor_ref){ .loop = 0, .slot = 1, .serial = ref.serial }));
	CU_ASSERT_PTR_NULL(slots_get(
		(struct actor_ref){ .loop = 0, .slot = ref.slot, .serial = ref.serial + 1 }));
	slots_remove(ref);
	loop_pool_destroy();
}

static void many(void)
{
	struct actor_ref *refs = mem_alloc(MANY * sizeof(*refs));
	unsigned *objects = mem_zalloc(MANY * sizeof(*objects));
	unsigned wrong = 0;

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	for (unsigned i = 0; i < MANY; i++)
		refs[i] = slots_add(&objects[i]);
	for (unsigned i = 0; i < MANY; i += 2)
		slots_remove(refs[i]);
	for (unsigned i = 0; i < MANY; i++)
		wrong += slots_get(refs[i]) != (i % 2 == 0 ? NULL : &objects[i]);
	for (unsigned i = 0; i < MANY; i += 2)
		refs[i] = slots_add(&objects[i]);
	for (unsigned i = 0; i < MANY; i++) {
		wrong += slots_get(refs[i]) != &objects[i];
		wrong += refs[i].slot >= MANY;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	loop_pool_destroy();
	mem_free(refs);
	mem_free(objects);
}

static void *added;

static void add_here(void *arg)
{
	*(struct actor_ref *)arg = slots_add(&added);
}

static void get_here(void *arg)
{
	added = slots_get(*(struct actor_ref *)arg);
}

static void loops_have_tables_of_their_own(void)
{
	struct actor_ref refs[2];

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	for (unsigned i = 0; i < 2; i++) {
		loop_pool_visit(i, add_here, &refs[i]);
		CU_ASSERT_EQUAL(refs[i].loop, i);
	}
	CU_ASSERT_FALSE(actor_ref_equal(refs[0], refs[1]));
	loop_pool_visit(1, get_here, &refs[1]);
	CU_ASSERT_PTR_EQUAL(added, &added);
	loop_pool_destroy();
}

UNIT_MAIN("slots", UNIT_TEST(none_is_nothing), UNIT_TEST(found_until_removed),
	  UNIT_TEST(reused_slot_has_a_new_serial), UNIT_TEST(forged_ref_finds_nothing),
	  UNIT_TEST(many), UNIT_TEST(loops_have_tables_of_their_own))
