/* SPDX-License-Identifier: MIT */
#include "base/bug.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_OWN_FAULT 70

void bug_stop(const char *file, int line, const char *expression)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s:%d: bug: %s\n", file, line, expression);

	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0) {
		/* Nothing is left to tell it to. */
	}
#ifdef SHUNT_ABORT_ON_BUG
	abort();
#else
	/* No exit handlers: other threads run on, and nothing may be trusted any more. */
	_exit(EXIT_OWN_FAULT);
#endif
}
