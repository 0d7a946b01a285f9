/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/*
 * The main() of a test program: one suite, its tests in order, one line each and CUnit's summary at the end. The exit
 * status says whether an assertion failed.
 *
 *	UNIT_MAIN("map", UNIT_TEST(find_missing), UNIT_TEST(grow))
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

/* A look-up in a test may give NULL: then the test fails, by an assertion or by a crash, as it should. */
#pragma GCC diagnostic ignored "-Wnull-dereference"

struct unit_test {
	const char *name;
	void (*run)(void);
};

static inline int unit_run(const char *suite_name, const struct unit_test *tests, size_t count)
{
	CU_pSuite suite;
	unsigned failures;

	/* what was printed before a crash is what one looks for */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	suite = CU_add_suite(suite_name, NULL, NULL);
	for (size_t i = 0; suite != NULL && i < count; i++) {
		if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
			suite = NULL;
	}
	if (suite == NULL) {
		(void)fprintf(stderr, "%s: %s\n", suite_name, CU_get_error_msg());
		CU_cleanup_registry();
		return EXIT_FAILURE;
	}
	CU_basic_set_mode(CU_BRM_VERBOSE);
	(void)CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}

#define UNIT_TEST(function)         \
	{                           \
		#function, function \
	}

#define UNIT_MAIN(suite_name, ...)                                                              \
	int main(void)                                                                          \
	{                                                                                       \
		static const struct unit_test unit_tests[] = {__VA_ARGS__};                     \
                                                                                                \
		return unit_run(suite_name, unit_tests, sizeof(unit_tests) / sizeof(*unit_tests)); \
	}

#endif
