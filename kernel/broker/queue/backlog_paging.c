/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/queue/backlog_state.h"

/*
 * Which messages of a backlog are in memory. The newest leave first, so that the head stays: it is
 * what consumers get next.
 *
 * away_from is a bound and no more: what leaves memory or comes back away moves it down, and the
 * search for what is to be read moves it up. So a slot is looked at once on the way, and whole
 * chunks that are in memory are passed over.
 */

#define TRIM_CHUNKS_MAX	  2u /* looked at in one go: some 20 us */
#define SEARCH_CHUNKS_MAX 512u
#define BODY_OVERHEAD	  128u /* in memory, about */

struct message *backlog_page_out(struct backlog *b, uint64_t seq, struct slot *slot)
{
	struct message *m = slot_message(slot);
	bool is_taken = slot_state(slot) == SLOT_TAKEN;

	bug_on(!m);
	backlog_sum_subtract(&b->all, slot);
	if (is_taken)
		backlog_sum_subtract(&b->taken, slot);
	slot->word = (uint64_t)m->body_size << 1 | 1;
	backlog_sum_add(&b->all, slot);
	if (is_taken)
		backlog_sum_add(&b->taken, slot);
	else if (seq < b->away_from)
		b->away_from = seq;
	backlog_chunk_of(seq, slot)->n_away++;
	return m;
}

void backlog_page_in(struct backlog *b, uint64_t seq, struct slot *slot, struct message *message)
{
	bool is_taken = slot_state(slot) == SLOT_TAKEN;

	bug_on(!slot_is_away(slot));
	backlog_sum_subtract(&b->all, slot);
	if (is_taken)
		backlog_sum_subtract(&b->taken, slot);
	slot->word = (uint64_t)(uintptr_t)message;
	backlog_sum_add(&b->all, slot);
	if (is_taken)
		backlog_sum_add(&b->taken, slot);
	backlog_chunk_of(seq, slot)->n_away--;
}

/* ---- Out ---- */

/* Those that consumers have leave for either bound, others only for what is in memory in all. */
static void trim_slot(struct backlog *b, uint64_t seq, struct slot *slot, uint64_t budget)
{
	enum slot_state state = slot_state(slot);

	if (state == SLOT_GONE || !backlog_can_page_out(b, seq, slot) ||
	    (state == SLOT_READY && b->all.alloc_bytes <= budget))
		return;
	message_unref(backlog_page_out(b, seq, slot));
}

void backlog_trim_range(struct backlog *b, uint64_t first, uint64_t last, uint64_t budget)
{
	for (uint64_t seq = last; seq >= first && seq > 0 && backlog_is_above(b, budget); seq--) {
		struct chunk *chunk = backlog_chunk_find(b, seq / CHUNK_SLOTS);

		if (!chunk)
			seq -= seq % CHUNK_SLOTS;
		else
			trim_slot(b, seq, &chunk->slots[seq % CHUNK_SLOTS], budget);
	}
}

static void trim_chunk(struct backlog *b, struct chunk *chunk, uint64_t budget)
{
	for (unsigned at = CHUNK_SLOTS; at-- > 0 && backlog_is_above(b, budget);)
		trim_slot(b, chunk->number * CHUNK_SLOTS + at, &chunk->slots[at], budget);
}

/* The last chunk before the number; the head of the list: none. */
static struct list *list_before(const struct backlog *b, uint64_t below)
{
	struct chunk *chunk = backlog_chunk_from(b, below / CHUNK_SLOTS);

	return chunk ? chunk->link.prev : b->chunks.prev;
}

bool backlog_trim(struct backlog *b, uint64_t *below, uint64_t budget)
{
	struct list *link;

	if (!backlog_is_above(b, budget))
		return false;
	link = *below == UINT64_MAX ? b->chunks.prev : list_before(b, *below);
	for (unsigned i = 0; i < TRIM_CHUNKS_MAX && link != &b->chunks; i++, link = link->prev) {
		struct chunk *chunk = container_of(link, struct chunk, link);

		if (chunk->n_live > chunk->n_away)
			trim_chunk(b, chunk, budget);
		*below = chunk->number * CHUNK_SLOTS;
	}
	return link != &b->chunks && backlog_is_above(b, budget);
}

/* ---- In ---- */

struct away_search {
	uint64_t *seqs;
	size_t n, max;
	uint64_t bytes, max_bytes;
};

/* True: there is no room for this one any more. */
static bool search_add(struct away_search *search, uint64_t seq, const struct slot *slot)
{
	uint64_t bytes = search->bytes + slot_body_size(slot) + BODY_OVERHEAD;

	if (search->n > 0 && (search->n == search->max || bytes > search->max_bytes))
		return true;
	search->bytes = bytes;
	search->seqs[search->n++] = seq;
	return false;
}

/* Returns the number that it got to. */
static uint64_t search_chunk(struct away_search *search, const struct chunk *chunk, uint64_t from)
{
	uint64_t base = chunk->number * CHUNK_SLOTS;

	if (chunk->n_away == 0)
		return base + CHUNK_SLOTS;
	for (uint64_t at = from > base ? from - base : 0; at < CHUNK_SLOTS; at++) {
		const struct slot *slot = &chunk->slots[at];

		if (slot_state(slot) == SLOT_READY && slot_is_away(slot) &&
		    search_add(search, base + at, slot))
			return base + at;
	}
	return base + CHUNK_SLOTS;
}

size_t backlog_find_away(struct backlog *b, uint64_t *seqs, size_t max, uint64_t max_bytes)
{
	struct away_search search = {.seqs = seqs, .max = max, .max_bytes = max_bytes};
	uint64_t head, from;

	if (b->all.away_count == 0 || !backlog_head(b, &head)) {
		b->away_from = UINT64_MAX;
		return 0;
	}
	from = head > b->away_from ? head : b->away_from;
	struct chunk *chunk = backlog_chunk_from(b, from / CHUNK_SLOTS);
	for (unsigned i = 0; i < SEARCH_CHUNKS_MAX && chunk; i++) {
		from = search_chunk(&search, chunk, from);
		if (from < (chunk->number + 1) * CHUNK_SLOTS)
			break;
		chunk = backlog_chunk_next(b, chunk);
	}
	b->away_from = chunk ? from : UINT64_MAX;
	return search.n;
}

void backlog_drop_away(struct backlog *b, uint64_t seq, struct slot *slot)
{
	bug_on(slot_state(slot) != SLOT_READY || !slot_is_away(slot));
	(void)backlog_clear_slot(b, backlog_chunk_of(seq, slot), slot);
}

/* ---- After a restart ---- */

void backlog_restore_begin(struct backlog *b, uint64_t last_seq)
{
	bug_on(b->all.count > 0 || last_seq < b->next_seq - 1);
	b->next_seq = b->cursor = last_seq + 1;
}

int backlog_restore(struct backlog *b, uint64_t seq, uint32_t body_size, uint64_t expires_at,
		    uint64_t marks)
{
	if (seq == 0 || seq >= b->next_seq)
		return -ERANGE;

	struct chunk *chunk = backlog_chunk_find(b, seq / CHUNK_SLOTS);

	if (!chunk)
		chunk = b->found = backlog_chunk_open(b, seq / CHUNK_SLOTS);

	struct slot *slot = &chunk->slots[seq % CHUNK_SLOTS];

	if (slot_state(slot) != SLOT_GONE)
		return -EEXIST;
	*slot = (struct slot){
		.word = (uint64_t)body_size << 1 | 1,
		.marks = (expires_at & SLOT_NEVER) | marks |
			 (uint64_t)SLOT_READY << SLOT_STATE_SHIFT,
	};
	chunk->n_live++;
	chunk->n_away++;
	backlog_sum_add(&b->all, slot);
	if ((marks & SLOT_PERSISTENT) != 0)
		backlog_count_persistent(b, body_size);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct chunk *const *x = a, *const *y = b;

	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

/* Numbers mostly come in their order, and the chunks then already are in theirs. */
static bool is_sorted(const struct backlog *b)
{
	const struct list *link;
	uint64_t last = 0;

	list_for_each(link, &b->chunks) {
		uint64_t number = container_of(link, const struct chunk, link)->number;

		if (number < last)
			return false;
		last = number;
	}
	return true;
}

static void sort_chunks(struct backlog *b)
{
	struct chunk **all = mem_alloc(b->n_chunks * sizeof(struct chunk *));
	struct list *link;
	uint32_t n = 0;

	while ((link = list_pop(&b->chunks)))
		all[n++] = container_of(link, struct chunk, link);
	qsort(all, n, sizeof(*all), by_number);
	for (uint32_t i = 0; i < n; i++)
		list_add_tail(&b->chunks, &all[i]->link);
	mem_free(all);
}

/* The cursor goes before all of them, as none is taken. */
void backlog_restore_end(struct backlog *b)
{
	b->stored_through = b->next_seq - 1;
	if (b->n_chunks == 0)
		return;
	if (!is_sorted(b))
		sort_chunks(b);
	b->at_cursor = container_of(b->chunks.next, struct chunk, link);
	b->cursor = b->at_cursor->number * CHUNK_SLOTS;
	b->away_from = b->cursor;
}
