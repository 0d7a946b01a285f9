/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_LOOP_MAILBOX_H
#define KERNEL_LOOP_MAILBOX_H

/*
 * Letters between loops. A letter is the head of the sender's own struct; from the post on it
 * belongs to the receiver, whose deliver() runs on the target loop and frees it. It holds values,
 * counted messages and refs, never pointers to what a loop owns.
 *
 * Letters between two loops arrive in the order of posting. They are gathered in the sender's
 * outbox and pushed once at the end of its turn, or when there are LETTER_BATCH of them: one
 * compare-and-swap, and a wake-up only if the target sleeps. When the pool stops, all letters are
 * still delivered (loop_run()).
 *
 * deliver() says what it cost by loop_spend() (loop/budget.h), if that is more than a little:
 * letters beyond the turn's budget wait for the next one.
 */
struct letter {
	struct letter *next;
	void (*deliver)(struct letter *letter);
};

#define LETTER_BATCH 256

/*
 * From a loop's thread. To itself is fine: then the letter comes in the next letter stage, this
 * turn's or the following, and never inside the call.
 */
void loop_post(unsigned target, struct letter *letter);

/*
 * From any other thread: pushed, and the target woken, at once. The pool must exist. In order for
 * each calling thread.
 */
void loop_post_outside(unsigned target, struct letter *letter);

#endif
