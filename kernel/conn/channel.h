/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_CHANNEL_H
#define KERNEL_CONN_CHANNEL_H

/*
 * A channel: methods in order, content gathered into messages, deliveries by tag, confirms. Lives with its connection.
 *
 * A method that must ask elsewhere makes the channel wait: frames that come meanwhile are kept and handled when the
 * answer is there; the connection's other channels go on.
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
#include "conn/confirms.h"
#include "conn/connection.h"
#include "conn/unacked.h"

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
 * Where deliveries come from: a consumer, or a queue that basic.get was used on (consumer 0). Kept while it is consuming
 * or has unacknowledged deliveries.
 */
struct source {
	struct map_node by_tag; /* channel.tags, consumers only */
	struct list indebted;   /* connection.indebted */
	struct list wanting;    /* channel.wanting: asks for grants */
	struct channel *channel;
	struct actor_ref queue;
	uint32_t index;  /* in channel.sources */
	uint32_t number; /* consumer number: the index in the low 16 bits, a count of uses above; 0 for basic.get */
	uint32_t n_unacked;
	uint32_t n_granted; /* granted and not delivered */
	uint64_t debt;      /* bytes delivered and not given back to the queue's credit */
	bool is_consuming, no_ack, needs_grants;
	bool is_cancelling; /* basic.cancel is under way */
	uint8_t tag_size;
	char tag[];
};

struct channel_request;
struct tx;

struct channel {
	struct endpoint endpoint; /* first: endpoint_ops find the channel by it */
	struct connection *connection;
	uint16_t number;
	enum channel_state state;
	enum channel_content content;
	struct channel_publish *publish;

	struct channel_request *waiting; /* NULL: not */
	bool is_running;                 /* the backlog is being handled further up the stack */
	struct buffer backlog;           /* raw frames that came while waiting */
	size_t backlog_done;     /* bytes of it that have been handled */
	uint64_t inflight_bytes; /* published, and not yet taken by queues of other loops */

	struct source **sources;
	unsigned n_sources, sources_capacity;
	uint16_t generation; /* makes consumer numbers differ */
	struct map tags;
	unsigned n_consumers;

	struct unacked unacked;
	uint64_t next_tag;
	uint16_t prefetch;        /* for new consumers */
	uint32_t channel_limit;   /* channel-wide prefetch, 0: none */
	uint32_t n_limited;       /* unacknowledged deliveries and open grants that count against it */
	struct list wanting;      /* struct source.wanting */

	bool confirms_on;
	uint64_t next_publish; /* sequence number of the next publish, confirm mode and tx */
	struct confirms confirms;
	struct tx *tx;
	struct list dirty; /* connection.dirty */

	char reply_tag[255]; /* consumer tag of direct reply-to */
	uint8_t reply_tag_size; /* 0: none */
	char *last_queue;    /* name of the queue declared last, NULL: none */
	uint8_t last_queue_size;
};

struct channel *channel_create(struct connection *c, uint16_t number);

/* Cancels its consumers and requeues what is unacknowledged; nothing is sent. The channel stays until channel_destroy. */
void channel_end(struct channel *ch);
/* Retires it. channel_end must have run. */
void channel_destroy(struct channel *ch);

/* A frame came. On failure *error says what to do with the connection: soft errors have been dealt with inside. */
int channel_frame(struct channel *ch, const struct amqp_frame *frame, struct amqp_error *error);

/* Ends the channel (soft error) or its connection (hard error). */
void channel_fail(struct channel *ch, const struct amqp_error *error);

/* The answer is there: handles the frames that came meanwhile. */
void channel_resume(struct channel *ch);

/* Routes what was published and not routed yet, and hands over gathered acknowledgements. */
void channel_flush_publishes(struct conn_loop *home);
void channel_flush_settles(struct conn_loop *home);

/* At the turn's end: confirms. */
void channel_flush_confirms(struct channel *ch);
void channel_mark_dirty(struct channel *ch);

/* Content (conn/publish.c). */
int publish_header(struct channel *ch, struct slice payload, struct amqp_error *error);
int publish_body(struct channel *ch, struct slice payload, struct amqp_error *error);
void publish_abandon(struct channel *ch);
/*
 * Routes a batch of the channel's publications, whose messages it takes; extra are CC and BCC keys as long strings, for a
 * batch of one. False: it failed, and the channel with it.
 */
bool publish_now(struct channel *ch, struct publication *publications, const bool *mandatory, size_t count,
		 struct slice extra, uint32_t n_extra);

/* Content to the client (conn/content.c). Each takes the message's reference. */
void content_deliver(struct channel *ch, const struct amqp_basic_deliver *method, struct message *message);
void content_get_ok(struct channel *ch, const struct amqp_basic_get_ok *method, struct message *message);
void content_return(struct channel *ch, const struct amqp_basic_return *method, struct message *message);

/* Sources and deliveries (conn/delivery.c). */
extern const struct endpoint_ops channel_endpoint_ops;
struct source *source_create(struct channel *ch, struct actor_ref queue, struct slice tag);
struct source *source_find_tag(struct channel *ch, struct slice tag);
struct source *source_find_number(struct channel *ch, uint32_t number);
struct source *source_for_get(struct channel *ch, struct actor_ref queue);
void source_release(struct source *source); /* frees it when nothing needs it any more */
void source_give_credit(struct source *source);
/* The source is a consumer now, or no more (then it may be freed). */
void source_begin_consuming(struct source *source);
void source_end_consuming(struct source *source);

/* Settling by delivery tag (conn/settle.c). */
int settle_tags(struct channel *ch, uint64_t tag, bool multiple, int outcome, struct amqp_error *error);
void settle_all(struct channel *ch, int outcome);
void settle_held(struct channel *ch, int outcome); /* but for those in a transaction */
void settle_grant(struct channel *ch);
void settle_entry(struct channel *ch, struct unacked_entry *entry, int outcome);

/* Permissions (conn/permission.c): 403 with RabbitMQ's text. */
int permission_check(struct channel *ch, enum access_operation operation, enum access_resource resource,
		     struct slice name, struct amqp_error *error);

/* The queue a method means: '' is the one declared last; 404 when there is none (conn/method_queue.c). */
int channel_queue_name(struct channel *ch, struct slice given, struct slice *ret_name, struct amqp_error *error);

/* tx (conn/method_tx.c). */
bool tx_is_on(const struct channel *ch);
int tx_add_publish(struct channel *ch, struct message *message, bool mandatory, struct amqp_error *error);
int tx_add_ack(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome, struct amqp_error *error);
void tx_published(struct channel *ch, const struct publish_outcome *outcomes, size_t count);
void tx_add_pending(struct channel *ch, const struct publication *p);
void tx_destroy(struct channel *ch);

/* The handlers of methods, one for each that a client may send on a channel; declared from the table. */
#define CHANNEL_HANDLER_CLIENT(class, method) \
	int method_##class##_##method(struct channel *ch, const struct amqp_##class##_##method *m, \
				      struct amqp_error *error);
#define CHANNEL_HANDLER_BOTH(class, method) CHANNEL_HANDLER_CLIENT(class, method)
#define CHANNEL_HANDLER_SERVER(class, method)
#define CHANNEL_HANDLER(class, method, CLASS, METHOD, class_id, method_id, sender, ...) \
	CHANNEL_HANDLER_##sender(class, method)
AMQP_METHODS(CHANNEL_HANDLER)

#endif
