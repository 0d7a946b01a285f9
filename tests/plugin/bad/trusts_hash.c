/* SPDX-License-Identifier: MIT */

/*
 * Two keys of one hash are one key for it, and the first one is taken.
 * found by order: route() depends on the order
 */

#define GOOD_ROUTE bad_route
#include "good.h"

static uint64_t bad_hash(struct shunt_bytes bytes)
{
	return good_host->hash(good_host, bytes.data, bytes.size);
}

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const struct good_exchange *exchange = (const struct good_exchange *)state;
	uint64_t hash = bad_hash(message->routing_key);
	const struct good_seat *seat = exchange->ring.next;

	while (seat != &exchange->ring && bad_hash(seat->binding->routing_key) != hash)
		seat = seat->next;
	for (const struct good_seat *same = exchange->ring.next; same != &exchange->ring;
	     same = same->next)
		if (seat != &exchange->ring &&
		    good_same(same->binding->routing_key, seat->binding->routing_key))
			sink->emit(sink, &same->binding, 1);
}

#include "good_plugin.h"
