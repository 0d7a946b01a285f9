/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_BUG_H
#define KERNEL_BASE_BUG_H

#include "base/compiler.h"

/*
 * Our own mistakes stop the process at once: one line with file, line and expression on standard
 * error, then exit status 70 (abort() if built with -DSHUNT_ABORT_ON_BUG). Always on; the condition
 * must have no side effects. Never for what a peer, a file, a plugin or a script sent.
 */
#define bug_on(condition)                                                                          \
	do {                                                                                       \
		if (UNLIKELY(condition))                                                           \
			bug_stop(__FILE__, __LINE__, #condition);                                  \
	} while (0)

NO_RETURN void bug_stop(const char *file, int line, const char *expression);

#endif
