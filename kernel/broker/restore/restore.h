/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_RESTORE_RESTORE_H
#define KERNEL_BROKER_RESTORE_RESTORE_H

/*
 * Brings back what the store holds: vhosts, durable exchanges, queues and bindings, and messages.
 * Into a broker without a vhost, when the exchange types are registered and before the loops run,
 * on loop 0's thread; the other loops are visited.
 *
 * The vhosts are those of the store; only when it has none at all, default_vhost is made and
 * stored (NULL: none is). An exchange whose type is not registered is there without one, and so are its bindings. A
 * binding whose end is not there goes out of the store, with a warning: it was never visible.
 * Messages of queues that are no more go, too. Whatever else cannot be brought back as it was makes
 * this fail, and then it stays in the store.
 *
 * 0, or -1 with one line of reason; lines with the details have been logged before. Takes as long
 * as reading all of it does.
 */

#include <stddef.h>

#include "base/compiler.h"

struct broker;

int restore_broker(struct broker *broker, const char *default_vhost, char *ret_reason,
		   size_t size) MUST_USE;

#endif
