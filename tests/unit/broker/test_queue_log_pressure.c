/* SPDX-License-Identifier: MIT */
#include "../unit.h"
#include "broker/queue/log_batch.h"
#include "queue_log_fixture.h"

/* A log that is behind: who publishes to it is to wait. */

#define MIB   (UINT64_C(1) << 20)
#define LARGE (2 * MIB)

static unsigned n_told;

static void caught_up(struct queue_log_waiter *waiter)
{
	(void)waiter;
	n_told++;
}

static struct queue_log_waiter waiter = {.caught_up = caught_up};

static void publish_large(uint64_t seq)
{
	struct message *m = message_create(SLICE_EMPTY, SLICE_LITERAL("k"), slice_make("\0\0", 2),
					   (uint32_t)LARGE);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	queue_log_publish(queue_log, &state, seq, m, 0, publisher.endpoint.ref, seq);
	message_unref(m);
}

/* As many as make it wait, each in an append of its own. Returns how many that are. */
static uint64_t fall_behind(void)
{
	uint64_t seq = 0;

	n_told = 0;
	while (!queue_log_is_behind(queue_log)) {
		publish_large(++seq);
		loop_run_once(false);
	}
	CU_ASSERT_EQUAL(seq, QUEUE_LOG_UNDER_WAY_MAX / LARGE);
	return seq;
}

static void complete_all(enum store_result result)
{
	while (store.n_done < store.n_appends)
		complete(result);
}

static void goes_on_when_half_is_done(void)
{
	setup_led();
	uint64_t n = fall_behind();

	queue_log_wait(queue_log, &waiter);
	for (uint64_t i = 0; i < n / 2; i++) {
		complete(STORE_DURABLE);
		loop_run_once(false);
		CU_ASSERT_EQUAL(n_told, 0);
	}
	CU_ASSERT_FALSE(queue_log_is_behind(queue_log));
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(n_told, 0); /* not inside */
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_told, 1);
	complete_all(STORE_DURABLE);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_told, 1);
	teardown();
}

static void what_fails_is_done(void)
{
	setup_led();
	(void)fall_behind();
	queue_log_wait(queue_log, &waiter);
	complete_all(STORE_ERROR);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_told, 1);
	teardown();
}

/* Gathered, and settled before it was appended. */
static void what_is_settled_at_once_is_done(void)
{
	setup_led();
	for (uint64_t seq = 1; seq <= 20; seq++)
		publish_large(seq);
	CU_ASSERT_TRUE(queue_log_is_behind(queue_log));
	n_told = 0;
	queue_log_wait(queue_log, &waiter);
	for (uint64_t seq = 1; seq <= 20; seq++)
		queue_log_settle(queue_log, &state, STORE_SETTLE, seq);
	loop_run_once(false);
	loop_run_once(false);
	CU_ASSERT_EQUAL(store.n_appends, store.n_done);
	CU_ASSERT_FALSE(queue_log_is_behind(queue_log));
	CU_ASSERT_EQUAL(n_told, 1);
	teardown();
}

static void a_log_that_is_not_to_be_had_is_not_behind(void)
{
	setup();
	for (uint64_t seq = 1; seq <= 20; seq++)
		publish_large(seq);
	n_told = 0;
	queue_log_wait(queue_log, &waiter);
	loop_run_once(false);
	grant(STORE_ERROR);
	loop_run_once(false);
	CU_ASSERT_EQUAL(n_told, 1);
	teardown();
}

static void a_log_that_ends_lets_go(void)
{
	setup_led();
	(void)fall_behind();
	queue_log_wait(queue_log, &waiter);
	teardown_early();
	CU_ASSERT_EQUAL(n_told, 1);
	complete_all(STORE_DURABLE);
	check_account();
}

static void one_body_counts_once(void)
{
	struct queue_log_state queues[8];
	struct message *m = message_create(SLICE_EMPTY, SLICE_LITERAL("k"), slice_make("\0\0", 2),
					   (uint32_t)(2 * MIB));

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	setup_led();
	account_before -= m->alloc_size;
	for (uint64_t i = 0; i < 8; i++) {
		queue_log_state_init(&queues[i], 10 + i);
		queue_log_publish(queue_log, &queues[i], 1, m, 0, ACTOR_REF_NONE, 0);
	}
	CU_ASSERT_FALSE(queue_log_is_behind(queue_log));
	CU_ASSERT_TRUE(queue_log_added(queue_log) > 2 * MIB);
	message_unref(m);
	loop_run_once(false);
	complete(STORE_DURABLE);
	for (int i = 0; i < 8; i++)
		queue_log_state_fini(&queues[i]);
	teardown();
}

/* The arrays of many small ones are seen by the memory alarm. */
static void arrays_count(void)
{
	struct message *m;
	uint64_t before;

	setup_led();
	m = make();
	store.ignores_records = true;
	before = account_kind_total(ACCOUNT_LOG);
	for (uint64_t seq = 1; seq <= 10000; seq++)
		queue_log_publish(queue_log, &state, seq, m, 0, ACTOR_REF_NONE, 0);
	message_unref(m);
	loop_run_once(false);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_LOG) - before > 10000 * sizeof(struct log_entry));
	complete(STORE_DURABLE);
	CU_ASSERT_TRUE(account_kind_total(ACCOUNT_LOG) <= before);
	teardown();
}

UNIT_MAIN("queue_log_pressure", UNIT_TEST(goes_on_when_half_is_done), UNIT_TEST(what_fails_is_done),
	  UNIT_TEST(what_is_settled_at_once_is_done),
	  UNIT_TEST(a_log_that_is_not_to_be_had_is_not_behind), UNIT_TEST(a_log_that_ends_lets_go),
	  UNIT_TEST(one_body_counts_once), UNIT_TEST(arrays_count))
