/* SPDX-License-Identifier: MIT */
#include "broker/disk_monitor.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/disk.h"

/* Bytes in a millisecond that a fast disk takes, 1 GB/s. RabbitMQ reckons with a fourth of it, and
 * then waits twice as long. */
#define FAST_RATE 1000000u

uint64_t disk_interval_ms(uint64_t free_bytes, uint64_t limit_bytes)
{
	uint64_t ms = free_bytes > limit_bytes ? (free_bytes - limit_bytes) / FAST_RATE : 0;

	if (ms < DISK_INTERVAL_MIN_MS)
		return DISK_INTERVAL_MIN_MS;
	return ms < DISK_INTERVAL_MAX_MS ? ms : DISK_INTERVAL_MAX_MS;
}

void disk_monitor_begin(struct disk_monitor *monitor, const char *path)
{
	mem_free(monitor->path);
	monitor->path = mem_strdup(path);
	if (monitor->measure == NULL)
		monitor->measure = disk_free_bytes;
}

void disk_monitor_fini(struct disk_monitor *monitor)
{
	mem_free(monitor->path);
	monitor->path = NULL;
}

bool disk_monitor_is_due(struct disk_monitor *monitor, uint64_t now_ms)
{
	uint64_t due_ms = atomic_load_explicit(&monitor->due_ms, memory_order_relaxed);

	return monitor->path != NULL && now_ms >= due_ms &&
	       atomic_compare_exchange_strong(&monitor->due_ms, &due_ms,
					      now_ms + DISK_INTERVAL_MIN_MS);
}

bool disk_monitor_look(struct disk_monitor *monitor, uint64_t now_ms, uint64_t limit_bytes,
		       uint64_t *ret_free_bytes)
{
	int result;

	if (monitor->path == NULL)
		return false;
	result = monitor->measure(monitor->path, ret_free_bytes);
	if (result != 0) {
		if (!atomic_exchange(&monitor->is_failing, true))
			log_warning("alarm",
				    "cannot tell how much of the disk is free: reason=\"%s\"",
				    strerror(-result));
		return false;
	}
	if (atomic_exchange(&monitor->is_failing, false))
		log_info("alarm", "how much of the disk is free can be told again");
	atomic_store(&monitor->due_ms, now_ms + disk_interval_ms(*ret_free_bytes, limit_bytes));
	return true;
}
