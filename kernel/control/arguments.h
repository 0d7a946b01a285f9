/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_ARGUMENTS_H
#define KERNEL_CONTROL_ARGUMENTS_H

/* Arguments of queues, exchanges and bindings, as operators write them. */

#include <jansson.h>

#include "base/buffer.h"
#include "base/compiler.h"

/*
 * A JSON object becomes a raw field table, as RabbitMQ's management makes one of it: texts are
 * longstr, whole numbers long, others double, null void, arrays and objects nested. NULL is an
 * empty table. 0; -EINVAL: it is no object; -E2BIG: a name above 255 bytes, or too deep; -ENOMEM.
 */
int control_arguments(const json_t *object, struct buffer *ret_table) MUST_USE;

#endif
