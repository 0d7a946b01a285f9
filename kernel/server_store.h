/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_STORE_H
#define KERNEL_SERVER_STORE_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/compiler.h"
#include "config.h"

struct store;

/* What is reported of the store; outlives it. */
struct server_store {
	atomic_bool is_open;
};

/*
 * Opens the store in the data directory, which is ours already; the pool of loops must be there.
 * What is found damaged is logged, a line each. 0 or a negative errno value, with one line of
 * reason.
 */
int server_open_store(struct server_store *server_store, const struct config *config,
		      struct store **ret_store, char *ret_reason, size_t size) MUST_USE;

#endif
