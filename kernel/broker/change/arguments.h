/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_ARGUMENTS_H
#define KERNEL_BROKER_CHANGE_ARGUMENTS_H

/*
 * The x-arguments of queues and exchanges that RabbitMQ knows: checked, read, compared, with its
 * texts. Unknown ones are ignored. RabbitMQ: deps/rabbit/src/rabbit_amqqueue.erl (declare_args),
 * docs/queues.
 */

#include <stdbool.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/queue/queue.h"

/*
 * For a new queue: `name` and `vhost` are for texts; durable, auto_delete and owner of *options are
 * set already, and the rest is filled. 406 for what RabbitMQ refuses, 540 for what it knows and is
 * not built here, 0 otherwise.
 */
int arguments_read_queue(struct slice arguments, struct slice name, struct slice vhost,
			 struct queue_options *options, struct amqp_error *error) MUST_USE;

/* Declared again: 406 unless all arguments that mean something for the queue's type are the same as
 * in `current`. */
int arguments_compare_queue(struct slice current, struct slice received, struct slice name,
			    struct slice vhost, struct amqp_error *error) MUST_USE;

/* The same for exchanges: alternate-exchange. Whatever else its type knows is checked by the type.
 */
int arguments_check_exchange(struct slice arguments, struct slice name, struct slice vhost,
			     struct amqp_error *error) MUST_USE;
int arguments_compare_exchange(struct slice current, struct slice received, struct slice name,
			       struct slice vhost, struct amqp_error *error) MUST_USE;

/* Empty when there is none. Borrowed from the table. */
struct slice arguments_alternate_exchange(struct slice arguments);

/* 406 `inequivalent arg ...` for a property that is not an argument. */
int arguments_inequivalent(const char *what, const char *kind, struct slice name,
			   struct slice vhost, struct slice received, struct slice current,
			   struct amqp_error *error);

#endif
