/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_FETCH_H
#define KERNEL_STORE_LOG_FETCH_H

/*
 * Reading bodies back (store_log_read()): places are looked up on the loop, their segments stay
 * until the read has ended; the helper reads, in larger pieces where messages lie together, and
 * checks each record.
 */

#include "base/compiler.h"
#include "store/helper.h"
#include "store/log/ledger.h"
#include "store/log/segment.h"
#include "store/store.h"

struct fetch;

struct fetch_options {
	const struct segment_folder *folder; /* path and identity */
	struct ledger *ledger;
	void (*report)(void *context, const struct store_report *report);
	void *context;
};

/*
 * read->body() and done() are called by helper_finish(). A negative errno value (no memory, no
 * thread): nothing was begun.
 */
int fetch_begin(struct helper *helper, const struct fetch_options *options,
		struct store_read *read) MUST_USE;

#endif
