/* SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include <errno.h>
#include <event2/event.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slab.h"
#include "loop/counters.h"
#include "loop/state.h"

_Thread_local struct loop *loop_current;

struct loop *loop_self(void)
{
	return loop_current;
}

unsigned loop_index(const struct loop *loop)
{
	return loop->index;
}

bool loop_is_own(unsigned index)
{
	return loop_current && loop_current->index == index;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void wake(void *arg)
{
	mailbox_wake(arg);
}

void loop_enter(struct loop *loop)
{
	loop_current = loop;
	log_set_thread(loop ? (int)loop->index : -1);
	counters_set_thread(loop ? (int)loop->index : -1);
	slab_set_in_turns(loop != NULL, loop ? wake : NULL, loop);
	if (!loop)
		return;
	account_set_thread(loop->index);
	loop->now_ms = 0; /* may be long ago, if it is entered between its turns */
	loop->now_wall_ms = 0;
	loop->meter.ended_ns = 0;
}

/* The edge was all there is to it: see mailbox.c. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)loop_now_ms();
}

/*
 * No locks, as only the own thread touches the base; no signalling between threads but our eventfd.
 * The backend must have edge-triggered events, which the eventfd counts on, whatever the
 * environment asks libevent for.
 */
static struct event_base *create_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) ==
		    0 &&
	    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void keep_up(struct loop_timer *timer)
{
	unsigned again_ms = slab_upkeep();

	if (again_ms > 0)
		loop_timer_start_ms(timer, again_ms);
}

/* On failure loop_fini() cleans up. */
int loop_init(struct loop *loop, unsigned index, unsigned count)
{
	loop->index = index;
	list_init(&loop->tasks);
	list_init(&loop->late_tasks);
	list_init(&loop->background);
	list_init(&loop->next_tasks);
	slots_init(&loop->slots);
	loop_timer_init(&loop->upkeep, keep_up);

	int rc = mailbox_init(loop, count);
	if (rc != 0)
		return rc;
	loop->base = create_base();
	if (!loop->base)
		return errno != 0 ? -errno : -ENOMEM;
	loop->wake_event = event_new(loop->base, loop->inbox.wake_fd, EV_READ | EV_PERSIST | EV_ET,
				     on_wake, loop);
	if (!loop->wake_event || event_add(loop->wake_event, NULL) != 0)
		return -ENOMEM;
	return lag_init(loop);
}

void loop_fini(struct loop *loop)
{
	lag_fini(loop);
	if (loop->wake_event)
		event_free(loop->wake_event);
	if (loop->base)
		event_base_free(loop->base);
	mailbox_fini(loop);
	slots_fini(&loop->slots);
	mem_free(loop->retired);
}

/*
 * Called by whatever a callback may do first in a turn, as libevent tells us of the end of its poll
 * only when all callbacks have run: so that nobody goes on waking a loop that is awake.
 */
void loop_mark_awake(struct loop *loop)
{
	if (atomic_load_explicit(&loop->inbox.asleep, memory_order_relaxed))
		atomic_store_explicit(&loop->inbox.asleep, false, memory_order_release);
}

/*
 * When the poll has waited, the first look at the clock is where the turn begins, as libevent tells
 * of the end of its poll only when all callbacks have run.
 */
uint64_t loop_now_ms(void)
{
	if (!loop_current)
		return clock_monotonic_ms();
	if (loop_current->now_ms == 0) {
		uint64_t now = clock_monotonic_ns();

		loop_mark_awake(loop_current);
		loop_current->now_ms = clock_ms_of_ns(now);
		if (loop_current->meter.began_ns == 0)
			loop_current->meter.began_ns = now;
	}
	return loop_current->now_ms;
}

uint64_t loop_now_wall_ms(void)
{
	if (!loop_current)
		return clock_wall_ms();
	if (loop_current->now_wall_ms == 0)
		loop_current->now_wall_ms = clock_wall_ms();
	return loop_current->now_wall_ms;
}

void loop_retire(void *object, void (*destroy)(void *object))
{
	struct loop *self = loop_current;

	bug_on(!self);
	if (self->n_retired == self->retired_capacity) {
		self->retired_capacity =
			self->retired_capacity > 0 ? self->retired_capacity * 2 : 16;
		self->retired = mem_realloc(self->retired,
					    self->retired_capacity * sizeof(self->retired[0]));
	}
	self->retired[self->n_retired++] = (struct retired){object, destroy};
}

/* Also what is retired by destroying others. A burst leaves no large array behind. */
static void destroy_retired(struct loop *loop)
{
	for (size_t i = 0; i < loop->n_retired; i++) {
		struct retired retired = loop->retired[i];

		retired.destroy(retired.object);
	}
	loop->n_retired = 0;
	if (loop->retired_capacity > 1024) {
		mem_free(loop->retired);
		loop->retired = NULL;
		loop->retired_capacity = 0;
	}
}

/* But for those who are held. */
static bool has_work_now(const struct loop *loop)
{
	return !list_is_empty(&loop->tasks) || !list_is_empty(&loop->late_tasks) ||
	       !list_is_empty(&loop->background) || !list_is_empty(&loop->next_tasks) ||
	       loop->n_retired > 0 || loop->outboxes_filled ||
	       !mailbox_is_empty(loop);
}

bool loop_has_work(const struct loop *loop)
{
	return has_work_now(loop) || !list_is_empty(&loop->lag.held);
}

/* Says asleep before it looks for work the last time: mailbox.c tells why. */
static bool may_block(struct loop *loop)
{
	if (has_work_now(loop))
		return false;
	lag_set_timer(loop);
	atomic_store(&loop->inbox.asleep, true);
	return mailbox_is_empty(loop);
}

static void poll_events(struct loop *loop, bool block)
{
	int flags = EVLOOP_ONCE;
	bool goes_on = block && !may_block(loop);

	if (!block || goes_on)
		flags |= EVLOOP_NONBLOCK;
	loop->now_ms = 0;
	loop->now_wall_ms = 0;
	loop->meter.began_ns = goes_on ? loop->meter.ended_ns : 0;
	int rc = event_base_loop(loop->base, flags);
	bug_on(rc < 0);
	loop_mark_awake(loop);
	if (loop->meter.began_ns == 0)
		(void)loop_now_ms();
}

void loop_finish_turn(struct loop *loop)
{
	loop->meter.events_ns = clock_coarse_ns();
	mailbox_deliver(loop);
	lag_look(loop);
	loop->meter.letters_ns = clock_coarse_ns();
	tasks_run(loop);
	mailbox_flush(loop);
	if (loop->n_retired > 0) {
		destroy_retired(loop);
		mailbox_flush(loop);
	}
	if (slab_finish_turn() && !loop_timer_is_armed(&loop->upkeep))
		loop_timer_start_ms(&loop->upkeep, SLAB_UPKEEP_MS);
}

void loop_run_once(bool block)
{
	struct loop *self = loop_current;

	bug_on(!self);
	counter_add(COUNTER_TURNS, 1);
	budget_begin_turn(self);
	poll_events(self, block);
	loop_finish_turn(self);
	meter_end_turn(&self->meter);
}
