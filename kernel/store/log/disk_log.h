/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_LOG_DISK_LOG_H
#define KERNEL_STORE_LOG_DISK_LOG_H

/*
 * One log of the engine on disk, as its loop sees it: what is appended goes to the writer; what
 * comes back changes the ledger and is told. All on the log's loop, but for opening and closing,
 * which come before and after loops run.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/chain.h"
#include "base/compiler.h"
#include "base/ring.h"
#include "loop/task.h"
#include "loop/timer.h"
#include "store/engine.h"
#include "store/helper.h"
#include "store/log/ledger.h"
#include "store/log/reclaim.h"
#include "store/log/writer.h"

struct disk_store;
struct disk_wake_target;

struct disk_log {
	struct store_log log; /* first */
	const struct store_options *options;
	struct writer *writer;
	struct helper *helper;
	struct ledger ledger;
	struct reclaim reclaim;
	struct loop_task tell;
	struct disk_wake_target *wake_target; /* whom letters find */
	bool is_closing;
	uint64_t epoch; /* 0: nobody leads */
	struct store_lead *leader;
	_Atomic uint64_t *n_epochs; /* the store's */
	struct store_log_stats stats;

	struct ring under_way; /* appends that the writer has, or that are in `done`, in order */
	CHAIN(struct store_append) done; /* they have come back, and are being entered */
	size_t next_record;		 /* of the first of them */
	uint64_t next_seq;		 /* within that record; 0: from its beginning */

	/* to be told without the writer */
	CHAIN(struct store_append) refused;
	CHAIN(struct store_lead) leads;
	CHAIN(struct store_read) failed_reads;
};

/*
 * Takes over the folder and the ledger that recovery has made, and begins to write behind `before`.
 * 0, or a negative errno value; then they are the caller's still.
 */
int disk_log_create(struct store *store, unsigned loop, const struct store_options *options,
		    _Atomic uint64_t *n_epochs, struct segment_folder *folder,
		    struct ledger *ledger, const struct record_open *before,
		    struct disk_log **ret) MUST_USE;

/*
 * In the log's name, when loops have stopped: writes, syncs and tells all that is under way, again
 * and again while what is told asks for more. 0 if all of it is on disk for sure.
 */
int disk_log_finish(struct disk_log *log) MUST_USE;
void disk_log_destroy(struct disk_log *log);

void disk_log_append(struct store_log *log, uint64_t epoch, struct store_append *append);
void disk_log_read(struct store_log *log, struct store_read *read);
void disk_log_recover(struct store_log *log, struct store_recovery *recovery);
void disk_log_barrier(struct store_log *log, struct store_barrier *barrier);
void disk_log_compact(struct store_log *log);
void disk_log_lead(struct store_log *log, struct store_lead *lead);
void disk_log_release(struct store_log *log);
void disk_log_stats(const struct store_log *log, struct store_log_stats *ret_stats);

/* For reclaim: an append of the log's own, whoever leads; synced when it completes. */
void disk_log_append_own(struct disk_log *log, struct store_append *append);
/* Lets segments go that may, and looks for what else there is to be had. */
void disk_log_give_back(struct disk_log *log);

#endif
