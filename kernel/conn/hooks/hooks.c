/* SPDX-License-Identifier: MIT */
#include "conn/hooks/hooks.h"

#include <string.h>

#include "base/mem.h"
#include "loop/pool.h"

void hooks_init(struct hooks *hooks)
{
	atomic_init(&hooks->publish, NULL);
	atomic_init(&hooks->deliver, NULL);
	hooks->all = NULL;
	hooks->n = 0;
	list_init(&hooks->replaced);
}

void hooks_fini(struct hooks *hooks)
{
	if (!list_is_empty(&hooks->replaced))
		loop_pool_drain();
	mem_free(atomic_load_explicit(&hooks->publish, memory_order_relaxed));
	mem_free(atomic_load_explicit(&hooks->deliver, memory_order_relaxed));
	mem_free(hooks->all);
}

static void list_is_unused(struct loop_grace *grace)
{
	struct hook_list *list = container_of(grace, struct hook_list, grace);

	list_remove(&list->replaced);
	mem_free(list);
}

static bool is_for_publish(const struct hook *hook)
{
	return hook->functions->publish != NULL;
}

static bool is_for_deliver(const struct hook *hook)
{
	return hook->functions->deliver != NULL;
}

/* NULL when there is none of them. */
static struct hook_list *list_create(const struct hook *all, size_t n,
				     bool (*is_for)(const struct hook *hook))
{
	struct hook_list *list;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += is_for(&all[i]);
	if (count == 0)
		return NULL;
	list = mem_zalloc(sizeof(*list) + count * sizeof(list->items[0]));
	list_init(&list->replaced);
	for (size_t i = 0; i < n; i++)
		if (is_for(&all[i]))
			list->items[list->n++] = all[i];
	return list;
}

static void put_in_force(struct hooks *hooks, _Atomic(struct hook_list *) *place,
			 struct hook_list *list)
{
	struct hook_list *before = atomic_exchange_explicit(place, list, memory_order_acq_rel);

	if (before == NULL)
		return;
	list_add_tail(&hooks->replaced, &before->replaced);
	loop_grace_begin(&before->grace, list_is_unused);
}

static size_t add(struct hook *to, size_t n, const struct hook *from, size_t count)
{
	if (count != 0)
		memcpy(to + n, from, count * sizeof(*from));
	return n + count;
}

static bool has_hooks(const struct hooks *hooks, const void *owner)
{
	for (size_t i = 0; i < hooks->n; i++)
		if (hooks->all[i].owner == owner)
			return true;
	return false;
}

/* An old version without hooks has left no place: then the rank says where it was. */
void hooks_replace(struct hooks *hooks, const void *old, const struct hook *new, size_t count)
{
	bool is_placed = count == 0;
	struct hook *all;
	size_t n = 0;

	if (count == 0 && !has_hooks(hooks, old))
		return;
	all = mem_alloc((hooks->n + count + 1) * sizeof(*all));
	for (size_t i = 0; i < hooks->n; i++) {
		bool goes = old != NULL && hooks->all[i].owner == old;

		if (!is_placed && (goes || hooks->all[i].rank > new->rank)) {
			n = add(all, n, new, count);
			is_placed = true;
		}
		if (!goes)
			all[n++] = hooks->all[i];
	}
	if (!is_placed)
		n = add(all, n, new, count);
	mem_free(hooks->all);
	hooks->all = all;
	hooks->n = n;
	put_in_force(hooks, &hooks->publish, list_create(all, n, is_for_publish));
	put_in_force(hooks, &hooks->deliver, list_create(all, n, is_for_deliver));
}
