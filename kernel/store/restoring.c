/* SPDX-License-Identifier: MIT */
#include "store/restoring.h"

#include <stdio.h>
#include <string.h>

int restoring_check(const char *what, int result, uint64_t n_failed, char *ret_reason, size_t size)
{
	if (result != 0)
		(void)snprintf(ret_reason, size, "cannot bring back the %s: %s", what,
			       strerror(-result));
	else if (n_failed > 0)
		(void)snprintf(ret_reason, size, "cannot bring back all of the %s: failed=%llu",
			       what, (unsigned long long)n_failed);
	else
		return 0;
	return -1;
}
