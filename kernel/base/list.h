/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_LIST_H
#define KERNEL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Intrusive, circular, doubly linked. A head and a node are the same struct; both are made with
 * list_init(), and a node that is on no list points to itself. The list owns nothing.
 */
struct list {
	struct list *prev, *next;
};

/* The object around a member. The sizeof checks the pointer's type and evaluates nothing. */
#define container_of(pointer, type, member)                                                        \
	((type *)(container_address(pointer) - offsetof(type, member) +                            \
		  0 * sizeof((pointer) == &((type *)0)->member)))
#define container_address(pointer) ((uintptr_t)(pointer))

static inline void list_init(struct list *list)
{
	list->prev = list->next = list;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Of a node: is it on some list? */
static inline bool list_is_linked(const struct list *node)
{
	return node->next != node;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
	list_insert_between(node, head->prev, head);
}

static inline void list_add_head(struct list *head, struct list *node)
{
	list_insert_between(node, head, head->next);
}

/* Leaves the node initialised: removing it again is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* NULL if empty. */
static inline struct list *list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

/* NULL if empty. */
static inline struct list *list_last(const struct list *head)
{
	return head->prev == head ? NULL : head->prev;
}

/* Takes the first node off; NULL if empty. */
static inline struct list *list_pop(struct list *head)
{
	struct list *node = list_first(head);

	if (node)
		list_remove(node);
	return node;
}

/* Moves all of `from` behind the last of `head`; `from` is empty then. */
static inline void list_splice_tail(struct list *head, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

/* Moves `first` and all that follow it in `from` behind the last of `head`. */
static inline void list_splice_rest(struct list *head, struct list *from, struct list *first)
{
	struct list *last = from->prev;

	from->prev = first->prev;
	from->prev->next = from;
	first->prev = head->prev;
	head->prev->next = first;
	last->next = head;
	head->prev = last;
}

/* struct list *pos; the list must not change meanwhile. */
#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* struct list *pos, *next; pos may be removed (and freed) meanwhile, others may not. */
#define list_for_each_safe(pos, next_, head)                                                       \
	for ((pos) = (head)->next, (next_) = (pos)->next; (pos) != (head);                         \
	     (pos) = (next_), (next_) = (pos)->next)

#endif
