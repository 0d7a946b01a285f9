/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_REQUEST_H
#define KERNEL_CONN_REQUEST_H

/*
 * A channel's question to the topology or to a queue. The channel waits from request_submit_*()
 * until the answer; then `finish` sends the reply. If the channel has ended meanwhile, `abandon`
 * gives back what the answer holds.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/change/declare.h"
#include "broker/queue/queue.h"
#include "conn/channel.h"

/*
 * The answer was of no use, and holds nothing any more: the same is asked again, soon. The channel
 * goes on waiting.
 */
#define REQUEST_AGAIN 1

struct channel_request {
	union {
		struct declare_request declare;
		struct queue_request queue;
	};
	struct actor_ref channel;
	struct conn_service *service;
	uint32_t method_id;
	bool no_wait, is_declare;
	uint32_t source; /* consumer number it is about */
	/* 0; negative, with *error; or REQUEST_AGAIN, which only a queue's may say. */
	int (*finish)(struct channel *ch, struct channel_request *request,
		      struct amqp_error *error);
	void (*abandon)(struct channel_request *request); /* may be NULL */
	struct loop_task again;
	/* Of a declare whose channel has ended: who it was for, for the audit trail. */
	struct buffer left_user, left_name;
	struct amqp_error *forbidden; /* declare.forbidden; NULL: nothing is */
	size_t used, size;
	uint8_t bytes[]; /* copies of names and arguments */
};

/* size: bytes of all slices that will be copied. NULL and 506 when memory is out. */
struct channel_request *request_create(struct channel *ch, uint32_t method_id, bool no_wait,
				       size_t size, struct amqp_error *error);
/* The queue a method means: '' is the one declared last; 404 when there is none. */
int request_queue_name(struct channel *ch, struct slice given, struct slice *ret_name,
		       struct amqp_error *error);

/*
 * As above for a queue that the method reads from: expands the name, checks permission and whose
 * the queue is. extra: bytes of further slices to be copied. NULL and *error when that fails.
 */
struct channel_request *request_create_for_queue(struct channel *ch, uint32_t method_id,
						 enum queue_operation operation, bool no_wait,
						 struct slice given_name, size_t extra,
						 struct amqp_error *error);
/* A copy that lives as long as the request. */
struct slice request_copy(struct channel_request *request, struct slice bytes);

/* It is not to be made, if it is not there: the error, unless its code is 0. */
void request_forbid(struct channel_request *request, const struct amqp_error *error);

/* Asks; the answer may be there, and the channel may have failed by it, on return. */
void request_submit_declare(struct channel *ch, struct channel_request *request);
void request_submit_queue(struct channel *ch, struct channel_request *request);

/* The channel ends, and does not wait for the answer any more. */
void request_leave(struct channel *ch);

/* Sends the answer, unless the client asked for none. */
void request_reply(struct channel *ch, const struct channel_request *request,
		   const struct amqp_method *method);

#endif
