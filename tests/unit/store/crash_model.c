/* SPDX-License-Identifier: MIT */
#include "crash_model.h"

#include <string.h>

#include "base/list.h"
#include "fixture.h"
#include "room_stage.h"

#include "../unit.h"

struct model model;

void model_init(void)
{
	memset(&model, 0, sizeof(model));
	for (unsigned i = 0; i < MODEL_SLOTS; i++)
		model.slots[i] = ++model.last_id;
}

/* Most small, some that are written from where they lie. */
size_t model_body_size(uint32_t number)
{
	return number % 41 == 0 ? 9000 + number % 5000 : number % 2500;
}

/* ---- What happened ---- */

static void end_range(const struct happening *event, bool is_done)
{
	uint64_t last = event->last < MODEL_SEQS ? event->last : MODEL_SEQS - 1;

	for (uint64_t seq = event->first; seq <= last; seq++) {
		struct model_message *message = &model.messages[event->queue][seq];

		if (event->range == STORE_REQUEUE) {
			message->n_requeued += !is_done;
			message->n_requeued_for_sure += is_done;
		} else {
			message->may_be_dead |= message->is_appended;
			message->is_dead |= is_done && message->is_appended;
		}
	}
}

static void appended(const struct happening *event)
{
	CU_ASSERT_FATAL(event->op < MODEL_OPS);
	model.ops[event->op] = *event;
	model.n_ops = event->op + 1;
	model.last_number = event->number > model.last_number ? event->number : model.last_number;
	for (unsigned i = 0; i < event->n_targets; i++) {
		model.messages[event->queues[i]][event->seqs[i]] =
			(struct model_message){.is_appended = true,
					       .op = (uint16_t)event->op,
					       .number = event->number,
					       .expires_ms = event->expires_ms};
		model.next_seq[event->queues[i]] = event->seqs[i];
	}
	if (event->range >= 0)
		end_range(event, false);
	if (event->range == STORE_PURGE && event->last == UINT64_MAX)
		model.slots[event->slot] = ++model.last_id;
}

static void done(const struct happening *event)
{
	for (unsigned i = 0; i < event->n_targets; i++)
		model.messages[event->queues[i]][event->seqs[i]].is_durable = true;
	if (event->range >= 0)
		end_range(event, true);
}

void model_apply(const struct happening *event)
{
	if (event->type == EVENT_APPEND)
		appended(event);
	else if (event->type == EVENT_DONE)
		done(&model.ops[event->op]);
}

/* ---- What is there ---- */

struct check {
	struct store_recovery recovery;
	uint64_t last_seqs[MODEL_QUEUES];
	bool is_done;
};

static void note_queue(struct store_recovery *recovery, uint64_t queue_id, uint64_t last_seq)
{
	struct check *check = container_of(recovery, struct check, recovery);

	CU_ASSERT_TRUE_FATAL(queue_id < MODEL_QUEUES);
	check->last_seqs[queue_id] = last_seq;
}

static void note_message(struct store_recovery *recovery, const struct store_recovered *found)
{
	struct check *check = container_of(recovery, struct check, recovery);

	CU_ASSERT_TRUE_FATAL(found->queue_id < MODEL_QUEUES && found->seq < MODEL_SEQS);
	struct model_message *message = &model.messages[found->queue_id][found->seq];

	CU_ASSERT_TRUE(message->is_appended);
	CU_ASSERT_FALSE(message->is_dead);
	CU_ASSERT_FALSE(message->is_found);
	message->is_found = true;
	CU_ASSERT_EQUAL(found->expires_ms, message->expires_ms);
	CU_ASSERT_TRUE(found->seq <= check->last_seqs[found->queue_id]);
	CU_ASSERT_TRUE(body_is(found->body, message->number, model_body_size(message->number)));
	CU_ASSERT_TRUE(found->deliveries >= message->n_requeued_for_sure);
	/* one that was carried on counts twice if the kill leaves it in both places */
	CU_ASSERT_TRUE(found->deliveries == 0 || message->n_requeued > 0);
	message->n_requeued = message->n_requeued_for_sure = found->deliveries;
}

static void note_done(struct store_recovery *recovery, enum store_result result)
{
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	container_of(recovery, struct check, recovery)->is_done = true;
}

/* Of a message that nothing else has ended. */
static bool is_there(uint64_t queue, uint64_t seq, bool *ret_is_known)
{
	const struct model_message *message = &model.messages[queue][seq];

	*ret_is_known = message->is_found || !message->may_be_dead;
	return message->is_found;
}

/* All of a transaction's messages, or none. */
static void check_whole(const struct happening *op)
{
	unsigned n_there = 0, n_missing = 0;

	for (unsigned i = 0; i < op->n_targets; i++) {
		bool is_known, there = is_there(op->queues[i], op->seqs[i], &is_known);

		n_there += there;
		n_missing += is_known && !there;
	}
	CU_ASSERT_TRUE(n_there == 0 || n_missing == 0);
	if (op->range != STORE_SETTLE)
		return;
	/* its range belongs to it */
	for (uint64_t seq = op->first; seq <= op->last; seq++)
		CU_ASSERT_FALSE(n_there > 0 && model.messages[op->queue][seq].is_found);
}

static void check_message(struct model_message *message)
{
	if (message->is_durable && !message->may_be_dead)
		CU_ASSERT_TRUE(message->is_found);
	/* from here on it is known */
	message->is_durable = message->is_appended = message->is_found;
	message->may_be_dead = message->is_dead = !message->is_found;
	message->is_found = false;
}

void model_check(void)
{
	static struct check check;

	check = (struct check){
		.recovery = {.queue = note_queue, .message = note_message, .done = note_done}};
	CALL(store_log_recover(the_log, &check.recovery));
	wait_for(&check.is_done);
	for (unsigned i = 0; i < model.n_ops; i++)
		if (model.ops[i].is_atomic)
			check_whole(&model.ops[i]);
	for (unsigned queue = 1; queue < MODEL_QUEUES; queue++)
		for (unsigned seq = 1; seq < MODEL_SEQS; seq++)
			if (model.messages[queue][seq].is_appended)
				check_message(&model.messages[queue][seq]);
	model.n_ops = 0;
}
