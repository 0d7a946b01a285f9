/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_QUEUE_RESTORE_H
#define KERNEL_BROKER_QUEUE_RESTORE_H

/*
 * A queue that comes back at the start, on its loop, before anybody else has it: first the number,
 * then the messages in any order, then the end. Until then nothing in it expires, nor does the
 * queue itself.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct queue;
struct store_recovered;

void queue_restore_begin(struct queue *queue);

/* Numbers up to last_seq are never given away again. -ERANGE: there would be none left. */
int queue_restore_seq(struct queue *queue, uint64_t last_seq) MUST_USE;

/*
 * Once for a message that the log holds, ready from now on. redelivered: it may have been delivered
 * without a record of that. Fails for what no log could hold for this queue: -EBADMSG (the bytes
 * are no message), -EEXIST, -ERANGE (its number); and for memory, -ENOMEM.
 */
int queue_restore(struct queue *queue, const struct store_recovered *message,
		  bool redelivered) MUST_USE;

void queue_restore_end(struct queue *queue);

#endif
