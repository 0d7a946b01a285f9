/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_SPEED_H
#define TOOLS_SHUNT_PLUGIN_TEST_SPEED_H

/* Many bindings of one shape, messages for them, and how long it takes. Memory is the broker's, not
 * guarded. */

#include "base/buffer.h"
#include "subject.h"

/* What the i-th binding of a shape looks like, and a message that it may match. */
struct shape {
	const char *name;
	const char *type; /* for which it is known; NULL: any */
	size_t count;
	bool per_match; /* nanoseconds a binding that is emitted, not a message */
	void (*binding)(struct rng *rng, size_t i, struct buffer *key, struct buffer *arguments);
	void (*message)(struct rng *rng, size_t i, struct buffer *key, struct buffer *headers);
};

/* Measures it, and leaves figures in the trace. False: the type refuses such bindings. */
bool speed_measure(struct subject *s, const struct shape *shape);

#endif
