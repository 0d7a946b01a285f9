/* SPDX-License-Identifier: MIT */
/*
 * What a peer did wrong: reply code, failing method, text. Filled where it is found, sent as
 * channel.close or connection.close in one place. AMQP 0-9-1 section 1.1 (reply codes).
 */
#ifndef KERNEL_AMQP_ERROR_H
#define KERNEL_AMQP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "amqp/spec.h"
#include "base/compiler.h"

/* AMQP_CONTENT_TOO_LARGE = 311, ... AMQP_INTERNAL_ERROR = 541 */
enum amqp_code {
	AMQP_REPLY_SUCCESS = 200,
#define AMQP_CODE_MEMBER(NAME, code, scope) AMQP_##NAME = (code),
	AMQP_REPLY_CODES(AMQP_CODE_MEMBER)
#undef AMQP_CODE_MEMBER
};

#define AMQP_ERROR_TEXT_MAX 255

/* A plain value; whoever has it, owns it. Code 0: no error. */
struct amqp_error {
	uint16_t code;
	uint32_t method_id; /* the failing method, class << 16 | method; 0: none */
	char text[AMQP_ERROR_TEXT_MAX + 1];
};

/*
 * Sets code and text, "NAME - <text>", and leaves method_id alone (whoever dispatched the method
 * sets it). The text becomes valid UTF-8 ('?' for a wrong byte: clients decode it strictly), and a
 * text above 255 bytes is cut and ends in "...", as RabbitMQ does it.
 * Returns -EPROTO, so that `return amqp_error_set(...)` reads well.
 */
int amqp_error_set(struct amqp_error *error, uint16_t code, const char *format, ...)
	PRINTF_FORMAT(3, 4) COLD;

/* As above without a suffix: the text is the name of the code, as in basic.return "NO_ROUTE". */
int amqp_error_set_bare(struct amqp_error *error, uint16_t code) COLD;

/* True when the code ends the channel only (311, 312, 313, 403 to 406). */
bool amqp_error_is_soft(uint16_t code);

/* "NOT_FOUND" and the like; "UNKNOWN" for a number that is no reply code. */
const char *amqp_code_name(uint16_t code);

#endif
