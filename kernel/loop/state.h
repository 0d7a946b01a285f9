/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_STATE_H
#define KERNEL_LOOP_STATE_H

/* The inside of a loop: for the files of kernel/loop/ only. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/list.h"
#include "loop/mailbox.h"
#include "loop/meter.h"
#include "loop/timer.h"

struct event;
struct event_base;

/* What others push onto: the newest letter on top. On a cache line of its own. */
struct inbox {
	_Alignas(CACHE_LINE_SIZE) _Atomic(struct letter *) top;
	_Atomic bool asleep; /* the loop blocks in poll, or is about to */
	int wake_fd;	     /* eventfd */
};

/* Letters gathered for one target: a chain from the newest to the oldest, as the inbox wants it. */
struct outbox {
	struct letter *newest, *oldest;
	unsigned count;
};

struct slot {
	void *object;
	uint64_t serial; /* 0: free */
	uint32_t next_free;
};

/* In chunks, so that a million of objects come in without ever copying the table. */
struct slots {
	struct slot **chunks;
	uint32_t n_chunks;
	uint32_t n_used;     /* slots that were ever used */
	uint32_t first_free; /* SLOT_NONE: none */
	uint64_t last_serial;
};

struct retired {
	void *object;
	void (*destroy)(void *object);
};

/* The own thread's, but for what is atomic, which others read and which has lines of its own. */
struct meter {
	_Alignas(CACHE_LINE_SIZE) _Atomic uint64_t busy_ns, longest_ns;
	_Atomic uint64_t recent_ns; /* the longest; whoever asks sets it to 0 */
	_Atomic uint64_t counts[LOOP_TURN_CLASSES];
	_Alignas(CACHE_LINE_SIZE) uint64_t began_ns; /* of this turn; 0: nothing has happened yet */
	uint64_t ended_ns;			     /* of the last one; 0: long ago */
	uint64_t events_ns, letters_ns; /* its first two stages have ended, by the coarse clock */
};

/* Who is held while deliveries lag behind: lag.h. */
struct lag {
	int64_t balance; /* of what was acknowledged and what was published meanwhile */
	size_t n_fed;
	struct list held;    /* struct loop_task.link */
	uint64_t held_ns;    /* since when */
	uint64_t looked_ns;  /* till then the savings are charged */
	uint64_t savings_ns; /* that holds may cost */
	uint64_t saved_ns;   /* till then they have grown */
	bool is_spent;	     /* nothing is left: till there is enough again */
	bool is_open;	     /* for this turn, whatever the balance */
	int timer_fd;
	struct event *timer_event;
};

struct loop {
	struct inbox inbox;

	/* All below is the own thread's. */
	_Alignas(CACHE_LINE_SIZE) unsigned index;
	struct event_base *base;
	struct event *wake_event;
	uint64_t now_ms, now_wall_ms; /* 0: to be read at the next use */

	struct list tasks, late_tasks, next_tasks, background;

	size_t spent;	      /* units of work in this turn: budget.h */
	unsigned short_turns; /* this and the following ones */
	struct lag lag;

	struct outbox *outboxes; /* one for each loop; that to itself is read in place */
	unsigned n_outboxes;
	struct letter *waiting; /* taken and not delivered yet, oldest first */
	bool outboxes_filled;	/* some outbox to another loop */

	struct retired *retired;
	size_t n_retired, retired_capacity;

	struct slots slots;

	struct loop_timer upkeep; /* of the thread's memory (base/slab.h) */
	struct meter meter;
};

/* The calling thread's loop: loop_self() without the call. */
extern _Thread_local struct loop *loop_current;

/* loop.c */
int loop_init(struct loop *loop, unsigned index, unsigned count) MUST_USE;
void loop_fini(struct loop *loop);
void loop_enter(
	struct loop *loop); /* the calling thread is this loop's from now on; NULL: no loop's */
bool loop_has_work(const struct loop *loop);
void loop_finish_turn(struct loop *loop); /* all of a turn but the poll */
void loop_mark_awake(struct loop *loop);

/* mailbox.c */
int mailbox_init(struct loop *loop, unsigned count) MUST_USE;
void mailbox_fini(struct loop *loop);
void mailbox_wake(struct loop *loop); /* any thread, signal handlers */
bool mailbox_is_empty(const struct loop *loop);
void mailbox_deliver(struct loop *loop);
void mailbox_flush(struct loop *loop);

/* budget.c */
void budget_begin_turn(struct loop *loop);

/* lag.c */
int lag_init(struct loop *loop) MUST_USE;
void lag_fini(struct loop *loop);
void lag_look(struct loop *loop);
void lag_set_timer(struct loop *loop);

/* task.c */
void tasks_run(struct loop *loop);

/* meter.c */
void meter_end_turn(struct meter *meter);

/* slots.c */
void slots_init(struct slots *slots);
void slots_fini(struct slots *slots);

#endif
