/* SPDX-License-Identifier: MIT */
#include "broker/disk_monitor.h"

#include "store/disk.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "../unit.h"

static uint64_t free_bytes;
static int error;
static unsigned looks;

static int measure(const char *path, uint64_t *ret_free_bytes)
{
	(void)path;
	looks++;
	if (error == 0)
		*ret_free_bytes = free_bytes;
	return error;
}

static void begin(struct disk_monitor *monitor)
{
	free_bytes = 0;
	error = 0;
	looks = 0;
	monitor->measure = measure;
	disk_monitor_begin(monitor, "/data");
}

static void intervals(void)
{
	CU_ASSERT_EQUAL(disk_interval_ms(0, 50000000), DISK_INTERVAL_MIN_MS);
	CU_ASSERT_EQUAL(disk_interval_ms(50000000, 50000000), DISK_INTERVAL_MIN_MS);
	CU_ASSERT_EQUAL(disk_interval_ms(150000000, 50000000), 100);
	CU_ASSERT_EQUAL(disk_interval_ms(1050000000, 50000000), 1000);
	CU_ASSERT_EQUAL(disk_interval_ms(UINT64_MAX, 50000000), DISK_INTERVAL_MAX_MS);
	CU_ASSERT_EQUAL(disk_interval_ms(0, UINT64_MAX), DISK_INTERVAL_MIN_MS);
}

static void due_for_one(void)
{
	struct disk_monitor monitor = {0};
	uint64_t got = 7;

	CU_ASSERT_FALSE(disk_monitor_is_due(&monitor, 1000000)); /* nothing to look at */
	CU_ASSERT_FALSE(disk_monitor_look(&monitor, 1000000, 0, &got));
	CU_ASSERT_EQUAL(got, 7);
	begin(&monitor);
	CU_ASSERT_TRUE(disk_monitor_is_due(&monitor, 1000000));
	CU_ASSERT_FALSE(disk_monitor_is_due(&monitor, 1000000));
	free_bytes = 1000000000;
	CU_ASSERT_TRUE(disk_monitor_look(&monitor, 1000000, 0, &got));
	CU_ASSERT_EQUAL(got, 1000000000);
	CU_ASSERT_FALSE(disk_monitor_is_due(&monitor, 1000999));
	CU_ASSERT_TRUE(disk_monitor_is_due(&monitor, 1001000));
	disk_monitor_fini(&monitor);
}

static void refused(void)
{
	struct disk_monitor monitor = {0};
	uint64_t got = 7;

	begin(&monitor);
	error = -EIO;
	CU_ASSERT_FALSE(disk_monitor_look(&monitor, 1000, 0, &got));
	CU_ASSERT_FALSE(disk_monitor_look(&monitor, 1000, 0, &got));
	CU_ASSERT_EQUAL(got, 7);
	CU_ASSERT_TRUE(monitor.is_failing);
	error = 0;
	CU_ASSERT_TRUE(disk_monitor_look(&monitor, 1000, 0, &got));
	CU_ASSERT_FALSE(monitor.is_failing);
	disk_monitor_fini(&monitor);
}

static void of_a_real_disk(void)
{
	struct disk_monitor monitor = {0};
	struct statvfs disk;
	uint64_t got = 7;

	CU_ASSERT_EQUAL(disk_free_bytes("/no/such/file", &got), -ENOENT);
	CU_ASSERT_EQUAL(got, 7);
	disk_monitor_begin(&monitor, "/");
	CU_ASSERT_TRUE(disk_monitor_look(&monitor, 0, 0, &got));
	CU_ASSERT_EQUAL_FATAL(statvfs("/", &disk), 0);
	CU_ASSERT_TRUE(got <= (uint64_t)disk.f_blocks * disk.f_frsize);
	disk_monitor_fini(&monitor);
}

UNIT_MAIN("disk_monitor", UNIT_TEST(intervals), UNIT_TEST(due_for_one), UNIT_TEST(refused),
	  UNIT_TEST(of_a_real_disk))
