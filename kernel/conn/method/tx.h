/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_METHOD_TX_H
#define KERNEL_CONN_METHOD_TX_H

/* A channel's transaction, as the rest of the channel sees it. */

#include <stdbool.h>

#include "conn/channel.h"

static inline bool tx_is_on(const struct channel *ch)
{
	return ch->tx != NULL;
}

int tx_add_publish(struct channel *ch, struct message *message, bool mandatory,
		   struct amqp_error *error);
int tx_add_ack(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome,
	       struct amqp_error *error);
void tx_published(struct channel *ch, const struct publish_outcome *outcomes, size_t count);
void tx_add_pending(struct channel *ch, const struct publication *p);
void tx_destroy(struct channel *ch);

/* What is kept until the commit; 0 without a transaction. */
void tx_counts(const struct channel *ch, size_t *ret_publishes, size_t *ret_acks);

#endif
