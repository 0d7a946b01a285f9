/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ALARM_H
#define KERNEL_BROKER_ALARM_H

/*
 * Why nobody may publish for the time being. The memory alarm is set while what the broker holds
 * (base/account.h) is above its limit, the disk alarm while the file system of the data directory
 * has fewer bytes free than its limit. Nothing polls while idle: loops check as they take messages
 * (the disk when it is due, broker/disk_monitor.h); while an alarm is set, loop 0 looks every
 * 250 ms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "broker/disk_monitor.h"

struct alarms;
struct broker;

/* Bits: several may be set at a time. */
enum alarm {
	ALARM_MEMORY = 1u << 0,
	ALARM_DISK = 1u << 1,
};

/* memory_limit_bytes 0: no memory alarm. The disk has none until it is watched. */
struct alarms *alarms_create(unsigned n_loops, uint64_t memory_limit_bytes);
/* On loop 0's thread, when no other loop runs. */
void alarms_destroy(struct alarms *alarms);

/* The disk alarm is for the file system of this path (which is copied); looks at once. Before other
 * loops run. */
void alarms_watch_disk(struct alarms *alarms, const char *path, uint64_t limit_bytes);
/* For tests, before alarms_watch_disk(): instead of disk_free_bytes(). */
void alarms_measure_disk_by(struct alarms *alarms, disk_measure_fn measure);

/* Any loop, any time; 0: no alarm. What is beyond the limit already sets the alarm at once. */
void alarms_set_memory_limit(struct alarms *alarms, uint64_t limit_bytes);
void alarms_set_disk_limit(struct alarms *alarms, uint64_t limit_bytes);
uint64_t alarms_memory_limit(const struct alarms *alarms);
uint64_t alarms_disk_limit(const struct alarms *alarms);

/* Any thread. */
bool alarms_memory_is_set(const struct alarms *alarms);
bool alarms_disk_is_set(const struct alarms *alarms);

/* Called by the publish path once a batch; cheap. */
void alarms_check(struct alarms *alarms);

/*
 * `changed` runs on its own loop whenever an alarm is set or cleared, and if one is set already;
 * set_alarms are the bits of those that are set now. One per loop, before other loops run.
 */
struct alarm_listener {
	void (*changed)(struct alarm_listener *listener, unsigned set_alarms);
};
void alarms_listen(struct alarms *alarms, unsigned loop, struct alarm_listener *listener);

#endif
