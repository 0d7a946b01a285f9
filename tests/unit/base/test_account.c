/* SPDX-License-Identifier: MIT */
#include "base/account.h"

#include <pthread.h>

#include "../unit.h"

#define ROUNDS 100000

static void sums_kinds(void)
{
	account_add(ACCOUNT_MESSAGE, 100); /* on the shared line */
	CU_ASSERT_EQUAL(account_own(), 0);
	account_set_thread(0);
	account_add(ACCOUNT_MESSAGE, 20);
	account_add(ACCOUNT_QUEUE, 3);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 120);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_QUEUE), 3);
	CU_ASSERT_EQUAL(account_total(), 123);
	CU_ASSERT_EQUAL(account_own(), 23);
	account_add(ACCOUNT_MESSAGE, -120);
	account_add(ACCOUNT_QUEUE, -3);
	CU_ASSERT_EQUAL(account_total(), 0);
}

static void the_last_line_counts(void)
{
	account_set_thread(ACCOUNT_THREADS_MAX - 1);
	account_add(ACCOUNT_OTHER, 7);
	account_set_thread(0);
	CU_ASSERT_EQUAL(account_total(), 7);
	account_set_thread(ACCOUNT_THREADS_MAX - 1);
	account_add(ACCOUNT_OTHER, -7);
	account_set_thread(0);
	CU_ASSERT_EQUAL(account_total(), 0);
}

static void *add_here(void *arg)
{
	const unsigned *index = arg;

	if (*index > 0)
		account_set_thread(*index);
	for (int i = 0; i < ROUNDS; i++)
		account_add(ACCOUNT_MESSAGE, 10);
	/* What others added may be taken away here. */
	if (*index == 1)
		account_add(ACCOUNT_MESSAGE, -20 * ROUNDS);
	return NULL;
}

/* Two threads with lines of their own, two that share the common one. */
static void sums_threads(void)
{
	pthread_t threads[4];
	unsigned indexes[4] = { 1, 2, 0, 0 };

	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, add_here, &indexes[i]), 0);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 20 * ROUNDS);
	account_add(ACCOUNT_MESSAGE, -20 * ROUNDS);
	CU_ASSERT_EQUAL(account_total(), 0);
}

static void never_negative(void)
{
	account_add(ACCOUNT_OTHER, -5);
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_OTHER), 0);
	account_add(ACCOUNT_OTHER, 5);
}

static void names(void)
{
	CU_ASSERT_STRING_EQUAL(account_kind_name(ACCOUNT_MESSAGE), "message");
	CU_ASSERT_STRING_EQUAL(account_kind_name(ACCOUNT_OTHER), "other");
}

UNIT_MAIN("account", UNIT_TEST(sums_kinds), UNIT_TEST(the_last_line_counts), UNIT_TEST(sums_threads), UNIT_TEST(never_negative),
	  UNIT_TEST(names))
