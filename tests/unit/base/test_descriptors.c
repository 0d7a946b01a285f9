/* SPDX-License-Identifier: MIT */
#include "base/descriptors.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../unit.h"

/* How large the kernel says the table is; 0: it does not say. */
static unsigned table_size(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned size = 0;
	char line[256];

	CU_ASSERT_PTR_NOT_NULL_FATAL(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "FDSize: %u", &size) != 1)
		;
	(void)fclose(status);
	return size;
}

static int next_descriptor(void)
{
	int fd = dup(0);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	(void)close(fd);
	return fd;
}

static void set_limit(rlim_t n)
{
	struct rlimit limit;

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void the_limit_is_raised_as_far_as_it_may_be(void)
{
	struct rlimit limit;

	set_limit(300);
	CU_ASSERT_EQUAL(descriptors_limit(), 300);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CU_ASSERT_FATAL(limit.rlim_max > 300);
	descriptors_raise_limit();
	CU_ASSERT_EQUAL(descriptors_limit(), limit.rlim_max);
}

static void some_are_not_for_clients(void)
{
	set_limit(320);
	CU_ASSERT_EQUAL(descriptors_spare(), 20);
	CU_ASSERT_TRUE(descriptors_have_room(298)); /* the next is 299, and 20 are behind it */
	CU_ASSERT_FALSE(descriptors_have_room(299));
	set_limit(4000);
	CU_ASSERT_EQUAL(descriptors_spare(), 100);
	set_limit(15);
	CU_ASSERT_EQUAL(descriptors_spare(), 0);
	set_limit(320);
}

/* In this order, as the table never shrinks. */
static void no_more_than_the_limit(void)
{
	set_limit(512);
	descriptors_reserve(100000);
	CU_ASSERT_EQUAL(table_size(), 512);
}

static void room_is_made_and_nothing_left_open(void)
{
	int next = next_descriptor();

	set_limit(900);
	descriptors_reserve(800);
	CU_ASSERT_EQUAL(table_size(), 1024);
	CU_ASSERT_EQUAL(next_descriptor(), next);
	CU_ASSERT_EQUAL(fcntl(799, F_GETFD), -1);
}

UNIT_MAIN("descriptors", UNIT_TEST(some_are_not_for_clients),
	  UNIT_TEST(the_limit_is_raised_as_far_as_it_may_be), UNIT_TEST(no_more_than_the_limit),
	  UNIT_TEST(room_is_made_and_nothing_left_open))
