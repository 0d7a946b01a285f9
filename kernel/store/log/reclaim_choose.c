/* SPDX-License-Identifier: MIT */
#include "store/log/reclaim.h"

#include "store/log/disk_log.h"

/*
 * Three kinds of segments are worth reading and appending anew. Those that are mostly dead. Those
 * with nothing alive whose ranges keep them, as the ranges may concern nothing any more; but when
 * some did, what they were appended to is looked at again only when half of the segments with
 * messages before it have gone. So the kept ones may grow in number, and when there are more of
 * them than of those that they are kept for, the oldest of the latter is moved, however well it is
 * filled. With that the log takes at most about twice the room of the segments with messages.
 */

#define SEGMENTS_MIN 4u	    /* with fewer than these it is not worth it */
#define LIVE_PART    4u	    /* less than a quarter is alive */
#define SPREAD_MAX   65536u /* serial numbers from the oldest to the newest, if most are gone */

struct survey {
	size_t n_with_messages, n_kept, n_ripe;
	struct segment *oldest; /* with messages, that can be moved */
	struct segment *ripe;	/* the first of the kept ones that may gain */
};

static bool is_candidate(const struct segment *segment)
{
	return segment->is_closed && !segment->is_unreadable && segment->n_pins == 0;
}

static bool is_mostly_dead(const struct reclaim *reclaim, const struct segment *segment)
{
	if (segment->n_live == 0)
		return false;
	return reclaim->is_forced ? segment->n_live < segment->n_total
				  : segment->n_live < segment->n_total / LIVE_PART;
}

static void look_at(struct survey *survey, struct segment *segment)
{
	if (segment->n_live > 0) {
		survey->n_with_messages++;
		if (!survey->oldest && is_candidate(segment))
			survey->oldest = segment;
		return;
	}
	survey->n_kept++;
	if (!is_candidate(segment) ||
	    (segment->n_carried_for > 0 && survey->n_with_messages > segment->n_carried_for / 2))
		return;
	survey->n_ripe++;
	if (!survey->ripe)
		survey->ripe = segment;
}

static struct segment *weigh(const struct reclaim *reclaim, const struct survey *survey)
{
	const struct ledger *ledger = &reclaim->log->ledger;
	bool is_spread =
		ledger->n_segments > SPREAD_MAX && ledger->n_segments / LIVE_PART > ledger->n_left;

	if (survey->ripe && (survey->n_ripe >= SEGMENTS_MIN || reclaim->is_forced))
		return survey->ripe;
	if (survey->n_kept > survey->n_with_messages + SEGMENTS_MIN || is_spread)
		return survey->oldest;
	return NULL;
}

/* The oldest first: it may be what keeps others. */
struct segment *reclaim_choose(const struct reclaim *reclaim)
{
	const struct ledger *ledger = &reclaim->log->ledger;
	struct survey survey = {.n_kept = 0};

	if (!reclaim_is_worth_it(reclaim))
		return NULL;
	for (size_t i = 0; i + 1 < ledger->n_segments; i++) {
		struct segment *segment = ledger->segments[i];

		if (!segment || segment->is_retiring)
			continue;
		if (is_candidate(segment) && is_mostly_dead(reclaim, segment))
			return segment;
		look_at(&survey, segment);
	}
	return weigh(reclaim, &survey);
}

bool reclaim_is_worth_it(const struct reclaim *reclaim)
{
	return reclaim->log->ledger.n_left >= SEGMENTS_MIN || reclaim->is_forced;
}

void reclaim_note_carried(const struct ledger *ledger, struct segment *to)
{
	uint64_t n = 1;

	for (size_t i = 0; i < ledger->n_segments && ledger->segments[i] != to; i++)
		n += ledger->segments[i] && ledger->segments[i]->n_live > 0;
	if (n > to->n_carried_for)
		to->n_carried_for = n;
}
