/* SPDX-License-Identifier: MIT */
#ifndef LUA_BUDGET_H
#define LUA_BUDGET_H

/*
 * What a call may use. Lua calls a hook every `interval` instructions of the thread (coroutine)
 * that runs; it counts them, and looks at the clock. What C functions do is charged in the same
 * unit.
 *
 * When something is spent the call is over: from then on the hook comes at every instruction and
 * raises, so that no pcall() holds it up for longer than an instruction, and whatever C function
 * charges raises as well. The value raised is a pointer, for which no memory is needed.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_over {
	BUDGET_IS_LEFT,
	BUDGET_INSTRUCTIONS,
	BUDGET_TIME,
	BUDGET_MEMORY,
};

/* Where a script was. */
struct place {
	char source[LUA_IDSIZE]; /* as Lua shows it; empty: not known */
	int line;
};

struct budget {
	lua_State *running; /* the thread that runs now; NULL: none */
	int interval;	    /* instructions from hook to hook */
	enum budget_over over;
	int64_t total, left;  /* instructions */
	uint64_t start_ns;    /* CLOCK_MONOTONIC */
	uint64_t limit_ns;    /* of CPU time */
	uint64_t cpu_base_ns; /* CLOCK_THREAD_CPUTIME_ID soon after the start; 0: not looked at */
	uint64_t before_ns;   /* that had gone by then, of the day's time */
	uint64_t cpu_left_ns; /* from then on */
	uint64_t looked_ns;   /* when the hook came last */
	int64_t looked_left;  /* what was left when the clock was looked at last */
	bool is_slow;	      /* instructions of this call, or of the last one, took long */
	unsigned closing;     /* coroutines that are closed within each other */
	struct place place;   /* where it was over, or memory refused; else of the last error */
};

uint64_t budget_now_ns(void);
uint64_t budget_cpu_ns(void); /* of the thread; a system call */

/* A call begins, in the thread; for a nested one the caller has saved the budget. */
void budget_begin(struct budget *budget, lua_State *L, int64_t instructions, uint64_t limit_ns,
		  uint64_t now_ns);

/* Sets the hook of a thread that is to run, or runs again. */
void budget_arm(struct budget *budget, lua_State *L);

/* The call is over, unless it is already. Raises nothing. */
void budget_end(struct budget *budget, enum budget_over reason);

/*
 * The call, which is over, took many times its CPU time: it was in something that calls no hook. A
 * collection takes as long as tables with weak keys make it, which are refused when they can be.
 */
bool budget_is_overrun(const struct budget *budget);

/* Raises that the call is over. */
_Noreturn void budget_raise(lua_State *L, struct budget *budget);

/* Whether the error value on top of the stack is that. */
bool budget_is_raised(lua_State *L, const struct budget *budget);

/* From the heap, in the midst of anything; raise nothing. */
void budget_charge_bytes(struct budget *budget, size_t bytes);
void budget_memory_refused(struct budget *budget, unsigned refusals);
void budget_strings_grew(struct budget *budget, bool huge);

/* The innermost function in Lua of the thread; if there is none the place stays as it is. */
void place_find(struct place *place, lua_State *L);

/* Bytes that are looked at in the time of an instruction. */
#define BUDGET_BYTES 64u

#endif
