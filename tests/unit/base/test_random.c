/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <string.h>

#include "../unit.h"

static void bytes_differ(void)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	CU_ASSERT_NOT_EQUAL(memcmp(a, b, sizeof(a)), 0);
	CU_ASSERT_NOT_EQUAL(random_u64(), random_u64());
	random_bytes(a, 0);
}

static void names_are_base64url(void)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned seen[64] = { 0 };

	for (int i = 0; i < 2000; i++) {
		char name[RANDOM_NAME_SIZE];

		random_name(name);
		CU_ASSERT_EQUAL_FATAL(strlen(name), 22);
		CU_ASSERT_EQUAL_FATAL(strspn(name, digits), 22);
		/* 128 bits: the last digit has two of them, the upper ones. */
		CU_ASSERT_PTR_NOT_NULL(strchr("AQgw", name[21]));
		for (int k = 0; k < 21; k++)
			seen[strchr(digits, name[k]) - digits]++;
	}
	for (int i = 0; i < 64; i++)
		CU_ASSERT_TRUE(seen[i] > 400 && seen[i] < 900); /* 656 expected */
}

UNIT_MAIN("random", UNIT_TEST(bytes_differ), UNIT_TEST(names_are_base64url))
