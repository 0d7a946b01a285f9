/* SPDX-License-Identifier: MIT */
/*
 * The fourteen properties of a message. AMQP 0-9-1 section 4.2.6.1 (flag words), 1.8 (class basic).
 */
#ifndef KERNEL_AMQP_PROPERTIES_H
#define KERNEL_AMQP_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "amqp/cursor.h"
#include "amqp/spec.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

/* AMQP_PROPERTY_CONTENT_TYPE = 1 << 15, ... : bits of `flags` */
enum amqp_property {
#define AMQP_PROPERTY_BIT(type, name, NAME, bit) AMQP_PROPERTY_##NAME = 1 << (bit),
	AMQP_PROPERTIES(AMQP_PROPERTY_BIT)
#undef AMQP_PROPERTY_BIT
};

#define AMQP_PROPERTIES_MIN_SIZE 2 /* a flag word with no flag */

/*
 * content_type, content_encoding, headers (the raw table after its length), delivery_mode,
 * priority, correlation_id, reply_to, expiration, message_id, timestamp (seconds), type, user_id,
 * app_id, cluster_id. A plain value; slices are borrowed. A field counts only when its flag is set.
 */
struct amqp_properties {
	uint16_t flags; /* enum amqp_property */
#define AMQP_PROPERTY_MEMBER(type, name, NAME, bit) AMQP_CTYPE_##type name;
	AMQP_PROPERTIES(AMQP_PROPERTY_MEMBER)
#undef AMQP_PROPERTY_MEMBER
};

static inline bool amqp_properties_has(const struct amqp_properties *properties,
				       enum amqp_property property)
{
	return (properties->flags & property) != 0;
}

/*
 * Decodes flag words and values, the part of a header frame after the body size. Fields without a
 * flag are zero or empty. 0; -EPROTO: too short, bytes left over, an unknown flag, malformed or too
 * deeply nested headers; then ret is unspecified. Further flag words (continuation) are read, but
 * no property beyond the fourteen is known.
 */
int amqp_properties_decode(struct amqp_properties *ret, struct slice raw) MUST_USE;

/*
 * Of what amqp_properties_decode() has accepted before: the properties down to `last` in the order
 * of the list, quickly. Flags and values of others are not set.
 */
void amqp_properties_decode_to(struct amqp_properties *ret, struct slice raw,
			       enum amqp_property last);

/* Bytes that encoding makes. Flags that no property has are ignored. */
size_t amqp_properties_size(const struct amqp_properties *properties);

void amqp_properties_encode(struct amqp_writer *writer, const struct amqp_properties *properties);

/* At the end of a buffer, which must not hold what they borrow. 0 or -ENOMEM. */
int amqp_properties_append(const struct amqp_properties *properties, struct buffer *out) MUST_USE;

#endif
