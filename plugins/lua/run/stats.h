/* SPDX-License-Identifier: MIT */
#ifndef LUA_STATS_H
#define LUA_STATS_H

/* The figures of a state: written by who is in it, read by anybody, at any time. */

#include <stdatomic.h>
#include <stdint.h>

#include "run/budget.h"
#include "run/call.h"

/* Counts by powers of two: below the first limit, below its double, ...; the rest. */
#define STATS_TIME_FIRST	   256u /* ns */
#define STATS_TIME_BUCKETS	   16
#define STATS_INSTRUCTIONS_FIRST   128u
#define STATS_INSTRUCTIONS_BUCKETS 14

/* What a call failed by. */
enum failure {
	FAILURE_ERROR,
	FAILURE_INSTRUCTIONS,
	FAILURE_TIME,
	FAILURE_MEMORY,
	FAILURE_SORTS,
};

struct stats_kind {
	_Atomic uint64_t calls; /* those that failed too, but not those in quarantine */
	_Atomic uint64_t quarantined;
	_Atomic uint64_t failures[FAILURE_SORTS];
	_Atomic uint64_t ns, instructions; /* sums */
	_Atomic uint64_t by_time[STATS_TIME_BUCKETS];
	_Atomic uint64_t by_instructions[STATS_INSTRUCTIONS_BUCKETS];
};

struct stats {
	struct stats_kind of_kind[CALL_KINDS];
};

void stats_count_call(struct stats *stats, enum call_kind kind, uint64_t ns, uint64_t instructions);
void stats_count_failure(struct stats *stats, enum call_kind kind, enum failure failure);
void stats_count_quarantined(struct stats *stats, enum call_kind kind);

const char *failure_name(enum failure failure);

#endif
