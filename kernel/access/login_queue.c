/* SPDX-License-Identifier: MIT */
#include "access/login_queue.h"

#include "base/bug.h"
#include "base/mem.h"

/* There while it has logins. */
struct login_queue_address {
	struct map_node node;
	struct throttle_address address;
	struct list link;    /* login_queue.turn, if some wait */
	struct list waiting; /* login_queued.link */
	size_t n;	     /* with those that were taken and have not left */
};

void login_queue_init(struct login_queue *queue)
{
	map_init(&queue->addresses);
	list_init(&queue->turn);
	queue->n = 0;
}

void login_queue_fini(struct login_queue *queue)
{
	bug_on(queue->n != 0);
	map_fini(&queue->addresses);
}

static struct slice login_queue_key(const struct throttle_address *address)
{
	return slice_make(address->bytes, sizeof(address->bytes));
}

static struct login_queue_address *login_queue_address(struct login_queue *queue,
						       const struct throttle_address *address)
{
	struct map_node *node = map_find(&queue->addresses, login_queue_key(address));
	struct login_queue_address *found;

	if (node != NULL)
		return container_of(node, struct login_queue_address, node);
	found = mem_zalloc(sizeof(*found));
	found->address = *address;
	list_init(&found->link);
	list_init(&found->waiting);
	map_insert(&queue->addresses, &found->node, login_queue_key(&found->address));
	return found;
}

bool login_queue_add(struct login_queue *queue, const struct throttle_address *address,
		     struct login_queued *queued)
{
	struct login_queue_address *from;

	if (queue->n >= LOGIN_QUEUE_MAX)
		return false;
	from = login_queue_address(queue, address);
	if (from->n >= LOGIN_QUEUE_ADDRESS_MAX)
		return false;
	queued->address = from;
	from->n++;
	queue->n++;
	list_add_tail(&from->waiting, &queued->link);
	if (!list_is_linked(&from->link))
		list_add_tail(&queue->turn, &from->link);
	return true;
}

/* The address comes again when all others have had their turn. */
struct login_queued *login_queue_take(struct login_queue *queue)
{
	struct list *first = list_pop(&queue->turn);
	struct login_queue_address *from;
	struct list *link;

	if (first == NULL)
		return NULL;
	from = container_of(first, struct login_queue_address, link);
	link = list_pop(&from->waiting);
	bug_on(link == NULL);
	if (!list_is_empty(&from->waiting))
		list_add_tail(&queue->turn, &from->link);
	return container_of(link, struct login_queued, link);
}

void login_queue_leave(struct login_queue *queue, struct login_queued *queued)
{
	struct login_queue_address *from = queued->address;

	bug_on(from == NULL || from->n == 0 || list_is_linked(&queued->link));
	queued->address = NULL;
	queue->n--;
	if (--from->n != 0)
		return;
	map_remove(&queue->addresses, &from->node);
	mem_free(from);
}
