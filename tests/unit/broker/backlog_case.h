/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_BACKLOG_CASE_H
#define TESTS_UNIT_BROKER_BACKLOG_CASE_H

/* A backlog's surroundings, and steps that check and tell what they did. */

#include <CUnit/CUnit.h>

#include "base/account.h"
#include "broker/queue/backlog.h"
#include "loop/loop.h"

static struct chunk_pool pool;
static uint64_t account_before;

static inline void setup(void)
{
	account_before = account_total();
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	chunk_pool_init(&pool);
}

/* Everything has been given back. */
static inline void teardown(void)
{
	chunk_pool_fini(&pool);
	loop_pool_destroy();
	CU_ASSERT_EQUAL(account_total(), account_before);
}

static inline struct message *make(uint32_t size)
{
	struct message *m = message_create(SLICE_EMPTY, SLICE_EMPTY, slice_make("\0\0", 2), size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	return m;
}

static inline void append(struct backlog *b, unsigned n)
{
	while (n-- > 0)
		(void)backlog_append(b, make(1), SLOT_NEVER, 0);
}

/* In the log, so that they may leave memory. */
static inline void append_stored(struct backlog *b, unsigned n)
{
	while (n-- > 0)
		(void)backlog_append(b, make(1), SLOT_NEVER, SLOT_LOGGED);
	b->stored_through = b->next_seq - 1;
}

static inline bool page_out(struct backlog *b, uint64_t seq)
{
	struct slot *slot = backlog_find(b, seq);

	if (!slot || !backlog_can_page_out(b, seq, slot))
		return false;
	message_unref(backlog_page_out(b, seq, slot));
	return true;
}

static inline void page_in(struct backlog *b, uint64_t seq)
{
	struct slot *slot = backlog_find(b, seq);

	CU_ASSERT_FATAL(slot && slot_is_away(slot));
	backlog_page_in(b, seq, slot, make(slot_body_size(slot)));
}

static inline uint64_t take(struct backlog *b)
{
	uint64_t seq = 0;
	struct slot *slot = backlog_head(b, &seq);

	if (slot)
		backlog_take(b, seq, slot);
	return slot ? seq : 0;
}

static inline uint64_t shift(struct backlog *b)
{
	uint64_t seq = 0;
	struct slot *slot = backlog_head(b, &seq);

	if (slot)
		message_unref(backlog_shift(b, seq, slot));
	return slot ? seq : 0;
}

static inline bool settle(struct backlog *b, uint64_t seq)
{
	struct slot *slot = backlog_find_taken(b, seq);

	if (slot)
		message_unref(backlog_remove(b, seq, slot));
	return slot != NULL;
}

static inline bool give_back(struct backlog *b, uint64_t seq)
{
	struct slot *slot = backlog_find_taken(b, seq);

	if (slot)
		backlog_return(b, seq, slot);
	return slot != NULL;
}

#endif
