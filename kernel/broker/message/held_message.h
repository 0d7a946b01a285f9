/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_HELD_MESSAGE_H
#define KERNEL_BROKER_MESSAGE_HELD_MESSAGE_H

/*
 * A message that somebody keeps beyond the call that showed it: a view of its own, with a reference
 * to the message. Counts as memory of messages. Any thread.
 */

#include "base/compiler.h"
#include "broker/router/router.h"

/* Names and body lie in the message, but for the vhost's name, and a routing key that is not its
 * own: these are copied. NULL when memory is out. */
const struct routed_message *held_message_create(const struct routed_message *shown) MUST_USE;

/* One that held_message_create() has made. */
void held_message_destroy(const struct routed_message *held);

#endif
