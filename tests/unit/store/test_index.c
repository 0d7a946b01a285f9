/* SPDX-License-Identifier: MIT */
#include "store/log/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "base/account.h"
#include "base/mem.h"

static struct index index_;
static uint64_t account_before;

static void setup(void)
{
	account_before = account_total();
	index_init(&index_);
}

/* Everything has been given back. */
static void teardown(void)
{
	index_fini(&index_);
	CU_ASSERT_EQUAL(index_count(&index_), 0);
	CU_ASSERT_EQUAL(index_overhead(&index_), 0);
	CU_ASSERT_EQUAL(account_total(), account_before);
}

static uint64_t place_of(uint64_t number)
{
	return index_place((uint32_t)(number % 1000), (number + 1) * 8);
}

static void add(uint64_t queue_id, uint64_t seq)
{
	uint64_t replaced = 1;

	CU_ASSERT_EQUAL_FATAL(
		index_add(&index_, queue_id, seq, place_of(seq % 1000), false, &replaced), 0);
	CU_ASSERT_EQUAL(replaced, 0);
}

static bool is_live(uint64_t queue_id, uint64_t seq)
{
	struct index_entry entry;

	return index_find(&index_, queue_id, seq, &entry);
}

static unsigned deliveries(uint64_t queue_id, uint64_t seq)
{
	struct index_entry entry = {.deliveries = 1000};

	(void)index_find(&index_, queue_id, seq, &entry);
	return entry.deliveries;
}

/* ---- One by one ---- */

static void places_are_packed_and_unpacked(void)
{
	uint64_t least = index_place(0, 8), most = index_place(INDEX_SEGMENT_MAX, INDEX_OFFSET_MAX);

	CU_ASSERT_NOT_EQUAL(least, 0);
	CU_ASSERT_EQUAL(index_place_segment(least), 0);
	CU_ASSERT_EQUAL(index_place_offset(least), 8);
	CU_ASSERT_EQUAL(index_place_segment(most), INDEX_SEGMENT_MAX);
	CU_ASSERT_EQUAL(index_place_offset(most), INDEX_OFFSET_MAX);
	CU_ASSERT_EQUAL(index_place_segment(index_place(5, 4096)), 5);
	CU_ASSERT_EQUAL(index_place_offset(index_place(5, 4096)), 4096);
}

static void extremes_of_an_entry_are_kept_apart(void)
{
	uint64_t most = index_place(INDEX_SEGMENT_MAX, INDEX_OFFSET_MAX), replaced;
	struct index_entry entry;

	setup();
	CU_ASSERT_EQUAL_FATAL(index_add(&index_, 1, 0, most, true, &replaced), 0);
	for (unsigned i = 0; i < INDEX_DELIVERIES_MAX + 10; i++)
		index_requeue(&index_, 1, 0, 0, NULL, NULL);
	CU_ASSERT_TRUE_FATAL(index_find(&index_, 1, 0, &entry));
	CU_ASSERT_EQUAL(entry.place, most);
	CU_ASSERT_EQUAL(entry.deliveries, INDEX_DELIVERIES_MAX);
	CU_ASSERT_TRUE(entry.is_transient);

	CU_ASSERT_EQUAL_FATAL(index_add(&index_, 1, UINT64_MAX, place_of(3), false, &replaced), 0);
	CU_ASSERT_TRUE_FATAL(index_find(&index_, 1, UINT64_MAX, &entry));
	CU_ASSERT_EQUAL(entry.place, place_of(3));
	CU_ASSERT_EQUAL(entry.deliveries, 0);
	CU_ASSERT_FALSE(entry.is_transient);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), UINT64_MAX);
	teardown();
}

static void replacing_keeps_the_deliveries(void)
{
	struct index_entry entry;
	uint64_t replaced = 0;

	setup();
	add(7, 20);
	index_requeue(&index_, 7, 0, 100, NULL, NULL);
	index_requeue(&index_, 7, 20, 20, NULL, NULL);
	CU_ASSERT_EQUAL(index_add(&index_, 7, 20, place_of(500), true, &replaced), 0);
	CU_ASSERT_EQUAL(replaced, place_of(20));
	CU_ASSERT_EQUAL(index_count(&index_), 1);
	CU_ASSERT_TRUE_FATAL(index_find(&index_, 7, 20, &entry));
	CU_ASSERT_EQUAL(entry.place, place_of(500));
	CU_ASSERT_EQUAL(entry.deliveries, 2);
	CU_ASSERT_TRUE(entry.is_transient);
	teardown();
}

static void settled_ones_come_back_without_deliveries(void)
{
	setup();
	add(7, 20);
	index_requeue(&index_, 7, 20, 20, NULL, NULL);
	index_settle(&index_, 7, 20, 20, NULL, NULL);
	CU_ASSERT_FALSE(is_live(7, 20));
	add(7, 20);
	CU_ASSERT_EQUAL(deliveries(7, 20), 0);
	teardown();
}

static void moves_only_from_where_it_is(void)
{
	struct index_entry entry;

	setup();
	add(7, 20);
	index_requeue(&index_, 7, 20, 20, NULL, NULL);
	CU_ASSERT_FALSE(index_move(&index_, 7, 20, place_of(21), place_of(22)));
	CU_ASSERT_FALSE(index_move(&index_, 7, 21, place_of(20), place_of(22)));
	CU_ASSERT_FALSE(index_move(&index_, 8, 20, place_of(20), place_of(22)));
	CU_ASSERT_TRUE(index_move(&index_, 7, 20, place_of(20), place_of(22)));
	CU_ASSERT_TRUE_FATAL(index_find(&index_, 7, 20, &entry));
	CU_ASSERT_EQUAL(entry.place, place_of(22));
	CU_ASSERT_EQUAL(entry.deliveries, 1);
	CU_ASSERT_FALSE(index_move(&index_, 7, 20, place_of(20), place_of(23)));
	teardown();
}

static void unknown_queues_and_numbers(void)
{
	struct index_entry entry = {.place = 5};
	struct map_cursor cursor;
	struct index_queue_info info;

	setup();
	CU_ASSERT_FALSE(index_find(&index_, 1, 1, &entry));
	CU_ASSERT_EQUAL(entry.place, 5);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 0);
	index_settle(&index_, 1, 0, UINT64_MAX, NULL, NULL);
	index_requeue(&index_, 1, 0, UINT64_MAX, NULL, NULL);
	index_forget_queue(&index_, 1, NULL, NULL);
	CU_ASSERT_FALSE(index_first_queue(&index_, &cursor, &info));
	add(1, 1000);
	CU_ASSERT_FALSE(is_live(1, 999));
	CU_ASSERT_FALSE(is_live(1, 1001));
	CU_ASSERT_FALSE(is_live(1, 1000 + (UINT64_C(1) << 32)));
	CU_ASSERT_FALSE(is_live(2, 1000));
	index_settle(&index_, 1, 1001, 999, NULL, NULL); /* the wrong way round: nothing */
	CU_ASSERT_TRUE(is_live(1, 1000));
	teardown();
}

static void the_last_number_outlives_the_messages(void)
{
	setup();
	add(1, 10);
	add(1, 5);
	index_settle(&index_, 1, 0, 100, NULL, NULL);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 10);
	CU_ASSERT_EQUAL(index_note_seq(&index_, 1, 9), 0);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 10);
	CU_ASSERT_EQUAL(index_note_seq(&index_, 1, 12), 0);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 12);
	CU_ASSERT_EQUAL(index_note_seq(&index_, 2, 77), 0);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 2), 77);
	index_forget_queue(&index_, 1, NULL, NULL);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 0);
	CU_ASSERT_EQUAL(index_last_seq(&index_, 2), 77);
	teardown();
}

/* ---- Ranges ---- */

struct tally {
	uint64_t n;
	uint64_t sum;
	bool is_still_there;
};

static void tally_gone(void *ctx, uint64_t queue_id, uint64_t seq, uint64_t place)
{
	struct tally *tally = ctx;

	tally->n++;
	tally->sum += seq;
	CU_ASSERT_EQUAL(place, place_of(seq % 1000));
	tally->is_still_there |= is_live(queue_id, seq);
}

static void huge_ranges_cost_what_is_there(void)
{
	static const uint64_t seqs[] = {
		0, 1, 127, 128, 1000000, UINT64_C(1) << 40, UINT64_MAX - 1, UINT64_MAX};
	const size_t n = sizeof(seqs) / sizeof(*seqs);
	struct tally tally = {0};
	uint64_t sum = 0;

	setup();
	for (size_t i = 0; i < n; i++) {
		add(3, seqs[i]);
		sum += seqs[i];
	}
	index_requeue(&index_, 3, 0, UINT64_MAX, NULL, NULL);
	index_requeue(&index_, 3, 1, UINT64_MAX - 1, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(deliveries(3, seqs[i]), i == 0 || i == n - 1 ? 1 : 2);
	index_settle(&index_, 3, 1, UINT64_MAX - 1, tally_gone, &tally);
	CU_ASSERT_EQUAL(tally.n, n - 2);
	CU_ASSERT_TRUE(is_live(3, 0));
	CU_ASSERT_TRUE(is_live(3, UINT64_MAX));
	index_settle(&index_, 3, 0, UINT64_MAX, tally_gone, &tally);
	CU_ASSERT_EQUAL(tally.n, n);
	CU_ASSERT_EQUAL(tally.sum, sum);
	CU_ASSERT_FALSE(tally.is_still_there);
	CU_ASSERT_EQUAL(index_count(&index_), 0);
	teardown();
}

/* As a consumer does that acknowledges from the front, all up to a number; while others come. */
static void settling_from_the_front(void)
{
	struct tally tally = {0};
	size_t most = 0;

	setup();
	for (uint64_t seq = 1; seq <= 100000; seq++) {
		add(1, seq);
		if (seq % 10 == 0)
			index_settle(&index_, 1, 0, seq - 5, tally_gone, &tally);
		if (index_overhead(&index_) > most)
			most = index_overhead(&index_);
	}
	CU_ASSERT_EQUAL(tally.n, 100000 - 5);
	CU_ASSERT_EQUAL(index_count(&index_), 5);
	CU_ASSERT(most < 16384);
	teardown();
}

static int check_ascending(void *ctx, uint64_t seq, const struct index_entry *entry)
{
	uint64_t *expected = ctx;

	CU_ASSERT_EQUAL(seq, *expected);
	CU_ASSERT_EQUAL(entry->place, place_of(seq % 1000));
	*expected += 3;
	return seq == 2997 ? -EPERM : 0;
}

static void visits_in_order_until_told_to_stop(void)
{
	uint64_t expected = 0;

	setup();
	CU_ASSERT_EQUAL(index_visit(&index_, 1, check_ascending, &expected), 0);
	for (uint64_t seq = 6000; seq >= 3; seq -= 3)
		add(1, seq - 3);
	mem_fault_after(1);
	CU_ASSERT_EQUAL(index_visit(&index_, 1, check_ascending, &expected), -ENOMEM);
	CU_ASSERT_EQUAL(index_visit(&index_, 1, check_ascending, &expected), -EPERM);
	CU_ASSERT_EQUAL(expected, 3000);
	teardown();
}

/* ---- Room ---- */

static void many_queues_with_a_message_each(void)
{
	struct map_cursor cursor;
	struct index_queue_info info;
	struct tally tally = {0};
	const uint64_t n = 100000;
	uint64_t ids = 0, queues = 0;

	setup();
	for (uint64_t id = 1; id <= n; id++)
		add(id, id * 100);
	CU_ASSERT_EQUAL(index_count(&index_), n);
	CU_ASSERT(index_overhead(&index_) < n * 180);
	for (bool more = index_first_queue(&index_, &cursor, &info); more;
	     more = index_next_queue(&index_, &cursor, &info)) {
		queues++;
		ids += info.id;
		CU_ASSERT_EQUAL(info.last_seq, info.id * 100);
		CU_ASSERT_EQUAL(info.n_live, 1);
		if (info.id % 2 == 0)
			index_forget_queue(&index_, info.id, tally_gone, &tally);
	}
	CU_ASSERT_EQUAL(queues, n);
	CU_ASSERT_EQUAL(ids, n * (n + 1) / 2);
	CU_ASSERT_EQUAL(tally.n, n / 2);
	CU_ASSERT_EQUAL(index_count(&index_), n / 2);
	for (uint64_t id = 1; id <= n; id++)
		CU_ASSERT_EQUAL(is_live(id, id * 100), id % 2 == 1);
	teardown();
}

static void a_long_queue_takes_nine_bytes_a_message(void)
{
	const uint64_t n = 1000000;
	struct tally tally = {0};

	setup();
	for (uint64_t seq = 1; seq <= n; seq++)
		add(1, seq);
	CU_ASSERT(index_overhead(&index_) < n * 9);
	index_settle(&index_, 1, 10, n - 10, tally_gone, &tally);
	CU_ASSERT_EQUAL(tally.n, n - 19);
	CU_ASSERT(index_overhead(&index_) < 65536);
	for (uint64_t seq = 1; seq <= n; seq += seq == 9 ? n - 18 : 1)
		CU_ASSERT_TRUE(is_live(1, seq));
	teardown();
}

static void a_lone_old_message_holds_a_chunk_at_most(void)
{
	setup();
	for (uint64_t seq = 1; seq <= 200000; seq++) {
		add(1, seq);
		if (seq % 1000 != 0)
			index_settle(&index_, 1, seq, seq, NULL, NULL);
	}
	CU_ASSERT_EQUAL(index_count(&index_), 200);
	CU_ASSERT(index_overhead(&index_) < 200 * 1200);
	teardown();
}

static void out_of_memory_changes_nothing(void)
{
	uint64_t replaced, bytes;

	setup();
	mem_fault_after(1);
	CU_ASSERT_EQUAL(index_note_seq(&index_, 1, 5), -ENOMEM);
	for (int at = 1; at <= 2; at++) { /* the queue, its chunk */
		mem_fault_after(at);
		CU_ASSERT_EQUAL(index_add(&index_, 1, 5, place_of(5), false, &replaced), -ENOMEM);
		CU_ASSERT_EQUAL(index_.queues.count, 0);
	}
	add(1, 5);
	bytes = index_overhead(&index_);
	for (int at = 1; at <= 2; at++) { /* a second chunk, the table */
		mem_fault_after(at);
		CU_ASSERT_EQUAL(index_add(&index_, 1, 500, place_of(5), false, &replaced), -ENOMEM);
		CU_ASSERT_EQUAL(index_last_seq(&index_, 1), 5);
		CU_ASSERT_EQUAL(index_count(&index_), 1);
	}
	mem_fault_after(1); /* a larger chunk */
	CU_ASSERT_EQUAL(index_add(&index_, 1, 100, place_of(5), false, &replaced), -ENOMEM);
	mem_fault_after(-1);
	CU_ASSERT_TRUE(is_live(1, 5));
	CU_ASSERT_FALSE(is_live(1, 500));
	CU_ASSERT(index_overhead(&index_) <= bytes + 32); /* the second chunk is kept to spare */
	add(1, 500);
	add(1, 100);
	teardown();
}

/* A table that cannot be made smaller stays as it is, and settling does not fail. */
static void settling_needs_no_memory(void)
{
	setup();
	for (uint64_t seq = 0; seq < 100000; seq++)
		add(1, seq);
	mem_fault_after(1);
	index_settle(&index_, 1, 100, UINT64_MAX, NULL, NULL);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(index_count(&index_), 100);
	for (uint64_t seq = 0; seq < 200; seq++)
		CU_ASSERT_EQUAL(is_live(1, seq), seq < 100);
	teardown();
}

UNIT_MAIN("index", UNIT_TEST(places_are_packed_and_unpacked),
	  UNIT_TEST(extremes_of_an_entry_are_kept_apart), UNIT_TEST(replacing_keeps_the_deliveries),
	  UNIT_TEST(settled_ones_come_back_without_deliveries),
	  UNIT_TEST(moves_only_from_where_it_is), UNIT_TEST(unknown_queues_and_numbers),
	  UNIT_TEST(the_last_number_outlives_the_messages),
	  UNIT_TEST(huge_ranges_cost_what_is_there), UNIT_TEST(settling_from_the_front),
	  UNIT_TEST(visits_in_order_until_told_to_stop), UNIT_TEST(many_queues_with_a_message_each),
	  UNIT_TEST(a_long_queue_takes_nine_bytes_a_message),
	  UNIT_TEST(a_lone_old_message_holds_a_chunk_at_most),
	  UNIT_TEST(out_of_memory_changes_nothing), UNIT_TEST(settling_needs_no_memory))
