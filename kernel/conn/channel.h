/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_CHANNEL_H
#define KERNEL_CONN_CHANNEL_H

/*
 * A channel: methods in order, content gathered into messages, deliveries by tag, confirms. Lives
 * with its connection.
 *
 * A method that must ask elsewhere makes the channel wait: frames that come meanwhile are kept and
 * handled when the answer is there; the connection's other channels go on.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/error.h"
#include "amqp/frame.h"
#include "amqp/method.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/endpoint.h"
#include "conn/publish/confirms.h"
#include "conn/connection.h"
#include "conn/deliver/settling.h"
#include "conn/deliver/unacked.h"

enum channel_state {
	CHANNEL_OPEN,
	CHANNEL_CLOSING, /* channel.close is sent, all but close-ok is ignored */
};

/* What frame comes next. */
enum channel_content {
	CHANNEL_METHOD,
	CHANNEL_HEADER,
	CHANNEL_BODY,
};

struct channel_publish; /* conn/publish/publish.h */
struct channel_request; /* conn/request.h */
struct source;		/* conn/deliver/source.h */
struct tx;		/* conn/method/tx.h */

struct channel {
	struct endpoint endpoint; /* first: endpoint_ops find the channel by it */
	struct connection *connection;
	uint16_t number;
	enum channel_state state;
	enum channel_content content;
	struct channel_publish *publish;

	struct channel_request *waiting; /* NULL: not */
	struct settling *settling;	 /* it waits for that; NULL: not */
	bool is_running;		 /* the backlog is being handled further up the stack */
	struct buffer backlog;		 /* raw frames that came while waiting */
	size_t backlog_done;		 /* bytes of it that have been handled */
	uint64_t inflight_bytes;	 /* as struct connection.inflight_bytes */

	struct source **sources;
	unsigned n_sources, sources_capacity;
	uint16_t generation; /* makes consumer numbers differ */
	struct map tags;
	unsigned n_consumers;

	struct unacked unacked;
	uint64_t next_tag;
	uint16_t prefetch;	/* for new consumers */
	uint32_t channel_limit; /* channel-wide prefetch, 0: none */
	uint32_t n_limited;  /* unacknowledged deliveries and open grants that count against it */
	struct list wanting; /* struct source.wanting */

	bool confirms_on;
	uint64_t next_publish; /* sequence number of the next publish, confirm mode and tx */
	struct confirms confirms;
	struct tx *tx;
	struct list dirty; /* connection.dirty */

	char reply_tag[255];	/* consumer tag of direct reply-to */
	uint8_t reply_tag_size; /* 0: none */
	char *last_queue;	/* name of the queue declared last, NULL: none */
	uint8_t last_queue_size;
};

/*
 * What a method's handler says: 0; negative, with *error; or that the frame is to be handled again
 * later, on another loop.
 */
#define CHANNEL_LATER 1

struct channel *channel_create(struct connection *c, uint16_t number);

/* Cancels its consumers and requeues what is unacknowledged; nothing is sent. The channel stays
 * until channel_destroy. */
void channel_end(struct channel *ch);
/* Retires it. channel_end must have run. */
void channel_destroy(struct channel *ch);

/* The client has asked for its end: as above, then close-ok, perhaps later. */
void channel_close(struct channel *ch);

/* All that it waited for is settled; error: of SETTLING_CLOSE, or it failed (code is not 0). */
void channel_settled(struct channel *ch, enum settling_reply reply, const struct amqp_error *error);

/*
 * A frame came. On failure *error says what to do with the connection: soft errors have been dealt
 * with inside. `behind` is what has come behind it, of any channel: whole frames of the first
 * *ret_used bytes of that have been handled with it.
 */
int channel_frame(struct channel *ch, const struct amqp_frame *frame, struct slice behind,
		  size_t *ret_used, struct amqp_error *error);

/* Ends the channel (soft error) or its connection (hard error). */
void channel_fail(struct channel *ch, const struct amqp_error *error);

/* For an answer, or till very much is settled. */
static inline bool channel_waits(const struct channel *ch)
{
	return ch->waiting != NULL || ch->settling != NULL;
}

/* A frame would be handled at once: none is being handled, and none waits before it. */
static inline bool channel_is_free(const struct channel *ch)
{
	return !channel_waits(ch) && !ch->is_running && ch->backlog.size == 0;
}

/* The answer is there: handles the frames that came meanwhile. */
void channel_resume(struct channel *ch);

/* The handlers of methods, one for each that a client may send on a channel; declared from the
 * table. */
#define CHANNEL_HANDLER_CLIENT(class, method)                                                      \
	int method_##class##_##method(struct channel *ch, const struct amqp_##class##_##method *m, \
				      struct amqp_error *error);
#define CHANNEL_HANDLER_BOTH(class, method) CHANNEL_HANDLER_CLIENT(class, method)
#define CHANNEL_HANDLER_SERVER(class, method)
#define CHANNEL_HANDLER(class, method, CLASS, METHOD, class_id, method_id, sender, ...)            \
	CHANNEL_HANDLER_##sender(class, method)
AMQP_METHODS(CHANNEL_HANDLER)

#endif
