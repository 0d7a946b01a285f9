/* SPDX-License-Identifier: MIT */
#include "broker/queue/log.h"

#include "../unit.h"
#include "base/clock.h"
#include "queue_log_fixture.h"

static void one_append_a_turn_after_leading(void)
{
	setup();
	publish(1);
	publish(2);
	loop_run_once(false);
	CU_ASSERT_EQUAL(store.n_appends, 0);
	publish(3);
	loop_run_once(false);
	grant(STORE_DURABLE);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_appends, 1);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 6);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(store.records[2 * i].type, STORE_PUBLISH);
		CU_ASSERT_EQUAL(store.records[2 * i + 1].type, STORE_ENQUEUE);
		CU_ASSERT_EQUAL(store.records[2 * i + 1].queue_id, 5);
		CU_ASSERT_EQUAL(store.records[2 * i + 1].seq_first, i + 1);
		CU_ASSERT_EQUAL(store.records[2 * i + 1].publish, 2 * i);
	}
	CU_ASSERT_EQUAL(publisher.n_outcomes, 0);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL_FATAL(publisher.n_outcomes, 3);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(publisher.outcomes[i].seq, i + 1);
		CU_ASSERT_FALSE(publisher.outcomes[i].rejected);
	}
	teardown();
	CU_ASSERT_EQUAL(store.n_released, 1);
}

static void body_once_for_several_queues(void)
{
	struct queue_log_state other;
	struct message *m;

	setup_led();
	queue_log_state_init(&other, 6);
	m = make();
	queue_log_publish(queue_log, &state, 1, m, 777, publisher.endpoint.ref, 1);
	queue_log_publish(queue_log, &other, 10, m, 0, publisher.endpoint.ref, 1);
	message_unref(m);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 3);
	CU_ASSERT_EQUAL(store.records[0].type, STORE_PUBLISH);
	CU_ASSERT_EQUAL(store.records[0].body.bytes.size, 4 + 2 + 1 + 2 + 4);
	CU_ASSERT_EQUAL(store.records[1].queue_id, 5);
	CU_ASSERT_EQUAL(store.records[1].expires_ms, 777);
	CU_ASSERT_EQUAL(store.records[2].queue_id, 6);
	CU_ASSERT_EQUAL(store.records[2].seq_first, 10);
	CU_ASSERT_EQUAL(store.records[1].publish, 0);
	CU_ASSERT_EQUAL(store.records[2].publish, 0);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 2); /* one for each target */
	queue_log_state_fini(&other);
	teardown();
}

static void settled_in_its_turn_is_never_written(void)
{
	setup_led();
	publish(1);
	publish(2);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_settle(queue_log, &state, STORE_EXPIRE, 2);
	loop_run_once(false);
	CU_ASSERT_EQUAL(store.n_appends, 1); /* setup_led()'s */
	CU_ASSERT_EQUAL(publisher.n_outcomes, 2);
	CU_ASSERT_FALSE(publisher.outcomes[0].rejected);

	publish(3);
	publish(4);
	publish(5);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 4); /* out of order */
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 4);
	CU_ASSERT_EQUAL(store.records[1].seq_first, 3);
	CU_ASSERT_EQUAL(store.records[3].seq_first, 5);
	CU_ASSERT_EQUAL(store.records[3].publish, 2);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 3);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 5);
	teardown();
}

static void settles_become_ranges(void)
{
	setup_led();
	for (uint64_t seq = 1; seq <= 5; seq++)
		queue_log_settle(queue_log, &state, STORE_SETTLE, seq);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 9);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 8);
	queue_log_settle(queue_log, &state, STORE_REQUEUE, 10);
	queue_log_settle_range(queue_log, &state, STORE_SETTLE, 11, 20);
	queue_log_settle_range(queue_log, &state, STORE_SETTLE, 30, 29); /* nothing */
	queue_log_flush(queue_log);
	static const struct store_record expected[] = {
		{.type = STORE_SETTLE, .seq_first = 1, .seq_last = 5},
		{.type = STORE_SETTLE, .seq_first = 8, .seq_last = 9},
		{.type = STORE_REQUEUE, .seq_first = 10, .seq_last = 10},
		{.type = STORE_SETTLE, .seq_first = 11, .seq_last = 20},
	};
	CU_ASSERT_EQUAL_FATAL(store.n_records, 4);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(store.records[i].type, expected[i].type);
		CU_ASSERT_EQUAL(store.records[i].seq_first, expected[i].seq_first);
		CU_ASSERT_EQUAL(store.records[i].seq_last, expected[i].seq_last);
	}
	CU_ASSERT_TRUE(append()->is_lazy);
	complete(STORE_DURABLE);
	teardown();
}

/* Two consumers settle every other message each. */
static void runs_of_several_consumers_become_ranges(void)
{
	setup_led();
	for (uint64_t i = 0; i < 5; i++) {
		queue_log_settle(queue_log, &state, STORE_SETTLE, 1 + i);
		queue_log_settle(queue_log, &state, STORE_SETTLE, 101 + i);
		queue_log_settle(queue_log, &state, STORE_SETTLE, 201 + i);
	}
	queue_log_flush(queue_log);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 3);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(store.records[i].seq_first, 100 * i + 1);
		CU_ASSERT_EQUAL(store.records[i].seq_last, 100 * i + 5);
	}
	complete(STORE_DURABLE);
	teardown();
}

static void settles_wait_for_more(void)
{
	uint64_t last = 1;

	setup_led();
	queue_log_settle(queue_log, &state, STORE_SETTLE, last);
	uint64_t begun = loop_now_ms();
	loop_run_once(false);
	/* setup_led()'s; on a machine that held us up the time may be over */
	CU_ASSERT(store.n_appends == 1 || clock_monotonic_ms() >= begun + QUEUE_LOG_SETTLE_MS);
	if (store.n_appends == 1)
		queue_log_settle(queue_log, &state, STORE_SETTLE, ++last);
	while (store.n_appends == 1 && loop_now_ms() < begun + 60000)
		loop_run_once(true);
	CU_ASSERT(loop_now_ms() >= begun + QUEUE_LOG_SETTLE_MS);
	CU_ASSERT_EQUAL_FATAL(store.n_appends, 2);
	CU_ASSERT_TRUE(append()->is_lazy);
	CU_ASSERT_EQUAL(store.n_records, 1);
	CU_ASSERT_EQUAL(store.records[0].seq_last, last);
	complete(STORE_DURABLE);

	queue_log_settle(queue_log, &state, STORE_SETTLE, 3);
	loop_run_once(false);
	publish(4);
	loop_run_once(false);
	CU_ASSERT_FALSE(append()->is_lazy);
	CU_ASSERT_EQUAL(store.n_records, 3); /* the settle goes with the publish */
	complete(STORE_DURABLE);
	teardown();
}

/* False if the machine held us up for so long that they had waited long enough before they were many. */
static bool many_settles_do_not_wait(void)
{
	uint64_t begun = clock_monotonic_ms();
	bool is_in_time;

	setup_led();
	store.ignores_records = true;
	for (uint64_t i = 1; i < QUEUE_LOG_RANGES_MAX; i++)
		queue_log_settle(queue_log, &state, STORE_SETTLE, 2 * i);
	loop_run_once(false);
	is_in_time = clock_monotonic_ms() < begun + QUEUE_LOG_SETTLE_MS;
	if (is_in_time)
		CU_ASSERT_EQUAL(store.n_appends, 1);
	if (store.n_appends == 1) {
		queue_log_settle(queue_log, &state, STORE_SETTLE, 1000000);
		loop_run_once(false);
		CU_ASSERT_EQUAL(store.n_appends, 2);
		CU_ASSERT_EQUAL(append()->n_records, QUEUE_LOG_RANGES_MAX);
	}
	complete(STORE_DURABLE);
	teardown();
	return is_in_time;
}

static void settles_do_not_wait_when_they_are_many(void)
{
	bool is_in_time = false;

	for (unsigned i = 0; i < 100 && !is_in_time; i++)
		is_in_time = many_settles_do_not_wait();
	CU_ASSERT_TRUE(is_in_time);
}

static void settled_while_under_way_is_elided_and_written(void)
{
	setup_led();
	publish(1);
	publish(2);
	loop_run_once(false);
	const struct store_record *first = append()->records;
	publish(3);
	loop_run_once(false);
	const struct store_record *second = append()->records;
	publish(4); /* gathered meanwhile */

	queue_log_settle(queue_log, &state, STORE_SETTLE, 3);
	CU_ASSERT_TRUE(second[1].is_elided);
	queue_log_settle(queue_log, &state, STORE_EXPIRE, 2); /* not in order */
	CU_ASSERT_TRUE(first[3].is_elided);
	CU_ASSERT_FALSE(first[1].is_elided);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 4);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 0);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(publisher.n_outcomes, 3); /* and none waits for the disk */
	CU_ASSERT_EQUAL(publisher.outcomes[0].seq, 3);
	CU_ASSERT_EQUAL(publisher.outcomes[1].seq, 2);
	CU_ASSERT_EQUAL(publisher.outcomes[2].seq, 4);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL_FATAL(publisher.n_outcomes, 4);
	CU_ASSERT_EQUAL(publisher.outcomes[3].seq, 1);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 4);

	queue_log_settle(queue_log, &state, STORE_SETTLE, 1); /* durable: nothing to elide */
	queue_log_flush(queue_log);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 3);
	CU_ASSERT_EQUAL(store.records[0].seq_first, 3);
	CU_ASSERT_EQUAL(store.records[1].type, STORE_EXPIRE);
	CU_ASSERT_EQUAL(store.records[2].seq_first, 1);
	complete(STORE_DURABLE);
	teardown();
}

/* Appends may complete in any order, and batches that come to nothing lie between them. */
static void elided_in_many_appends_under_way(void)
{
	enum { COUNT = 6 };
	const struct store_record *records[COUNT];

	setup_led();
	for (uint64_t i = 0; i < COUNT; i++) {
		publish(10 * i + 1);
		publish(10 * i + 2);
		publish(10 * i + 3);
		loop_run_once(false);
		records[i] = append()->records;
		publish(10 * i + 4);
		queue_log_settle(queue_log, &state, STORE_SETTLE, 10 * i + 4);
		loop_run_once(false);
	}
	CU_ASSERT_EQUAL(store.n_appends, 1 + COUNT);
	for (uint64_t i = COUNT; i-- > 0;) {
		queue_log_settle(queue_log, &state, STORE_SETTLE, 10 * i + 3);
		queue_log_settle(queue_log, &state, STORE_SETTLE, 10 * i + 1);
		CU_ASSERT_TRUE(records[i][1].is_elided);
		CU_ASSERT_FALSE(records[i][3].is_elided);
		CU_ASSERT_TRUE(records[i][5].is_elided);
	}
	store.n_done++;
	complete(STORE_DURABLE); /* the second first */
	store.n_done = 1;
	complete(STORE_DURABLE);
	store.n_done++;
	queue_log_settle(queue_log, &state, STORE_SETTLE, 2);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 12);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 22);
	CU_ASSERT_TRUE(records[2][3].is_elided);
	queue_log_purge(queue_log, &state, 42);
	CU_ASSERT_TRUE(records[3][3].is_elided);
	CU_ASSERT_TRUE(records[4][3].is_elided);
	CU_ASSERT_FALSE(records[5][3].is_elided);
	for (size_t i = 2; i < COUNT; i++)
		complete(STORE_DURABLE);
	loop_run_once(false);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 4 * COUNT); /* once each */
	queue_log_flush(queue_log);
	complete(STORE_DURABLE);
	teardown();
}

static void purge_drops_what_was_gathered(void)
{
	setup_led();
	publish(1);
	publish(2);
	queue_log_purge(queue_log, &state, 2);
	publish(3);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 3);
	CU_ASSERT_FALSE(append()->is_lazy);
	CU_ASSERT_EQUAL(store.records[1].seq_first, 3);
	CU_ASSERT_EQUAL(store.records[2].type, STORE_PURGE);
	CU_ASSERT_EQUAL(store.records[2].seq_last, 2);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 2);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 3);
	teardown();
}

static void failed_appends_are_rejected(void)
{
	static const enum store_result results[] = {STORE_ERROR, STORE_UNKNOWN, STORE_FENCED};

	setup_led();
	for (size_t i = 0; i < 3; i++) {
		publish(i + 1);
		loop_run_once(false);
		complete(results[i]);
		CU_ASSERT_EQUAL_FATAL(publisher.n_outcomes, i + 1);
		CU_ASSERT_TRUE(publisher.outcomes[i].rejected);
	}
	teardown();
}

/* The log must know of them sooner or later, so they go once more; requeues are not worth it. */
static void failed_settles_are_appended_again(void)
{
	setup_led();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_settle(queue_log, &state, STORE_REQUEUE, 2);
	publish(3);
	loop_run_once(false);
	CU_ASSERT_EQUAL(store.n_records, 4);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 2);
	complete(STORE_ERROR);
	CU_ASSERT_TRUE(publisher.outcomes[0].rejected);
	queue_log_flush(queue_log);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 2);
	CU_ASSERT_EQUAL(store.records[0].seq_first, 2);
	CU_ASSERT_EQUAL(store.records[1].type, STORE_SETTLE);
	CU_ASSERT_EQUAL(store.records[1].seq_first, 1);
	complete(STORE_FENCED);
	queue_log_flush(queue_log);
	CU_ASSERT_EQUAL(store.n_done, store.n_appends); /* nobody's any more */
	teardown();
}

/* ---- Barriers ---- */

static unsigned n_passed, n_stopped;

static void barrier_done(struct queue_log_barrier *barrier)
{
	if (barrier->has_failed)
		n_stopped++;
	else
		n_passed++;
}

static void barrier_takes_what_is_gathered(void)
{
	struct queue_log_barrier barrier = {.done = barrier_done};

	n_passed = n_stopped = 0;
	setup_led();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_barrier(queue_log, &barrier);
	CU_ASSERT_EQUAL(store.n_appends, 2);
	CU_ASSERT_TRUE(append()->is_lazy);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_passed, 0);
	pass(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_passed, 1);

	queue_log_barrier(queue_log, &barrier); /* nothing gathered: only the store is asked */
	CU_ASSERT_EQUAL(store.n_appends, 2);
	pass(STORE_UNKNOWN);
	CU_ASSERT_EQUAL(n_stopped, 1);

	queue_log_settle(queue_log, &state, STORE_SETTLE, 2);
	queue_log_barrier(queue_log, &barrier);
	complete(STORE_ERROR);
	pass(STORE_DURABLE); /* of what there is; but the settle is not there */
	CU_ASSERT_EQUAL(n_stopped, 2);
	queue_log_barrier(queue_log, &barrier); /* with the settle once more */
	CU_ASSERT_EQUAL(store.n_records, 1);
	complete(STORE_DURABLE);
	pass(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_passed, 2);
	teardown();
}

static void barrier_waits_for_the_log_to_be_led(void)
{
	struct queue_log_barrier barriers[2] = {{.done = barrier_done}, {.done = barrier_done}};

	n_passed = n_stopped = 0;
	setup();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_barrier(queue_log, &barriers[0]);
	CU_ASSERT_PTR_NULL(store.barrier);
	grant(STORE_ERROR);
	CU_ASSERT_EQUAL(n_stopped, 1);
	queue_log_settle(queue_log, &state, STORE_SETTLE, 2);
	queue_log_barrier(queue_log, &barriers[0]);
	grant(STORE_DURABLE);
	loop_run_once(false);
	CU_ASSERT_EQUAL(store.n_appends, 1);
	complete(STORE_DURABLE);
	pass(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_passed, 1);
	teardown();

	setup();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 1);
	queue_log_barrier(queue_log, &barriers[0]);
	teardown_early(); /* before it could begin */
	CU_ASSERT_EQUAL(n_stopped, 2);
	grant(STORE_DURABLE);
	complete(STORE_DURABLE); /* of what it was for */
	check_account();
	setup_led();
	queue_log_barrier(queue_log, &barriers[1]);
	teardown();
	pass(STORE_DURABLE); /* after the log's end */
	CU_ASSERT_EQUAL(n_passed, 2);
}

static void atomic_is_for_one_append(void)
{
	setup_led();
	publish(1);
	publish(2);
	queue_log_make_atomic(queue_log);
	loop_run_once(false);
	CU_ASSERT_TRUE(append()->is_atomic);
	publish(3);
	loop_run_once(false);
	CU_ASSERT_FALSE(append()->is_atomic);
	complete(STORE_DURABLE);
	complete(STORE_DURABLE);
	publish(4);
	loop_run_once(false);
	CU_ASSERT_FALSE(append()->is_atomic);
	complete(STORE_DURABLE);
	queue_log_make_atomic(queue_log); /* nothing was published */
	teardown();
}

static void nobody_leads_nobody_confirms(void)
{
	setup();
	publish(1);
	loop_run_once(false);
	grant(STORE_ERROR);
	CU_ASSERT_EQUAL_FATAL(publisher.n_outcomes, 1);
	CU_ASSERT_TRUE(publisher.outcomes[0].rejected);
	publish(2);
	loop_run_once(false); /* asks anew */
	grant(STORE_DURABLE);
	loop_run_once(false);
	complete(STORE_DURABLE);
	CU_ASSERT_FALSE(publisher.outcomes[1].rejected);
	teardown();
}

static void several_publishers_hear_their_own(void)
{
	static struct fake_endpoint other;
	struct message *m;

	setup_led();
	fake_endpoint_begin(&other);
	m = make();
	for (uint64_t seq = 1; seq <= 400; seq++)
		queue_log_publish(queue_log, &state, seq, m, 0,
				  seq % 100 < 50 ? publisher.endpoint.ref : other.endpoint.ref,
				  seq);
	queue_log_publish(queue_log, &state, 401, m, 0, ACTOR_REF_NONE, 0); /* nobody asks */
	message_unref(m);
	for (uint64_t seq = 1; seq <= 401; seq++)
		queue_log_settle(queue_log, &state, STORE_SETTLE, seq);
	loop_run_once(false);
	CU_ASSERT_EQUAL(publisher.n_outcomes + other.n_outcomes, 400);
	for (size_t i = 1; i < publisher.n_outcomes; i++)
		CU_ASSERT(publisher.outcomes[i].seq > publisher.outcomes[i - 1].seq);
	fake_endpoint_end(&other);
	teardown();
}

/* The store may answer after the end: nothing is touched but the batch. */
static void ended_while_under_way(void)
{
	setup_led();
	publish(1);
	loop_run_once(false);
	publish(2);
	teardown_early();
	CU_ASSERT_EQUAL(store.n_appends - store.n_done, 2); /* what was gathered goes at the end */
	CU_ASSERT_EQUAL(store.n_released, 1);
	complete(STORE_DURABLE);
	complete(STORE_DURABLE);
	check_account();
}

static void ended_before_it_was_led(void)
{
	setup();
	queue_log_settle(queue_log, &state, STORE_REQUEUE, 7);
	teardown_early();
	grant(STORE_DURABLE);
	CU_ASSERT_EQUAL_FATAL(store.n_appends, 1);
	CU_ASSERT_EQUAL(store.records[0].type, STORE_REQUEUE);
	CU_ASSERT_EQUAL(store.n_released, 1);
	complete(STORE_DURABLE);
	check_account();

	setup();
	queue_log_settle(queue_log, &state, STORE_SETTLE, 7);
	teardown_early();
	grant(STORE_ERROR);
	CU_ASSERT_EQUAL(store.n_appends, 0);
	check_account();
}

static void last_purge_is_not_part_of_another(void)
{
	setup_led();
	queue_log_purge(queue_log, &state, 5);
	queue_log_purge(queue_log, &state, UINT64_MAX);
	queue_log_flush(queue_log);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 2);
	CU_ASSERT_EQUAL(store.records[1].seq_last, UINT64_MAX);
	complete(STORE_DURABLE);
	teardown();
}

UNIT_MAIN("queue_log", UNIT_TEST(one_append_a_turn_after_leading),
	  UNIT_TEST(body_once_for_several_queues), UNIT_TEST(settled_in_its_turn_is_never_written),
	  UNIT_TEST(settles_become_ranges), UNIT_TEST(runs_of_several_consumers_become_ranges),
	  UNIT_TEST(settles_wait_for_more), UNIT_TEST(settles_do_not_wait_when_they_are_many),
	  UNIT_TEST(settled_while_under_way_is_elided_and_written),
	  UNIT_TEST(elided_in_many_appends_under_way), UNIT_TEST(purge_drops_what_was_gathered),
	  UNIT_TEST(failed_appends_are_rejected), UNIT_TEST(failed_settles_are_appended_again),
	  UNIT_TEST(barrier_takes_what_is_gathered), UNIT_TEST(barrier_waits_for_the_log_to_be_led),
	  UNIT_TEST(atomic_is_for_one_append), UNIT_TEST(nobody_leads_nobody_confirms),
	  UNIT_TEST(several_publishers_hear_their_own), UNIT_TEST(ended_while_under_way),
	  UNIT_TEST(ended_before_it_was_led), UNIT_TEST(last_purge_is_not_part_of_another))
