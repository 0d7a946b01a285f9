/* SPDX-License-Identifier: MIT */
#include "plugin/pending.h"

#include "base/list.h"
#include "store/thread.h"

void pending_init(struct pending *pending)
{
	bug_on(pthread_mutex_init(&pending->lock, NULL) != 0);
	map_init(&pending->items);
	pending->last_id = 0;
}

void pending_fini(struct pending *pending)
{
	map_fini(&pending->items);
	bug_on(pthread_mutex_destroy(&pending->lock) != 0);
}

void pending_lock(struct pending *pending)
{
	thread_lock(&pending->lock);
}

void pending_unlock(struct pending *pending)
{
	thread_unlock(&pending->lock);
}

void pending_add(struct pending *pending, struct pending_item *item, struct plugin *plugin)
{
	pending_lock(pending);
	item->id = ++pending->last_id;
	item->plugin = plugin;
	map_insert(&pending->items, &item->node, slice_make(&item->id, sizeof(item->id)));
	pending_unlock(pending);
}

struct pending_item *pending_find(struct pending *pending, uint64_t id, const struct plugin *plugin)
{
	struct map_node *node = map_find(&pending->items, slice_make(&id, sizeof(id)));
	struct pending_item *item =
		node != NULL ? container_of(node, struct pending_item, node) : NULL;

	return item != NULL && item->plugin == plugin ? item : NULL;
}

void pending_remove(struct pending *pending, struct pending_item *item)
{
	map_remove(&pending->items, &item->node);
}

struct pending_item *pending_take(struct pending *pending, uint64_t id, const struct plugin *plugin)
{
	struct pending_item *item;

	pending_lock(pending);
	item = pending_find(pending, id, plugin);
	if (item != NULL)
		pending_remove(pending, item);
	pending_unlock(pending);
	return item;
}

struct pending_item *pending_any_of(struct pending *pending, const struct plugin *plugin)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &pending->items, &cursor) {
		struct pending_item *item = container_of(node, struct pending_item, node);

		if (item->plugin == plugin)
			return item;
	}
	return NULL;
}
