/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_REWRITE_H
#define KERNEL_STORE_LOG_REWRITE_H

/*
 * Writing what is live in a store's logs into another number of logs, at the start, when `loops`
 * has changed. A queue's log is its id modulo their number.
 */

#include <stddef.h>

#include "base/compiler.h"
#include "store/log/ledger.h"
#include "store/log/segment.h"

struct rewrite;

/*
 * To n_logs empty folders (path, ids and segment_size are set; they are borrowed, and must be
 * finished by the caller).
 */
struct rewrite *rewrite_create(struct segment_folder *folders, unsigned n_logs);

/* One log that recovery has read. A negative errno value: the new logs are of no use. */
int rewrite_log(struct rewrite *rewrite, const struct segment_folder *from,
		struct ledger *ledger) MUST_USE;

/* All of it is on disk then. */
int rewrite_finish(struct rewrite *rewrite) MUST_USE;
void rewrite_destroy(struct rewrite *rewrite);

#endif
