/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_HOOKS_HOOKED_H
#define KERNEL_CONN_HOOKS_HOOKED_H

/* A channel's messages through the hooks of plugins: conn/hooks/hooks.h. Only where there are any. */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "broker/endpoint.h"
#include "conn/channel.h"
#include "conn/hooks/hooks.h"
#include "conn/deliver/source.h"

/*
 * A complete message before it is routed, with the keys in channel_publish.extra; both may be
 * others afterwards. SHUNT_DROP, SHUNT_NACK: its reference is gone. -EPROTO: it was refused, and
 * its reference is gone, too.
 */
int hooked_publish(struct channel *ch, const struct hook_list *list, struct message **message,
		   enum shunt_decision *ret_decision, struct amqp_error *error) MUST_USE;

/*
 * Deliveries of a consumer that hooks have dropped or rejected, in ack mode: gathered, and settled
 * as if its client had done so. Their room in a channel-wide prefetch is given back.
 */
struct hooked_settles {
	struct channel *channel;
	struct source *source;
	unsigned n_acked, n_discarded;
	uint64_t acked[64], discarded[64];
};
void hooked_settles_init(struct hooked_settles *settles, struct channel *ch, struct source *source);
void hooked_settle(struct hooked_settles *settles, enum shunt_decision decision, uint64_t seq);
void hooked_settles_flush(struct hooked_settles *settles);

/*
 * A message before it goes to the client. SHUNT_PASS: it is the one to send, which may be another;
 * else its reference is gone. -ENOMEM: then it is as it was. tag empty: basic.get.
 */
int hooked_deliver(struct channel *ch, const struct hook_list *list, struct slice queue,
		   struct slice tag, struct delivery *delivery,
		   enum shunt_decision *ret_decision) MUST_USE;

#endif
