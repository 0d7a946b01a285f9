/* SPDX-License-Identifier: MIT */
#include "contract.h"

#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#include "../unit.h"

/* ---- reading ---- */

#define N_READ 5

struct reading {
	struct store_read read;
	size_t n_bodies;
	bool is_done;
};

static void reading_body(struct store_read *read, size_t index, enum store_result result,
			 struct slice body)
{
	struct reading *reading = container_of(read, struct reading, read);

	CU_ASSERT_FALSE(in_call);
	CU_ASSERT_FALSE(reading->is_done);
	CU_ASSERT_EQUAL(index, reading->n_bodies);
	reading->n_bodies++;
	if (index == 1) {
		CU_ASSERT_EQUAL(result, STORE_ERROR); /* settled meanwhile */
		return;
	}
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	CU_ASSERT_EQUAL_FATAL(body.size, sizeof(((struct body *)0)->bytes));
	CU_ASSERT_EQUAL(body.data[0], index);
	CU_ASSERT_EQUAL(body.data[body.size - 1], index);
}

static void reading_done(struct store_read *read)
{
	struct reading *reading = container_of(read, struct reading, read);

	CU_ASSERT_FALSE(in_call);
	reading->is_done = true;
}

void contract_read_gives_bodies_in_order(void)
{
	uint64_t seqs[N_READ];
	struct body bodies[N_READ];
	struct reading reading = {.read = {.queue_id = 1,
					   .seqs = seqs,
					   .n_seqs = N_READ,
					   .body = reading_body,
					   .done = reading_done}};

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < N_READ; i++) {
		body_set(&bodies[i], i);
		seqs[i] = i + 1;
		put(&bodies[i], 1, i + 1);
	}
	settle(1, 2, 2);
	CALL(store_log_read(the_log, &reading.read));
	CU_ASSERT_EQUAL(reading.n_bodies, 0);
	wait_for(&reading.is_done);
	CU_ASSERT_EQUAL(reading.n_bodies, N_READ);
	stage_clear();
}

void contract_read_after_settle_fails(void)
{
	struct body body, other;
	uint8_t first;

	stage_set(1);
	stage_lead();
	body_set(&body, 3);
	body_set(&other, 4);
	put(&body, 1, 1);
	CU_ASSERT_EQUAL(read_one(1, 1, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(first, 3);
	settle(1, 1, 1);
	CU_ASSERT_EQUAL(read_one(1, 1, &first), STORE_ERROR);
	put(&other, 1, 2);
	CU_ASSERT_EQUAL(read_one(1, 1, &first), STORE_ERROR);
	CU_ASSERT_EQUAL(read_one(1, 2, &first), STORE_DURABLE);
	CU_ASSERT_EQUAL(first, 4);
	CU_ASSERT_EQUAL(read_one(1, 0, &first), STORE_ERROR);
	CU_ASSERT_EQUAL(read_one(1, UINT64_MAX, &first), STORE_ERROR);
	CU_ASSERT_EQUAL(read_one(2, 2, &first), STORE_ERROR);
	stage_clear();
}

/* ---- recovery ---- */

void contract_recover_in_order(void)
{
	const struct replay *replay;
	struct body bodies[3];
	struct entry entry;

	stage_set(1);
	stage_lead();
	entry_begin(&entry);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t publish;

		body_set(&bodies[i], 10 + i);
		publish = entry_publish(&entry, &bodies[i]);
		entry_enqueue(&entry, publish, 1, i, 1000 + i);
		if (i == 1)
			entry_enqueue(&entry, publish, 2, 77, 0);
	}
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	settle(1, 0, 0);
	replay = recover();
	CU_ASSERT_EQUAL_FATAL(replay->n_messages, 3);
	CU_ASSERT_TRUE(is_message(replay, 0, 1, 1, 11));
	CU_ASSERT_EQUAL(replay->messages[0].expires_ms, 1001);
	CU_ASSERT_TRUE(is_message(replay, 1, 1, 2, 12));
	CU_ASSERT_TRUE(is_message(replay, 2, 2, 77, 11));
	CU_ASSERT_EQUAL(replay->messages[2].expires_ms, 0);
	CU_ASSERT_EQUAL(replay->messages[0].deliveries, 0);
	stage_clear();
}

void contract_recover_marks_redelivered(void)
{
	const struct replay *replay;
	struct body bodies[3];
	struct entry entry;

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < 3; i++) {
		body_set(&bodies[i], i);
		put(&bodies[i], 1, i);
	}
	entry_begin(&entry);
	entry_add(&entry, STORE_REQUEUE, 1, 1, 2);
	entry_add(&entry, STORE_REQUEUE, 4, 1, 1); /* no such queue */
	entry_add(&entry, STORE_REQUEUE, 1, 1, 1);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	replay = recover();
	CU_ASSERT_EQUAL_FATAL(replay->n_messages, 3);
	CU_ASSERT_EQUAL(replay->messages[0].deliveries, 0);
	CU_ASSERT_EQUAL(replay->messages[1].deliveries, 2);
	CU_ASSERT_EQUAL(replay->messages[2].deliveries, 1);
	stage_clear();
}

/* ---- room ---- */

void contract_compact_loses_nothing(void)
{
	static struct body bodies[600];
	struct entry entry;
	uint8_t first;

	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < 600; i++) {
		body_set(&bodies[i], i);
		put(&bodies[i], 1, i);
	}
	settle(1, 10, 597);
	entry_begin(&entry);
	CU_ASSERT_EQUAL(entry_do(&entry), STORE_DURABLE);
	CALL(store_log_compact(the_log));
	CU_ASSERT_EQUAL(recover()->n_messages, 12);
	CU_ASSERT_EQUAL(stats().live_messages, 12);
	CU_ASSERT_TRUE(is_message(recover(), 11, 1, 599, 599));
	CU_ASSERT_EQUAL(read_one(1, 599, &first), STORE_DURABLE);
	put(&bodies[10], 1, 600);
	CU_ASSERT_EQUAL(recover()->n_messages, 13);
	stage_clear();
}

/*
 * Far more than is kept spare, in two queues; several times, the second half settled one by one
 * from the end.
 */
#define BACKLOG 6000

void contract_backlog_comes_and_goes(void)
{
	static struct body bodies[BACKLOG];
	unsigned n_held = 0;
	struct entry entry;
	uint64_t seq = 0;

	stage_set(1);
	stage_lead();
	for (unsigned round = 0; round < 3; round++) {
		uint64_t first = seq;

		for (unsigned i = 0; i < BACKLOG;) {
			entry_begin(&entry);
			for (unsigned j = 0; j < RECORDS_MAX / 2 && i < BACKLOG; j++, i++, seq++) {
				body_set(&bodies[i], i);
				entry_enqueue(&entry, entry_publish(&entry, &bodies[i]),
					      1 + seq % 2, seq, 0);
			}
			CU_ASSERT_EQUAL_FATAL(entry_do(&entry), STORE_DURABLE);
		}
		CU_ASSERT_EQUAL(stats().live_messages, BACKLOG);
		settle(1, first, first + BACKLOG / 2 - 1);
		settle(2, first, first + BACKLOG / 2 - 1);
		CU_ASSERT_EQUAL(stats().live_messages, BACKLOG / 2);
		for (uint64_t i = seq; i > first + BACKLOG / 2; i--)
			settle(1 + (i - 1) % 2, i - 1, i - 1);
		CU_ASSERT_EQUAL(stats().live_messages, 0);
		CU_ASSERT_EQUAL(recover()->n_messages, 0);
		for (unsigned i = 0; i < BACKLOG; i++)
			n_held += !body_is_free(&bodies[i]);
	}
	CU_ASSERT_EQUAL(n_held, 0);
	stage_clear();
}

/* ---- a model ---- */

#define QUEUES 4
#define SEQS   200

struct model {
	bool is_live[QUEUES][SEQS];
	unsigned deliveries[QUEUES][SEQS];
};

static void model_settle(struct model *model, unsigned queue, uint64_t first, uint64_t last)
{
	for (uint64_t seq = first; seq <= last && seq < SEQS; seq++) {
		model->is_live[queue][seq] = false;
		model->deliveries[queue][seq] = 0;
	}
}

static void model_publish(struct model *model, struct entry *entry, struct body *body)
{
	uint32_t publish = entry_publish(entry, body);

	for (unsigned queue = 0; queue < QUEUES; queue++) {
		unsigned seq = (unsigned)rand() % SEQS;

		if (rand() % 2 || model->is_live[queue][seq])
			continue;
		entry_enqueue(entry, publish, queue + 1, seq, 0);
		model->is_live[queue][seq] = true;
	}
}

static void model_step(struct model *model, struct entry *entry, struct body *body)
{
	unsigned queue = (unsigned)rand() % QUEUES;
	uint64_t first = (uint64_t)rand() % SEQS, last = first + (uint64_t)rand() % 20;

	switch (rand() % 16) {
	case 0:
		entry_add(entry, STORE_PURGE, queue + 1, 0, first);
		model_settle(model, queue, 0, first);
		return;
	case 1:
	case 2:
		entry_add(entry, STORE_REQUEUE, queue + 1, first, last);
		for (uint64_t seq = first; seq <= last && seq < SEQS; seq++)
			model->deliveries[queue][seq] += model->is_live[queue][seq];
		return;
	case 3:
	case 4:
	case 5:
		entry_add(entry, STORE_SETTLE, queue + 1, first, last);
		model_settle(model, queue, first, last);
		return;
	default:
		model_publish(model, entry, body);
	}
}

static unsigned compare_with_model(const struct model *model)
{
	const struct replay *replay = recover();
	unsigned n_wrong = 0, n_expected = 0;

	for (size_t i = 0; i < replay->n_messages; i++) {
		const struct replayed *message = &replay->messages[i];

		n_wrong += !model->is_live[message->queue_id - 1][message->seq];
		n_wrong += model->deliveries[message->queue_id - 1][message->seq] !=
			   message->deliveries;
	}
	for (unsigned queue = 0; queue < QUEUES; queue++)
		for (unsigned seq = 0; seq < SEQS; seq++)
			n_expected += model->is_live[queue][seq];
	return n_wrong + (n_expected != replay->n_messages);
}

void contract_behaves_as_a_model(void)
{
	static struct body bodies[4000];
	static struct model model;
	unsigned n_wrong = 0;
	struct entry entry;

	srand(1);
	memset(&model, 0, sizeof(model));
	stage_set(1);
	stage_lead();
	for (unsigned i = 0; i < 4000; i++) {
		body_set(&bodies[i], i);
		entry_begin(&entry);
		model_step(&model, &entry, &bodies[i]);
		CU_ASSERT_EQUAL_FATAL(entry_do(&entry), STORE_DURABLE);
		if (i % 50 == 0)
			n_wrong += compare_with_model(&model);
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	for (uint64_t queue = 1; queue <= QUEUES; queue++)
		settle(queue, 0, SEQS);
	CU_ASSERT_EQUAL(recover()->n_messages, 0);
	CU_ASSERT_EQUAL(stats().live_messages, 0);
	for (unsigned i = 0; i < 4000; i++)
		n_wrong += !body_is_free(&bodies[i]);
	CU_ASSERT_EQUAL(n_wrong, 0);
	stage_clear();
}
