/* SPDX-License-Identifier: MIT */

/*
 * route() reads what observe() writes, at the same time.
 * found by observe: route() answers another way since messages were observed
 */

#define GOOD_OBSERVE bad_observe
#define GOOD_ROUTE   bad_route
#include "good.h"

static void bad_observe(void *state, const struct shunt_message *message)
{
	struct good_exchange *exchange = (struct good_exchange *)state;

	__atomic_store_n(&exchange->memory[0], message->body.size, __ATOMIC_RELAXED);
}

static void bad_route(const void *state, const struct shunt_message *message,
		      struct shunt_sink *sink)
{
	const struct good_exchange *exchange = (const struct good_exchange *)state;

	if (__atomic_load_n(&exchange->memory[0], __ATOMIC_RELAXED) % 2 == 0)
		good_route(state, message, sink);
}

#include "good_plugin.h"
