/* SPDX-License-Identifier: MIT */
#include "store/definitions/watchers.h"

/*
 * Notices are queued by loop, under the lock, so that they have the order of the revisions
 * whichever threads the commits came from; a letter, one at a time for each loop, only says that
 * there are some. The list of a loop's watches is changed by that loop, under the lock: others read
 * it under the lock, the loop itself without.
 */

#include <pthread.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

struct notice {
	struct notice *next;
	const struct news *news; /* its owner is held */
};

struct side;

struct wake {
	struct letter letter; /* first */
	struct side *side;    /* NULL: too late */
};

/* What concerns the watchers of one loop. */
struct side {
	struct watchers *watchers;
	struct wake *wake; /* under way */
	struct notice *first;
	struct notice *last;
	struct store_watch *watches;
	struct store_watch *upcoming; /* while watchers are called: whose turn it is next */
};

struct watchers {
	pthread_mutex_t lock;
	uint64_t revision; /* of the last announcement */
	unsigned n_sides;
	struct side sides[];
};

void news_owner_init(struct news_owner *owner, void (*destroy)(struct news_owner *owner))
{
	atomic_init(&owner->refs, 1);
	owner->destroy = destroy;
}

void news_owner_unref(struct news_owner *owner)
{
	if (atomic_fetch_sub_explicit(&owner->refs, 1, memory_order_acq_rel) == 1)
		owner->destroy(owner);
}

static void lock(struct watchers *w)
{
	bug_on(pthread_mutex_lock(&w->lock) != 0);
}

static void unlock(struct watchers *w)
{
	bug_on(pthread_mutex_unlock(&w->lock) != 0);
}

struct watchers *watchers_create(unsigned n_loops)
{
	struct watchers *w = mem_zalloc(sizeof(*w) + n_loops * sizeof(w->sides[0]));

	bug_on(pthread_mutex_init(&w->lock, NULL) != 0);
	w->n_sides = n_loops;
	for (unsigned i = 0; i < n_loops; i++)
		w->sides[i].watchers = w;
	return w;
}

static void drop_notices(struct notice *notice)
{
	while (notice) {
		struct notice *next = notice->next;

		news_owner_unref(notice->news->owner);
		mem_free(notice);
		notice = next;
	}
}

void watchers_destroy(struct watchers *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->n_sides; i++) {
		if (w->sides[i].wake)
			w->sides[i].wake->side = NULL;
		drop_notices(w->sides[i].first);
	}
	(void)pthread_mutex_destroy(&w->lock);
	mem_free(w);
}

/* ---- who watches ---- */

void watchers_add(struct watchers *w, struct store_watch *watch)
{
	struct side *side;

	bug_on(watch->loop >= w->n_sides);
	side = &w->sides[watch->loop];
	lock(w);
	watch->since = w->revision;
	watch->next = side->watches;
	side->watches = watch;
	unlock(w);
}

void watchers_remove(struct watchers *w, struct store_watch *watch)
{
	struct side *side = &w->sides[watch->loop];
	struct store_watch **link;

	lock(w);
	for (link = &side->watches; *link && *link != watch; link = &(*link)->next)
		;
	bug_on(*link != watch);
	*link = watch->next;
	unlock(w);
	if (side->upcoming == watch)
		side->upcoming = watch->next;
}

/* ---- announcing ---- */

static void notify(struct side *side, const struct news *news)
{
	struct notice *notice;
	const struct store_watch *watch;

	for (watch = side->watches; watch; watch = watch->next)
		if (slice_starts_with(news->key, watch->prefix))
			break;
	if (!watch)
		return;
	notice = mem_alloc(sizeof(*notice));
	notice->next = NULL;
	notice->news = news;
	(void)atomic_fetch_add_explicit(&news->owner->refs, 1, memory_order_relaxed);
	if (side->first)
		side->last->next = notice;
	else
		side->first = notice;
	side->last = notice;
}

void watchers_begin(struct watchers *w)
{
	lock(w);
}

void watchers_announce(struct watchers *w, const struct news *news)
{
	w->revision = news->revision;
	for (unsigned i = 0; i < w->n_sides; i++)
		notify(&w->sides[i], news);
}

/* A watcher may unwatch itself, or another one. */
static void tell_all(struct side *side, const struct news *news)
{
	struct store_watch *watch;

	for (watch = side->watches; watch; watch = side->upcoming) {
		side->upcoming = watch->next;
		if (news->revision > watch->since && slice_starts_with(news->key, watch->prefix))
			watch->changed(watch, news->key, news->value, news->revision);
	}
}

static void tell(struct letter *letter)
{
	struct wake *wake = container_of(letter, struct wake, letter);
	struct side *side = wake->side;
	struct notice *first, *notice;

	mem_free(wake);
	if (!side)
		return;
	lock(side->watchers);
	side->wake = NULL;
	first = side->first;
	side->first = NULL;
	unlock(side->watchers);
	for (notice = first; notice; notice = notice->next)
		tell_all(side, notice->news);
	drop_notices(first);
}

static void wake(struct side *side, unsigned loop)
{
	if (!side->first || side->wake)
		return;
	side->wake = mem_alloc(sizeof(*side->wake));
	*side->wake = (struct wake){.letter = {.deliver = tell}, .side = side};
	if (loop_self())
		loop_post(loop, &side->wake->letter);
	else
		loop_post_outside(loop, &side->wake->letter);
}

void watchers_end(struct watchers *w)
{
	for (unsigned i = 0; i < w->n_sides; i++)
		wake(&w->sides[i], i);
	unlock(w);
}
