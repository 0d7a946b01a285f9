/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_DECISIONS_H
#define KERNEL_CONN_DECISIONS_H

/*
 * What a connection's user was allowed lately, so that nobody is asked again for each message. Only
 * permissions are kept, none of the refusals: those end the channel. Bounded: a new one takes the
 * place of an older one. The connection's: on its loop.
 *
 * All are of one generation (access_generation()): with the next one they are forgotten, whatever
 * has changed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/slice.h"

#define DECISION_SETS 16u
#define DECISION_WAYS 4u /* entries with equal low bits of the hash */

struct decision {
	enum access_operation operation;
	enum access_resource resource;
	struct slice name;
	struct slice routing_key; /* *_TOPIC, else empty */
};

struct decisions;

/* NULL when memory is short: then everything is asked. */
struct decisions *decisions_create(void);
void decisions_destroy(struct decisions *decisions);

/* `decisions` may be NULL. */
bool decisions_have(struct decisions *decisions, uint64_t generation,
		    const struct decision *decision);
/*
 * Of this generation, which was read before the question was asked. What is longer than 255 bytes
 * is not kept (a CC key may be).
 */
void decisions_add(struct decisions *decisions, uint64_t generation,
		   const struct decision *decision);

#endif
