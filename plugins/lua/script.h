/* SPDX-License-Identifier: MIT */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H

/*
 * A version of a script: the plugin that the broker sees, and a Lua state for each loop, in all of
 * which the same source has run. A reload makes another one beside it.
 *
 * What is not said otherwise is made while it is opened, and constant from then on.
 */

#include <shunt/language.h>

#include "run/call.h"
#include "run/lines.h"
#include "module.h"

struct state;

/* Of the plugin "lua": what its start() leaves. */
struct language {
	const struct shunt_host *host;
	struct shared_tables
		*shared; /* shared.h: what scripts keep for all loops, also over a reload */
};

/* What a call may use; from the options of the script. */
struct limits {
	uint64_t instructions; /* of the Lua machine; what C functions do is charged in the same
				  unit */
	uint64_t cpu_ns;       /* of the thread */
	size_t memory;	       /* bytes a state may have */
	size_t block;	       /* bytes that one string or table may have */
};

/* What is done with a message, or a question, when the script fails. */
enum on_error {
	ON_ERROR_DENY,	     /* refused: 403, nack, or "deny" */
	ON_ERROR_PASS,	     /* as if there were no script: unchanged, or "next" */
	ON_ERROR_UNROUTABLE, /* matches no binding; of routes */
};

struct script {
	struct language *language;
	const struct shunt_host *host; /* the script's own */
	struct shunt_plugin plugin;    /* what open() returned */
	char *name, *path, *source;
	const char *file; /* the path's end; what Lua says of places in the source begins with it */
	size_t source_size;
	char version[20]; /* of the source: 16 hexadecimal digits of a stable hash */
	struct limits limits;
	enum on_error on_error[CALL_KINDS];
	struct state **states; /* one for each loop; of a test one, whose loop is 0 */
	unsigned n_states;
	bool is_test;			/* the host is a fake one (testing.h) */
	bool is_looked_at;		/* it is opened to see what it is, and not to run */
	void *of_module[MODULE_COUNT];	/* what each module keeps for the script */
	struct quarantine *quarantine;	/* quarantine.h */
	struct line_limit line_limit;	/* of what is logged about failures */
	struct shunt_timer *line_timer; /* logs the states' lines; of a script in force */
};

/* What every script may be handed; "*" is its settings. Ends with a name of NULL. */
extern const struct shunt_option script_options[];

/* That key is the broker's or ours, not one of the script's settings. */
bool script_option_is_own(const char *key);

/* The end of a path, behind its last slash. */
const char *script_file_of(const char *path);

/* That of the loop on which this is called. In route, too. */
struct state *script_state_here(const struct script *script);

/* Makes all states, runs the source in each, and collects what it registered. NULL: *error. Any
 * thread. report may be NULL. */
struct script *script_open(struct language *language, const struct shunt_host *host,
			   const struct shunt_script *text, enum shunt_script_purpose purpose,
			   struct shunt_report *report, struct shunt_error *error);
void script_close(struct script *script);

/* Registers what the script brings. Home. */
int script_start(struct script *script, struct shunt_error *error);

/* Like it, of the same source, with one state, on a host that tests bring. */
struct script *script_open_for_test(struct language *language, const struct shunt_host *fake,
				    const struct shunt_script *text, struct shunt_error *error);

#endif
