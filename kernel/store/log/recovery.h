/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_RECOVERY_H
#define KERNEL_STORE_LOG_RECOVERY_H

/*
 * A log at the start: all of its segments are read, and what they say becomes the ledger. Then it
 * can be replayed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/log/ledger.h"
#include "store/log/segment.h"
#include "store/store.h"

struct recovery_options {
	uint64_t next_id;	  /* queues' ids in the log are below */
	bool was_clean;		  /* the last run has synced all that there is */
	const char *damaged_path; /* folder for copies of damaged bytes, made when needed */
	void (*report)(void *context, const struct store_report *report);
	void *context;
};

/*
 * Reads the log in the folder (path, ids and segment_size are set) into the empty ledger, syncs
 * what it has read, and says behind what the log goes on. Negative errno values come with one line
 * of reason; then nothing was changed.
 */
int recovery_run(struct segment_folder *folder, const struct recovery_options *options,
		 struct ledger *ledger, struct record_open *ret_before, char *ret_reason,
		 size_t reason_size) MUST_USE;

/*
 * What is live, as store_log_recover() gives it, but for done(). The segments are read again. A
 * negative errno value if that fails.
 */
int recovery_replay(const struct segment_folder *folder, struct ledger *ledger,
		    struct store_recovery *recovery) MUST_USE;

#endif
