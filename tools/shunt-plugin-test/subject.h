/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_SUBJECT_H
#define TOOLS_SHUNT_PLUGIN_TEST_SUBJECT_H

/* What a check works on: a plugin in a process of its own. All faults end the process (trace_fail).
 */

#include <shunt/plugin.h>

#include "host.h"
#include "rng.h"

struct subject {
	const char *path;
	const char *script;    /* a file: it is checked in the place of the plugin; NULL: none */
	struct tongue *tongue; /* script.c */
	const struct setting *settings;
	size_t n_settings;
	uint64_t seed;
	unsigned rounds;
	double patience_s;     /* for what ends later */
	bool is_plain;	       /* memory as it is in a broker, not guarded: for figures */
	const char *type_name; /* of the exchange type to check; NULL: the plugin itself */

	struct shunt_plugin self; /* a copy: members that an older minor has not got are zero */
	const struct shunt_plugin *plugin;
	struct world *world;
	const struct shunt_exchange_type *type;
	struct rng rng; /* of this check, and within it of the round */
};

/* Opens the file and checks what it exports. */
void subject_open(struct subject *s);
/* Options, their defaults, and the settings that were passed. */
void subject_check_options(const struct subject *s);

/* Those that were passed fit these options. */
void subject_check_settings(const struct shunt_option *all, const struct subject *s);

/* 0, or -1 with *error filled: start() said so. A world that is not started needs no stop. */
int subject_try_start(struct subject *s, struct shunt_error *error);
/* It has to start. */
void subject_start(struct subject *s);
/* stop(); nothing may be left. */
void subject_stop(struct subject *s);

/* An error as a function begins with it: nothing in it is right. */
void error_blank(struct shunt_error *error);
/* What `call` has made of it when it returned -1. memory_is_out: the code has to be that of it. */
void error_check(const char *call, const struct shunt_error *error, bool memory_is_out);
/* The same where it is the text alone that counts, which may be left as it was. */
void error_check_text(const char *call, const struct shunt_error *error);

/* Another sequence for each round. */
void subject_round(struct subject *s, unsigned round);

#endif
