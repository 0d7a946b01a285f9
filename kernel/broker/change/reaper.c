/* SPDX-License-Identifier: MIT */
#include "broker/change/reaper.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/topology/exchange.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "store/thread.h"

/*
 * A shadow goes from loop 0 to the thread, which destroys the instance, and comes back: then its
 * exchange has one less that is dying, and with the last one its limbo is emptied.
 */

#define STEP_NS	      80000u
#define RELEASED_EACH 16u

struct reaper {
	struct topology *topology;
	pthread_t thread;
	bool has_thread; /* else loop 0 destroys what is waiting, one a step */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	struct list waiting, destroyed; /* struct shadow.link */
	bool is_ending, is_told;
	struct letter letter; /* from the thread: some are destroyed */
	/* Loop 0's. */
	struct loop_task task;
	struct list returned; /* struct shadow.link */
	struct list limbo;    /* struct binding.from_source: to be released */
};

/* ---- The thread ---- */

static struct shadow *next_waiting(struct reaper *reaper)
{
	struct list *link = list_pop(&reaper->waiting);

	return link ? container_of(link, struct shadow, link) : NULL;
}

static void put_destroyed(struct reaper *reaper, struct shadow *shadow)
{
	list_add_tail(&reaper->destroyed, &shadow->link);
	if (reaper->is_told)
		return;
	reaper->is_told = true;
	loop_post_outside(0, &reaper->letter);
}

static void *run(void *argument)
{
	struct reaper *reaper = argument;
	struct shadow *shadow;

	thread_lock(&reaper->lock);
	for (;;) {
		while ((shadow = next_waiting(reaper)) != NULL) {
			thread_unlock(&reaper->lock);
			exchange_instance_destroy(&shadow->instance);
			thread_lock(&reaper->lock);
			put_destroyed(reaper, shadow);
		}
		if (reaper->is_ending)
			break;
		(void)pthread_cond_wait(&reaper->wake, &reaper->lock);
	}
	thread_unlock(&reaper->lock);
	return NULL;
}

/* ---- Loop 0 ---- */

/* There is one letter: it may be posted again from here on, and not before. */
static void arrived(struct letter *letter)
{
	struct reaper *reaper = container_of(letter, struct reaper, letter);

	thread_lock(&reaper->lock);
	reaper->is_told = false;
	thread_unlock(&reaper->lock);
	loop_defer_background(&reaper->task);
}

static void take_back(struct reaper *reaper)
{
	struct shadow *shadow = NULL;

	thread_lock(&reaper->lock);
	list_splice_tail(&reaper->returned, &reaper->destroyed);
	if (!reaper->has_thread)
		shadow = next_waiting(reaper);
	thread_unlock(&reaper->lock);
	if (shadow) {
		exchange_instance_destroy(&shadow->instance);
		list_add_tail(&reaper->returned, &shadow->link);
	}
}

/* Write side, a slice of it. What is over is moved to `over`. */
static void count_off(struct reaper *reaper, struct list *over)
{
	uint64_t end_ns = clock_monotonic_ns() + STEP_NS;
	struct list *link;

	while ((link = list_pop(&reaper->returned)) != NULL && clock_monotonic_ns() < end_ns) {
		struct exchange *exchange = container_of(link, struct shadow, link)->exchange;

		if (--exchange->n_dying == 0)
			list_splice_tail(&reaper->limbo, &exchange->limbo);
		list_add_tail(over, link);
	}
	if (link)
		list_add_head(&reaper->returned, link);
}

static void release_some(struct reaper *reaper)
{
	uint64_t end_ns = clock_monotonic_ns() + STEP_NS;
	struct list *link;

	for (unsigned n = 1; (link = list_pop(&reaper->limbo)) != NULL; n++) {
		binding_release(container_of(link, struct binding, from_source));
		if (n % RELEASED_EACH == 0 && clock_monotonic_ns() >= end_ns)
			return;
	}
}

static bool has_more(struct reaper *reaper)
{
	thread_lock(&reaper->lock);
	bool has_waiting = !reaper->has_thread && !list_is_empty(&reaper->waiting);
	thread_unlock(&reaper->lock);
	return has_waiting || !list_is_empty(&reaper->returned) || !list_is_empty(&reaper->limbo);
}

static void step(struct loop_task *task)
{
	struct reaper *reaper = container_of(task, struct reaper, task);
	struct list over, *link;

	list_init(&over);
	take_back(reaper);
	if (!list_is_empty(&reaper->returned)) {
		topology_write_begin(reaper->topology);
		count_off(reaper, &over);
		topology_write_end(reaper->topology);
	}
	while ((link = list_pop(&over)) != NULL) {
		struct shadow *shadow = container_of(link, struct shadow, link);

		exchange_unref(shadow->exchange);
		mem_free(shadow);
	}
	release_some(reaper);
	if (has_more(reaper))
		loop_defer_background(task);
}

/* ---- From outside ---- */

struct reaper *reaper_create(struct topology *topology)
{
	struct reaper *reaper = mem_zalloc(sizeof(*reaper));

	reaper->topology = topology;
	thread_init_lock(&reaper->lock, &reaper->wake);
	list_init(&reaper->waiting);
	list_init(&reaper->destroyed);
	list_init(&reaper->returned);
	list_init(&reaper->limbo);
	reaper->letter.deliver = arrived;
	loop_task_init(&reaper->task, step);
	return reaper;
}

void reaper_take(struct reaper *reaper, struct list *dead)
{
	if (list_is_empty(dead))
		return;
	if (!reaper->has_thread) {
		int r = thread_start(&reaper->thread, run, reaper);

		reaper->has_thread = r == 0;
		if (r != 0)
			log_warning("exchange", "no thread for destroying instances: %s",
				    strerror(-r));
	}
	thread_lock(&reaper->lock);
	list_splice_tail(&reaper->waiting, dead);
	(void)pthread_cond_signal(&reaper->wake);
	thread_unlock(&reaper->lock);
	if (!reaper->has_thread)
		loop_defer_background(&reaper->task);
}

void reaper_destroy(struct reaper *reaper)
{
	if (!reaper)
		return;
	if (reaper->has_thread) {
		thread_lock(&reaper->lock);
		reaper->is_ending = true;
		(void)pthread_cond_signal(&reaper->wake);
		thread_unlock(&reaper->lock);
		(void)pthread_join(reaper->thread, NULL);
	}
	loop_pool_drain(); /* its letter, and its task */
	(void)pthread_mutex_destroy(&reaper->lock);
	(void)pthread_cond_destroy(&reaper->wake);
	mem_free(reaper);
}
