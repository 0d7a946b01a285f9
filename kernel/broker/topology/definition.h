/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_DEFINITION_H
#define KERNEL_BROKER_TOPOLOGY_DEFINITION_H

/*
 * How vhosts and durable exchanges, queues and bindings are written into the store's definitions.
 *
 * Keys: "vhost/NAME", "exchange/VHOST/NAME", "queue/VHOST/NAME", "binding/VHOST/SOURCE/q or
 * e/DESTINATION/KEY/ARGUMENTS". Values are fields of the kinds 'v', 'x', 'q', 'b'. How both are
 * written is store/fields.h's.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/vhost/vhost.h"

enum definition_kind {
	DEFINITION_VHOST = 'v',
	DEFINITION_EXCHANGE = 'x',
	DEFINITION_QUEUE = 'q',
	DEFINITION_BINDING = 'b',
};

/* Slices are borrowed. Which members mean something depends on the kind; names are never empty but
 * for bindings' keys. */
struct definition {
	enum definition_kind kind;
	struct slice vhost;	  /* of all but a vhost */
	struct slice name;	  /* vhost, exchange, queue; the destination of a binding */
	struct slice source;	  /* binding */
	struct slice routing_key; /* binding */
	struct slice type;	  /* exchange */
	struct slice arguments;
	uint64_t id; /* queue; the destination of a binding, if it is one: names are used again */
	bool auto_delete, internal, destination_is_exchange;
	struct vhost_settings settings; /* vhost */
	bool is_doomed; /* vhost: it is being deleted, and what is left of it goes at the next start
			 */
};

/* Append to the buffer, whose failure is sticky. */
void definition_put_key(struct buffer *buffer, const struct definition *definition);
void definition_put_value(struct buffer *buffer, const struct definition *definition);

/* Reads a value. -EBADMSG: it is none that definition_put_value() could have made. Slices point
 * into it. */
int definition_read(struct slice value, struct definition *ret) MUST_USE;

struct exchange;
struct queue_entry;
struct binding;
struct definition definition_of_vhost(struct slice name, const struct vhost_settings *settings);
struct definition definition_of_exchange(const struct exchange *exchange);
struct definition definition_of_queue(const struct queue_entry *entry);
struct definition definition_of_binding(const struct binding *binding);

#endif
