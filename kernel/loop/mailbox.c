/* SPDX-License-Identifier: MIT */
#include "loop/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/mem.h"
#include "loop/budget.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/state.h"

/*
 * An inbox is a stack on which a whole outbox is pushed by one compare-and-swap; the receiver takes
 * all of it with one exchange and turns it around. As each outbox is chained from its newest letter
 * to its oldest, turning the whole around gives each sender's letters in their order. Nothing is
 * ever popped singly, so an address that comes again does no harm. What is more than a turn should
 * take on waits in a chain of the receiver's, and is gone before the inbox is looked into again.
 *
 * Waking. The receiver, before it blocks: says asleep, then looks into the inbox. The sender:
 * pushes, then looks for asleep. All four are sequentially consistent, so at least one of them sees
 * the other: either the receiver does not block, or the sender wakes it. Who finds it asleep and
 * says otherwise (exchange) is the one that writes the eventfd. A receiver that is awake finds the
 * letters in this turn's letter stage or before it blocks, and costs nobody a system call.
 *
 * The eventfd is never read: its event is edge-triggered, and each write is an edge.
 */

int mailbox_init(struct loop *loop, unsigned count)
{
	loop->inbox.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->inbox.wake_fd < 0)
		return -errno;
	loop->outboxes = mem_zalloc(count * sizeof(loop->outboxes[0]));
	loop->n_outboxes = count;
	return 0;
}

void mailbox_fini(struct loop *loop)
{
	if (loop->inbox.wake_fd >= 0)
		(void)close(loop->inbox.wake_fd);
	loop->inbox.wake_fd = -1;
	mem_free(loop->outboxes);
	loop->outboxes = NULL;
}

void mailbox_wake(struct loop *loop)
{
	static const uint64_t one = 1;

	/* It fails only when the counter is full, which takes longer than any machine lasts. */
	if (write(loop->inbox.wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void push(struct loop *target, struct letter *newest, struct letter *oldest)
{
	struct inbox *inbox = &target->inbox;
	struct letter *top = atomic_load_explicit(&inbox->top, memory_order_relaxed);

	do {
		oldest->next = top;
	} while (!atomic_compare_exchange_weak(&inbox->top, &top, newest));

	if (atomic_load(&inbox->asleep) && atomic_exchange(&inbox->asleep, false)) {
		counter_add(COUNTER_WAKE_UPS, 1);
		mailbox_wake(target);
	}
}

static void outbox_add(struct outbox *outbox, struct letter *letter)
{
	letter->next = outbox->newest;
	outbox->newest = letter;
	if (!outbox->oldest)
		outbox->oldest = letter;
	outbox->count++;
}

static struct outbox outbox_take(struct outbox *outbox)
{
	struct outbox taken = *outbox;

	*outbox = (struct outbox){0};
	return taken;
}

static void outbox_push(struct outbox *outbox, unsigned target)
{
	struct outbox taken = outbox_take(outbox);

	push(loop_at(target), taken.newest, taken.oldest);
}

void loop_post(unsigned target, struct letter *letter)
{
	struct loop *self = loop_current;

	bug_on(!self || target >= self->n_outboxes);
	struct outbox *outbox = &self->outboxes[target];

	loop_mark_awake(self);
	outbox_add(outbox, letter);
	if (target == self->index)
		return;
	self->outboxes_filled = true;
	if (outbox->count >= LETTER_BATCH)
		outbox_push(outbox, target);
}

void loop_post_outside(unsigned target, struct letter *letter)
{
	bug_on(target >= loop_count());
	push(loop_at(target), letter, letter);
}

void mailbox_flush(struct loop *loop)
{
	if (!loop->outboxes_filled)
		return;
	loop->outboxes_filled = false;
	for (unsigned i = 0; i < loop->n_outboxes; i++) {
		if (i != loop->index && loop->outboxes[i].newest)
			outbox_push(&loop->outboxes[i], i);
	}
}

/* Sequentially consistent: also the receiver's look before it blocks. */
bool mailbox_is_empty(const struct loop *loop)
{
	return !atomic_load(&loop->inbox.top) && !loop->outboxes[loop->index].newest &&
	       !loop->waiting;
}

/* From newest first to oldest first. */
static struct letter *turn_around(struct letter *newest)
{
	struct letter *oldest = NULL;

	while (newest) {
		struct letter *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

/* All that has come: what was posted to itself, then what others posted. */
static void take_all(struct loop *loop)
{
	struct letter *own = turn_around(outbox_take(&loop->outboxes[loop->index]).newest);
	struct letter **end = &loop->waiting;

	bug_on(loop->waiting);
	*end = own;
	while (*end)
		end = &(*end)->next;
	if (atomic_load_explicit(&loop->inbox.top, memory_order_relaxed))
		*end = turn_around(
			atomic_exchange_explicit(&loop->inbox.top, NULL, memory_order_acquire));
}

/*
 * What is posted meanwhile, also to itself, is left for the next time; and so is what is beyond the
 * budget, in its order.
 */
void mailbox_deliver(struct loop *loop)
{
	size_t limit = loop->spent + loop_budget();
	uint64_t count = 0;

	if (!loop->waiting)
		take_all(loop);
	for (; loop->waiting && loop->spent < limit; count++) {
		struct letter *letter = loop->waiting;

		loop->waiting = letter->next;
		letter->deliver(letter);
	}
	if (count > 0)
		counter_add(COUNTER_LETTERS, count);
}
