/* SPDX-License-Identifier: MIT */
#include "server_store.h"

#include "base/log.h"
#include "store/store.h"

static void report(void *context, const struct store_report *found)
{
	(void)context;
	log_at(found->is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "store",
	       "%s: path=\"%s\" offset=%llu size=%llu reason=\"%s\"",
	       found->is_error ? "damaged" : "cut off", found->path,
	       (unsigned long long)found->offset, (unsigned long long)found->size, found->reason);
}

int server_open_store(const struct config *config, struct store **ret_store, char *ret_reason,
		      size_t size)
{
	const struct store_options options = {
		.path = config->data_dir,
		.n_logs = config->loops,
		.sync = config->store_sync,
		.sync_interval_ms = config->store_sync_interval_ms,
		.segment_size = config->store_segment_size,
		.report = report,
	};

	return store_disk_open(&options, ret_store, ret_reason, size);
}
