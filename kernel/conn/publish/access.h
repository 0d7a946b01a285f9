/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PUBLISH_ACCESS_H
#define KERNEL_CONN_PUBLISH_ACCESS_H

/*
 * Whether a message may be published: to the exchange, and to a topic exchange with the key. Mostly
 * the exchange is the one before, and the user may use all topics: that is answered here.
 */

#include "conn/channel.h"
#include "conn/permission.h"
#include "conn/publish/publish.h"

/* The exchange is the one that was last asked about, and the answer is as good as then. */
static inline bool publish_was_asked(const struct channel_publish *p, struct slice exchange,
				     uint64_t generation)
{
	return p->access_generation == generation &&
	       slice_equal(exchange, slice_make(p->access_exchange, p->access_exchange_size));
}

/* Anything else. */
int publish_examine_access(struct channel *ch, const struct amqp_basic_publish *m,
			   uint64_t generation, struct amqp_error *error);

static inline int publish_access(struct channel *ch, const struct amqp_basic_publish *m,
				 struct amqp_error *error)
{
	uint64_t generation = permission_generation(ch->connection);

	if (LIKELY(ch->publish->access == PUBLISH_ALLOWED &&
		   publish_was_asked(ch->publish, m->exchange, generation)))
		return 0;
	return publish_examine_access(ch, m, generation, error);
}

/* CC and BCC keys are topics as well. */
int publish_access_extra_topics(struct channel *ch, struct amqp_error *error);

#endif
