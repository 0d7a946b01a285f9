/* SPDX-License-Identifier: MIT */
#ifndef LUA_LINES_H
#define LUA_LINES_H

/*
 * Lines for the broker's log. Inside route() nothing may be logged, so a line waits in its state
 * until home takes it; when there is no room it is lost, and how many were is said.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <shunt/plugin.h>

#define LINE_SIZE     320
#define LINES_WAITING 8

/* How often home looks for lines. */
#define LINES_EVERY_MS 100

struct state;
struct script;

struct line {
	enum shunt_log_level level;
	char text[LINE_SIZE];
};

/* A ring: who is in the state writes, home reads. */
struct lines {
	struct line ring[LINES_WAITING];
	_Atomic uint32_t written, read;
	_Atomic uint32_t lost;
};

/* Some lines a second, of a script. */
struct line_limit {
	_Atomic uint64_t second;
	_Atomic uint32_t count; /* in that second */
	_Atomic uint32_t suppressed;
};

/*
 * Logs it at once, or soon if it is a route() that runs. By who is in the state. The broker says whose
 * line it is.
 */
void lines_log(struct state *state, enum shunt_log_level level, const char *text);

/* Likewise, of what goes wrong as often as messages come: at a limited rate. */
void lines_log_limited(struct state *state, enum shunt_log_level level, const char *text,
		       uint64_t now_ns);

/* The script is in force: home looks for lines from now on. */
void lines_start(struct script *script);

/* Logs what waits. Home, or when nobody is in the state any more. */
void lines_flush(struct state *state);

#endif
