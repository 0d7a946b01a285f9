/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_RESTORING_H
#define KERNEL_STORE_RESTORING_H

/* How floors above say that what the store holds cannot be brought back. */

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/*
 * After a step that brings back `what` ("queues"): 0 if it went well; -1 with a reason if it has
 * failed (result: a negative errno), or could not bring back n_failed of them.
 */
int restoring_check(const char *what, int result, uint64_t n_failed, char *ret_reason,
		    size_t size) MUST_USE;

#endif
