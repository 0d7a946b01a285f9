/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_ALARM_H
#define KERNEL_BROKER_ALARM_H

/*
 * The memory alarm: set while what the broker holds (base/account.h) is above the limit, cleared
 * when it falls below it. Nothing polls while idle: loops check as they take messages; while the
 * alarm is set, loop 0 looks every 250 ms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct alarms;
struct broker;

/* limit_bytes 0: no alarm. May be changed later from any loop. */
struct alarms *alarms_create(unsigned n_loops, uint64_t limit_bytes);
/* On loop 0's thread, when no other loop runs. */
void alarms_destroy(struct alarms *alarms);
void alarms_set_memory_limit(struct alarms *alarms, uint64_t limit_bytes);
uint64_t alarms_memory_limit(const struct alarms *alarms);

/* Any thread. */
bool alarms_memory_is_set(const struct alarms *alarms);

/* Called by the publish path once a batch; cheap. */
void alarms_check(struct alarms *alarms);

/* `changed` runs on its own loop whenever the alarm is set or cleared. One per loop. */
struct alarm_listener {
	void (*changed)(struct alarm_listener *listener, bool is_set);
};
void alarms_listen(struct alarms *alarms, unsigned loop, struct alarm_listener *listener);

#endif
