/* SPDX-License-Identifier: MIT */
#include "conn/publish/confirms.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/mem.h"

/*
 * The happy path: a publish settles at once and nothing is open. Then base == end == seq + 1, no
 * ring is touched, and the flush sends one ack with `multiple` for the lot.
 *
 * Otherwise the ring holds one word a publish from base to end. When the one at base settles, base
 * moves over all that are settled behind it; a rejected one stops it, is told by itself, and then
 * it goes on. Those that settle above base are also noted in `done`, to be told singly at the next
 * flush; the ring keeps them marked as told so that they are not told again when base comes by.
 */
#define CONFIRM_REJECTED	(1u << 31)
#define CONFIRM_TOLD		(1u << 30)
#define CONFIRM_COUNT		(CONFIRM_TOLD - 1)
#define CONFIRMS_FIRST_CAPACITY 64u

void confirms_init(struct confirms *confirms)
{
	*confirms = (struct confirms){.base = 1, .end = 1};
}

void confirms_fini(struct confirms *confirms)
{
	mem_free(confirms->pending);
	mem_free(confirms->done);
	confirms->pending = NULL;
	confirms->done = NULL;
}

static uint32_t *confirms_word(const struct confirms *confirms, uint64_t seq)
{
	return &confirms->pending[seq & (confirms->capacity - 1)];
}

static int confirms_grow(struct confirms *confirms)
{
	size_t capacity =
		confirms->capacity != 0 ? confirms->capacity * 2 : CONFIRMS_FIRST_CAPACITY;
	uint32_t *pending = mem_try_alloc(capacity * sizeof(*pending));

	if (pending == NULL)
		return -ENOMEM;
	for (uint64_t seq = confirms->base; seq != confirms->end; seq++)
		pending[seq & (capacity - 1)] = *confirms_word(confirms, seq);
	mem_free(confirms->pending);
	confirms->pending = pending;
	confirms->capacity = capacity;
	return 0;
}

static int confirms_note_done(struct confirms *confirms, uint64_t seq)
{
	if (confirms->n_done == confirms->done_capacity) {
		size_t capacity = confirms->done_capacity != 0 ? confirms->done_capacity * 2
							       : CONFIRMS_FIRST_CAPACITY;
		uint64_t *done = mem_try_realloc(confirms->done, capacity * sizeof(*done));

		if (done == NULL)
			return -ENOMEM;
		confirms->done = done;
		confirms->done_capacity = capacity;
	}
	confirms->done[confirms->n_done++] = seq;
	return 0;
}

int confirms_publish(struct confirms *confirms, uint64_t seq, uint32_t n_pending, bool rejected)
{
	bug_on(seq != confirms->end || n_pending >= CONFIRM_COUNT);
	if (n_pending == 0 && !rejected && confirms->base == confirms->end) {
		confirms->base = ++confirms->end;
		return 0;
	}
	if (confirms->end - confirms->base == confirms->capacity) {
		int error = confirms_grow(confirms);

		if (error != 0)
			return error;
	}
	*confirms_word(confirms, seq) = n_pending | (rejected ? CONFIRM_REJECTED : 0);
	confirms->end++;
	if (n_pending == 0 && confirms->base != seq)
		return confirms_note_done(confirms, seq);
	return 0;
}

void confirms_settle(struct confirms *confirms, uint64_t seq, bool rejected)
{
	uint32_t *word;

	if (seq < confirms->base || seq >= confirms->end)
		return;
	word = confirms_word(confirms, seq);
	bug_on((*word & CONFIRM_COUNT) == 0);
	if (rejected)
		*word |= CONFIRM_REJECTED;
	if ((--*word & CONFIRM_COUNT) != 0 || confirms->base == seq)
		return;
	/* Without memory it is told later, when base comes by. */
	(void)!confirms_note_done(confirms, seq);
}

bool confirms_has_news(const struct confirms *confirms)
{
	return confirms->told_to + 1 != confirms->base || confirms->n_done != 0 ||
	       (confirms->base != confirms->end &&
		(*confirms_word(confirms, confirms->base) & CONFIRM_COUNT) == 0);
}

/* Tells all below base that has not been told, with one `multiple` (or a single one, when it is
 * one). */
static void confirms_tell_run(struct confirms *confirms,
			      void (*tell)(void *context, uint64_t seq, bool multiple,
					   bool rejected),
			      void *context)
{
	if (confirms->told_to + 1 == confirms->base)
		return;
	tell(context, confirms->base - 1, confirms->base - confirms->told_to > 2, false);
	confirms->told_to = confirms->base - 1;
}

static int confirms_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void confirms_tell_done(struct confirms *confirms,
			       void (*tell)(void *context, uint64_t seq, bool multiple,
					    bool rejected),
			       void *context)
{
	size_t n = 0;

	/* Mostly base has passed by them all. */
	for (size_t i = 0; i < confirms->n_done; i++)
		if (confirms->done[i] >= confirms->base)
			confirms->done[n++] = confirms->done[i];
	if (n > 1)
		qsort(confirms->done, n, sizeof(*confirms->done), confirms_compare);
	for (size_t i = 0; i < n; i++) {
		uint64_t seq = confirms->done[i];
		uint32_t *word = confirms_word(confirms, seq);

		tell(context, seq, false, (*word & CONFIRM_REJECTED) != 0);
		*word |= CONFIRM_TOLD;
	}
	confirms->n_done = 0;
}

void confirms_flush(struct confirms *confirms,
		    void (*tell)(void *context, uint64_t seq, bool multiple, bool rejected),
		    void *context)
{
	while (confirms->base != confirms->end) {
		uint32_t word = *confirms_word(confirms, confirms->base);

		if ((word & CONFIRM_COUNT) != 0)
			break;
		if ((word & CONFIRM_REJECTED) != 0) {
			confirms_tell_run(confirms, tell, context);
			if ((word & CONFIRM_TOLD) == 0)
				tell(context, confirms->base, false, true);
			confirms->told_to = confirms->base;
		} else if ((word & CONFIRM_TOLD) != 0 && confirms->told_to + 1 == confirms->base) {
			confirms->told_to = confirms->base; /* there is nothing new below it that
							       would go with it */
		}
		confirms->base++;
	}
	confirms_tell_run(confirms, tell, context);
	if (confirms->n_done != 0)
		confirms_tell_done(confirms, tell, context);
}

uint64_t confirms_open(const struct confirms *confirms)
{
	return confirms->end - 1 - confirms->told_to;
}
