/* SPDX-License-Identifier: MIT */
#include "store/definitions/definitions.h"

/*
 * A definition is immutable once it is in the map, and counted: the map holds it, and so does each
 * notice to a watcher that is under way. A commit prepares its definitions (a deletion is one too),
 * which is what can fail, then takes the lock, compares revisions, swaps and announces.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/definitions/watchers.h"

struct definition {
	struct map_node node;	 /* key */
	struct news_owner owner; /* of its news, that is of the definition */
	struct news news;
	struct definition *next; /* of the commit */
	uint8_t bytes[];	 /* key, value */
};

struct definitions {
	pthread_mutex_t lock;
	struct map values;
	uint64_t revision;
	struct watchers *watchers;
};

static void destroy(struct news_owner *owner)
{
	mem_free(container_of(owner, struct definition, owner));
}

static void unref(struct definition *definition)
{
	news_owner_unref(&definition->owner);
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
	struct definitions *d = mem_zalloc(sizeof(*d));

	bug_on(pthread_mutex_init(&d->lock, NULL) != 0);
	map_init(&d->values);
	d->watchers = watchers_create(n_loops);
	return d;
}

void definitions_destroy(struct definitions *d)
{
	struct map_cursor cursor;
	struct map_node *node;

	if (!d)
		return;
	watchers_destroy(d->watchers);
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
	definition->news.key = definition->node.key;
	definition->news.owner = &definition->owner;
	news_owner_init(&definition->owner, destroy);
	if (key_size > 0)
		memcpy(definition->bytes, change->key.data, key_size);
	if (value_size > 0)
		memcpy(definition->bytes + key_size, change->value.data, value_size);
	if (change->value.data)
		definition->news.value = slice_make(definition->bytes + key_size, value_size);
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
		if (change->expected_revision != (present ? present->news.revision : 0))
			return false;
	}
	return true;
}

/* Takes over the reference. */
static void swap_in(struct definitions *d, struct definition *definition)
{
	struct definition *present = find(d, definition->node.key);

	definition->next = NULL;
	definition->news.revision = d->revision;
	watchers_announce(d->watchers, &definition->news);
	if (present) {
		map_remove(&d->values, &present->node);
		unref(present);
	}
	if (definition->news.value.data)
		map_insert(&d->values, &definition->node, definition->node.key);
	else
		unref(definition);
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
		watchers_begin(d->watchers);
		while (prepared) {
			struct definition *next = prepared->next;

			swap_in(d, prepared);
			prepared = next;
		}
		watchers_end(d->watchers);
	} else {
		commit->result = STORE_FENCED;
	}
	unlock(d);
	drop_prepared(prepared);
}

void definitions_watch(struct definitions *d, struct store_watch *watch)
{
	watchers_add(d->watchers, watch);
}

void definitions_unwatch(struct definitions *d, struct store_watch *watch)
{
	watchers_remove(d->watchers, watch);
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
		visit(context, sorted[i]->node.key, sorted[i]->news.value,
		      sorted[i]->news.revision);
	unlock(d);
	mem_free(sorted);
	return 0;
}
