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
	_Atomic long bytes;  /* in them */
	_Atomic long left;   /* allocations until one fails; -1: none does */
	bool fail_onward;    /* all later ones fail too */
	bool as_is;	     /* memory comes as malloc() leaves it, not filled with a pattern */
	_Atomic bool failed; /* one did, since fake_host_fail() */

	/* `plugin.NAME.KEY`: names and values by turns, ended by NULL; the test's. What is not
	 * there has the option's default. NULL: none is set. */
	const char *const *settings;
	const struct shunt_option *options; /* the plugin's; the test sets them */

	/* fake_services.h */
	const struct shunt_access_policy *policy; /* those registered last */
	const struct shunt_hook *hook;
	const struct shunt_command *command;
	struct shunt_counter *counters;
	struct shunt_timer *timers;
	struct fake_post *posts;
	struct fake_draft *published;
	_Atomic uint64_t random; /* state of random() */
	_Atomic long held;	 /* messages not released */
};

/* A message with headers, and one other property if has_property. */
struct fake_message {
	struct shunt_message message; /* first */
	struct shunt_bytes headers;
	bool has_property;
	enum shunt_property property;
	struct shunt_value value;
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
