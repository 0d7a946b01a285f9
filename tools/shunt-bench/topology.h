/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_TOPOLOGY_H
#define TOOLS_SHUNT_BENCH_TOPOLOGY_H

#include <stdint.h>

#include "base/compiler.h"
#include "client.h"
#include "plan.h"

/* Declares exchange, queues and bindings on a connection that does nothing else. */
int topology_make(struct client *client, const struct plan *plan) MUST_USE;

/* Deletes them all. */
int topology_delete(struct client *client, const struct plan *plan) MUST_USE;

/* *ret: messages that are ready in all queues together. */
int topology_count(struct client *client, const struct plan *plan, uint64_t *ret) MUST_USE;

#endif
