/* SPDX-License-Identifier: MIT */
#ifndef LUA_MODULE_H
#define LUA_MODULE_H

/*
 * The parts of what a script may use. Each is a file (or some) of its own, with one struct module,
 * entered in modules.c.
 */

#include <lua.h>
#include <shunt/language.h>

struct script;
struct state;

enum module_id {
	MODULE_BASICS,	 /* log, settings, script */
	MODULE_MESSAGE,	 /* messages, tables of headers, arguments */
	MODULE_EXCHANGE, /* exchange */
	MODULE_ACCESS,	 /* access */
	MODULE_HOOK,	 /* hook */
	MODULE_TIMER,	 /* timer, startup */
	MODULE_BROKER,	 /* broker: publishing */
	MODULE_SHARED,	 /* shared */
	MODULE_JSON,	 /* json */
	MODULE_COUNT,
};

/* Any function may be NULL. */
struct module {
	/* Adds its globals to a new state, before the source runs in it. Protected: may raise. */
	void (*open)(lua_State *L, struct state *state);

	/* The source has run in this state: looks at what it has defined. Protected: raises what is
	 * wrong with it. Called for each state, in their order. */
	void (*look)(lua_State *L, struct state *state);

	/* Once, after all states were looked at: what the script is to register. Alone. */
	int (*collect)(struct script *script, struct shunt_error *error);

	/* Registers it with the host. Home, short. */
	int (*start)(struct script *script, struct shunt_error *error);

	/* It is in force. Home. */
	void (*activate)(struct script *script);

	/* Says what the script brings, a line for each thing. After collect(); any thread. */
	void (*describe)(const struct script *script, struct shunt_report *report);

	/* The state's Lua is closed already; frees of_module[]. Any thread. */
	void (*close_state)(struct state *state);
	void (*close)(struct script *script);
};

/* MODULE_COUNT of them. */
extern const struct module *const modules[];

#endif
