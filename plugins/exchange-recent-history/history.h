/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_RECENT_HISTORY_HISTORY_H
#define EXCHANGE_RECENT_HISTORY_HISTORY_H

/*
 * The last messages of an exchange: a ring of messages that are held. It has at most `length` of
 * them and at most `max_bytes` of memory, but the last one always; what is older goes. The ring
 * itself is as large as it has been needed, so a length that is never reached costs nothing.
 */

#include <shunt/plugin.h>

struct history {
	const struct shunt_host *host;
	const struct shunt_message **ring;
	size_t capacity; /* of the ring: 0 or a power of two */
	size_t first;	 /* where the oldest is */
	size_t count;
	uint64_t length, max_bytes;
	uint64_t bytes; /* of all that are there */
};

/* Any numbers but 0. */
void history_init(struct history *history, const struct shunt_host *host, uint64_t length,
		  uint64_t max_bytes);
void history_fini(struct history *history);

/* Without memory for it the message is not remembered, and nothing else changes; without memory for
 * a larger ring the oldest gives place. */
void history_add(struct history *history, const struct shunt_message *message);

/* The oldest is 0; i < count. */
const struct shunt_message *history_at(const struct history *history, size_t i);

/* What the other one has, as far as this one, which is empty, may have it; that one is empty then.
 */
void history_take(struct history *history, struct history *other);

#endif
