/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_BAD_GOOD_H
#define TESTS_PLUGIN_BAD_GOOD_H

/*
 * A plugin without a fault: a message goes where the binding's key is its own. The bad ones are
 * this one with one function replaced: GOOD_BIND and so on say which. good_plugin.h, at the end of
 * each, puts it together.
 */

#include <shunt/plugin.h>
#include <stdio.h>
#include <string.h>

/* A binding, in a ring that begins with the exchange's own. */
struct good_seat {
	struct good_seat *next, *previous;
	const struct shunt_binding *binding;
};

struct good_exchange {
	struct good_seat ring;
	uint64_t memory[4]; /* for faults that remember */
	const void *kept;
};

static const struct shunt_host *good_host;

static inline int good_refuse(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static inline int good_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			      struct shunt_error *error)
{
	struct good_exchange *state = good_host->allocate(good_host, sizeof(*state));

	(void)plugin;
	(void)exchange;
	if (state == NULL)
		return good_refuse(error);
	memset(state, 0, sizeof(*state));
	state->ring.next = state->ring.previous = &state->ring;
	*ret_state = state;
	return 0;
}

static inline void good_destroy(void *state)
{
	struct good_exchange *exchange = (struct good_exchange *)state;
	struct good_seat *seat = exchange->ring.next, *next;

	for (; seat != &exchange->ring; seat = next) {
		next = seat->next;
		good_host->free(good_host, seat);
	}
	good_host->free(good_host, exchange);
}

/* At the end of the ring. */
static inline void good_seat_add(struct good_exchange *exchange, struct good_seat *seat,
				 const struct shunt_binding *binding)
{
	seat->binding = binding;
	seat->next = &exchange->ring;
	seat->previous = exchange->ring.previous;
	seat->previous->next = seat;
	exchange->ring.previous = seat;
}

static inline int good_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			    struct shunt_error *error)
{
	struct good_seat *seat = good_host->allocate(good_host, sizeof(*seat));

	if (seat == NULL)
		return good_refuse(error);
	good_seat_add((struct good_exchange *)state, seat, binding);
	*ret_cookie = seat;
	return 0;
}

static inline void good_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct good_seat *seat = (struct good_seat *)cookie;

	(void)state;
	(void)binding;
	seat->previous->next = seat->next;
	seat->next->previous = seat->previous;
	good_host->free(good_host, seat);
}

static inline bool good_same(struct shunt_bytes a, struct shunt_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline void good_route(const void *state, const struct shunt_message *message,
			      struct shunt_sink *sink)
{
	const struct good_exchange *exchange = (const struct good_exchange *)state;

	for (const struct good_seat *seat = exchange->ring.next; seat != &exchange->ring;
	     seat = seat->next)
		if (good_same(seat->binding->routing_key, message->routing_key))
			sink->emit(sink, &seat->binding, 1);
}

#endif
