/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/queue/queue.h"
#include "broker/queue/log.h"
#include "broker/queue/restore.h"
#include "broker/restore/state.h"
#include "broker/topology/topology.h"
#include "loop/loop.h"

/* What one loop's log holds, on that loop. */
struct log_recovery {
	struct store_recovery recovery;
	struct restore *restore;
	struct restored_queue *recent;
	uint64_t *lost; /* ids of queues that are no more */
	size_t n_lost, lost_capacity;
	bool is_clean, is_done;
	int result;
};

static struct log_recovery *recovery_of(struct store_recovery *recovery)
{
	return container_of(recovery, struct log_recovery, recovery);
}

/* The reason of the first failure stays; the rest of the log is only looked at. */
static void fail(struct log_recovery *r, int result)
{
	if (r->result == 0)
		r->result = result;
}

/* Messages of one queue mostly follow each other. */
static struct restored_queue *find(struct log_recovery *r, uint64_t id)
{
	if (!r->recent || r->recent->id != id)
		r->recent = restore_find_queue(r->restore, id);
	return r->recent;
}

static void note_lost(struct log_recovery *r, uint64_t id)
{
	if (r->n_lost == r->lost_capacity) {
		r->lost_capacity = r->lost_capacity * 2 + 16;
		r->lost = mem_realloc(r->lost, r->lost_capacity * sizeof(*r->lost));
	}
	r->lost[r->n_lost++] = id;
}

/* The store moves messages when the number of loops changes, so this is a mistake or damage. */
static bool is_at_home(struct log_recovery *r, uint64_t id)
{
	if (id % r->restore->broker->n_loops == loop_index(loop_self()))
		return true;
	if (r->result == 0)
		log_error("restore", "a queue's messages are in another loop's log: id=%llu",
			  (unsigned long long)id);
	fail(r, -EBADMSG);
	return false;
}

/* Ids of queues that ended with the last run mean nothing. */
static void visit_queue(struct store_recovery *recovery, uint64_t id, uint64_t last_seq)
{
	struct log_recovery *r = recovery_of(recovery);
	const struct restored_queue *restored;

	if (id >= STORE_TRANSIENT_ID)
		return;
	restored = find(r, id);
	if (!restored) {
		note_lost(r, id);
	} else if (is_at_home(r, id) && queue_restore_seq(restored->queue, last_seq) != 0) {
		log_error("restore", "a queue's numbers are at their end: id=%llu last=%llu",
			  (unsigned long long)id, (unsigned long long)last_seq);
		fail(r, -ERANGE);
	}
}

static const char *why_left_out(int result)
{
	if (result == -EEXIST)
		return "there is another of that number";
	return result == -ERANGE ? "the number was not given away yet" : "it is malformed";
}

/* It stays where it is: perhaps somebody can make something of it. */
static void leave_out(struct restored_queue *restored, uint64_t seq, int result)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char quoted[300];

	log_limited(&limit, LOG_LEVEL_ERROR, "restore",
		    "a message is left out: queue=%s vhost=\"%s\" number=%llu reason=\"%s\"",
		    log_quote(quoted, sizeof(quoted), restored->entry->node.key),
		    restored->entry->vhost->name, (unsigned long long)seq, why_left_out(result));
}

static void visit_message(struct store_recovery *recovery, const struct store_recovered *message)
{
	struct log_recovery *r = recovery_of(recovery);
	struct restored_queue *restored = find(r, message->queue_id);
	int result;

	if (!restored) {
		r->restore->n_lost_messages++;
		return;
	}
	if (r->result != 0 || !is_at_home(r, message->queue_id))
		return;
	result = queue_restore(restored->queue, message, !r->is_clean);
	if (result == 0)
		r->restore->n_messages++;
	else if (result == -ENOMEM)
		fail(r, result);
	else
		leave_out(restored, message->seq, result);
}

static void recovered(struct store_recovery *recovery, enum store_result result)
{
	struct log_recovery *r = recovery_of(recovery);

	r->is_done = true;
	if (result != STORE_DURABLE)
		fail(r, -EIO);
}

/* Their definitions were deleted, but the log was not told before the end came. */
static void purge_lost(struct log_recovery *r)
{
	struct queue_log *log = broker_loop_self(r->restore->broker)->log;

	for (size_t i = 0; i < r->n_lost; i++) {
		struct queue_log_state state;

		queue_log_state_init(&state, r->lost[i]);
		queue_log_purge(log, &state, UINT64_MAX);
		queue_log_state_fini(&state);
	}
	r->restore->n_lost_queues += r->n_lost;
}

static void end_queue(void *context, struct queue *queue)
{
	(void)context;
	queue_restore_end(queue);
}

static void recover_here(void *arg)
{
	struct log_recovery *r = arg;

	store_log_recover(store_log_of(r->restore->broker->store, loop_index(loop_self())),
			  &r->recovery);
	while (!r->is_done)
		loop_run_once(true);
}

static void end_here(void *arg)
{
	struct log_recovery *r = arg;

	purge_lost(r);
	queue_for_each(r->restore->broker, end_queue, NULL);
}

/* Nothing goes before all has come back. */
int restore_messages(struct restore *restore)
{
	unsigned n_loops = restore->broker->n_loops;
	struct log_recovery *all = mem_zalloc(n_loops * sizeof(*all));
	int result = 0;

	for (unsigned i = 0; i < n_loops && result == 0; i++) {
		all[i].recovery = (struct store_recovery){
			.queue = visit_queue, .message = visit_message, .done = recovered};
		all[i].restore = restore;
		all[i].is_clean = store_is_clean(restore->broker->store);
		loop_pool_visit(i, recover_here, &all[i]);
		result = all[i].result;
	}
	for (unsigned i = 0; i < n_loops; i++) {
		if (result == 0)
			loop_pool_visit(i, end_here, &all[i]);
		mem_free(all[i].lost);
	}
	mem_free(all);
	return result;
}
