/* SPDX-License-Identifier: MIT */
#include "parser.h"

#include "amqp/frame.h"
#include "amqp/method.h"
#include "base/mem.h"

void parser_init(struct parser *parser, size_t capacity)
{
	*parser = (struct parser){.data = mem_alloc(capacity), .capacity = capacity};
}

void parser_fini(struct parser *parser)
{
	mem_free(parser->data);
	parser->data = NULL;
}

uint8_t *parser_room(struct parser *parser, size_t *ret_size)
{
	/* what is left is less than a frame's head or a small method: bodies do not wait here */
	if (parser->start > 0) {
		memmove(parser->data, parser->data + parser->start, parser->end - parser->start);
		parser->end -= parser->start;
		parser->start = 0;
	}
	*ret_size = parser->capacity - parser->end;
	return parser->data + parser->end;
}

static enum parser_type parser_fail(struct parser *parser, const char *error)
{
	parser->error = error;
	return PARSER_ERROR;
}

static uint32_t read_long(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return __builtin_bswap32(value);
}

static uint64_t read_longlong(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return __builtin_bswap64(value);
}

static bool read_consumer(const uint8_t *tag, size_t size, uint32_t *ret)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++) {
		uint32_t digit = tag[i];

		if (digit >= '0' && digit <= '9')
			digit -= '0';
		else if (digit >= 'a' && digit <= 'f')
			digit -= 'a' - 10;
		else
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return size > 0 && size <= 8;
}

static enum parser_type take_deliver(struct parser *parser, const uint8_t *p, size_t size)
{
	struct parser_event *message = &parser->message;
	size_t tag_size = size > 5 ? p[4] : 0;

	if (size < 5 + tag_size + 9 + 2)
		return parser_fail(parser, "a basic.deliver that is too short");
	if (!read_consumer(p + 5, tag_size, &message->consumer))
		return parser_fail(parser, "a basic.deliver with a consumer tag of someone else");
	message->delivery_tag = read_longlong(p + 5 + tag_size);
	message->redelivered = (p[5 + tag_size + 8] & 1) != 0;
	parser->content = PARSER_DELIVERY;
	return PARSER_MORE;
}

static enum parser_type take_confirm(struct parser *parser, enum parser_type type, const uint8_t *p,
				     size_t size, struct parser_event *ret)
{
	if (size != 13)
		return parser_fail(parser, "a confirm of a wrong size");
	ret->delivery_tag = read_longlong(p + 4);
	ret->multiple = (p[12] & 1) != 0;
	return type;
}

/* MORE: nothing to tell yet. */
static enum parser_type take_method(struct parser *parser, const uint8_t *p, size_t size,
				    bool is_content_channel, struct parser_event *ret)
{
	uint32_t id;

	if (size < 4)
		return parser_fail(parser, "a method frame that is too short");
	id = read_long(p);
	if (parser->content != PARSER_MORE && is_content_channel)
		return parser_fail(parser, "a method where a content was to go on");
	if (LIKELY(id == AMQP_BASIC_DELIVER))
		return take_deliver(parser, p, size);
	if (id == AMQP_BASIC_ACK)
		return take_confirm(parser, PARSER_ACK, p, size, ret);
	if (id == AMQP_BASIC_NACK)
		return take_confirm(parser, PARSER_NACK, p, size, ret);
	if (id == AMQP_BASIC_RETURN) {
		parser->content = PARSER_RETURN;
		return PARSER_MORE;
	}
	ret->method = slice_make(p, size);
	return PARSER_METHOD;
}

static enum parser_type end_content(struct parser *parser, struct parser_event *ret)
{
	enum parser_type type = parser->content;

	*ret = parser->message;
	parser->content = PARSER_MORE;
	parser->has_header = false;
	return type;
}

static enum parser_type take_header(struct parser *parser, const uint8_t *p, size_t size,
				    struct parser_event *ret)
{
	if (parser->content == PARSER_MORE || parser->has_header)
		return parser_fail(parser, "a content header where none was due");
	if (size < AMQP_CONTENT_HEADER_FIXED + 2)
		return parser_fail(parser, "a content header that is too short");
	parser->has_header = true;
	parser->message.body_size = read_longlong(p + 4);
	parser->message.head_size = 0;
	parser->body_left = parser->message.body_size;
	return parser->body_left == 0 ? end_content(parser, ret) : PARSER_MORE;
}

/* The frame at hand is gone through as far as it has come. */
static enum parser_type skip_body(struct parser *parser, struct parser_event *ret)
{
	size_t here = parser->end - parser->start;

	if (here < parser->frame_left) {
		parser->frame_left -= here;
		parser->start = parser->end;
		return PARSER_MORE;
	}
	parser->start += parser->frame_left;
	parser->frame_left = 0;
	if (parser->data[parser->start - 1] != AMQP_FRAME_END)
		return parser_fail(parser, "a frame without its end octet");
	return parser->body_left == 0 ? end_content(parser, ret) : PARSER_MORE;
}

/* The head of a body frame has come; its first bytes are waited for, if they are to be kept. */
static enum parser_type begin_body(struct parser *parser, const uint8_t *p, size_t here,
				   size_t size, bool *ret_waits, struct parser_event *ret)
{
	struct parser_event *message = &parser->message;
	size_t wanted = (size_t)(PARSER_HEAD_SIZE - message->head_size);

	if (!parser->has_header || size > parser->body_left)
		return parser_fail(parser, "a body frame where none was due, or too large");
	if (wanted > size)
		wanted = size;
	*ret_waits = here < AMQP_FRAME_HEAD_SIZE + wanted;
	if (*ret_waits)
		return PARSER_MORE;
	if (wanted > 0) {
		memcpy(message->head + message->head_size, p + AMQP_FRAME_HEAD_SIZE, wanted);
		message->head_size = (uint8_t)(message->head_size + wanted);
	}
	parser->body_left -= size;
	parser->frame_left = size + 1;
	parser->start += AMQP_FRAME_HEAD_SIZE;
	return skip_body(parser, ret);
}

/* A whole frame that is no body. */
static enum parser_type take_frame(struct parser *parser, const uint8_t *p, size_t size,
				   struct parser_event *ret)
{
	const uint8_t *payload = p + AMQP_FRAME_HEAD_SIZE;

	if (payload[size] != AMQP_FRAME_END)
		return parser_fail(parser, "a frame without its end octet");
	parser->start += size + AMQP_FRAME_OVERHEAD;
	if (p[0] == AMQP_FRAME_METHOD)
		return take_method(parser, payload, size, (p[1] | p[2]) != 0, ret);
	if (p[0] == AMQP_FRAME_HEADER)
		return take_header(parser, payload, size, ret);
	if (p[0] == AMQP_FRAME_HEARTBEAT)
		return PARSER_MORE;
	return parser_fail(parser, "a frame of unknown type");
}

enum parser_type parser_next(struct parser *parser, struct parser_event *ret)
{
	enum parser_type type = PARSER_MORE;
	bool waits = false;

	if (UNLIKELY(parser->error != NULL))
		return PARSER_ERROR;
	if (parser->frame_left > 0)
		type = skip_body(parser, ret);
	while (type == PARSER_MORE && !waits) {
		const uint8_t *p = parser->data + parser->start;
		size_t here = parser->end - parser->start;
		size_t size;

		if (here < AMQP_FRAME_HEAD_SIZE)
			break;
		size = read_long(p + 3);
		if (p[0] == AMQP_FRAME_BODY)
			type = begin_body(parser, p, here, size, &waits, ret);
		else if (UNLIKELY(size > parser->capacity - AMQP_FRAME_OVERHEAD))
			type = parser_fail(parser, "a frame that is too large");
		else if (here < size + AMQP_FRAME_OVERHEAD)
			break;
		else
			type = take_frame(parser, p, size, ret);
	}
	return type;
}
