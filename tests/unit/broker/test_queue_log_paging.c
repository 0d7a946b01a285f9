/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "../unit.h"
#include "queue_log_fixture.h"

/* What paging needs of the log: transient records, and news of how far it has got. */

/* Of five queues that get a message, the second and the fourth need it only in this run. */
static void body_once_for_each_kind(void)
{
	struct queue_log_state queues[5];
	struct message *m;

	setup_led();
	m = make();
	for (uint64_t i = 0; i < 5; i++) {
		queue_log_state_init(&queues[i], 10 + i);
		if (i % 2 == 1)
			queue_log_publish_transient(queue_log, &queues[i], 1, m);
		else
			queue_log_publish(queue_log, &queues[i], 1, m, 0, publisher.endpoint.ref,
					  1);
	}
	message_unref(m);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 7);
	CU_ASSERT_FALSE(append()->is_lazy);
	for (size_t i = 0; i < 7; i++) {
		const struct store_record *record = &store.records[i];

		if (record->type == STORE_PUBLISH) {
			CU_ASSERT_EQUAL(record->is_transient, i == 2);
		} else {
			CU_ASSERT_EQUAL(record->publish, record->queue_id % 2 == 1 ? 2 : 0);
		}
	}
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 3);
	for (int i = 0; i < 5; i++)
		queue_log_state_fini(&queues[i]);
	teardown();
}

/* ---- What queues hear of their appends ---- */

static struct {
	unsigned n_failed, n_completed;
	uint64_t failed, first, through;
} heard;

static void hear_failed(struct actor_ref queue, uint64_t seq)
{
	CU_ASSERT_TRUE(actor_ref_equal(queue, state.queue));
	heard.n_failed++;
	heard.failed = seq;
}

static void hear_completed(struct actor_ref queue, uint64_t first_seq)
{
	CU_ASSERT_TRUE(actor_ref_equal(queue, state.queue));
	heard.n_completed++;
	heard.first = first_seq;
	heard.through = queue_log_completed(queue_log, &state);
}

static const struct queue_log_listener listener = {hear_failed, hear_completed};

static void queues_hear_how_far_it_is_done(void)
{
	setup_led();
	memset(&heard, 0, sizeof(heard));
	state.queue = publisher.endpoint.ref;
	queue_log_listen(queue_log, &listener);
	for (uint64_t seq = 1; seq <= 6; seq++) {
		publish(seq);
		if (seq % 2 == 0)
			loop_run_once(false);
	}
	publish(7); /* gathered */
	CU_ASSERT_EQUAL(queue_log_completed(queue_log, &state), 0);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(heard.n_completed, 1);
	CU_ASSERT_EQUAL(heard.first, 1);
	CU_ASSERT_EQUAL(heard.through, 2);

	queue_log_settle(queue_log, &state, STORE_SETTLE, 3);
	CU_ASSERT_EQUAL(queue_log_completed(queue_log, &state), 3);
	complete(STORE_ERROR);
	CU_ASSERT_EQUAL(heard.n_failed, 1);
	CU_ASSERT_EQUAL(heard.failed, 4);
	CU_ASSERT_EQUAL(heard.n_completed, 2);
	CU_ASSERT_EQUAL(heard.through, 4);

	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(heard.first, 5);
	CU_ASSERT_EQUAL(heard.through, 6);
	loop_run_once(false);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(heard.n_completed, 4);
	CU_ASSERT_EQUAL(heard.through, UINT64_MAX);
	teardown();
}

static void alone_transient_ones_are_lazy_and_nobody_waits(void)
{
	struct message *m;

	setup_led();
	m = make();
	queue_log_publish_transient(queue_log, &state, 1, m);
	loop_run_once(false);
	CU_ASSERT_EQUAL_FATAL(store.n_records, 2);
	CU_ASSERT_TRUE(append()->is_lazy);
	CU_ASSERT_TRUE(store.records[0].is_transient);
	complete(STORE_DURABLE);
	CU_ASSERT_EQUAL(publisher.n_outcomes, 0);
	message_unref(m);
	teardown();
}

UNIT_MAIN("queue_log_paging", UNIT_TEST(body_once_for_each_kind),
	  UNIT_TEST(queues_hear_how_far_it_is_done),
	  UNIT_TEST(alone_transient_ones_are_lazy_and_nobody_waits))
