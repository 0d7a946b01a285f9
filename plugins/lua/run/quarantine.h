/* SPDX-License-Identifier: MIT */
#ifndef LUA_QUARANTINE_H
#define LUA_QUARANTINE_H

/*
 * After so many failures in a row of one kind a script is not called any more for that: for 1 s,
 * then one call is tried; as long as that one fails too, 2 s, 4 s ... 60 s. Of a script, on all
 * loops. All functions: any thread; in route.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "run/call.h"

struct quarantine_kind {
	_Atomic uint32_t failures; /* in a row */
	_Atomic uint32_t rounds;   /* quarantines in a row */
	_Atomic uint64_t until_ns; /* CLOCK_MONOTONIC; 0: it is not in quarantine */
};

struct quarantine {
	uint32_t after; /* failures in a row; 0: never */
	struct quarantine_kind of_kind[CALL_KINDS];
};

void quarantine_init(struct quarantine *quarantine, uint32_t after);

enum quarantine_answer {
	QUARANTINE_CALL,
	QUARANTINE_TRIAL, /* called, too: its time is up, and this is who asked first */
	QUARANTINE_REFUSES,
};

enum quarantine_answer quarantine_ask(struct quarantine *quarantine, enum call_kind kind,
				      uint64_t now_ns);

void quarantine_succeeded(struct quarantine *quarantine, enum call_kind kind);

/*
 * grave: once is enough. Returns for how many seconds it is not called any more; 0: nothing has
 * changed.
 */
unsigned quarantine_failed(struct quarantine *quarantine, enum call_kind kind, bool trial,
			   bool grave, uint64_t now_ns);

#endif
