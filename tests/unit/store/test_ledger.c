/* SPDX-License-Identifier: MIT */
#include "store/log/ledger.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "base/mem.h"

/*
 * Random records over several segments, as a log has them, and after each step the segments that
 * may go do. What is left is then replayed by force, from nothing: it must say what the ledger
 * says.
 */

enum {
	QUEUES = 3,
	SEQS = 120,
	ROUNDS = 300,
	STEPS = 400,
	RECORDS = STEPS * 4,
};

enum kind {
	MESSAGE,
	SETTLE,
	REQUEUE,
	PURGE,
};

struct noted {
	enum kind kind;
	uint64_t serial, queue_id, first, last;
	unsigned deliveries;
};

static struct ledger ledger;
static struct noted records[RECORDS];
static unsigned n_records;
static bool is_gone[STEPS + 2];
static uint64_t current;
static uint64_t next_seq[QUEUES + 1];
static uint64_t offset;
static uint64_t random_state;
static unsigned n_retired, n_carried;

static uint64_t draw(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % below;
}

static struct segment *segment_of(uint64_t serial)
{
	return ledger.segments[serial - ledger.first_serial];
}

static void roll(void)
{
	static const struct segment_folder folder = {.path = NULL};

	ledger_add_segment(&ledger, segment_found(&folder, ++current, 1 << 20, 1 << 20));
	segment_of(current)->is_closed = false;
	offset = 64;
}

static uint64_t note(enum kind kind, uint64_t queue_id, uint64_t first, uint64_t last)
{
	CU_ASSERT_FATAL(n_records < RECORDS);
	records[n_records++] = (struct noted){.kind = kind,
					      .serial = current,
					      .queue_id = queue_id,
					      .first = first,
					      .last = last};
	offset += 8;
	return ledger_place(segment_of(current), offset);
}

/* ---- Steps ---- */

static void publish(void)
{
	struct record_target target = {.queue_id = 1 + draw(QUEUES)};

	if (next_seq[target.queue_id] == SEQS)
		return;
	target.seq = ++next_seq[target.queue_id];
	uint64_t place = note(MESSAGE, target.queue_id, target.seq, target.seq);
	CU_ASSERT_EQUAL(ledger_enqueue(&ledger, place, &target, false), 0);
}

static void end_some(enum kind kind)
{
	uint64_t queue_id = 1 + draw(QUEUES), first = 1 + draw(SEQS);
	uint64_t last = first + draw(6);

	if (kind == PURGE && draw(4) > 0)
		return;
	if (kind == PURGE)
		last = draw(next_seq[queue_id] + 1);
	if (last > next_seq[queue_id])
		return;
	uint64_t place = note(kind, queue_id, kind == PURGE ? 0 : first, last);
	if (kind == PURGE)
		ledger_purge(&ledger, place, queue_id, last);
	else if (kind == REQUEUE)
		ledger_requeue(&ledger, place, queue_id, first, last);
	else
		ledger_settle(&ledger, place, queue_id, first, last);
}

/* The copy is written; sometimes the message ends before the ledger learns of it. */
static void move_one(const struct noted *record)
{
	uint64_t from, to;
	struct index_entry entry;

	if (!index_find(&ledger.index, record->queue_id, record->first, &entry) ||
	    ledger_segment_at(&ledger, entry.place)->serial != record->serial)
		return;
	from = entry.place;
	to = note(MESSAGE, record->queue_id, record->first, record->first);
	records[n_records - 1].deliveries = entry.deliveries;
	CU_ASSERT_TRUE(ledger_move(&ledger, record->queue_id, record->first, from, to));
}

static struct segment *draw_closed(void)
{
	struct segment *segment = ledger.segments[draw(ledger.n_segments)];

	return segment && segment->serial != current ? segment : NULL;
}

/* Some of the messages of a segment. */
static void move_some(void)
{
	struct segment *segment = draw_closed();
	unsigned n = n_records;

	for (unsigned i = 0; segment && i < n; i++)
		if (records[i].serial == segment->serial && records[i].kind == MESSAGE && draw(3))
			move_one(&records[i]);
}

static bool concerns_others(const struct segment *segment, const struct noted *record)
{
	for (size_t i = 0; i < ledger.n_segments && ledger.segments[i] != segment; i++)
		if (ledger.segments[i] && ledger.segments[i]->serial >= segment->floor &&
		    spans_overlap(&ledger.segments[i]->spans, record->queue_id, record->first,
				  record->last))
			return true;
	return false;
}

/* What compaction does: all messages, and the ranges that count. */
static void carry_all(void)
{
	struct segment *segment = draw_closed();
	unsigned n = n_records;

	if (!segment || n > RECORDS / 2)
		return;
	for (unsigned i = 0; i < n; i++) {
		const struct noted record = records[i];

		if (record.serial != segment->serial)
			continue;
		if (record.kind == MESSAGE) {
			move_one(&record);
		} else if (concerns_others(segment, &record)) {
			(void)note(record.kind, record.queue_id, record.first, record.last);
			ledger_carry(segment, segment_of(current));
		}
	}
	CU_ASSERT_EQUAL(segment->n_live, 0);
	ledger_let_go(&ledger, segment);
	n_carried++;
}

/* ---- By force ---- */

struct state {
	bool is_live;
	unsigned deliveries;
};

static void replay(struct state state[QUEUES + 1][SEQS + 1])
{
	memset(state, 0, sizeof(struct state[QUEUES + 1][SEQS + 1]));
	for (unsigned i = 0; i < n_records; i++) {
		const struct noted *r = &records[i];

		if (is_gone[r->serial])
			continue;
		for (uint64_t seq = r->first; seq <= r->last; seq++) {
			struct state *s = &state[r->queue_id][seq];

			if (r->kind == MESSAGE)
				*s = (struct state){true, r->deliveries > 0 ? r->deliveries
									    : s->deliveries};
			else if (r->kind == REQUEUE)
				s->deliveries += s->is_live;
			else
				*s = (struct state){false, 0};
		}
	}
}

static void check(void)
{
	static struct state state[QUEUES + 1][SEQS + 1];

	replay(state);
	for (uint64_t queue = 1; queue <= QUEUES; queue++)
		for (uint64_t seq = 1; seq <= SEQS; seq++) {
			struct index_entry entry;
			bool is_live = index_find(&ledger.index, queue, seq, &entry);

			CU_ASSERT_EQUAL_FATAL(is_live, state[queue][seq].is_live);
			if (!is_live)
				continue;
			CU_ASSERT_EQUAL(entry.deliveries, state[queue][seq].deliveries);
			CU_ASSERT_FALSE(is_gone[ledger_segment_at(&ledger, entry.place)->serial]);
		}
}

static void retire(void *context, struct segment *segment)
{
	struct segment **retired = context;

	CU_ASSERT_TRUE_FATAL(segment->serial != current);
	CU_ASSERT_FALSE_FATAL(is_gone[segment->serial]);
	is_gone[segment->serial] = true;
	segment->next = *retired;
	*retired = segment;
	n_retired++;
	check();
}

static void retire_some(void)
{
	struct segment *retired = NULL;

	ledger_retire(&ledger, retire, &retired);
	while (retired) {
		struct segment *following = retired->next;

		ledger_drop_segment(&ledger, retired);
		retired = following;
	}
}

static void step(bool with_requeues)
{
	uint64_t dice = draw(100);

	if (dice < 30)
		publish();
	else if (dice < 55)
		end_some(SETTLE);
	else if (dice < 62)
		end_some(with_requeues ? REQUEUE : SETTLE);
	else if (dice < 65)
		end_some(PURGE);
	else if (dice < 70)
		move_some();
	else if (dice < 74 && !with_requeues)
		carry_all(); /* a requeue counts twice as long as both segments are there */
	else if (dice < 90)
		roll();
}

static void play(uint64_t seed)
{
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
	n_records = 0;
	current = 0;
	memset(is_gone, 0, sizeof(is_gone));
	memset(next_seq, 0, sizeof(next_seq));
	ledger_init(&ledger);
	roll();
	for (unsigned i = 0; i < STEPS && CU_get_number_of_failures() == 0; i++) {
		step(seed % 2);
		if (draw(3) == 0)
			retire_some();
		if (i % 16 == 0)
			check();
	}
	check();
	if (CU_get_number_of_failures() > 0)
		printf("seed %llu\n", (unsigned long long)seed);
	ledger_fini(&ledger);
}

static void what_is_left_says_the_same(void)
{
	for (uint64_t seed = 1; seed <= ROUNDS && CU_get_number_of_failures() == 0; seed++)
		play(seed);
	CU_ASSERT_TRUE(n_retired > ROUNDS * 10);
	CU_ASSERT_TRUE(n_carried > ROUNDS);
}

/* ---- Single rules ---- */

static void set_up(void)
{
	n_records = 0;
	current = 0;
	memset(is_gone, 0, sizeof(is_gone));
	ledger_init(&ledger);
	roll();
}

static uint64_t put(uint64_t seq)
{
	const struct record_target target = {.queue_id = 1, .seq = seq};
	uint64_t place = note(MESSAGE, 1, seq, seq);

	CU_ASSERT_EQUAL(ledger_enqueue(&ledger, place, &target, false), 0);
	return place;
}

static void settle(uint64_t seq)
{
	ledger_settle(&ledger, note(SETTLE, 1, seq, seq), 1, seq, seq);
}

static void the_end_of_a_copy_outlives_the_original(void)
{
	uint64_t original;

	set_up();
	(void)put(1);
	original = put(2);
	roll();
	uint64_t copy = note(MESSAGE, 1, 2, 2);
	CU_ASSERT_TRUE(ledger_move(&ledger, 1, 2, original, copy));
	roll();
	settle(2);
	roll();
	retire_some();
	CU_ASSERT_EQUAL(ledger.n_left, 4);
	/* the copy goes on request; its end must stay for the original's sake */
	ledger_let_go(&ledger, segment_of(2));
	retire_some();
	CU_ASSERT_TRUE(is_gone[2]);
	CU_ASSERT_FALSE(is_gone[3]);
	settle(1);
	retire_some();
	CU_ASSERT_TRUE(is_gone[1] && is_gone[3]);
	ledger_fini(&ledger);
}

static void pins_and_the_newest_stay(void)
{
	set_up();
	(void)put(1);
	settle(1);
	retire_some();
	CU_ASSERT_EQUAL(ledger.n_left, 1);
	roll();
	segment_of(1)->n_pins = 1;
	retire_some();
	CU_ASSERT_EQUAL(ledger.n_left, 2);
	segment_of(1)->n_pins = 0;
	retire_some();
	CU_ASSERT_EQUAL(ledger.n_left, 1);
	CU_ASSERT_EQUAL(ledger.first_serial, 2);
	ledger_fini(&ledger);
}

UNIT_MAIN("store/ledger", UNIT_TEST(what_is_left_says_the_same),
	  UNIT_TEST(the_end_of_a_copy_outlives_the_original), UNIT_TEST(pins_and_the_newest_stay))
