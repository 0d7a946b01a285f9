/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PUBLISH_PUBLISH_H
#define KERNEL_CONN_PUBLISH_PUBLISH_H

/*
 * From basic.publish and its content to publications, and from their outcomes to confirms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/properties.h"
#include "broker/message/extra_keys.h"
#include "broker/router/router.h"
#include "conn/channel.h"

/* Whether the last exchange may be written to. */
enum publish_access {
	PUBLISH_NOT_ASKED,   /* or refused */
	PUBLISH_ALLOWED,     /* with any routing key */
	PUBLISH_WITH_TOPICS, /* the routing key counts, too, if it is a topic exchange */
};

/* As a generation: no answer holds. */
#define PUBLISH_ASK_AGAIN 0

/* A basic.publish whose content is still to come; made at a channel's first publish. */
struct channel_publish {
	bool mandatory;
	struct slice exchange, routing_key; /* in `names`, or still in the frame */
	struct message *message;
	uint32_t body_filled;
	struct extra_keys extra; /* of the message */
	uint8_t names[510];
	/* The exchange that was last found writable, under the access generation; and whether it is
	 * a topic exchange, under the topology's (0: not looked up). */
	enum publish_access access;
	uint64_t access_generation, access_topology;
	bool access_covers_topics;
	uint8_t access_exchange_size;
	uint8_t access_exchange[255];
};

/*
 * basic.publish with its content, if header and body lie whole and without detours at the beginning
 * of `behind`. Of that *ret_used bytes have been handled, which may be none; then, as after an
 * error, the frames come one by one.
 */
int publish_method(struct channel *ch, const struct amqp_basic_publish *m, struct slice behind,
		   size_t *ret_used, struct amqp_error *error);

/* Content; what the method began. */
int publish_header(struct channel *ch, struct slice payload, struct amqp_error *error);
int publish_body(struct channel *ch, struct slice payload, struct amqp_error *error);
/* What is half there is dropped. */
void publish_abandon(struct channel *ch);

/*
 * Routes a batch of the channel's publications, whose messages it takes. False: it failed, and the
 * channel with it.
 */
bool publish_now(struct channel *ch, struct publish_batch *batch);

/* With any of these a message is examined before it is made. */
#define PUBLISH_SPECIAL (AMQP_PROPERTY_HEADERS | AMQP_PROPERTY_REPLY_TO | AMQP_PROPERTY_USER_ID)

/*
 * Checks the user_id, notes the CC and BCC keys in channel_publish.extra. `out` gets the properties
 * anew, if the receiver must not see them as they are; `properties` is changed likewise.
 */
int publish_examine(struct channel *ch, struct amqp_properties *properties, struct buffer *out,
		    struct amqp_error *error);

/* Routes what was published on this loop and not routed yet. */
void publish_flush(struct conn_loop *home);

/* Confirms: something is to be told, and (at the turn's end) tells it. */
void publish_mark_dirty(struct channel *ch);
void publish_flush_confirms(struct channel *ch);

#endif
