/* SPDX-License-Identifier: MIT */
/*
 * Frames, the content header and the protocol header. AMQP 0-9-1 sections 2.3.5 and 4.2.
 */
#ifndef KERNEL_AMQP_FRAME_H
#define KERNEL_AMQP_FRAME_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/cursor.h"
#include "amqp/method.h"
#include "base/compiler.h"
#include "base/slice.h"

enum amqp_frame_type {
	AMQP_FRAME_METHOD = 1,
	AMQP_FRAME_HEADER = 2,
	AMQP_FRAME_BODY = 3,
	AMQP_FRAME_HEARTBEAT = 8,
};

#define AMQP_FRAME_END	     0xCE
#define AMQP_FRAME_HEAD_SIZE 7	  /* type, channel, size */
#define AMQP_FRAME_OVERHEAD  8	  /* head and end octet: frame_max counts them */
#define AMQP_FRAME_FUDGE     8	  /* so much above frame_max is let through, as RabbitMQ does */
#define AMQP_FRAME_MIN_SIZE  4096 /* the limit before connection.tune-ok, the least frame_max */

/* Plain value; the payload is borrowed from the bytes that were parsed. */
struct amqp_frame {
	uint8_t type;
	uint16_t channel;
	struct slice payload;
};

/*
 * Finds the frame at the start of `in`. frame_max as negotiated; 0: no limit.
 *
 * 1: *ret is the frame, *ret_used its bytes in all.
 * 0: more bytes needed; *ret_used is the size of the whole frame, or 0 as long as it is unknown.
 * -EPROTO: no such type (found at the first byte). -EMSGSIZE: larger than frame_max with the
 * tolerance (found in the frame's head, before its payload comes). -EBADMSG: wrong end octet.
 * For -EMSGSIZE and -EBADMSG *ret holds type and channel, the payload is empty.
 */
int amqp_frame_parse_any(struct slice in, uint32_t frame_max, struct amqp_frame *ret,
			 size_t *ret_used) MUST_USE;

/* The same; a whole frame of a usual kind is found without a call. */
static inline int amqp_frame_parse(struct slice in, uint32_t frame_max, struct amqp_frame *ret,
				   size_t *ret_used)
{
	uint16_t channel;
	uint32_t size;

	if (UNLIKELY(in.size < AMQP_FRAME_OVERHEAD))
		return amqp_frame_parse_any(in, frame_max, ret, ret_used);
	memcpy(&channel, in.data + 1, sizeof(channel));
	memcpy(&size, in.data + 3, sizeof(size));
	size = __builtin_bswap32(size);
	/* With no limit, frame_max - 1 is the largest size that there is. */
	if (UNLIKELY((uint8_t)(in.data[0] - AMQP_FRAME_METHOD) >
			     AMQP_FRAME_BODY - AMQP_FRAME_METHOD ||
		     size > frame_max - 1 || size > in.size - AMQP_FRAME_OVERHEAD ||
		     in.data[AMQP_FRAME_HEAD_SIZE + size] != AMQP_FRAME_END))
		return amqp_frame_parse_any(in, frame_max, ret, ret_used);
	ret->type = in.data[0];
	ret->channel = __builtin_bswap16(channel);
	ret->payload = slice_make(in.data + AMQP_FRAME_HEAD_SIZE, size);
	*ret_used = (size_t)size + AMQP_FRAME_OVERHEAD;
	return 1;
}

/* For whoever has asked for AMQP_FRAME_HEAD_SIZE bytes of room. */
static inline uint8_t *amqp_frame_store_head(uint8_t *p, enum amqp_frame_type type,
					     uint16_t channel, uint32_t size)
{
	p = amqp_store_octet(p, (uint8_t)type);
	p = amqp_store_short(p, channel);
	return amqp_store_long(p, size);
}

/* A frame is written as head, payload (exactly `size` bytes, by any means), end octet. */
static inline void amqp_frame_put_header(struct amqp_writer *writer, enum amqp_frame_type type,
					 uint16_t channel, uint32_t size)
{
	if (amqp_writer_has(writer, AMQP_FRAME_HEAD_SIZE))
		writer->p = amqp_frame_store_head(writer->p, type, channel, size);
}

static inline void amqp_frame_put_end(struct amqp_writer *writer)
{
	amqp_put_octet(writer, AMQP_FRAME_END);
}

/* A whole frame with a method. Its size is amqp_method_size(method) + AMQP_FRAME_OVERHEAD. */
void amqp_frame_put_method(struct amqp_writer *writer, uint16_t channel,
			   const struct amqp_method *method);

/* A heartbeat frame; AMQP_FRAME_OVERHEAD bytes. */
void amqp_frame_put_heartbeat(struct amqp_writer *writer);

#define AMQP_CONTENT_HEADER_FIXED 12 /* class, weight, body size: before the properties */

/* The payload of a header frame. */
struct amqp_content_header {
	uint16_t class_id;
	uint64_t body_size;
	struct slice properties; /* raw: flag words and values, see properties.h; borrowed */
};

/* 0; -EPROTO: too short or weight not 0 (then ret->class_id is set, or 0 when unreadable). The
 * properties are not looked at. */
static inline MUST_USE int amqp_content_header_decode(struct amqp_content_header *ret,
						      struct slice payload)
{
	struct amqp_reader reader;
	uint16_t weight;

	amqp_reader_init(&reader, payload);
	ret->class_id = amqp_get_short(&reader);
	weight = amqp_get_short(&reader);
	ret->body_size = amqp_get_longlong(&reader);
	ret->properties = amqp_get_bytes(&reader, amqp_reader_left(&reader));
	return reader.failed || weight != 0 ? -EPROTO : 0;
}

static inline size_t amqp_content_header_size(const struct amqp_content_header *header)
{
	return AMQP_CONTENT_HEADER_FIXED + header->properties.size;
}

static inline void amqp_content_header_encode(struct amqp_writer *writer,
					      const struct amqp_content_header *header)
{
	if (!amqp_writer_has(writer, amqp_content_header_size(header)))
		return;
	writer->p = amqp_store_short(writer->p, header->class_id);
	writer->p = amqp_store_short(writer->p, 0);
	writer->p = amqp_store_longlong(writer->p, header->body_size);
	writer->p = amqp_store_bytes(writer->p, header->properties);
}

#define AMQP_PROTOCOL_HEADER_SIZE 8

/* "AMQP" 0 0 9 1, what a client begins with, and what is answered to any other beginning. */
extern const uint8_t amqp_protocol_header[AMQP_PROTOCOL_HEADER_SIZE];

enum amqp_protocol_header_result {
	AMQP_PROTOCOL_HEADER_OK,
	AMQP_PROTOCOL_HEADER_MORE, /* right so far, but not all there */
	AMQP_PROTOCOL_HEADER_BAD,  /* some byte differs: known as soon as it is seen */
};

enum amqp_protocol_header_result amqp_protocol_header_check(struct slice in);

#endif
