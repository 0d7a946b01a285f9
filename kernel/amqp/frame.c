/* SPDX-License-Identifier: MIT */
#include "amqp/frame.h"

#include <errno.h>

const uint8_t amqp_protocol_header[AMQP_PROTOCOL_HEADER_SIZE] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

static bool is_frame_type(uint8_t type)
{
	return (type >= AMQP_FRAME_METHOD && type <= AMQP_FRAME_BODY) ||
	       type == AMQP_FRAME_HEARTBEAT;
}

int amqp_frame_parse_any(struct slice in, uint32_t frame_max, struct amqp_frame *ret,
			 size_t *ret_used)
{
	struct amqp_reader reader;
	struct amqp_frame frame = {.type = 0};
	uint32_t size;

	if (in.size > 0 && !is_frame_type(in.data[0]))
		return -EPROTO;
	if (in.size < AMQP_FRAME_HEAD_SIZE) {
		*ret_used = 0;
		return 0;
	}
	amqp_reader_init(&reader, in);
	frame.type = amqp_get_octet(&reader);
	frame.channel = amqp_get_short(&reader);
	size = amqp_get_long(&reader);
	if (frame_max != 0 &&
	    (uint64_t)size + AMQP_FRAME_OVERHEAD > (uint64_t)frame_max + AMQP_FRAME_FUDGE) {
		*ret = frame;
		return -EMSGSIZE;
	}
	if (size >= amqp_reader_left(&reader)) {
		*ret_used = (size_t)size + AMQP_FRAME_OVERHEAD;
		return 0;
	}
	if (reader.p[size] != AMQP_FRAME_END) {
		*ret = frame;
		return -EBADMSG;
	}
	frame.payload = amqp_get_bytes(&reader, size);
	*ret = frame;
	*ret_used = (size_t)size + AMQP_FRAME_OVERHEAD;
	return 1;
}

void amqp_frame_put_method(struct amqp_writer *writer, uint16_t channel,
			   const struct amqp_method *method)
{
	size_t size = amqp_method_size(method);

	if (size > UINT32_MAX) {
		amqp_writer_fail(writer);
		return;
	}
	amqp_frame_put_header(writer, AMQP_FRAME_METHOD, channel, (uint32_t)size);
	amqp_method_encode(writer, method);
	amqp_frame_put_end(writer);
}

void amqp_frame_put_heartbeat(struct amqp_writer *writer)
{
	amqp_frame_put_header(writer, AMQP_FRAME_HEARTBEAT, 0, 0);
	amqp_frame_put_end(writer);
}

enum amqp_protocol_header_result amqp_protocol_header_check(struct slice in)
{
	size_t n = in.size < AMQP_PROTOCOL_HEADER_SIZE ? in.size : AMQP_PROTOCOL_HEADER_SIZE;

	if (n > 0 && memcmp(in.data, amqp_protocol_header, n) != 0)
		return AMQP_PROTOCOL_HEADER_BAD;
	return n == AMQP_PROTOCOL_HEADER_SIZE ? AMQP_PROTOCOL_HEADER_OK : AMQP_PROTOCOL_HEADER_MORE;
}
