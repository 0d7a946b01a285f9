/* SPDX-License-Identifier: MIT */
#ifndef SHUNT_LANGUAGE_H
#define SHUNT_LANGUAGE_H

/*
 * For a plugin that runs scripts, as the plugin "lua" does. Who writes any other plugin needs plugin.h alone.
 *
 * A script is a plugin that is text: `script = NAME` in the configuration, `script.NAME.KEY = value` for what it is
 * handed. The broker reads the file; the language makes a struct shunt_plugin of it, through which the script registers
 * what it brings, with a host of its own. From there on the broker treats it as any plugin: it is put in force, listed,
 * tried, replaced by another version in one step, and closed after the last call of anything of it. The language stays
 * as long as a script of it does.
 *
 * Threads, memory and errors are as plugin.h says. Since 1.3.
 */

#include <shunt/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A script's text. */
struct shunt_script {
	size_t size;
	const char *name; /* as in `script = NAME`: the plugin's name */
	const char *path; /* of its file, for messages */
	struct shunt_bytes source; /* the whole file, at most 1 MiB */
};

/* Where text for who asks goes: whole lines. */
struct shunt_report {
	size_t size;
	void (*print)(struct shunt_report *report, struct shunt_bytes text);
};

enum shunt_script_purpose {
	SHUNT_SCRIPT_RUN,   /* it is to be put in force: it is compiled for every loop, and its tests must pass */
	SHUNT_SCRIPT_CHECK, /* it is compiled, and says what it brings; closed without start() */
	SHUNT_SCRIPT_TEST,  /* as before, and its tests are run, and each is reported; -1 if one fails */
};

struct shunt_language {
	size_t size;
	const char *name;      /* "lua" */
	const char *extension; /* of its files, without the dot: "lua" */
	const struct shunt_option *options; /* what each script may be handed; NULL: nothing */

	/*
	 * Makes a plugin of a script; NULL with an error, whose text begins with "FILE:LINE: " where there is one.
	 * host is the script's own, and outlives it; what plugin.h marks "any thread" may be called. It may take
	 * long. On any thread but a loop's, on several at once (at the start of the broker: home, before the loops
	 * run). The script's text is copied. report: NULL: nobody asks for details. The plugin has a name, a
	 * version, and no start(): that is below. `language` is what the language plugin's start() left.
	 */
	const struct shunt_plugin *(*open)(void *language, const struct shunt_host *host,
					   const struct shunt_script *script, enum shunt_script_purpose purpose,
					   struct shunt_report *report, struct shunt_error *error);

	/* Registers what the script brings, as a plugin's start() does. Home; short. */
	int (*start)(const struct shunt_plugin *script, const struct shunt_host *host, void **ret_plugin,
		     struct shunt_error *error);

	/* Frees what open() made; after stop(), if it was started. May take long; any thread. */
	void (*close)(const struct shunt_plugin *script);

	/* Prints what operators want to know of one that runs: calls, errors, time, memory. Home; short. */
	void (*describe)(void *plugin, struct shunt_report *report);
};

#ifdef __cplusplus
}
#endif

#endif
