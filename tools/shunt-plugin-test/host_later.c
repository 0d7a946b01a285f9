/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "trace.h"

#define POSTS_WITHOUT_END 100000

/* ---- Logins and calls ---- */

uint64_t host_ticket(struct world *w, bool is_login)
{
	struct ticket *ticket;

	(void)pthread_mutex_lock(&w->lock);
	ticket = &w->tickets[w->n_tickets++ % HOST_TICKETS_MAX];
	*ticket = (struct ticket){.id = w->next_ticket++, .is_login = is_login};
	(void)pthread_mutex_unlock(&w->lock);
	return ticket->id;
}

static struct ticket *ticket_find(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < HOST_TICKETS_MAX; i++)
		if (w->tickets[i].id == id && id != 0)
			return &w->tickets[i];
	return NULL;
}

unsigned host_ticket_ended(struct world *w, uint64_t id)
{
	const struct ticket *ticket;
	unsigned ended;

	(void)pthread_mutex_lock(&w->lock);
	ticket = ticket_find(w, id);
	ended = ticket != NULL ? ticket->ended : 0;
	(void)pthread_mutex_unlock(&w->lock);
	return ended;
}

/* How often it had ended before. */
static unsigned ticket_end(struct world *w, uint64_t id, bool is_login, unsigned n)
{
	const char *function = is_login ? "login_done" : n > 0 ? "call_done" : "call_print";
	struct ticket *ticket;
	unsigned before = 0;

	(void)pthread_mutex_lock(&w->lock);
	ticket = ticket_find(w, id);
	if (ticket != NULL) {
		before = ticket->ended;
		ticket->ended += n;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (ticket == NULL || ticket->is_login != is_login)
		trace_fail("it called shunt_host.%s with an id that it was not given", function);
	return before;
}

static int host_login_done(const struct shunt_host *host, uint64_t login,
			   enum shunt_verdict verdict, const char *user, const char *tags,
			   const char *reason)
{
	host_outside_route(host, "login_done");
	(void)tags;
	(void)reason;
	if ((unsigned)verdict > SHUNT_NEXT)
		trace_fail("it called login_done with the verdict %d, which is none", (int)verdict);
	if (verdict == SHUNT_ALLOW && (user == NULL || user[0] == '\0'))
		trace_fail("it called login_done with SHUNT_ALLOW and no user");
	if (ticket_end(world_of(host), login, true, 1) > 0)
		trace_fail("it called login_done twice for one login");
	return 0;
}

static void host_access_changed(const struct shunt_host *host)
{
	host_outside_route(host, "access_changed");
}

static void host_call_print(const struct shunt_host *host, uint64_t call, struct shunt_bytes text)
{
	volatile uint8_t byte;

	host_outside_route(host, "call_print");
	for (size_t i = 0; i < text.size; i++) /* all of it can be read */
		byte = text.data[i];
	(void)byte;
	if (ticket_end(world_of(host), call, false, 0) > 0)
		trace_fail("it called call_print after call_done");
}

static void host_call_done(const struct shunt_host *host, uint64_t call, const char *error)
{
	host_outside_route(host, "call_done");
	(void)error;
	if (ticket_end(world_of(host), call, false, 1) > 0)
		trace_fail("it called call_done twice for one call");
}

/* ---- Posts and timers ---- */

static int host_post(const struct shunt_host *host, void (*run)(void *context), void *context)
{
	struct world *w = world_of(host);
	struct post *post;

	host_outside_route(host, "post");
	if (run == NULL)
		trace_fail("it called shunt_host.post without a function");
	if (host_must_fail(w))
		return -1;
	post = malloc(sizeof(*post));
	if (post == NULL)
		return -1;
	*post = (struct post){.run = run, .context = context};
	(void)pthread_mutex_lock(&w->lock);
	*w->posts_end = post;
	w->posts_end = &post->next;
	(void)pthread_mutex_unlock(&w->lock);
	return 0;
}

static struct shunt_timer *timer_of(const struct shunt_host *host, struct shunt_timer *timer,
				    const char *function)
{
	host_outside_route(host, function);
	if (timer == NULL || timer->world != world_of(host) || timer->is_freed)
		trace_fail("it called shunt_host.%s with what is no timer (any more)", function);
	return timer;
}

static struct shunt_timer *host_timer_create(const struct shunt_host *host,
					     void (*fire)(void *context), void *context)
{
	struct world *w = world_of(host);
	struct shunt_timer *timer;

	host_outside_route(host, "timer_create");
	if (fire == NULL)
		trace_fail("it called shunt_host.timer_create without a function");
	timer = host_must_fail(w) ? NULL : calloc(1, sizeof(*timer));
	if (timer == NULL)
		return NULL;
	*timer = (struct shunt_timer){
		.world = w, .next = w->timers, .fire = fire, .context = context};
	w->timers = timer;
	return timer;
}

static void host_timer_start(const struct shunt_host *host, struct shunt_timer *timer,
			     uint64_t delay_ms, uint64_t repeat_ms)
{
	(void)timer_of(host, timer, "timer_start");
	timer->due_ms = world_of(host)->now_ms + delay_ms;
	timer->repeat_ms = repeat_ms;
	timer->is_armed = true;
}

static void host_timer_stop(const struct shunt_host *host, struct shunt_timer *timer)
{
	timer_of(host, timer, "timer_stop")->is_armed = false;
}

/* It stays in the list, so that it is known when it is used once more. */
static void host_timer_free(const struct shunt_host *host, struct shunt_timer *timer)
{
	if (timer == NULL)
		return;
	(void)timer_of(host, timer, "timer_free");
	timer->is_armed = false;
	timer->is_freed = true;
}

/* ---- Letting things happen ---- */

static bool run_post(struct world *w)
{
	struct post *post;

	(void)pthread_mutex_lock(&w->lock);
	post = w->posts;
	if (post != NULL) {
		w->posts = post->next;
		if (w->posts == NULL)
			w->posts_end = &w->posts;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (post == NULL)
		return false;
	trace_begin("what it posted");
	post->run(post->context);
	trace_end();
	free(post);
	return true;
}

static bool run_publication(struct world *w)
{
	struct publication *publication;

	(void)pthread_mutex_lock(&w->lock);
	publication = w->publications;
	if (publication != NULL) {
		w->publications = publication->next;
		if (w->publications == NULL)
			w->publications_end = &w->publications;
	}
	(void)pthread_mutex_unlock(&w->lock);
	if (publication == NULL)
		return false;
	trace_begin("done() of what it published");
	if (publication->done != NULL)
		publication->done(publication->context,
				  (enum shunt_outcome)(w->outcomes++ % (SHUNT_REFUSED + 1)));
	trace_end();
	free(publication);
	return true;
}

static void run_all(struct world *w)
{
	for (unsigned i = 0; run_post(w) || run_publication(w); i++)
		if (i == POSTS_WITHOUT_END)
			trace_fail(
				"what it posts or publishes makes it post or publish without end");
}

static struct shunt_timer *first_timer(const struct world *w)
{
	struct shunt_timer *first = NULL;

	for (struct shunt_timer *timer = w->timers; timer != NULL; timer = timer->next)
		if (timer->is_armed && (first == NULL || timer->due_ms < first->due_ms))
			first = timer;
	return first;
}

void host_pump(struct world *w, unsigned timers)
{
	run_all(w);
	for (unsigned i = 0; i < timers; i++) {
		struct shunt_timer *timer = first_timer(w);

		if (timer == NULL)
			return;
		w->now_ms = timer->due_ms > w->now_ms ? timer->due_ms : w->now_ms;
		timer->is_armed = timer->repeat_ms != 0;
		timer->due_ms = w->now_ms + timer->repeat_ms;
		trace_begin("a timer of it");
		timer->fire(timer->context);
		trace_end();
		run_all(w);
	}
}

bool host_left_nothing(struct world *w, char *ret_what, size_t size)
{
	if (host_live(w) > 0)
		(void)snprintf(ret_what, size, "%ld allocations (%zu bytes) that it never frees",
			       host_live(w), arena_live_bytes());
	else if (atomic_load(&w->held) > 0)
		(void)snprintf(ret_what, size, "%ld messages that it holds and never releases",
			       atomic_load(&w->held));
	else if (atomic_load(&w->drafts) > 0)
		(void)snprintf(ret_what, size, "%ld drafts that it neither publishes nor frees",
			       atomic_load(&w->drafts));
	else
		return true;
	return false;
}

void host_init_later(struct shunt_host *host)
{
	host->login_done = host_login_done;
	host->access_changed = host_access_changed;
	host->call_print = host_call_print;
	host->call_done = host_call_done;
	host->post = host_post;
	host->timer_create = host_timer_create;
	host->timer_start = host_timer_start;
	host->timer_stop = host_timer_stop;
	host->timer_free = host_timer_free;
}
