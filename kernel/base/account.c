/* SPDX-License-Identifier: MIT */
#include "base/account.h"

#include "base/bug.h"

/* The last line is the shared one. Untouched lines cost no memory but address space. */
static struct account_line lines[ACCOUNT_THREADS_MAX + 1];

_Thread_local struct account_line *account_own_line;

void account_set_thread(unsigned index)
{
	bug_on(index >= ACCOUNT_THREADS_MAX);
	account_own_line = &lines[index];
}

void account_add_shared(enum account_kind kind, ptrdiff_t bytes)
{
	atomic_fetch_add_explicit(&lines[ACCOUNT_THREADS_MAX].bytes[kind], (int64_t)bytes,
				  memory_order_relaxed);
}

uint64_t account_kind_total(enum account_kind kind)
{
	int64_t total = 0;

	for (size_t i = 0; i <= ACCOUNT_THREADS_MAX; i++)
		total += atomic_load_explicit(&lines[i].bytes[kind], memory_order_relaxed);
	/* What was taken away on a line not yet read may be missing where it was added. */
	return total > 0 ? (uint64_t)total : 0;
}

uint64_t account_total(void)
{
	uint64_t total = 0;

	for (unsigned kind = 0; kind < ACCOUNT_KIND_COUNT; kind++)
		total += account_kind_total((enum account_kind)kind);
	return total;
}

const char *account_kind_name(enum account_kind kind)
{
	/* clang-format off */
	static const char *const names[] = {
#define X(upper, lower) #lower,
		ACCOUNT_KINDS(X)
#undef X
	};
	/* clang-format on */

	bug_on((unsigned)kind >= ACCOUNT_KIND_COUNT);
	return names[kind];
}
