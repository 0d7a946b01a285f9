/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_FAKE_HOST_H
#define TESTS_PLUGIN_FAKE_HOST_H

/*
 * A host for plugins under test: counts what they allocate, fails an allocation on demand, hashes
 * badly on demand, and plays several loops. Nothing of the broker is in it.
 */

#include <shunt/plugin.h>
#include <stdatomic.h>

struct fake_host {
	struct shunt_host host;			/* first: what the plugin gets is cast back */
	const struct shunt_exchange_type *type; /* the one registered last */
	void *plugin;				/* what start() left */
	unsigned loops;
	uint64_t hash_mask;  /* of the bits that hashes may have; all at first */
	_Atomic long live;   /* allocations not freed */
	_Atomic long left;   /* allocations until one fails; -1: none does */
	bool fail_onward;    /* all later ones fail too */
	bool as_is;	     /* memory comes as malloc() leaves it, not filled with a pattern */
	_Atomic bool failed; /* one did, since fake_host_fail() */
};

/* A message with headers. */
struct fake_message {
	struct shunt_message message; /* first */
	struct shunt_bytes headers;
};

/* The answer of route(), in order. `bindings` is the caller's memory for `capacity`; more abort. */
struct fake_sink {
	struct shunt_sink sink; /* first */
	const struct shunt_binding **bindings;
	size_t capacity;
	size_t count;
	size_t calls;
};

/* The number of the loop that this thread plays. */
extern _Thread_local unsigned fake_loop_index;

void fake_host_init(struct fake_host *fake, unsigned loops);

/* From now on, the n-th allocation fails (1: the next), and with `onward` all after it. */
void fake_host_fail(struct fake_host *fake, long n, bool onward);

/* None fails any more; `failed` stays. */
void fake_host_fail_off(struct fake_host *fake);

void fake_sink_init(struct fake_sink *sink, const struct shunt_binding **bindings, size_t capacity);

#endif
