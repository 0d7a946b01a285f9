/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_MESSAGE_DRAFT_VALUE_H
#define KERNEL_BROKER_MESSAGE_DRAFT_VALUE_H

/* Values that come from a plugin. */

#include <stdbool.h>

#include <shunt/plugin.h>

#include "amqp/value.h"
#include "base/slice.h"

/* Bytes of a plugin; false: they cannot be, a size without an address. */
bool draft_read_bytes(struct shunt_bytes bytes, struct slice *ret_slice);

/*
 * One of a field table's types, in the range of that type; tables and arrays well-formed, and not
 * too deep to stand in a message's headers. False: it cannot be.
 */
bool draft_read_value(const struct shunt_value *value, struct amqp_value *ret_value);

#endif
