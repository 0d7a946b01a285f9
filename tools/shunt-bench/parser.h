/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_PARSER_H
#define TOOLS_SHUNT_BENCH_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/slice.h"

/*
 * Finds messages, confirms and methods in what a broker sends, as it arrives. Bodies are passed
 * over where they lie, even when they are not all there yet; only their first bytes are kept.
 *
 *	room = parser_room(&parser, &size);  n = recv(fd, room, size, 0);  parser_add(&parser, n);
 *	while ((type = parser_next(&parser, &event)) != PARSER_MORE) ...
 *
 * One content at a time: the tool uses one channel a connection.
 */

enum parser_type {
	PARSER_MORE,	 /* all is parsed that has come */
	PARSER_DELIVERY, /* a whole message has come */
	PARSER_RETURN,	 /* a whole returned message has come */
	PARSER_ACK,
	PARSER_NACK,
	PARSER_METHOD, /* any other method */
	PARSER_ERROR,  /* not AMQP; parser->error says what */
};

#define PARSER_HEAD_SIZE 16 /* so much of each body is kept */

struct parser_event {
	uint32_t consumer; /* DELIVERY: the number that the consumer tag is (hexadecimal) */
	bool redelivered;  /* DELIVERY */
	bool multiple;	   /* ACK, NACK */
	uint8_t head_size; /* DELIVERY: bytes in head, min(body_size, PARSER_HEAD_SIZE) */
	uint64_t delivery_tag;
	uint64_t body_size; /* DELIVERY */
	uint8_t head[PARSER_HEAD_SIZE];
	struct slice method; /* METHOD: its payload, until the next parser_room() */
};

/* Owned by its connection. */
struct parser {
	uint8_t *data;
	size_t capacity, start, end;
	enum parser_type content; /* DELIVERY or RETURN once its method has come, else MORE */
	bool has_header;	  /* the content's header frame has come */
	uint64_t body_left;	  /* of the content: bytes in frames not yet begun */
	size_t frame_left;	  /* of the body frame at hand: bytes yet to come, end included */
	struct parser_event message; /* the content at hand */
	const char *error;
};

/* Method and header frames must fit into the capacity. */
void parser_init(struct parser *parser, size_t capacity);
void parser_fini(struct parser *parser);

/* Where received bytes go, and how many may; at least 1. */
uint8_t *parser_room(struct parser *parser, size_t *ret_size);
static inline void parser_add(struct parser *parser, size_t size)
{
	parser->end += size;
}

/* After PARSER_ERROR it stays PARSER_ERROR. */
enum parser_type parser_next(struct parser *parser, struct parser_event *ret) MUST_USE;

#endif
