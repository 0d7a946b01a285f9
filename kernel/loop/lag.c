/* SPDX-License-Identifier: MIT */
#include "loop/lag.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/clock.h"
#include "loop/budget.h"
#include "loop/loop.h"
#include "loop/state.h"

/*
 * The balance: an acknowledgement adds SETTLED, a message subtracts FED. It forgets what is far
 * away, in either direction.
 */
#define SETTLED	    7
#define FED	    8
#define BALANCE_MAX (1024 * FED)

/*
 * Before it blocks with somebody held, the loop sets a timer of its own: libevent's are too coarse.
 * It is never read, as its event is edge-triggered. It may also fire later, when nobody is held any
 * more, which costs a turn.
 */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)loop_now_ms();
}

int lag_init(struct loop *loop)
{
	struct lag *lag = &loop->lag;

	list_init(&lag->held);
	lag->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (lag->timer_fd < 0)
		return -errno;
	lag->timer_event =
		event_new(loop->base, lag->timer_fd, EV_READ | EV_PERSIST | EV_ET, on_timer, NULL);
	return lag->timer_event && event_add(lag->timer_event, NULL) == 0 ? 0 : -ENOMEM;
}

/* Of a loop that lag_init() may not have seen. */
void lag_fini(struct loop *loop)
{
	struct lag *lag = &loop->lag;

	if (lag->timer_event)
		event_free(lag->timer_event);
	if (lag->timer_fd > 0)
		(void)close(lag->timer_fd);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- What queues tell ---- */

void loop_lag_settled(size_t n)
{
	struct lag *lag = &loop_current->lag;

	loop_shorten();
	lag->savings_ns = least(lag->savings_ns + n * LAG_WORTH_NS, LAG_SAVINGS_NS);
	lag->balance += (int64_t)n * SETTLED;
	if (lag->balance > BALANCE_MAX)
		lag->balance = BALANCE_MAX;
}

void loop_lag_fed(void)
{
	struct lag *lag = &loop_current->lag;

	lag->n_fed++;
	if (lag->balance > -BALANCE_MAX)
		lag->balance -= FED;
}

void loop_lag_over(void)
{
	struct lag *lag = &loop_current->lag;

	if (lag->balance <= 0)
		lag->balance = FED;
}

size_t loop_lag_count_fed(void)
{
	return loop_current->lag.n_fed;
}

/* ---- Holding ---- */

bool loop_lag_holds(void)
{
	const struct loop *self = loop_current;

	return self->lag.balance <= 0 && self->short_turns > 0 && !self->lag.is_open &&
	       !self->lag.is_spent;
}

void loop_lag_hold(struct loop_task *task)
{
	struct lag *lag = &loop_current->lag;

	if (list_is_empty(&lag->held))
		lag->held_ns = lag->looked_ns = clock_monotonic_ns();
	if (!loop_task_is_armed(task))
		list_add_tail(&lag->held, &task->link);
}

/* For the time that somebody has been held. */
static void charge(struct lag *lag, uint64_t now)
{
	lag->savings_ns -= least(now - lag->looked_ns, lag->savings_ns);
	lag->looked_ns = now;
	if (lag->savings_ns == 0)
		lag->is_spent = true;
}

/* Savings grow all the time. Once they are spent, they must first suffice for a hold of full
 * length. */
static void save(struct lag *lag, uint64_t now)
{
	uint64_t gain = (now - lag->saved_ns) / LAG_PART;

	lag->saved_ns = now;
	lag->savings_ns = least(lag->savings_ns + gain, LAG_SAVINGS_NS);
	if (lag->savings_ns >= LAG_HOLD_NS)
		lag->is_spent = false;
}

/*
 * After the letters, before the tasks. Open means that who is let go may feed in this turn whatever
 * the balance.
 */
void lag_look(struct loop *loop)
{
	struct lag *lag = &loop->lag;
	uint64_t now;

	lag->is_open = false;
	if (list_is_empty(&lag->held) && !(lag->is_spent && loop->short_turns > 0))
		return;
	now = clock_monotonic_ns();
	save(lag, now);
	if (list_is_empty(&lag->held))
		return;
	charge(lag, now);
	if (loop_lag_holds() && now - lag->held_ns < LAG_HOLD_NS)
		return;
	lag->is_open = lag->balance <= 0;
	list_splice_tail(&loop->next_tasks, &lag->held);
}

/* There is nothing to do but for those who are held: so the loop wakes in time. */
void lag_set_timer(struct loop *loop)
{
	struct lag *lag = &loop->lag;
	uint64_t ns = lag->held_ns + LAG_HOLD_NS - lag->looked_ns;
	struct itimerspec when = {.it_value.tv_nsec = 1};

	if (list_is_empty(&lag->held))
		return;
	when.it_value.tv_nsec = (long)least(ns, lag->savings_ns) + 1;
	bug_on(timerfd_settime(lag->timer_fd, 0, &when, NULL) != 0);
}
