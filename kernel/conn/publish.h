/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_PUBLISH_H
#define KERNEL_CONN_PUBLISH_H

/*
 * From basic.publish and its content to publications, and from their outcomes to confirms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/router.h"
#include "conn/channel.h"

/* A basic.publish whose content is still to come; made at a channel's first publish. */
struct channel_publish {
	bool mandatory;
	uint8_t exchange_size, routing_key_size;
	struct message *message;
	uint32_t body_filled;
	struct buffer extra; /* CC and BCC keys of the message, as long strings */
	uint32_t n_extra;
	uint8_t names[510];
	/* The exchange that was last found writable, under the access generation. */
	uint64_t access_generation;
	bool access_valid;
	uint8_t access_exchange_size;
	uint8_t access_exchange[255];
};

/*
 * Content; what the method's handler began. publish_content: the header and the body, if they lie
 * whole and without detours at the beginning of `bytes`. Of those *ret_used have been handled,
 * which may be none; then, as after an error, the frames come one by one.
 */
int publish_content(struct channel *ch, struct slice bytes, size_t *ret_used,
		    struct amqp_error *error);
int publish_header(struct channel *ch, struct slice payload, struct amqp_error *error);
int publish_body(struct channel *ch, struct slice payload, struct amqp_error *error);
/* What is half there is dropped. */
void publish_abandon(struct channel *ch);

/*
 * Routes a batch of the channel's publications, whose messages it takes. False: it failed, and the
 * channel with it.
 */
bool publish_now(struct channel *ch, struct publish_batch *batch);

/* The n CC and BCC keys in `extra`, which stays in place. */
void publish_read_keys(struct slice extra, uint32_t n, struct slice *ret_keys);

/* Routes what was published on this loop and not routed yet. */
void publish_flush(struct conn_loop *home);

/* Confirms: something is to be told, and (at the turn's end) tells it. */
void publish_mark_dirty(struct channel *ch);
void publish_flush_confirms(struct channel *ch);

#endif
