/* SPDX-License-Identifier: MIT */
#include "broker/queue/backlog.h"

#include <string.h>

#include "base/account.h"
#include "base/bug.h"
#include "base/compiler.h"
#include "base/slab.h"
#include "broker/queue/backlog_state.h"

#define SPARE_MAX   32u /* chunks kept by a pool */
#define REAP_CHUNKS 4u	/* dropped in one step: some 10 us */

/* ---- The pool ---- */

static void chunk_drop_messages(struct chunk *chunk)
{
	for (unsigned i = 0; i < CHUNK_SLOTS && chunk->n_live > 0; i++) {
		struct slot *slot = &chunk->slots[i];

		if (slot_state(slot) == SLOT_GONE)
			continue;
		message_unref(slot_message(slot));
		*slot = (struct slot){0};
		chunk->n_live--;
	}
}

static void chunk_free(struct chunk *chunk)
{
	account_add(ACCOUNT_QUEUE, -(ptrdiff_t)sizeof(*chunk));
	slab_free(chunk, sizeof(*chunk));
}

/* All slots of a chunk that is given back are zero, and so they are when it is used again. */
static void pool_give(struct chunk_pool *pool, struct chunk *chunk)
{
	if (pool->n_spare >= SPARE_MAX) {
		chunk_free(chunk);
		return;
	}
	list_add_head(&pool->spare, &chunk->link);
	pool->n_spare++;
}

static struct chunk *pool_get(struct chunk_pool *pool)
{
	struct list *link = list_pop(&pool->spare);

	if (link) {
		pool->n_spare--;
		return container_of(link, struct chunk, link);
	}
	struct chunk *chunk = slab_alloc(sizeof(*chunk));

	memset(chunk, 0, sizeof(*chunk));
	list_init(&chunk->link);
	account_add(ACCOUNT_QUEUE, (ptrdiff_t)sizeof(*chunk));
	return chunk;
}

static void reap_some(struct chunk_pool *pool, unsigned max)
{
	struct list *link;

	while (max-- > 0 && (link = list_pop(&pool->doomed))) {
		struct chunk *chunk = container_of(link, struct chunk, link);

		chunk_drop_messages(chunk);
		pool_give(pool, chunk);
	}
}

static void reap(struct loop_task *task)
{
	struct chunk_pool *pool = container_of(task, struct chunk_pool, reap);

	reap_some(pool, REAP_CHUNKS);
	if (!list_is_empty(&pool->doomed))
		loop_defer_background(task);
}

void chunk_pool_init(struct chunk_pool *pool)
{
	list_init(&pool->spare);
	pool->n_spare = 0;
	list_init(&pool->doomed);
	loop_task_init(&pool->reap, reap);
}

void chunk_pool_fini(struct chunk_pool *pool)
{
	struct list *link;

	loop_cancel(&pool->reap);
	while (!list_is_empty(&pool->doomed))
		reap_some(pool, REAP_CHUNKS);
	while ((link = list_pop(&pool->spare)))
		chunk_free(container_of(link, struct chunk, link));
	pool->n_spare = 0;
}

/* ---- Chunks ---- */

struct chunk *backlog_chunk_open(struct backlog *b, uint64_t number)
{
	struct chunk *chunk = pool_get(b->pool);

	chunk->number = number;
	chunk->n_live = chunk->n_away = 0;
	list_add_tail(&b->chunks, &chunk->link);
	b->n_chunks++;
	chunk_table_put(&b->table, chunk);
	return chunk;
}

static void chunk_forget(struct backlog *b, struct chunk *chunk)
{
	/* What comes after the cursor is looked for from here on. */
	if (b->at_cursor == chunk)
		b->at_cursor = backlog_chunk_next(b, chunk);
	chunk_table_remove(&b->table, chunk);
	list_remove(&chunk->link);
	b->n_chunks--;
	if (b->newest == chunk)
		b->newest = NULL;
	if (b->found == chunk)
		b->found = NULL;
}

/* Not inlined, or it would burden the search for each message. */
__attribute__((noinline)) static struct chunk *chunk_look_up(struct backlog *b, uint64_t number)
{
	struct chunk *chunk = chunk_table_find(&b->table, number);

	if (chunk)
		b->found = chunk;
	return chunk;
}

struct chunk *backlog_chunk_find(struct backlog *b, uint64_t number)
{
	if (LIKELY(b->found && b->found->number == number))
		return b->found;
	return chunk_look_up(b, number);
}

static uint64_t number_of(const struct list *link)
{
	return container_of(link, const struct chunk, link)->number;
}

/*
 * Where there is none of that number, the list is searched, from the cursor's chunk: what is asked
 * for is near it or, when the backlog has run empty, near the end.
 */
struct chunk *backlog_chunk_from(const struct backlog *b, uint64_t number)
{
	struct chunk *chunk = chunk_table_find(&b->table, number);
	struct list *link = b->at_cursor ? &b->at_cursor->link : b->chunks.prev;

	if (chunk)
		return chunk;
	while (link != &b->chunks && number_of(link) >= number)
		link = link->prev;
	do {
		link = link->next;
	} while (link != &b->chunks && number_of(link) < number);
	return link == &b->chunks ? NULL : container_of(link, struct chunk, link);
}

static void sum_add_message(struct backlog_sum *sum, const struct message *m)
{
	sum->count++;
	sum->body_bytes += m->body_size;
	sum->alloc_bytes += m->alloc_size;
}

void backlog_sum_add(struct backlog_sum *sum, const struct slot *slot)
{
	if (LIKELY(!slot_is_away(slot))) {
		sum_add_message(sum, slot_message_there(slot));
		return;
	}
	sum->count++;
	sum->body_bytes += slot_body_size(slot);
	sum->away_count++;
	sum->away_bytes += slot_body_size(slot);
}

void backlog_sum_subtract(struct backlog_sum *sum, const struct slot *slot)
{
	const struct message *m = slot_message(slot);

	sum->count--;
	if (LIKELY(m)) {
		sum->body_bytes -= m->body_size;
		sum->alloc_bytes -= m->alloc_size;
		return;
	}
	sum->body_bytes -= slot_body_size(slot);
	sum->away_count--;
	sum->away_bytes -= slot_body_size(slot);
}

/* Not inlined: who sends others pays for no more than the question. */
static NO_INLINE void uncount_persistent(struct backlog *b, const struct slot *slot)
{
	b->persistent_count--;
	b->persistent_bytes -= slot_body_size(slot);
}

struct message *backlog_clear_slot(struct backlog *b, struct chunk *chunk, struct slot *slot)
{
	struct message *m = slot_message(slot);

	backlog_sum_subtract(&b->all, slot);
	if (UNLIKELY((slot->marks & SLOT_PERSISTENT) != 0))
		uncount_persistent(b, slot);
	if (UNLIKELY(!m))
		chunk->n_away--;
	*slot = (struct slot){0};
	if (--chunk->n_live == 0) {
		chunk_forget(b, chunk);
		pool_give(b->pool, chunk);
	}
	return m;
}

/* ---- The backlog ---- */

void backlog_init(struct backlog *b, struct chunk_pool *pool)
{
	*b = (struct backlog){.next_seq = 1, .cursor = 1, .away_from = UINT64_MAX, .pool = pool};
	heap_init(&b->returned);
	list_init(&b->chunks);
}

/* Hands all chunks to the pool. A few are emptied at once, the more usual case. */
static void drop_all(struct backlog *b)
{
	uint32_t n_chunks = b->n_chunks;

	list_splice_tail(&b->pool->doomed, &b->chunks);
	b->n_chunks = 0;
	b->newest = b->at_cursor = b->found = NULL;
	b->all = b->taken = (struct backlog_sum){0};
	b->persistent_count = b->persistent_bytes = 0;
	chunk_table_clear(&b->table);
	heap_fini(&b->returned);
	b->cursor = b->next_seq;
	b->away_from = UINT64_MAX;
	if (n_chunks > 0 && !loop_task_is_armed(&b->pool->reap)) {
		reap_some(b->pool, REAP_CHUNKS);
		if (!list_is_empty(&b->pool->doomed))
			loop_defer_background(&b->pool->reap);
	}
}

void backlog_fini(struct backlog *b)
{
	drop_all(b);
}

/*
 * Not inlined, or it would burden backlog_append(). It may be there already: while slots of the
 * same chunk are taken.
 */
__attribute__((noinline)) static struct chunk *newest_chunk(struct backlog *b, uint64_t number)
{
	struct chunk *chunk = chunk_table_find(&b->table, number);

	b->newest = chunk ? chunk : backlog_chunk_open(b, number);
	return b->newest;
}

uint64_t backlog_append(struct backlog *b, struct message *message, uint64_t expires_at,
			uint64_t marks)
{
	uint64_t seq = b->next_seq;
	struct chunk *chunk = b->newest;

	if (UNLIKELY(!chunk || chunk->number != seq / CHUNK_SLOTS))
		chunk = newest_chunk(b, seq / CHUNK_SLOTS);
	b->next_seq = seq + 1;
	chunk->slots[seq % CHUNK_SLOTS] = (struct slot){
		.word = (uint64_t)(uintptr_t)message,
		.marks = (expires_at & SLOT_NEVER) | (uint64_t)SLOT_READY << SLOT_STATE_SHIFT |
			 marks,
	};
	chunk->n_live++;
	sum_add_message(&b->all, message);
	return seq;
}

/* Those that have left from within are still in the heap. */
static struct slot *search_returned(struct backlog *b, uint64_t *ret_seq)
{
	while (heap_count(&b->returned) > 0) {
		uint64_t seq = heap_min(&b->returned);
		struct slot *slot = backlog_find(b, seq);

		if (slot) {
			bug_on(slot_state(slot) != SLOT_READY);
			*ret_seq = seq;
			return slot;
		}
		(void)heap_pop(&b->returned);
	}
	return NULL;
}

/* Over gaps to the next one that is ready; the cursor comes along. */
static struct slot *search_from_cursor(struct backlog *b, uint64_t *ret_seq)
{
	struct chunk *chunk;

	while (b->cursor < b->next_seq &&
	       (chunk = backlog_chunk_from(b, b->cursor / CHUNK_SLOTS))) {
		uint64_t base = chunk->number * CHUNK_SLOTS;
		uint64_t at = b->cursor > base ? b->cursor - base : 0;

		b->at_cursor = chunk;
		while (at < CHUNK_SLOTS && slot_state(&chunk->slots[at]) != SLOT_READY)
			at++;
		b->cursor = base + at;
		if (at < CHUNK_SLOTS) {
			*ret_seq = b->cursor;
			return &chunk->slots[at];
		}
	}
	b->cursor = b->next_seq;
	return NULL;
}

/* Where backlog_head() does not see it at once: no chunk at hand, a gap, or some have come back. */
struct slot *backlog_search_head(struct backlog *b, uint64_t *ret_seq)
{
	struct slot *slot = search_returned(b, ret_seq);

	return slot ? slot : search_from_cursor(b, ret_seq);
}

static void leave_ready(struct backlog *b, uint64_t seq)
{
	if (LIKELY(seq == b->cursor)) {
		b->cursor++;
		return;
	}
	bug_on(heap_count(&b->returned) == 0 || heap_min(&b->returned) != seq);
	(void)heap_pop(&b->returned);
}

void backlog_take(struct backlog *b, uint64_t seq, struct slot *slot)
{
	leave_ready(b, seq);
	slot_set_state(slot, SLOT_TAKEN);
	backlog_sum_add(&b->taken, slot);
}

struct message *backlog_shift(struct backlog *b, uint64_t seq, struct slot *slot)
{
	leave_ready(b, seq);
	return backlog_clear_slot(b, backlog_chunk_of(seq, slot), slot);
}

struct slot *backlog_find(struct backlog *b, uint64_t seq)
{
	struct chunk *chunk = backlog_chunk_find(b, seq / CHUNK_SLOTS);

	if (!chunk)
		return NULL;
	struct slot *slot = &chunk->slots[seq % CHUNK_SLOTS];
	return slot_state(slot) != SLOT_GONE ? slot : NULL;
}

struct slot *backlog_find_taken(struct backlog *b, uint64_t seq)
{
	if (seq >= b->cursor)
		return NULL;
	struct slot *slot = backlog_find(b, seq);
	return slot && slot_state(slot) == SLOT_TAKEN ? slot : NULL;
}

struct message *backlog_remove(struct backlog *b, uint64_t seq, struct slot *slot)
{
	backlog_sum_subtract(&b->taken, slot);
	return backlog_clear_slot(b, backlog_chunk_of(seq, slot), slot);
}

/*
 * The one just before the cursor needs no heap: so whole runs do when they come back from the last
 * to the first.
 */
void backlog_return(struct backlog *b, uint64_t seq, struct slot *slot)
{
	backlog_sum_subtract(&b->taken, slot);
	slot_set_state(slot, SLOT_READY);
	if (UNLIKELY(slot_is_away(slot)) && seq < b->away_from)
		b->away_from = seq;
	if (seq + 1 == b->cursor)
		b->cursor = seq;
	else
		heap_push(&b->returned, seq);
}

/* How many chunks are before this one; UINT32_MAX: more than from it on. */
static uint32_t count_before(const struct backlog *b, const struct chunk *chunk)
{
	const struct list *before = chunk->link.prev, *behind = &chunk->link;
	uint32_t n = 0;

	for (; before != &b->chunks; before = before->prev, behind = behind->next, n++)
		if (behind == &b->chunks)
			return UINT32_MAX;
	return n;
}

/* A new table for the few that stay costs less than taking many out of the old one. */
static void drop_rest_at_once(struct backlog *b, struct chunk *chunk, uint32_t n_before)
{
	struct list *link;

	list_splice_rest(&b->pool->doomed, &b->chunks, &chunk->link);
	b->n_chunks = n_before;
	b->newest = b->at_cursor = b->found = NULL;
	chunk_table_clear(&b->table);
	list_for_each(link, &b->chunks)
		chunk_table_put(&b->table, container_of(link, struct chunk, link));
}

static void drop_rest_singly(struct backlog *b, struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = backlog_chunk_next(b, chunk);

		chunk_forget(b, chunk);
		list_add_tail(&b->pool->doomed, &chunk->link);
		chunk = next;
	}
}

/* This chunk and all behind it. */
static void drop_rest(struct backlog *b, struct chunk *chunk)
{
	uint32_t n_before = count_before(b, chunk);

	if (n_before != UINT32_MAX)
		drop_rest_at_once(b, chunk, n_before);
	else
		drop_rest_singly(b, chunk);
	b->cursor = b->next_seq;
	loop_defer_background(&b->pool->reap);
}

/* What has gone was not looked at. */
static void recount_persistent(struct backlog *b)
{
	struct list *link;

	b->persistent_count = b->persistent_bytes = 0;
	list_for_each(link, &b->chunks) {
		const struct chunk *chunk = container_of(link, struct chunk, link);

		for (unsigned i = 0; i < CHUNK_SLOTS; i++) {
			if ((chunk->slots[i].marks & SLOT_PERSISTENT) != 0)
				backlog_count_persistent(b, slot_body_size(&chunk->slots[i]));
		}
	}
}

/* In chunks behind the cursor's all that is there is ready, and they go whole. */
static void purge_around_taken(struct backlog *b)
{
	struct slot *slot;
	uint64_t seq;

	while ((slot = backlog_head(b, &seq))) {
		if (heap_count(&b->returned) == 0 && seq % CHUNK_SLOTS == 0)
			drop_rest(b, backlog_chunk_of(seq, slot));
		else
			message_unref(backlog_shift(b, seq, slot));
	}
	b->all = b->taken;
	recount_persistent(b);
}

uint64_t backlog_purge(struct backlog *b)
{
	uint64_t count = backlog_ready(b);

	if (b->taken.count == 0)
		drop_all(b);
	else
		purge_around_taken(b);
	return count;
}

uint64_t backlog_overhead(const struct backlog *b)
{
	return b->n_chunks * sizeof(struct chunk) + chunk_table_bytes(&b->table) +
	       b->returned.capacity * sizeof(uint64_t);
}
