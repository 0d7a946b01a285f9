/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DISK_STORE_H
#define KERNEL_STORE_DISK_STORE_H

/*
 * The inside of the engine on disk: what the folders of a data directory are called, and finding,
 * reading and making them at the start (disk_folders.c).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "store/definitions/database.h"
#include "store/log/ledger.h"
#include "store/log/segment.h"
#include "store/store.h"

/* One log as it was found. */
struct disk_found {
	struct segment_folder folder;
	struct ledger ledger;
	struct record_open before;
};

/*
 * Brings the directory's logs to n_logs of the generation that the database then names: makes them
 * in an empty one, writes them anew if their number has changed, removes what an earlier try left
 * behind. Then reads them all. The array is the caller's, and what is in it. Negative errno values
 * come with one line of reason, and nothing has been dropped.
 */
int disk_folders_open(const struct store_options *options, struct database *database,
		      struct disk_found **ret_found, char *ret_reason, size_t size) MUST_USE;

/* -EUCLEAN if there are logs, but no database, or an empty file. */
int disk_folders_check_database(const struct store_options *options, const char *database_path,
				char *ret_reason, size_t size) MUST_USE;

void disk_found_fini(struct disk_found *found);

#endif
