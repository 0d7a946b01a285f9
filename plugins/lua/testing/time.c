/* SPDX-License-Identifier: MIT */

/* What happens later in a test: what was posted, timers, what becomes of what was published. */

#include "testing/host.h"

#include "script.h"
#include "testing/testing.h"

struct shunt_timer {
	struct shunt_timer *next;
	void (*fire)(void *context);
	void *context;
	bool is_started;
	uint64_t due_us; /* before the script is in force: the delay */
	uint64_t repeat_us;
};

struct testing_post {
	struct testing_post *next;
	void (*run)(void *context);
	void *context;
};

static int fake_post(const struct shunt_host *host, void (*run)(void *context), void *context)
{
	struct testing *testing = testing_of_host(host);
	struct testing_post **end = &testing->posts,
			    *post = testing_allocate(testing, sizeof(*post));

	if (!post)
		return -1;
	post->run = run;
	post->context = context;
	while (*end)
		end = &(*end)->next;
	*end = post;
	return 0;
}

static bool settle_one(struct testing *testing)
{
	struct testing_post *post = testing->posts;

	if (post) {
		testing->posts = post->next;
		post->run(post->context);
		return true;
	}
	for (struct testing_draft *draft = testing->published; draft; draft = draft->next) {
		if (draft->is_settled)
			continue;
		draft->is_settled = true;
		if (draft->done)
			draft->done(draft->context, testing->outcome);
		return true;
	}
	return false;
}

int testing_settle(struct testing *testing)
{
	for (unsigned round = 0; round < TESTING_ROUNDS_MAX; round++)
		if (!settle_one(testing))
			return 0;
	return -1;
}

static struct shunt_timer *fake_timer_create(const struct shunt_host *host,
					     void (*fire)(void *context), void *context)
{
	struct testing *testing = testing_of_host(host);
	struct shunt_timer *timer = testing_allocate(testing, sizeof(*timer));

	if (!timer)
		return NULL;
	timer->fire = fire;
	timer->context = context;
	timer->next = testing->timers;
	testing->timers = timer;
	return timer;
}

static void fake_timer_start(const struct shunt_host *host, struct shunt_timer *timer,
			     uint64_t delay_ms, uint64_t repeat_ms)
{
	timer->is_started = true;
	timer->due_us = testing_of_host(host)->steady_us + delay_ms * 1000;
	timer->repeat_us = repeat_ms * 1000;
}

static void fake_timer_stop(const struct shunt_host *host, struct shunt_timer *timer)
{
	(void)host;
	timer->is_started = false;
}

static void fake_timer_free(const struct shunt_host *host, struct shunt_timer *timer)
{
	struct shunt_timer **link = &testing_of_host(host)->timers;

	while (*link && *link != timer)
		link = &(*link)->next;
	if (*link)
		*link = timer->next;
}

static struct shunt_timer *next_due(const struct testing *testing, uint64_t until_us)
{
	struct shunt_timer *first = NULL;

	for (struct shunt_timer *timer = testing->timers; timer; timer = timer->next)
		if (timer->is_started && timer->due_us <= until_us &&
		    (!first || timer->due_us < first->due_us))
			first = timer;
	return first;
}

static void move_clock(struct testing *testing, uint64_t to_us)
{
	if (to_us <= testing->steady_us)
		return;
	testing->wall_us += (int64_t)(to_us - testing->steady_us);
	testing->steady_us = to_us;
}

int testing_advance(struct testing *testing, uint64_t us)
{
	uint64_t until_us = testing->steady_us + us;

	for (unsigned round = 0; round < TESTING_ROUNDS_MAX; round++) {
		struct shunt_timer *timer = testing->in_force ? next_due(testing, until_us) : NULL;

		if (!timer) {
			move_clock(testing, until_us);
			return 0;
		}
		move_clock(testing, timer->due_us);
		timer->is_started = timer->repeat_us > 0;
		timer->due_us += timer->repeat_us;
		timer->fire(timer->context);
		if (testing_settle(testing) < 0)
			return -1;
	}
	return -1;
}

int64_t testing_wall_us(const struct script *script)
{
	return testing_of_host(script->host)->wall_us;
}

uint64_t testing_steady_us(const struct script *script)
{
	return testing_of_host(script->host)->steady_us;
}

void testing_offer_later(struct shunt_host *host)
{
	host->post = fake_post;
	host->timer_create = fake_timer_create;
	host->timer_start = fake_timer_start;
	host->timer_stop = fake_timer_stop;
	host->timer_free = fake_timer_free;
}
