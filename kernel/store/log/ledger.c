/* SPDX-License-Identifier: MIT */
#include "store/log/ledger.h"

#include <string.h>

#include "base/bug.h"
#include "base/mem.h"

void ledger_init(struct ledger *ledger)
{
	*ledger = (struct ledger){.n_segments = 0};
	index_init(&ledger->index);
}

void ledger_fini(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_segments; i++)
		segment_free(ledger->segments[i]);
	mem_free(ledger->segments);
	index_fini(&ledger->index);
}

/* ---- Segments ---- */

static struct segment *newest(const struct ledger *ledger)
{
	return ledger->n_segments > 0 ? ledger->segments[ledger->n_segments - 1] : NULL;
}

static void grow(struct ledger *ledger, size_t wanted)
{
	while (ledger->capacity < wanted)
		ledger->capacity = ledger->capacity ? ledger->capacity * 2 : 16;
	ledger->segments =
		mem_realloc(ledger->segments, ledger->capacity * sizeof(struct segment *));
}

void ledger_add_segment(struct ledger *ledger, struct segment *segment)
{
	struct segment *before = newest(ledger);

	if (ledger->n_segments == 0)
		ledger->first_serial = segment->serial;
	bug_on(segment->serial < ledger->first_serial + ledger->n_segments);
	if (before && !before->is_closed) {
		before->is_closed = true;
		ledger->may_retire = true;
	}
	size_t n = (size_t)(segment->serial - ledger->first_serial) + 1;
	if (n > ledger->capacity)
		grow(ledger, n);
	while (ledger->n_segments < n)
		ledger->segments[ledger->n_segments++] = NULL;
	ledger->segments[n - 1] = segment;
	ledger->n_left++;
}

/* The newest stays: it is the one that is written, or what the next one comes behind. */
void ledger_drop_segment(struct ledger *ledger, struct segment *segment)
{
	size_t gap = 0;

	bug_on(newest(ledger) == segment);
	ledger->segments[segment->serial - ledger->first_serial] = NULL;
	ledger->n_left--;
	segment_free(segment);
	while (!ledger->segments[gap])
		gap++;
	if (gap < ledger->n_segments / 2)
		return;
	memmove(ledger->segments, ledger->segments + gap,
		(ledger->n_segments - gap) * sizeof(struct segment *));
	ledger->n_segments -= gap;
	ledger->first_serial += gap;
}

/* A place has the serial's lower bits. */
struct segment *ledger_segment_at(const struct ledger *ledger, uint64_t place)
{
	uint64_t at = (index_place_segment(place) - ledger->first_serial) & INDEX_SEGMENT_MAX;

	bug_on(at >= ledger->n_segments || !ledger->segments[at]);
	return ledger->segments[at];
}

/* ---- Records ---- */

static void lower_floor(struct segment *segment, uint64_t serial)
{
	if (serial < segment->floor)
		segment->floor = serial;
}

static void note_copied(struct segment *to, const struct segment *from)
{
	if (from == to)
		return;
	lower_floor(to, from->serial);
	if (from->serial < to->copied_from)
		to->copied_from = from->serial;
}

struct going {
	struct ledger *ledger;
	struct segment *by; /* where the record is that ends it */
};

static void leave(struct ledger *ledger, struct segment *segment)
{
	bug_on(segment->n_live == 0);
	if (--segment->n_live == 0)
		ledger->may_retire = true;
}

static void gone(void *context, uint64_t queue_id, uint64_t seq, uint64_t place)
{
	struct going *going = context;
	struct segment *segment = ledger_segment_at(going->ledger, place);

	(void)queue_id, (void)seq;
	leave(going->ledger, segment);
	lower_floor(going->by, segment->serial);
}

static void concerned(void *context, uint64_t queue_id, uint64_t seq, uint64_t place)
{
	struct going *going = context;

	(void)queue_id, (void)seq;
	lower_floor(going->by, ledger_segment_at(going->ledger, place)->serial);
}

int ledger_enqueue(struct ledger *ledger, uint64_t place, const struct record_target *target,
		   bool is_transient)
{
	struct segment *segment = ledger_segment_at(ledger, place);
	uint64_t replaced;
	int r = index_add(&ledger->index, target->queue_id, target->seq, place, is_transient,
			  &replaced);

	if (r < 0)
		return r;
	if (target->deliveries > 0)
		index_set_deliveries(&ledger->index, target->queue_id, target->seq,
				     target->deliveries);
	segment->n_live++;
	segment->n_total++;
	spans_add(&segment->spans, target->queue_id, target->seq);
	if (replaced != 0) {
		struct segment *from = ledger_segment_at(ledger, replaced);

		leave(ledger, from);
		note_copied(segment, from);
	}
	return 0;
}

static void note_seq(struct ledger *ledger, uint64_t queue_id, uint64_t seq)
{
	/*
	 * Memory for a queue that is not known otherwise; without it a number may come again that
	 * nothing in the log has any more.
	 */
	(void)!index_note_seq(&ledger->index, queue_id, seq);
}

void ledger_settle(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t first,
		   uint64_t last)
{
	struct going going = {.ledger = ledger, .by = ledger_segment_at(ledger, place)};

	note_seq(ledger, queue_id, last);
	index_settle(&ledger->index, queue_id, first, last, gone, &going);
}

void ledger_requeue(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t first,
		    uint64_t last)
{
	struct going going = {.ledger = ledger, .by = ledger_segment_at(ledger, place)};

	index_requeue(&ledger->index, queue_id, first, last, concerned, &going);
}

void ledger_purge(struct ledger *ledger, uint64_t place, uint64_t queue_id, uint64_t last)
{
	struct going going = {.ledger = ledger, .by = ledger_segment_at(ledger, place)};

	if (last == UINT64_MAX) {
		index_forget_queue(&ledger->index, queue_id, gone, &going);
		return;
	}
	note_seq(ledger, queue_id, last);
	index_settle(&ledger->index, queue_id, 0, last, gone, &going);
}

bool ledger_move(struct ledger *ledger, uint64_t queue_id, uint64_t seq, uint64_t from, uint64_t to)
{
	struct segment *old = ledger_segment_at(ledger, from);
	struct segment *new = ledger_segment_at(ledger, to);

	/* Dead or not, the copy must not outlive the segment that it is from. */
	note_copied(new, old);
	if (!index_move(&ledger->index, queue_id, seq, from, to))
		return false;
	new->n_live++;
	new->n_total++;
	spans_add(&new->spans, queue_id, seq);
	leave(ledger, old);
	return true;
}

void ledger_carry(const struct segment *from, struct segment *to)
{
	lower_floor(to, from->floor);
}

/*
 * Copies in it may have gone before their originals do. What has ended a copy speaks of the
 * original as well, so it must outlive that, too.
 */
void ledger_let_go(struct ledger *ledger, struct segment *segment)
{
	uint64_t from = segment->copied_from;

	for (size_t i = 0; i < ledger->n_segments && from < UINT64_MAX; i++) {
		struct segment *later = ledger->segments[i];

		if (!later || later->serial <= segment->serial)
			continue;
		if (later->floor <= segment->serial)
			lower_floor(later, from);
		if (later->copied_from <= segment->serial && from < later->copied_from)
			later->copied_from = from;
	}
	segment->floor = segment->copied_from = UINT64_MAX;
	ledger->may_retire = true;
}

void ledger_retire(struct ledger *ledger, void (*retire)(void *context, struct segment *segment),
		   void *context)
{
	uint64_t below = 0; /* the highest serial so far that stays */

	ledger->may_retire = false;
	for (size_t i = 0; i < ledger->n_segments; i++) {
		struct segment *segment = ledger->segments[i];

		if (!segment || segment->is_retiring)
			continue;
		if (segment->is_closed && segment->n_live == 0 && segment->n_pins == 0 &&
		    segment->floor > below && segment != newest(ledger)) {
			segment->is_retiring = true;
			retire(context, segment);
		} else {
			below = segment->serial;
		}
	}
}
