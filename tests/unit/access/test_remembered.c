/* SPDX-License-Identifier: MIT */
#include "access/remembered.h"

#include <stdio.h>

#include "../unit.h"

#define NOW UINT64_C(1000000)

static const struct throttle_address here = { .bytes = { 1 } };

static struct remembered_digest digest_of(const struct remembered *remembered, const char *user, const char *password)
{
	struct remembered_digest digest;

	CU_ASSERT_EQUAL_FATAL(remembered_digest_of(remembered, slice_cstr(user), slice_cstr(password), &digest), 0);
	return digest;
}

static void what_was_added_is_remembered_for_a_time(void)
{
	struct remembered *remembered = remembered_create();
	struct remembered_digest digest = digest_of(remembered, "u", "secret");

	CU_ASSERT_FALSE(remembered_has(remembered, &digest, NULL, 7, NOW));
	remembered_add(remembered, &digest, &here, 7, NOW);
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, NULL, 7, NOW));
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, NULL, 7, NOW + REMEMBERED_MS - 1));
	CU_ASSERT_FALSE(remembered_has(remembered, &digest, NULL, 7, NOW + REMEMBERED_MS));
	remembered_destroy(remembered);
}

static void where_it_was_right_is_remembered(void)
{
	static const struct throttle_address elsewhere = { .bytes = { 2 } };
	struct remembered *remembered = remembered_create();
	struct remembered_digest digest = digest_of(remembered, "u", "secret");

	remembered_add(remembered, &digest, &here, 7, NOW);
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, &here, 7, NOW));
	CU_ASSERT_FALSE(remembered_has(remembered, &digest, &elsewhere, 7, NOW));
	remembered_add(remembered, &digest, &elsewhere, 7, NOW);
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, &elsewhere, 7, NOW));
	remembered_destroy(remembered);
}

static void another_password_user_or_serial_is_not(void)
{
	struct remembered *remembered = remembered_create();
	struct remembered_digest digest = digest_of(remembered, "ab", "cd"), other;

	remembered_add(remembered, &digest, &here, 7, NOW);
	CU_ASSERT_FALSE(remembered_has(remembered, &digest, NULL, 8, NOW));
	other = digest_of(remembered, "ab", "ce");
	CU_ASSERT_FALSE(remembered_has(remembered, &other, NULL, 7, NOW));
	other = digest_of(remembered, "a", "bcd");
	CU_ASSERT_FALSE(remembered_has(remembered, &other, NULL, 7, NOW));
	other = digest_of(remembered, "ab", "");
	CU_ASSERT_FALSE(remembered_has(remembered, &other, NULL, 7, NOW));
	other = digest_of(remembered, "ab", "cd");
	CU_ASSERT_TRUE(remembered_has(remembered, &other, NULL, 7, NOW));
	remembered_destroy(remembered);
}

/* So what one process has in memory is of no use in another. */
static void the_key_is_new_each_time(void)
{
	struct remembered *a = remembered_create(), *b = remembered_create();
	struct remembered_digest of_a = digest_of(a, "u", "p"), of_b = digest_of(b, "u", "p"), again = digest_of(a, "u", "p");

	CU_ASSERT_FALSE(remembered_digest_equal(&of_a, &of_b));
	CU_ASSERT_TRUE(remembered_digest_equal(&of_a, &again));
	remembered_destroy(a);
	remembered_destroy(b);
}

static void a_new_serial_takes_the_old_ones_place(void)
{
	struct remembered *remembered = remembered_create();
	struct remembered_digest digest = digest_of(remembered, "u", "p");

	remembered_add(remembered, &digest, &here, 1, NOW);
	remembered_add(remembered, &digest, &here, 2, NOW);
	CU_ASSERT_FALSE(remembered_has(remembered, &digest, NULL, 1, NOW));
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, NULL, 2, NOW));
	remembered_destroy(remembered);
}

/* Its size is fixed: the oldest go, the newest stay. */
static void when_it_is_full_the_oldest_goes(void)
{
	enum { N = 4 * REMEMBERED_N_SETS * REMEMBERED_WAYS };
	struct remembered *remembered = remembered_create();
	struct remembered_digest digest;
	unsigned n_old = 0, n_new = 0;
	char user[16];

	for (unsigned i = 0; i < N; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		digest = digest_of(remembered, user, "p");
		remembered_add(remembered, &digest, &here, 1, NOW + i);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(user, sizeof(user), "u%u", i);
		digest = digest_of(remembered, user, "p");
		*(i < N / 2 ? &n_old : &n_new) += remembered_has(remembered, &digest, NULL, 1, NOW + N);
	}
	CU_ASSERT(n_new > REMEMBERED_N_SETS * REMEMBERED_WAYS * 9 / 10);
	CU_ASSERT(n_old < REMEMBERED_N_SETS * REMEMBERED_WAYS / 10);
	CU_ASSERT(n_old + n_new <= REMEMBERED_N_SETS * REMEMBERED_WAYS);
	/* and the very last one is there */
	CU_ASSERT_TRUE(remembered_has(remembered, &digest, NULL, 1, NOW + N));
	remembered_destroy(remembered);
}

UNIT_MAIN("access/remembered", UNIT_TEST(what_was_added_is_remembered_for_a_time), UNIT_TEST(where_it_was_right_is_remembered),
	  UNIT_TEST(another_password_user_or_serial_is_not), UNIT_TEST(the_key_is_new_each_time),
	  UNIT_TEST(a_new_serial_takes_the_old_ones_place), UNIT_TEST(when_it_is_full_the_oldest_goes))
