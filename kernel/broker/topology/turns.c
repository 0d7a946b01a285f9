/* SPDX-License-Identifier: MIT */
#include "broker/topology/turns.h"

#include "base/bug.h"
#include "loop/loop.h"

void turns_init(struct turns *turns)
{
	list_init(&turns->waiting);
}

void turns_fini(struct turns *turns)
{
	bug_on(!list_is_empty(&turns->waiting));
}

void turns_wait(struct turns *turns, struct turn_waiter *waiter,
		void (*again)(struct turn_waiter *waiter))
{
	waiter->loop = loop_index(loop_self());
	waiter->again = again;
	list_add_tail(&turns->waiting, &waiter->link);
}

void turns_pass(struct turns *turns, struct list *woken)
{
	list_splice_tail(woken, &turns->waiting);
}

static void wake(struct letter *letter)
{
	struct turn_waiter *waiter = container_of(letter, struct turn_waiter, letter);

	waiter->again(waiter);
}

void turns_wake(struct list *woken)
{
	struct list *link;

	while ((link = list_pop(woken)) != NULL) {
		struct turn_waiter *waiter = container_of(link, struct turn_waiter, link);

		waiter->letter.deliver = wake;
		loop_post(waiter->loop, &waiter->letter);
	}
}
