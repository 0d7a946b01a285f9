/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_DISK_MONITOR_H
#define KERNEL_BROKER_DISK_MONITOR_H

/* How much room a file system has, and when to look again, so that looking costs nothing while
 * there is plenty and a fast writer does not fill it between two looks. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes that this process may still write; 0 or -errno. Outside of tests disk_free_bytes(). */
typedef int (*disk_measure_fn)(const char *path, uint64_t *ret_free_bytes);

#define DISK_INTERVAL_MIN_MS 100u
#define DISK_INTERVAL_MAX_MS 10000u

/* From one look to the next, with so much room and this limit. */
uint64_t disk_interval_ms(uint64_t free_bytes, uint64_t limit_bytes);

/* Begun before the loops run; looking and asking is for any thread. */
struct disk_monitor {
	char *path; /* its own; NULL: nothing is looked at */
	disk_measure_fn measure;
	_Atomic uint64_t due_ms; /* by loop_now_ms() */
	atomic_bool is_failing;	 /* the last look was refused, which has been logged */
};

/* Zeroed memory is a monitor that looks at nothing. */
void disk_monitor_begin(struct disk_monitor *monitor, const char *path);
void disk_monitor_fini(struct disk_monitor *monitor);

/* Whether it is time; true for one caller only. */
bool disk_monitor_is_due(struct disk_monitor *monitor, uint64_t now_ms);

/* Looks, and says when to look again. False: the system did not tell, which is logged when it
 * begins. */
bool disk_monitor_look(struct disk_monitor *monitor, uint64_t now_ms, uint64_t limit_bytes,
		       uint64_t *ret_free_bytes);

#endif
