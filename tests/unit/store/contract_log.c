/* SPDX-License-Identifier: MIT */
#include "contract.h"

#include "base/mem.h"
#include "fixture.h"

#include "../unit.h"

/* ---- completions ---- */

#define N_APPENDS 100

void contract_appends_complete_in_order(void)
{
	static struct entry entries[N_APPENDS];
	static struct body bodies[N_APPENDS];

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < N_APPENDS; i++) {
		body_set(&bodies[i], i);
		entry_begin(&entries[i]);
		entry_enqueue(&entries[i], entry_publish(&entries[i], &bodies[i]), 1, i, 0);
		entry_submit(&entries[i], the_log, the_epoch);
	}
	CU_ASSERT_EQUAL(completions, 0);
	wait_for(&entries[N_APPENDS - 1].is_done);
	for (unsigned i = 0; i < N_APPENDS; i++) {
		CU_ASSERT_EQUAL(entries[i].order, i);
		CU_ASSERT_EQUAL(entries[i].result, STORE_DURABLE);
	}
	CU_ASSERT_EQUAL(stats().appends, N_APPENDS);
	CU_ASSERT_EQUAL(stats().live_messages, N_APPENDS);
	CU_ASSERT_EQUAL(stats().bytes, N_APPENDS * sizeof(bodies[0].bytes));
	stage_clear();
	for (unsigned i = 0; i < N_APPENDS; i++)
		CU_ASSERT_TRUE(body_is_free(&bodies[i]));
}

struct barrier {
	struct store_barrier barrier;
	const struct entry *before;
	bool before_was_done;
	bool is_done;
};

static void barrier_done(struct store_barrier *b, enum store_result result)
{
	struct barrier *barrier = container_of(b, struct barrier, barrier);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	barrier->before_was_done = !barrier->before || barrier->before->is_done;
	barrier->is_done = true;
}

static bool committed;

static void commit_done(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	(void)commit;
	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	CU_ASSERT_TRUE(revision > 0);
	committed = true;
}

/* The other tests watch for this too, in every completion. */
void contract_nothing_completes_inside_the_call(void)
{
	struct store_change change = {.key = SLICE_LITERAL("k"), .value = SLICE_LITERAL("v")};
	struct store_commit commit = {.changes = &change, .n_changes = 1, .done = commit_done};
	struct barrier barrier = {.barrier = {.done = barrier_done}};
	struct entry entry;
	struct body body;
	uint8_t first;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, &body), 1, 1, 0);
	entry_submit(&entry, the_log, the_epoch);
	CU_ASSERT_FALSE(entry.is_done);
	CALL(store_log_barrier(the_log, &barrier.barrier));
	CU_ASSERT_FALSE(barrier.is_done);
	committed = false;
	CALL(store_commit(the_store, &commit));
	CU_ASSERT_FALSE(committed);
	wait_for(&entry.is_done);
	wait_for(&barrier.is_done);
	wait_for(&committed);
	CU_ASSERT_EQUAL(read_one(1, 1, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	stage_clear();
}

void contract_barrier_comes_after_appends(void)
{
	struct entry entry;
	struct barrier barrier = {.barrier = {.done = barrier_done}, .before = &entry};
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, &body), 1, 1, 0);
	entry_submit(&entry, the_log, the_epoch);
	CALL(store_log_barrier(the_log, &barrier.barrier));
	wait_for(&barrier.is_done);
	CU_ASSERT_TRUE(barrier.before_was_done);
	stage_clear();
}

/* ---- epochs ---- */

void contract_wrong_epoch_is_fenced(void)
{
	struct entry entry;
	struct body body;
	uint64_t old;

	stage_set(1);
	body_set(&body, 1);
	for (unsigned round = 0; round < 2; round++) {
		/* First nobody leads; then it has been released, and the old epoch is tried. */
		entry_begin(&entry);
		entry_enqueue(&entry, entry_publish(&entry, &body), 1, 1, 0);
		entry_submit(&entry, the_log, round == 0 ? 1 : the_epoch);
		CU_ASSERT_FALSE(entry.is_done);
		wait_for(&entry.is_done);
		CU_ASSERT_EQUAL(entry.result, STORE_FENCED);
		CU_ASSERT_TRUE(body_is_free(&body));
		stage_lead();
		CU_ASSERT_EQUAL(recover()->n_messages, 0);
		store_log_release(the_log);
	}
	old = the_epoch;
	stage_lead();
	CU_ASSERT_TRUE(the_epoch > old);
	entry_begin(&entry);
	entry_submit(&entry, the_log, old);
	wait_for(&entry.is_done);
	CU_ASSERT_EQUAL(entry.result, STORE_FENCED);
	put(&body, 1, 1);
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	stage_clear();
}

struct rival {
	struct store_lead lead;
	uint64_t epoch;
	bool is_acquired;
	bool is_lost;
};

static void rival_acquired(struct store_lead *lead, enum store_result result, uint64_t epoch)
{
	struct rival *rival = container_of(lead, struct rival, lead);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	rival->epoch = epoch;
	rival->is_acquired = true;
}

static void rival_lost(struct store_lead *lead)
{
	CU_ASSERT_FALSE(in_call);
	container_of(lead, struct rival, lead)->is_lost = true;
}

void contract_another_leader_is_told(void)
{
	struct rival first = {.lead = {.acquired = rival_acquired, .lost = rival_lost}},
		     second = first;

	stage_set(1);
	CALL(store_log_lead(the_log, &first.lead));
	CALL(store_log_lead(the_log, &second.lead));
	CU_ASSERT_FALSE(first.is_acquired);
	wait_for(&second.is_acquired);
	CU_ASSERT_TRUE(first.is_acquired);
	CU_ASSERT_TRUE(first.is_lost);
	CU_ASSERT_FALSE(second.is_lost);
	CU_ASSERT_TRUE(second.epoch > first.epoch);
	stage_clear();
}

/* ---- all or nothing ---- */

static void fill_large(struct entry *entry, struct body *body)
{
	uint32_t publish;

	entry_begin(entry);
	publish = entry_publish(entry, body);
	for (uint64_t i = 0; i < RECORDS_MAX - 1; i++)
		entry_enqueue(entry, publish, 1 + i % 3, i, 0);
}

/* Memory fails at every place where it may, once. */
void contract_failed_append_leaves_nothing(void)
{
	struct entry entry;
	struct body body;
	int n_failures = 0;

	stage_set(1);
	stage_lead();
	for (int n = 1; n < 100; n++) {
		body_set(&body, 1);
		fill_large(&entry, &body);
		mem_fault_after(n);
		entry_submit(&entry, the_log, the_epoch);
		mem_fault_after(-1);
		wait_for(&entry.is_done);
		if (entry.result == STORE_DURABLE)
			break;
		n_failures++;
		CU_ASSERT_EQUAL(entry.result, STORE_ERROR);
		CU_ASSERT_TRUE(body_is_free(&body));
		CU_ASSERT_EQUAL(stats().live_messages, 0);
		CU_ASSERT_EQUAL(recover()->n_messages, 0);
	}
	CU_ASSERT_EQUAL(entry.result, STORE_DURABLE);
	CU_ASSERT_TRUE(n_failures < 90);
	CU_ASSERT_EQUAL(recover()->n_messages, RECORDS_MAX - 1);
	stage_clear();
	CU_ASSERT_TRUE(body_is_free(&body));
}

/* ---- settling ---- */

/* Whether it was written already is the engine's business; after the settle it is gone. */
void contract_elided_message_is_not_kept(void)
{
	struct entry entry, settling;
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, &body), 7, 1, 0);
	entry_submit(&entry, the_log, the_epoch);
	atomic_store(&entry.records[1].is_elided, true);
	entry_begin(&settling);
	entry_add(&settling, STORE_SETTLE, 7, 1, 1);
	settling.append.is_lazy = true;
	CU_ASSERT_EQUAL(entry_do(&settling), STORE_DURABLE);
	CU_ASSERT_TRUE(entry.is_done);
	CU_ASSERT_EQUAL(entry.result, STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_TRUE(body_is_free(&body));
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	stage_clear();
}

void contract_elide_concerns_one_queue(void)
{
	struct entry entry;
	struct body body;
	uint32_t publish;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	publish = entry_publish(&entry, &body);
	entry_enqueue(&entry, publish, 6, 1, 0);
	entry_enqueue(&entry, publish, 7, 1, 0);
	entry_submit(&entry, the_log, the_epoch);
	atomic_store(&entry.records[1].is_elided, true);
	wait_for(&entry.is_done);
	settle(6, 1, 1);
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	CU_ASSERT_TRUE(is_message(recover(), 0, 7, 1, 1));
	CU_ASSERT_EQUAL(stats().live_messages, 1);
	settle(7, 1, 1);
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	CU_ASSERT_TRUE(body_is_free(&body));
	stage_clear();
}

/* Lazily appended is durable after a barrier, and there for those who read at once. */
void contract_lazy_append_completes(void)
{
	struct entry entry;
	struct body body;
	uint8_t first;

	stage_set(1);
	stage_lead();
	body_set(&body, 3);
	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, &body), 7, 1, 0);
	entry.append.is_lazy = true;
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(read_one(7, 1, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(first, 3);
	stage_clear();
}

void contract_transient_is_read_and_not_recovered(void)
{
	struct entry entry;
	struct body bodies[2];
	uint8_t first;
	uint32_t publish;

	stage_set(1);
	stage_lead();
	body_set(&bodies[0], 3);
	body_set(&bodies[1], 4);
	entry_begin(&entry);
	publish = entry_publish(&entry, &bodies[0]);
	entry.records[publish].is_transient = true;
	entry_enqueue(&entry, publish, STORE_TRANSIENT_ID + 1, 1, 0);
	entry_enqueue(&entry, entry_publish(&entry, &bodies[1]), 7, 1, 0);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(read_one(STORE_TRANSIENT_ID + 1, 1, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(first, 3);
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	CU_ASSERT_TRUE(is_message(recover(), 0, 7, 1, 4));
	settle(STORE_TRANSIENT_ID + 1, 1, 1);
	CU_ASSERT_EQUAL(read_one(STORE_TRANSIENT_ID + 1, 1, &first), STORE_ERROR);
	CU_ASSERT_EQUAL(stats().live_messages, 1);
	stage_clear();
}

void contract_settle_frees_the_body(void)
{
	struct entry entry;
	struct body body;
	uint32_t publish;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	publish = entry_publish(&entry, &body);
	entry_enqueue(&entry, publish, 1, 10, 0);
	entry_enqueue(&entry, publish, 2, 20, 0);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_TRUE(atomic_load(&body.holds) <= 1);
	CU_ASSERT_EQUAL(stats().live_messages, 2);
	settle(1, 10, 10);
	settle(1, 10, 10);  /* settled already */
	settle(2, 10, 10);  /* another number */
	settle(99, 20, 20); /* another queue */
	CU_ASSERT_EQUAL(stats().live_messages, 1);
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	settle(2, 20, 20);
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_TRUE(body_is_free(&body));
	CU_ASSERT_TRUE(atomic_load(&body.drops) <= 1);
	stage_clear();
}

void contract_body_without_queue_is_freed(void)
{
	struct body body, settled;
	struct entry entry;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	body_set(&settled, 2);
	entry_begin(&entry);
	(void)entry_publish(&entry, &body);
	entry_enqueue(&entry, entry_publish(&entry, &settled), 1, 1, 0);
	entry_add(&entry, STORE_SETTLE, 1, 1, 1); /* in the same append */
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	CU_ASSERT_TRUE(body_is_free(&body));
	CU_ASSERT_TRUE(body_is_free(&settled));
	stage_clear();
}

void contract_expire_is_a_settle(void)
{
	struct body bodies[3];
	struct entry entry;

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < 3; i++) {
		body_set(&bodies[i], i);
		put(&bodies[i], 5, i);
	}
	entry_begin(&entry);
	entry_add(&entry, STORE_EXPIRE, 5, 0, 1);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_TRUE(body_is_free(&bodies[0]));
	CU_ASSERT_TRUE(body_is_free(&bodies[1]));
	CU_ASSERT_EQUAL(recover()->n_messages, 1);
	CU_ASSERT_TRUE(is_message(recover(), 0, 5, 2, 2));
	stage_clear();
}

void contract_purge_up_to_a_number(void)
{
	struct body bodies[4];
	struct entry entry;

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < 4; i++) {
		body_set(&bodies[i], i);
		put(&bodies[i], i == 3 ? 6 : 5, i);
	}
	entry_begin(&entry);
	entry_add(&entry, STORE_PURGE, 5, 0, 1);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 2);
	CU_ASSERT_TRUE(is_message(recover(), 0, 5, 2, 2));
	CU_ASSERT_TRUE(is_message(recover(), 1, 6, 3, 3));
	CU_ASSERT_EQUAL(stats().live_messages, 2);
	stage_clear();
}

/* The end of a queue. */
void contract_purge_of_everything(void)
{
	struct entry entry;
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	put(&body, 5, 1);
	entry_begin(&entry);
	entry_add(&entry, STORE_PURGE, 5, 0, UINT64_MAX);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_TRUE(body_is_free(&body));
	stage_clear();
}

/* So that a queue never gives a number twice: also after what had it is settled. */
void contract_highest_number_is_known(void)
{
	struct entry entry;
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	put(&body, 5, 10);
	CU_ASSERT_EQUAL(recover()->last_seqs[5], 10);
	settle(5, 7, 12);
	CU_ASSERT_EQUAL(recover()->last_seqs[5], 12);
	CU_ASSERT_EQUAL(recover()->last_seqs[6], 0);
	entry_begin(&entry);
	entry_add(&entry, STORE_PURGE, 5, 0, 20);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->last_seqs[5], 20);
	stage_clear();
}

/* ---- several logs ---- */

static struct entry elsewhere;

static void append_elsewhere(void *argument)
{
	static struct rival rival;

	(void)argument;
	rival = (struct rival){.lead = {.acquired = rival_acquired, .lost = rival_lost}};
	store_log_lead(store_log_of(the_store, 1), &rival.lead);
	for (int i = 0; i < 1000 && !rival.is_acquired; i++)
		loop_run_once(true);
	entry_submit(&elsewhere, store_log_of(the_store, 1), rival.epoch);
	for (int i = 0; i < 1000 && !elsewhere.is_done; i++)
		loop_run_once(true);
}

static void look_elsewhere(void *argument)
{
	struct store_log_stats there;

	(void)argument;
	store_log_stats(store_log_of(the_store, 1), &there);
	CU_ASSERT_EQUAL(there.live_messages, 1);
}

void contract_logs_are_separate(void)
{
	struct body body;

	stage_set(2);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&elsewhere);
	entry_enqueue(&elsewhere, entry_publish(&elsewhere, &body), 1, 1, 0);
	loop_pool_visit(1, append_elsewhere, NULL);
	CU_ASSERT_TRUE(elsewhere.is_done);
	CU_ASSERT_EQUAL(elsewhere.result, STORE_DURABLE);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	settle(1, 1, 1);
	loop_pool_visit(1, look_elsewhere, NULL);
	stage_clear();
	CU_ASSERT_TRUE(body_is_free(&body));
}

/* ---- the end ---- */

void contract_destroy_completes_everything(void)
{
	struct store_change change = {.key = SLICE_LITERAL("k"), .value = SLICE_LITERAL("v")};
	struct store_commit commit = {.changes = &change, .n_changes = 1, .done = commit_done};
	struct barrier barrier = {.barrier = {.done = barrier_done}};
	struct entry entry;
	struct body body;

	stage_set(1);
	stage_lead();
	body_set(&body, 1);
	entry_begin(&entry);
	entry_enqueue(&entry, entry_publish(&entry, &body), 1, 1, 0);
	entry_submit(&entry, the_log, the_epoch);
	committed = false;
	CALL(store_commit(the_store, &commit));
	CALL(store_log_barrier(the_log, &barrier.barrier));
	stage_clear();
	CU_ASSERT_TRUE(entry.is_done);
	CU_ASSERT_TRUE(committed);
	CU_ASSERT_TRUE(barrier.is_done);
	CU_ASSERT_TRUE(body_is_free(&body));
}
