/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MACHINE_PATH_MAX 4096

/* The number in the file; false for "max", and where there is no file. */
static bool machine_read_limit(const char *path, uint64_t *ret_limit)
{
	FILE *file = fopen(path, "re");
	unsigned long long limit;
	bool is_number;

	if (file == NULL)
		return false;
	is_number = fscanf(file, "%llu", &limit) == 1;
	fclose(file);
	if (is_number)
		*ret_limit = limit;
	return is_number;
}

/* The group of this process: v2 is the line "0::/path". Empty when there is none. */
static void machine_own_group(char ret_path[MACHINE_PATH_MAX])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[MACHINE_PATH_MAX];

	ret_path[0] = '\0';
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		memcpy(ret_path, line + 3, strlen(line + 3) + 1);
	}
	fclose(file);
}

/* The least of the limits of the group and all groups above it. */
static uint64_t machine_group_limit(void)
{
	char group[MACHINE_PATH_MAX], path[MACHINE_PATH_MAX + 64];
	uint64_t least = UINT64_MAX, limit;

	machine_own_group(group);
	for (;;) {
		char *slash;

		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
		if (machine_read_limit(path, &limit) && limit < least)
			least = limit;
		slash = strrchr(group, '/');
		if (slash == NULL)
			break;
		*slash = '\0';
	}
	if (machine_read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes", &limit) &&
	    limit < least)
		least = limit;
	return least;
}

uint64_t machine_memory_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
	uint64_t all = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
	uint64_t allowed = machine_group_limit();

	return all == 0 || allowed < all ? (allowed == UINT64_MAX ? 0 : allowed) : all;
}

unsigned machine_cores(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	n = CPU_COUNT(&set);
	return n < 1 ? 1 : (unsigned)n;
}
