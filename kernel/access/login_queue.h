/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_LOGIN_QUEUE_H
#define KERNEL_ACCESS_LOGIN_QUEUE_H

/*
 * Logins that wait for a worker: a list for each address that has some, and one of each address in
 * turn. So many from one address hold up those from others by one, and no more. Bounded in total
 * and for each address.
 *
 * A login counts from login_queue_add() to login_queue_leave(), also while it is being hashed. The
 * logins are the caller's. One thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>

#include "access/throttle.h"
#include "base/list.h"
#include "base/map.h"

#define LOGIN_QUEUE_MAX		4096u
#define LOGIN_QUEUE_ADDRESS_MAX 1024u

struct login_queue_address;

/* Within the caller's own. */
struct login_queued {
	struct list link;
	struct login_queue_address *address;
};

struct login_queue {
	struct map addresses;
	struct list turn; /* of addresses that have some waiting */
	size_t n;
};

void login_queue_init(struct login_queue *queue);
/* Nothing is in it. */
void login_queue_fini(struct login_queue *queue);

/* False: there are too many already. */
bool login_queue_add(struct login_queue *queue, const struct throttle_address *address,
		     struct login_queued *queued);
/* The next one, which is taken off; NULL: none waits. */
struct login_queued *login_queue_take(struct login_queue *queue);
/* Of one that was taken. */
void login_queue_leave(struct login_queue *queue, struct login_queued *queued);

#endif
