/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DELIVER_SETTLING_H
#define KERNEL_CONN_DELIVER_SETTLING_H

/*
 * Very many deliveries are settled in steps, over many turns: by a command on its channel, or
 * because the channel has ended. Meanwhile the channel waits (frames that come for it are kept),
 * and queues to which messages return are held, so what is behind them does not overtake them. The
 * channel may go before it is done; the settling then goes on alone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/error.h"

struct channel;
struct connection;

/* That many are settled at once: some 200 us. */
#define SETTLING_AT_ONCE 4096u
/* And that many in one step. */
#define SETTLING_STEP 1024u

/* What the client is told when all is settled. */
enum settling_reply {
	SETTLING_NO_REPLY,
	SETTLING_RECOVER_OK,
	SETTLING_CLOSE_OK,	/* and the channel goes */
	SETTLING_CLOSE,		/* with the error */
	SETTLING_CLOSE_CROSSED, /* the same; and its own close, which has crossed it, is answered */
};

/*
 * True: the held deliveries up to the tag `last` are so many that they are settled in steps, which
 * has begun. Then channel_settled() is called, on a later turn. `method_id` is for errors; what it
 * does is part of the channel's transaction, unless it is a basic.recover.
 */
bool settling_begin(struct channel *ch, uint64_t last, int outcome, uint32_t method_id,
		    enum settling_reply reply);

/*
 * In channel_end(): true: what the channel still has is requeued in steps; if a command is being
 * settled, that is done before. What the channel has waited for is answered no more.
 */
bool settling_begin_end(struct channel *ch);

/* What a channel that has ended is to say when all is done; error: why, copied. NULL: as before. */
void settling_set_reply(struct channel *ch, enum settling_reply reply,
			const struct amqp_error *error);

/* Ends the channels that have very much to requeue; true: the connection must wait for them. */
bool settling_end_channels(struct connection *c);

/* The channel goes and does not wait any more. NULL-safe for one that does not. */
void settling_leave(struct channel *ch);

#endif
