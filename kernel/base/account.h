/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_ACCOUNT_H
#define KERNEL_BASE_ACCOUNT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * How many bytes the process holds in messages, queues and connections, and on the way to and from
 * the log: what the memory alarm watches. Each thread adds on a cache line of its own, without
 * contention; whoever asks sums them. What one thread adds another may take away, so only the sums
 * mean something, and a sum taken while others add is as exact as a glance.
 */
#define ACCOUNT_KINDS(X)                                                                           \
	X(MESSAGE, message)                                                                        \
	X(QUEUE, queue)                                                                            \
	X(CONNECTION, connection)                                                                  \
	X(LOG, log)                                                                                \
	X(OTHER, other)

/* clang-format off */
enum account_kind {
#define X(upper, lower) ACCOUNT_##upper,
	ACCOUNT_KINDS(X)
#undef X
	ACCOUNT_KIND_COUNT,
};
/* clang-format on */

#define ACCOUNT_THREADS_MAX 256

struct account_line {
	_Alignas(CACHE_LINE_SIZE) _Atomic int64_t bytes[ACCOUNT_KIND_COUNT];
};

/* The line of the calling thread; NULL: the shared one. Only for account_add(). */
extern _Thread_local struct account_line *account_own_line;

/*
 * From now on the calling thread adds on line `index` (below ACCOUNT_THREADS_MAX), which no other
 * running thread may use. Threads that never called this share a line, correctly but slower. Loops
 * do this by themselves, with their number.
 */
void account_set_thread(unsigned index);

void account_add_shared(enum account_kind kind, ptrdiff_t bytes);

static inline void account_add(enum account_kind kind, ptrdiff_t bytes)
{
	struct account_line *line = account_own_line;

	if (UNLIKELY(!line)) {
		account_add_shared(kind, bytes);
		return;
	}
	/*
	 * Only this thread writes the line, so load and store do what a dearer atomic addition
	 * would.
	 */
	int64_t now = atomic_load_explicit(&line->bytes[kind], memory_order_relaxed);
	atomic_store_explicit(&line->bytes[kind], now + (int64_t)bytes, memory_order_relaxed);
}

/* Sums over all threads; never negative. */
uint64_t account_total(void);
uint64_t account_kind_total(enum account_kind kind);
const char *account_kind_name(enum account_kind kind);

#endif
