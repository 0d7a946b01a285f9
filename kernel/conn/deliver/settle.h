/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DELIVER_SETTLE_H
#define KERNEL_CONN_DELIVER_SETTLE_H

/* From delivery tags to the queues: acknowledgements, rejects, requeues; and channel-wide prefetch.
 */

#include <stdbool.h>
#include <stdint.h>

#include "conn/channel.h"
#include "conn/deliver/unacked.h"

/* outcome is an enum queue_outcome. Consecutive settles are gathered; settle_flush() hands them
 * over. */
int settle_tags(struct channel *ch, uint64_t tag, bool multiple, int outcome,
		struct amqp_error *error);
void settle_all(struct channel *ch, int outcome);
void settle_held(struct channel *ch, int outcome); /* but for those in a transaction */
/* Settles now, or notes it in the transaction. */
int settle_one(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome,
	       struct amqp_error *error);
/* Grants what room there is under the channel-wide limit. */
void settle_grant(struct channel *ch);
void settle_entry(struct channel *ch, struct unacked_entry *entry, int outcome);

/* Hands over what this loop has gathered. */
void settle_flush(struct conn_loop *home);

#endif
