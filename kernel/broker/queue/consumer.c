/* SPDX-License-Identifier: MIT */
#include "broker/queue/consumer.h"

#include <assert.h>
#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/mem.h"
#include "loop/loop.h"

static_assert(sizeof(struct consumer_key) == sizeof(struct actor_ref) + sizeof(uint64_t),
	      "a key without padding");

static struct slice key_slice(const struct consumer_key *key)
{
	return slice_make(key, sizeof(*key));
}

void consumer_set_init(struct consumer_set *set)
{
	*set = (struct consumer_set){0};
	list_init(&set->levels);
	list_init(&set->asking);
	list_init(&set->holding);
	map_init(&set->by_key);
}

void consumer_set_fini(struct consumer_set *set)
{
	bug_on(set->count > 0);
	map_fini(&set->by_key);
}

/* ---- Levels: few, so a list is searched ---- */

static struct consumer_level *level_create(struct list *before, int32_t priority)
{
	struct consumer_level *level = mem_alloc(sizeof(*level));

	level->priority = priority;
	list_init(&level->able);
	list_init(&level->blocked);
	list_add_tail(before, &level->link);
	return level;
}

static struct consumer_level *level_for(struct consumer_set *set, int32_t priority)
{
	struct list *link;

	list_for_each(link, &set->levels) {
		struct consumer_level *level = container_of(link, struct consumer_level, link);

		if (level->priority == priority)
			return level;
		if (level->priority < priority)
			break;
	}
	return level_create(link, priority);
}

static void level_release(struct consumer_level *level)
{
	if (!list_is_empty(&level->able) || !list_is_empty(&level->blocked))
		return;
	list_remove(&level->link);
	mem_free(level);
}

/* ---- Who can take ---- */

static bool has_room(const struct consumer *c)
{
	return (c->prefetch == 0 || c->unsettled < c->prefetch) && c->debt < CONSUMER_CREDIT_BYTES;
}

static bool can_take(const struct consumer *c)
{
	return has_room(c) && (!c->needs_grants || c->grants > 0);
}

void consumer_block(struct consumer_set *set, struct consumer *c)
{
	list_remove(&c->in_level);
	list_add_tail(&c->level->blocked, &c->in_level);
	c->able = false;
	set->n_able--;
}

/* Behind those who are waiting for their turn already. */
static bool unblock(struct consumer_set *set, struct consumer *c)
{
	if (c->able)
		return true;
	if (!can_take(c))
		return false;
	list_remove(&c->in_level);
	list_add_tail(&c->level->able, &c->in_level);
	c->able = true;
	set->n_able++;
	return true;
}

struct consumer *consumer_next(const struct consumer_set *set)
{
	struct list *link;

	if (set->n_able == 0)
		return NULL;
	list_for_each(link, &set->levels) {
		struct consumer_level *level = container_of(link, struct consumer_level, link);

		if (!list_is_empty(&level->able))
			return container_of(level->able.next, struct consumer, in_level);
	}
	return NULL;
}

static void rotate(struct consumer *c)
{
	struct list *able = &c->level->able;

	if (able->prev == &c->in_level)
		return;
	list_remove(&c->in_level);
	list_add_tail(able, &c->in_level);
}

static void move_grants(struct consumer *c, struct list *to)
{
	list_remove(&c->in_grants);
	list_add_tail(to, &c->in_grants);
}

void consumer_took(struct consumer_set *set, struct consumer *c, uint64_t bytes)
{
	c->debt += bytes;
	if (!c->no_ack)
		c->unsettled++;
	if (c->needs_grants && --c->grants == 0)
		move_grants(c, &set->asking);
	if (can_take(c))
		rotate(c);
	else
		consumer_block(set, c);
}

bool consumer_settled(struct consumer_set *set, struct consumer *c, uint32_t count)
{
	c->unsettled -= count < c->unsettled ? count : c->unsettled;
	return unblock(set, c);
}

bool consumer_credited(struct consumer_set *set, struct consumer *c, uint64_t bytes)
{
	c->debt -= bytes < c->debt ? bytes : c->debt;
	return unblock(set, c);
}

bool consumer_granted(struct consumer_set *set, struct consumer *c, uint32_t count)
{
	if (!c->needs_grants || count == 0)
		return c->able;
	c->grants += count;
	move_grants(c, &set->holding);
	return unblock(set, c);
}

/*
 * One that could not take even with a grant is passed over: it would hold what others of its
 * channel can use.
 */
struct consumer *consumer_asks(struct consumer_set *set)
{
	struct list *link;

	list_for_each(link, &set->asking) {
		struct consumer *c = container_of(link, struct consumer, in_grants);

		if (!has_room(c))
			continue;
		list_remove(&c->in_grants);
		return c;
	}
	return NULL;
}

uint32_t consumer_take_grants(struct consumer_set *set, struct consumer *c)
{
	uint32_t grants = c->grants;

	if (grants == 0)
		return 0;
	c->grants = 0;
	move_grants(c, &set->asking);
	if (c->able)
		consumer_block(set, c);
	return grants;
}

struct consumer *consumer_holder(const struct consumer_set *set, bool nothing_to_deliver)
{
	struct list *link;

	list_for_each(link, &set->holding) {
		struct consumer *c = container_of(link, struct consumer, in_grants);

		if (nothing_to_deliver || (c->prefetch > 0 && c->unsettled >= c->prefetch))
			return c;
	}
	return NULL;
}

void consumer_change_prefetch(struct consumer_set *set, struct consumer *c, uint32_t prefetch)
{
	if (c->no_ack)
		return;
	c->prefetch = prefetch;
	if (c->able && !can_take(c))
		consumer_block(set, c);
	(void)unblock(set, c);
}

void consumer_limit(struct consumer_set *set, struct consumer *c, bool needs_grants)
{
	c->needs_grants = needs_grants && !c->no_ack;
	c->grants = 0;
	list_remove(&c->in_grants);
	if (c->needs_grants) {
		list_add_tail(&set->asking, &c->in_grants);
		if (c->able)
			consumer_block(set, c);
	}
	(void)unblock(set, c);
}

/* ---- Coming and going ---- */

static ptrdiff_t size_of(const struct consumer *c)
{
	return (ptrdiff_t)(sizeof(*c) + c->arguments.size);
}

static bool copy_options(struct consumer *c, const struct consumer_options *options)
{
	uint8_t *arguments = mem_try_alloc(options->arguments.size + 1);

	if (!arguments)
		return false;
	if (options->arguments.size > 0)
		memcpy(arguments, options->arguments.data, options->arguments.size);
	c->arguments = slice_make(arguments, options->arguments.size);
	c->no_ack = options->no_ack;
	c->exclusive = options->exclusive;
	/* What needs no acknowledgement is never outstanding, so neither prefetch limits it. */
	c->needs_grants = options->needs_grants && !options->no_ack;
	c->prefetch = options->no_ack ? 0 : options->prefetch;
	c->tag = mem_strdup(options->tag);
	account_add(ACCOUNT_QUEUE, size_of(c));
	return true;
}

struct consumer *consumer_add(struct consumer_set *set, struct actor_ref endpoint, uint32_t number,
			      const struct consumer_options *options)
{
	struct consumer *c = mem_zalloc(sizeof(*c));

	c->key = (struct consumer_key){.endpoint = endpoint, .number = number};
	list_init(&c->in_level);
	list_init(&c->in_grants);
	list_init(&c->in_run);
	if (!copy_options(c, options)) {
		mem_free(c);
		return NULL;
	}
	c->level = level_for(set, options->priority);
	list_add_tail(&c->level->blocked, &c->in_level);
	map_insert(&set->by_key, &c->node, key_slice(&c->key));
	set->count++;
	set->is_exclusive = options->exclusive;
	if (c->needs_grants)
		list_add_tail(&set->asking, &c->in_grants);
	(void)unblock(set, c);
	return c;
}

static void consumer_free(void *object)
{
	struct consumer *c = object;

	account_add(ACCOUNT_QUEUE, -size_of(c));
	mem_free(c->tag);
	mem_free((void *)(uintptr_t)c->arguments.data);
	mem_free(c);
}

void consumer_remove(struct consumer_set *set, struct consumer *c)
{
	if (c->able)
		set->n_able--;
	c->able = false;
	list_remove(&c->in_level);
	list_remove(&c->in_grants);
	level_release(c->level);
	c->level = NULL;
	map_remove(&set->by_key, &c->node);
	set->count--;
	if (set->count == 0)
		set->is_exclusive = false;
	if (set->found == c)
		set->found = NULL;
	loop_retire(c, consumer_free);
}

struct consumer *consumer_find(struct consumer_set *set, struct actor_ref endpoint, uint32_t number)
{
	struct consumer_key key = {.endpoint = endpoint, .number = number};
	struct consumer *c = set->found;

	if (c && c->key.number == number && actor_ref_equal(c->key.endpoint, endpoint))
		return c;
	struct map_node *node = set->count > 0 ? map_find(&set->by_key, key_slice(&key)) : NULL;
	if (!node)
		return NULL;
	set->found = container_of(node, struct consumer, node);
	return set->found;
}

struct consumer *consumer_any(const struct consumer_set *set)
{
	struct list *link = list_first(&set->levels);
	struct consumer_level *level;

	if (!link)
		return NULL;
	level = container_of(link, struct consumer_level, link);
	link = list_first(list_is_empty(&level->able) ? &level->blocked : &level->able);
	return link ? container_of(link, struct consumer, in_level) : NULL;
}

static void visit_list(const struct list *list,
		       void (*visit)(void *context, const struct consumer *c), void *context)
{
	struct list *link;

	list_for_each(link, list)
		visit(context, container_of(link, struct consumer, in_level));
}

void consumer_for_each(const struct consumer_set *set,
		       void (*visit)(void *context, const struct consumer *c), void *context)
{
	struct list *link;

	list_for_each(link, &set->levels) {
		struct consumer_level *level = container_of(link, struct consumer_level, link);

		visit_list(&level->able, visit, context);
		visit_list(&level->blocked, visit, context);
	}
}
