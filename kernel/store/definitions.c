/* SPDX-License-Identifier: MIT */
#include "store/definitions.h"

/*
 * A definition is immutable once it is in the map, and counted: the map holds it, and so does each
 * notification that is under way. A commit prepares its definitions (a deletion is one too), which
 * is what can fail, then takes the lock, compares revisions, and swaps.
 *
 * Notifications are queued by loop, under the lock, so that they have the order of the revisions
 * whichever loops the commits came from; a letter, one at a time for each loop, only says that
 * there are some. The list of a loop's watches is changed by that loop, under the lock: others read
 * it under the lock, the loop itself without.
 */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

struct definition {
	struct map_node node; /* key */
	_Atomic unsigned refs;
	uint64_t revision;
	struct slice value;	 /* data NULL: a deletion */
	struct definition *next; /* of the commit */
	uint8_t bytes[];	 /* key, value */
};

struct notice {
	struct notice *next;
	struct definition *definition;
};

struct side;

struct wake {
	struct letter letter; /* first */
	struct side *side;    /* NULL: too late */
};

/* What concerns the watchers of one loop. */
struct side {
	struct definitions *definitions;
	struct wake *wake; /* under way */
	struct notice *first;
	struct notice *last;
	struct store_watch *watches;
	struct store_watch *upcoming; /* while watchers are called: whose turn it is next */
};

struct definitions {
	pthread_mutex_t lock;
	struct map values;
	uint64_t revision;
	unsigned n_sides;
	struct side sides[];
};

static void unref(struct definition *definition)
{
	if (atomic_fetch_sub_explicit(&definition->refs, 1, memory_order_acq_rel) == 1)
		mem_free(definition);
}

static void lock(struct definitions *d)
{
	bug_on(pthread_mutex_lock(&d->lock) != 0);
}

static void unlock(struct definitions *d)
{
	bug_on(pthread_mutex_unlock(&d->lock) != 0);
}

struct definitions *definitions_create(unsigned n_loops)
{
	struct definitions *d = mem_zalloc(sizeof(*d) + n_loops * sizeof(d->sides[0]));

	bug_on(pthread_mutex_init(&d->lock, NULL) != 0);
	map_init(&d->values);
	d->n_sides = n_loops;
	for (unsigned i = 0; i < n_loops; i++)
		d->sides[i].definitions = d;
	return d;
}

static void drop_notices(struct notice *notice)
{
	while (notice) {
		struct notice *next = notice->next;

		unref(notice->definition);
		mem_free(notice);
		notice = next;
	}
}

void definitions_destroy(struct definitions *d)
{
	struct map_cursor cursor;
	struct map_node *node;

	if (!d)
		return;
	for (unsigned i = 0; i < d->n_sides; i++) {
		if (d->sides[i].wake)
			d->sides[i].wake->side = NULL;
		drop_notices(d->sides[i].first);
	}
	map_for_each(node, &d->values, &cursor) {
		map_remove(&d->values, node);
		unref(container_of(node, struct definition, node));
	}
	map_fini(&d->values);
	(void)pthread_mutex_destroy(&d->lock);
	mem_free(d);
}

/* ---- commits ---- */

static struct definition *find(const struct definitions *d, struct slice key)
{
	struct map_node *node = map_find(&d->values, key);

	return node ? container_of(node, struct definition, node) : NULL;
}

static void drop_prepared(struct definition *definition)
{
	while (definition) {
		struct definition *next = definition->next;

		unref(definition);
		definition = next;
	}
}

static struct definition *prepare_one(const struct store_change *change)
{
	size_t key_size = change->key.size,
	       value_size = change->value.data ? change->value.size : 0;
	struct definition *definition;

	if (key_size > SIZE_MAX / 4 || value_size > SIZE_MAX / 4)
		return NULL;
	definition = mem_try_alloc(sizeof(*definition) + key_size + value_size);
	if (!definition)
		return NULL;
	*definition = (struct definition){.node = {.key = slice_make(definition->bytes, key_size)}};
	atomic_init(&definition->refs, 1);
	if (key_size > 0)
		memcpy(definition->bytes, change->key.data, key_size);
	if (value_size > 0)
		memcpy(definition->bytes + key_size, change->value.data, value_size);
	if (change->value.data)
		definition->value = slice_make(definition->bytes + key_size, value_size);
	return definition;
}

static int prepare(const struct store_commit *commit, struct definition **ret_first)
{
	struct definition *first = NULL, **end = &first;

	for (size_t i = 0; i < commit->n_changes; i++) {
		*end = prepare_one(&commit->changes[i]);
		if (!*end) {
			drop_prepared(first);
			return -ENOMEM;
		}
		end = &(*end)->next;
	}
	*ret_first = first;
	return 0;
}

static bool is_as_expected(const struct definitions *d, const struct store_commit *commit)
{
	for (size_t i = 0; i < commit->n_changes; i++) {
		const struct store_change *change = &commit->changes[i];
		const struct definition *present = find(d, change->key);

		if (change->expected_revision == STORE_ANY_REVISION)
			continue;
		if (change->expected_revision != (present ? present->revision : 0))
			return false;
	}
	return true;
}

static void notify(struct side *side, struct definition *definition)
{
	struct notice *notice;
	const struct store_watch *watch;

	for (watch = side->watches; watch; watch = watch->next)
		if (slice_starts_with(definition->node.key, watch->prefix))
			break;
	if (!watch)
		return;
	notice = mem_alloc(sizeof(*notice));
	notice->next = NULL;
	notice->definition = definition;
	(void)atomic_fetch_add_explicit(&definition->refs, 1, memory_order_relaxed);
	if (side->last)
		side->last->next = notice;
	else
		side->first = notice;
	side->last = notice;
}

/* Takes over the reference. */
static void swap_in(struct definitions *d, struct definition *definition)
{
	struct definition *present = find(d, definition->node.key);

	definition->next = NULL;
	definition->revision = d->revision;
	for (unsigned i = 0; i < d->n_sides; i++)
		notify(&d->sides[i], definition);
	if (present) {
		map_remove(&d->values, &present->node);
		unref(present);
	}
	if (definition->value.data)
		map_insert(&d->values, &definition->node, definition->node.key);
	else
		unref(definition);
}

static void tell(struct letter *letter);

/* Sends a letter to each loop that has notices and was not told yet. */
static void wake_sides(struct definitions *d)
{
	for (unsigned i = 0; i < d->n_sides; i++) {
		struct side *side = &d->sides[i];

		if (!side->first || side->wake)
			continue;
		side->wake = mem_alloc(sizeof(*side->wake));
		*side->wake = (struct wake){.letter = {.deliver = tell}, .side = side};
		loop_post(i, &side->wake->letter);
	}
}

void definitions_commit(struct definitions *d, struct store_commit *commit)
{
	struct definition *prepared;

	commit->revision = 0;
	commit->result = STORE_ERROR;
	if (prepare(commit, &prepared) < 0)
		return;
	lock(d);
	if (is_as_expected(d, commit)) {
		commit->revision = ++d->revision;
		commit->result = STORE_DURABLE;
		while (prepared) {
			struct definition *next = prepared->next;

			swap_in(d, prepared);
			prepared = next;
		}
		wake_sides(d);
	} else {
		commit->result = STORE_FENCED;
	}
	unlock(d);
	drop_prepared(prepared);
}

/* ---- watchers ---- */

void definitions_watch(struct definitions *d, struct store_watch *watch)
{
	struct side *side;

	bug_on(watch->loop >= d->n_sides);
	side = &d->sides[watch->loop];
	lock(d);
	watch->since = d->revision;
	watch->next = side->watches;
	side->watches = watch;
	unlock(d);
}

void definitions_unwatch(struct definitions *d, struct store_watch *watch)
{
	struct side *side = &d->sides[watch->loop];
	struct store_watch **link;

	lock(d);
	for (link = &side->watches; *link && *link != watch; link = &(*link)->next)
		;
	bug_on(*link != watch);
	*link = watch->next;
	unlock(d);
	if (side->upcoming == watch)
		side->upcoming = watch->next;
}

/* A watcher may unwatch itself, or another one. */
static void tell_all(struct side *side, const struct definition *definition)
{
	struct store_watch *watch;

	for (watch = side->watches; watch; watch = side->upcoming) {
		side->upcoming = watch->next;
		if (definition->revision > watch->since &&
		    slice_starts_with(definition->node.key, watch->prefix))
			watch->changed(watch, definition->node.key, definition->value,
				       definition->revision);
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
	lock(side->definitions);
	side->wake = NULL;
	first = side->first;
	side->first = NULL;
	side->last = NULL;
	unlock(side->definitions);
	for (notice = first; notice; notice = notice->next)
		tell_all(side, notice->definition);
	drop_notices(first);
}

/* ---- loading ---- */

static int compare(const void *a, const void *b)
{
	const struct definition *const *left = a;
	const struct definition *const *right = b;

	return slice_compare((*left)->node.key, (*right)->node.key);
}

int definitions_load(struct definitions *d, struct slice prefix,
		     void (*visit)(void *context, struct slice key, struct slice value,
				   uint64_t revision),
		     void *context)
{
	struct definition **sorted;
	struct map_cursor cursor;
	struct map_node *node;
	size_t n = 0;

	lock(d);
	sorted = mem_try_alloc((map_count(&d->values) + 1) * sizeof(struct definition *));
	if (!sorted) {
		unlock(d);
		return -ENOMEM;
	}
	map_for_each(node, &d->values, &cursor)
		if (slice_starts_with(node->key, prefix))
			sorted[n++] = container_of(node, struct definition, node);
	qsort(sorted, n, sizeof(struct definition *), compare);
	for (size_t i = 0; i < n; i++)
		visit(context, sorted[i]->node.key, sorted[i]->value, sorted[i]->revision);
	unlock(d);
	mem_free(sorted);
	return 0;
}
