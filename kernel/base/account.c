/* SPDX-License-Identifier: MIT */
#include "base/account.h"

#include "base/bug.h"

/* The first line is the shared one. Untouched lines cost no memory but address space. */
static struct account_line lines[1 + ACCOUNT_THREADS_MAX];
static atomic_uint n_lines = 1; /* that were ever used */

_Thread_local struct account_line *account_own_line;

void account_set_thread(unsigned index)
{
	unsigned n = atomic_load(&n_lines);

	bug_on(index >= ACCOUNT_THREADS_MAX);
	account_own_line = &lines[1 + index];
	while (n < index + 2 && !atomic_compare_exchange_weak(&n_lines, &n, index + 2)) {
		/* Somebody else has changed it: n is what it is now. */
	}
}

void account_add_shared(enum account_kind kind, ptrdiff_t bytes)
{
	atomic_fetch_add_explicit(&lines[0].bytes[kind], (int64_t)bytes, memory_order_relaxed);
}

int64_t account_own(void)
{
	int64_t sum = 0;

	for (unsigned kind = 0; account_own_line && kind < ACCOUNT_KIND_COUNT; kind++)
		sum += atomic_load_explicit(&account_own_line->bytes[kind], memory_order_relaxed);
	return sum;
}

uint64_t account_kind_total(enum account_kind kind)
{
	unsigned n = atomic_load(&n_lines);
	int64_t total = 0;

	for (unsigned i = 0; i < n; i++)
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
