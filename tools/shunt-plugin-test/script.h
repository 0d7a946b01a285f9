/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_SCRIPT_H
#define TOOLS_SHUNT_PLUGIN_TEST_SCRIPT_H

/*
 * A script (--script) in the place of the plugin: the file is that of a language, which is started
 * in a world of its own and makes a plugin of the script (sdk/shunt/language.h). All checks are the
 * script's then, and so are the settings.
 */

#include "subject.h"

/* In the place of plugin->start(): opens the script as one that is to be put in force, so its own
 * tests must pass, and starts it. 0, or -1 with *error. */
int script_start(struct subject *s, struct shunt_error *error);

/* After stop(): closes it, and stops the language. Nothing may be left of the language. */
void script_stop(struct subject *s);

#endif
