/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_ACTOR_H
#define TESTS_UNIT_PLUGIN_ACTOR_H

/*
 * A plugin that brings one of each kind but exchange types, and notes what it is called for in a
 * struct that the test passes it by the option `notes` (its address, in decimal digits), as the
 * file, and what it exports, may be gone when the test looks.
 */

#include <stdbool.h>

#include <shunt/plugin.h>

struct actor_notes {
	const struct shunt_host *host;
	struct shunt_counter *events;
	struct shunt_timer *timer;
	unsigned n_started, n_stopped;
	unsigned n_posted;  /* calls of actor's post */
	unsigned n_fired;   /* calls of its timer */
	unsigned n_logins, n_questions, n_calls;
	uint64_t login, call; /* the last ones */
	char user[64], password[64], mechanism[16], peer[64];
	bool peer_is_loopback;
	char question[256]; /* operation, resource, user, tags, vhost, name, size of the arguments */
	char arguments[256]; /* of the call, each in brackets */
	enum shunt_verdict verdict; /* of questions */
	uint32_t remember_ms;	    /* 0: as it was preset */
	const char *reason;
	bool fills_reason;
	bool posts_in_start, posts_in_stop, fails;
	bool passes_logins_on; /* at once */
	void (*stopping)(struct actor_notes *notes); /* called by stop() */
};

#endif
