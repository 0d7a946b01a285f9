/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_EXPLAIN_MESSAGE_H
#define KERNEL_CONTROL_EXPLAIN_MESSAGE_H

/* The message that explain_route is asked about. */

#include <jansson.h>
#include <stddef.h>

#include "base/compiler.h"

struct message;

/*
 * From the request's "exchange", "routing_key", "headers" and "properties": a header's value is a
 * string, an integer, a real, a boolean or null; a property's a string or an integer. Without a
 * body. NULL and a reason when it is no message.
 */
struct message *explain_message(const json_t *request, char *ret_reason, size_t size) MUST_USE;

#endif
