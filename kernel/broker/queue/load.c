/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/queue/state.h"
#include "loop/counters.h"

/*
 * Bodies come back. What is delivered next is read in pieces, one piece under way at a time: the
 * first when the head comes near to what is away, each further one when the head has come to the
 * piece that was read last. So a queue that is being drained has two pieces in memory, and one
 * without consumers none.
 *
 * A read may end when its queue is gone, and its messages too: they are looked for by their
 * numbers, which never come again.
 */

#define READ_MAX       1024u /* messages in a piece: what becomes of it holds up the turn */
#define READ_BYTES_MAX (UINT64_C(1) << 20)
#define AHEAD	       2048u /* numbers before what is away */

struct queue_read {
	struct store_read read;
	struct actor_ref queue;
	uint64_t seqs[];
};

static bool is_due(struct queue *q)
{
	const struct backlog *b = &q->backlog;
	uint64_t head;
	const struct slot *slot;

	if ((!q->gets && q->consumers.count == 0) || !(slot = backlog_head(&q->backlog, &head)))
		return false;
	if (slot_is_away(slot))
		return true;
	/* Something else has left since, or come back away: the piece does not count any more. */
	if (b->away_from != q->read_through)
		return b->away_from <= AHEAD || head >= b->away_from - AHEAD;
	return head >= q->read_first;
}

/*
 * It leaves the queue, but not the log: perhaps it can be read after a restart, and a settle would
 * lose it for good.
 */
static void give_up(struct queue *q, uint64_t seq, struct slot *slot, int reason)
{
	static struct log_limit limit = LOG_LIMIT(5);
	char name[300];

	log_limited(&limit, LOG_LEVEL_ERROR, "queue",
		    "a message cannot be read back, and leaves the queue but not the log: "
		    "queue=%s id=%llu number=%llu reason=\"%s\"",
		    log_quote(name, sizeof(name), q->entry->node.key), (unsigned long long)q->id,
		    (unsigned long long)seq, strerror(-reason));
	backlog_drop_away(&q->backlog, seq, slot);
	counter_add(COUNTER_MESSAGES_DROPPED, 1);
}

static void body_came(struct store_read *read, size_t index, enum store_result result,
		      struct slice body)
{
	struct queue_read *r = container_of(read, struct queue_read, read);
	struct queue *q = slots_get(r->queue);
	uint64_t seq = r->seqs[index];
	struct slot *slot = q ? backlog_find(&q->backlog, seq) : NULL;
	int reason = -EIO;

	if (!slot || !slot_is_away(slot))
		return;
	struct message *m = result == STORE_DURABLE ? message_from_stored(body, &reason) : NULL;
	q->n_disk_reads++;
	if (m)
		backlog_page_in(&q->backlog, seq, slot, m);
	else if (reason != -ENOMEM)
		give_up(q, seq, slot, reason);
	else if (seq < q->backlog.away_from)
		q->backlog.away_from = seq; /* to be read again */
}

static void read_done(struct store_read *read)
{
	struct queue_read *r = container_of(read, struct queue_read, read);
	struct queue *q = slots_get(r->queue);

	if (q) {
		q->is_reading = false;
		loop_defer(&q->run);
	}
	mem_free(r);
}

void queue_load(struct queue *q)
{
	uint64_t seqs[READ_MAX];
	size_t n;

	if (!is_due(q) || (n = backlog_find_away(&q->backlog, seqs, READ_MAX, READ_BYTES_MAX)) == 0)
		return;
	struct queue_read *r = mem_alloc(sizeof(*r) + n * sizeof(*seqs));
	memcpy(r->seqs, seqs, n * sizeof(*seqs));
	r->queue = q->ref;
	r->read = (struct store_read){
		.queue_id = q->id,
		.seqs = r->seqs,
		.n_seqs = n,
		.body = body_came,
		.done = read_done,
	};
	q->is_reading = true;
	q->read_first = seqs[0];
	q->read_through = q->backlog.away_from;
	store_log_read(store_log_of(q->broker->store, q->ref.loop), &r->read);
}
