/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PLUGIN_LINES_H
#define TESTS_UNIT_PLUGIN_LINES_H

/*
 * A plugin whose language, for files NAME.lines, has lines of these kinds:
 *
 *	version TEXT    of the script
 *	type NAME       an exchange type, which routes to all its bindings
 *	fail TEXT       it does not open: "PATH:LINE: TEXT"
 *	start TEXT      it opens, and does not start
 *	says TEXT       printed to who asks for a report
 *	gate            opening waits until the test opens the gate
 *	name NAME       what is made has this name, and not the script's
 *
 * Anything else is an error, but for empty lines. What it is called for is counted in a struct that the test passes it
 * by the option `notes` (its address, in decimal digits).
 */

#include <semaphore.h>
#include <stdatomic.h>

#include <shunt/language.h>

struct lines_notes {
	atomic_uint n_opened, n_closed, n_started, n_stopped, n_activated;
	atomic_uint n_begun, n_ended; /* start() and stop() of the language plugin */
	enum shunt_script_purpose purpose; /* of the last open() */
	char setting[64]; /* what the last script found for "colour" */
	char settings[256]; /* and all that config_next() gave it: KEY=VALUE, each behind a space */
	sem_t at_gate, gate;
};

#endif
