/* SPDX-License-Identifier: MIT */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

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
