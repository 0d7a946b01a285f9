/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_BROKER_LOOP_H
#define KERNEL_BROKER_BROKER_LOOP_H

/* One loop's part of the broker: made and ended in the loop's name (loop_pool_visit()). */

#include "broker/broker.h"

struct store_log;

/* log is borrowed. Without scratch space for a router. */
void broker_loop_init(struct broker_loop *part, struct store_log *log);

/* Ends the queues that are left, telling nobody. */
void broker_loop_fini(struct broker_loop *part);

#endif
