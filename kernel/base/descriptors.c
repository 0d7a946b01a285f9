/* SPDX-License-Identifier: MIT */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE_PART 16
#define SPARE_MAX  100

uint64_t descriptors_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

void descriptors_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t spare_of(uint64_t limit)
{
	uint64_t part = limit / SPARE_PART;

	return part < SPARE_MAX ? part : SPARE_MAX;
}

uint64_t descriptors_spare(void)
{
	return spare_of(descriptors_limit());
}

bool descriptors_have_room(int fd)
{
	uint64_t limit = descriptors_limit();

	return (uint64_t)fd + 1 + spare_of(limit) < limit;
}

void descriptors_reserve(unsigned count)
{
	struct rlimit limit;
	rlim_t n = count;
	int any, last;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < n)
		n = limit.rlim_cur;
	any = open("/", O_PATH | O_CLOEXEC);
	if (any < 0)
		return;
	/* The table is made to hold what is used in it, and does not shrink. */
	last = n > 0 ? fcntl(any, F_DUPFD_CLOEXEC, (int)n - 1) : -1;
	if (last >= 0)
		(void)close(last);
	(void)close(any);
}
