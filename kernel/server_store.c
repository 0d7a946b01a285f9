/* SPDX-License-Identifier: MIT */
#include "server_store.h"

#include "base/log.h"
#include "store/store.h"

#define REPORT_FORMAT "%s: path=\"%s\" offset=%llu size=%llu reason=\"%s\""
#define REPORT_ARGUMENTS(found)                                                                    \
	(found)->is_error ? "damaged" : "cut off", (found)->path,                                  \
		(unsigned long long)(found)->offset, (unsigned long long)(found)->size,            \
		(found)->reason

/* At the start each line counts; later what a peer does may bring about any number of them. */
static void report(void *context, const struct store_report *found)
{
	static struct log_limit limit = LOG_LIMIT(20);
	const struct server_store *store = context;
	enum log_level level = found->is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;

	if (!atomic_load(&store->is_open))
		log_at(level, "store", REPORT_FORMAT, REPORT_ARGUMENTS(found));
	else
		log_limited(&limit, level, "store", REPORT_FORMAT, REPORT_ARGUMENTS(found));
}

int server_open_store(struct server_store *server_store, const struct config *config,
		      struct store **ret_store, char *ret_reason, size_t size)
{
	const struct store_options options = {
		.path = config->data_dir,
		.n_logs = config->loops,
		.sync = config->store_sync,
		.sync_interval_ms = config->store_sync_interval_ms,
		.segment_size = config->store_segment_size,
		.report = report,
		.context = server_store,
	};

	atomic_init(&server_store->is_open, false);
	int r = store_disk_open(&options, ret_store, ret_reason, size);

	atomic_store(&server_store->is_open, true);
	return r;
}
