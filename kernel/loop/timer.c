/* SPDX-License-Identifier: MIT */
#include "loop/timer.h"

#include <stddef.h>

#include "base/bug.h"
#include "loop/loop.h"

/* A year: what is longer is started again on the way. */
#define WAIT_MAX_MS (UINT64_C(365) * 24 * 3600 * 1000)

void loop_timer_init(struct loop_timer *timer, void (*fire)(struct loop_timer *timer))
{
	timer->fire = fire;
	timer->deadline_ms = 0;
	timer->wake_ms = 0;
}

static void wake_at_deadline(struct loop_timer *timer, uint64_t now_ms);

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;
	uint64_t now_ms = loop_now_ms();

	(void)fd;
	(void)what;
	timer->wake_ms = 0;
	if (timer->deadline_ms > now_ms) {
		wake_at_deadline(timer,
				 now_ms); /* restarted meanwhile, or the coarse clock was early */
		return;
	}
	timer->deadline_ms = 0;
	timer->fire(timer);
}

static void wake_at_deadline(struct loop_timer *timer, uint64_t now_ms)
{
	uint64_t wait_ms = timer->deadline_ms > now_ms ? timer->deadline_ms - now_ms : 0;

	if (wait_ms > WAIT_MAX_MS)
		wait_ms = WAIT_MAX_MS;
	struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000u),
			       .tv_usec = (suseconds_t)(wait_ms % 1000u * 1000u)};
	bool failed;

	if (timer->wake_ms == 0) {
		failed = event_assign(&timer->event, loop_base(loop_self()), -1, 0, on_event,
				      timer) != 0;
		bug_on(failed);
	}
	timer->wake_ms = now_ms + wait_ms;
	failed = event_add(&timer->event, &wait) != 0; /* only without memory */
	bug_on(failed);
}

void loop_timer_start_ms(struct loop_timer *timer, uint64_t ms)
{
	bug_on(!loop_self());
	uint64_t now_ms = loop_now_ms();

	bug_on(timer->wake_ms != 0 && event_get_base(&timer->event) != loop_base(loop_self()));
	timer->deadline_ms = ms > UINT64_MAX - now_ms ? UINT64_MAX : now_ms + ms;
	if (timer->wake_ms == 0 || timer->wake_ms > timer->deadline_ms)
		wake_at_deadline(timer, now_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
	timer->deadline_ms = 0;
	if (timer->wake_ms == 0)
		return;
	bug_on(!loop_self() || event_get_base(&timer->event) != loop_base(loop_self()));
	timer->wake_ms = 0;
	(void)event_del(&timer->event);
}
