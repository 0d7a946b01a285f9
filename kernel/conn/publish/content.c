/* SPDX-License-Identifier: MIT */
/*
 * Messages to the client: method frame, header frame, body frames. What fits into a block of output
 * goes in by one reservation; a large body is queued without copying.
 */
#include "conn/publish/content.h"

#include "amqp/frame.h"
#include "base/bug.h"
#include "broker/message/message.h"
#include "conn/channel.h"
#include "loop/counters.h"

struct content_writer {
	struct channel *ch;
	struct amqp_writer w;
	struct message *message;
	size_t room;	/* reserved */
	bool has_body;	/* the body is in the reservation */
	uint32_t chunk; /* body bytes a frame */
};

static void content_unref(void *owner)
{
	message_unref(owner);
}

static NO_INLINE void content_no_room(struct content_writer *cw)
{
	message_unref(cw->message);
	connection_break(cw->ch->connection);
}

/* Reserves room, and begins the method frame. */
static inline bool content_begin(struct content_writer *cw, struct channel *ch,
				 struct message *message, size_t method_size)
{
	uint32_t frame_max = ch->connection->frame_max, body_size = message->body_size;
	size_t room = method_size + AMQP_CONTENT_HEADER_FIXED + message->properties_size +
		      2 * AMQP_FRAME_OVERHEAD;
	uint8_t *bytes;

	cw->ch = ch;
	cw->message = message;
	cw->chunk = frame_max != 0 ? frame_max - AMQP_FRAME_OVERHEAD : UINT32_MAX;
	cw->has_body = body_size != 0 && body_size <= cw->chunk && body_size < TRANSPORT_SHARE_MIN;
	if (cw->has_body)
		room += body_size + AMQP_FRAME_OVERHEAD;
	bytes = transport_reserve(ch->connection->transport, room);
	if (UNLIKELY(bytes == NULL)) {
		content_no_room(cw);
		return false;
	}
	cw->room = room;
	amqp_writer_init(&cw->w, bytes, room);
	amqp_frame_put_header(&cw->w, AMQP_FRAME_METHOD, ch->number, (uint32_t)method_size);
	return true;
}

/* A few bytes always fit, for which there is a block or the process ends. */
static void content_begin_bytes(struct amqp_writer *w, struct transport *t, size_t size)
{
	uint8_t *room = transport_reserve(t, size);

	bug_on(room == NULL);
	amqp_writer_init(w, room, size);
}

/* One body frame that does not fit: its head and end are copied, its bytes are not. */
static void content_share_frame(struct content_writer *cw, struct slice body)
{
	struct transport *t = cw->ch->connection->transport;
	struct amqp_writer w;

	content_begin_bytes(&w, t, AMQP_FRAME_HEAD_SIZE);
	amqp_frame_put_header(&w, AMQP_FRAME_BODY, cw->ch->number, (uint32_t)body.size);
	transport_commit(t, AMQP_FRAME_HEAD_SIZE);
	transport_write_shared(t, body, content_unref, message_ref(cw->message));
	content_begin_bytes(&w, t, 1);
	amqp_frame_put_end(&w);
	transport_commit(t, 1);
}

static NO_INLINE void content_share_body(struct content_writer *cw)
{
	struct slice body = message_body(cw->message);

	while (body.size != 0) {
		size_t n = body.size < cw->chunk ? body.size : cw->chunk;

		content_share_frame(cw, slice_make(body.data, n));
		body.data += n;
		body.size -= n;
	}
}

/* Ends the method frame, writes header and body. There is room for just that. */
static ALWAYS_INLINE void content_finish(struct content_writer *cw)
{
	struct message *message = cw->message;
	uint16_t channel = cw->ch->number;
	struct amqp_content_header header = {
		.class_id = AMQP_CLASS_BASIC,
		.body_size = message->body_size,
		.properties = message_properties(message),
	};
	struct slice body = message_body(message);
	uint8_t *p;

	amqp_frame_put_end(&cw->w);
	amqp_frame_put_header(&cw->w, AMQP_FRAME_HEADER, channel,
			      (uint32_t)amqp_content_header_size(&header));
	amqp_content_header_encode(&cw->w, &header);
	amqp_frame_put_end(&cw->w);
	p = cw->w.p;
	if (cw->has_body && amqp_writer_has(&cw->w, body.size + AMQP_FRAME_OVERHEAD)) {
		p = amqp_frame_store_head(p, AMQP_FRAME_BODY, channel, (uint32_t)body.size);
		memcpy(p, body.data, body.size);
		p = amqp_store_octet(p + body.size, AMQP_FRAME_END);
	}
	bug_on(cw->w.failed || p != cw->w.end);
	transport_commit(cw->ch->connection->transport, cw->room);
	if (UNLIKELY(!cw->has_body))
		content_share_body(cw);
	message_unref(message);
}

void content_deliver(struct channel *ch, const struct amqp_basic_deliver *method,
		     struct message *message)
{
	struct content_writer cw;

	counter_add(COUNTER_MESSAGES_DELIVERED, 1);
	if (!content_begin(&cw, ch, message, amqp_size_basic_deliver(method)))
		return;
	amqp_encode_basic_deliver(&cw.w, method);
	content_finish(&cw);
}

void content_get_ok(struct channel *ch, const struct amqp_basic_get_ok *method,
		    struct message *message)
{
	struct content_writer cw;

	counter_add(COUNTER_MESSAGES_DELIVERED, 1);
	if (!content_begin(&cw, ch, message, amqp_size_basic_get_ok(method)))
		return;
	amqp_encode_basic_get_ok(&cw.w, method);
	content_finish(&cw);
}

void content_return(struct channel *ch, const struct amqp_basic_return *method,
		    struct message *message)
{
	struct content_writer cw;

	counter_add(COUNTER_MESSAGES_RETURNED, 1);
	if (!content_begin(&cw, ch, message, amqp_size_basic_return(method)))
		return;
	amqp_encode_basic_return(&cw.w, method);
	content_finish(&cw);
}
