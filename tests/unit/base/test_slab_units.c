/* SPDX-License-Identifier: MIT */
#include "base/slab_state.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

#define REGIONS	     6
#define PER_UNIT     (SLAB_UNIT_SIZE / SLAB_OBJECT_MAX)
#define MANY	     ((SLAB_REGION_UNITS - 1) * PER_UNIT * REGIONS)
#define MAPPINGS_MAX 300000u /* a machine that allows more is not brought to its limit */

static void *objects[MANY];

static void make_many(void)
{
	for (unsigned i = 0; i < MANY; i++)
		objects[i] = slab_alloc(SLAB_OBJECT_MAX);
}

static uintptr_t region_of(const void *object)
{
	return (uintptr_t)object & ~(uintptr_t)(SLAB_REGION_SIZE - 1);
}

/* Whether its neighbours are regions, too, so that it lies in the midst of a mapping. */
static bool is_inner(uintptr_t region)
{
	bool has_lower = false, has_upper = false;

	for (unsigned i = 0; i < MANY; i++) {
		has_lower |= objects[i] && region_of(objects[i]) == region - SLAB_REGION_SIZE;
		has_upper |= objects[i] && region_of(objects[i]) == region + SLAB_REGION_SIZE;
	}
	return has_lower && has_upper;
}

/* Of two regions, so that more than what is kept is spare. Returns how many regions there were. */
static unsigned free_inner_regions(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MANY && n < 2; i++) {
		uintptr_t region = objects[i] ? region_of(objects[i]) : 0;

		if (region == 0 || !is_inner(region))
			continue;
		for (unsigned k = i; k < MANY; k++) {
			if (objects[k] && region_of(objects[k]) == region) {
				slab_free(objects[k], SLAB_OBJECT_MAX);
				objects[k] = NULL;
			}
		}
		n++;
	}
	return n;
}

static unsigned mappings_allowed(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned n = 0;

	if (!file || fscanf(file, "%u", &n) != 1)
		n = 0;
	if (file)
		(void)fclose(file);
	return n;
}

/* Pages that are alternately readable are mappings of their own. False: that was not the limit. */
static bool use_up_mappings(unsigned allowed)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(NULL, 2 * page * allowed, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED)
		return false;
	for (unsigned i = 0; i < allowed; i++) {
		if (mprotect(pages + 2 * page * i, page, PROT_READ) != 0)
			return true;
	}
	return false;
}

enum { WENT_WELL, NO_INNER_REGIONS, NO_LIMIT, NOT_RELEASED };

static int release_without_mappings(unsigned allowed)
{
	struct slab_usage usage;

	make_many();
	if (free_inner_regions() != 2)
		return NO_INNER_REGIONS;
	if (!use_up_mappings(allowed))
		return NO_LIMIT;
	for (int i = 0; i < 4; i++) /* a limited piece each */
		(void)slab_upkeep();
	slab_own_usage(&usage);
	if (usage.spare > (size_t)SLAB_SPARE_KEPT * SLAB_UNIT_SIZE)
		return NOT_RELEASED;
	for (unsigned i = 0; i < MANY; i++) {
		if (!objects[i])
			objects[i] = slab_alloc(SLAB_OBJECT_MAX);
		*(volatile char *)objects[i] = 1;
	}
	return WENT_WELL;
}

static void region_stays_where_the_system_cannot_split_a_mapping(void)
{
	unsigned allowed = mappings_allowed();
	int status = -1;
	pid_t pid;

	/* Sanitizers need mappings of their own. */
	if (IS_SANITIZED || allowed == 0 || allowed > MAPPINGS_MAX) {
		(void)printf("not brought to its limit of mappings: %u ", allowed);
		return;
	}
	pid = fork();
	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0)
		_exit(release_without_mappings(allowed));
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), WENT_WELL);
}

UNIT_MAIN("slab units", UNIT_TEST(region_stays_where_the_system_cannot_split_a_mapping))
