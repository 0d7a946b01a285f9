/* SPDX-License-Identifier: MIT */
/* From delivery tags to the queues: acknowledgements, rejects, requeues; and channel-wide prefetch.
 */
#include "conn/deliver/settle.h"

#include <errno.h>

#include "base/bug.h"
#include "broker/queue/queue.h"
#include "conn/channel.h"
#include "conn/method/tx.h"
#include "conn/deliver/settling.h"
#include "conn/deliver/source.h"

static enum queue_outcome settle_outcome(const struct settle_batch *batch)
{
	return (enum queue_outcome)batch->outcome;
}

void settle_flush(struct conn_loop *home)
{
	struct settle_batch *batch = &home->settles;
	struct channel *ch = batch->channel;
	struct source *source;
	size_t count = batch->count;

	if (ch == NULL)
		return;
	source = ch->sources[batch->source];
	batch->channel = NULL;
	batch->count = 0;
	queue_settle(source->queue, ch->endpoint.ref, source->number, settle_outcome(batch),
		     batch->seqs, count);
	bug_on(count > source->n_unacked);
	source->n_unacked -= (uint32_t)count;
	if (source->needs_grants)
		ch->n_limited -= (uint32_t)count;
	source_release(source);
	settle_grant(ch);
}

void settle_entry(struct channel *ch, struct unacked_entry *entry, int outcome)
{
	struct settle_batch *batch = &ch->connection->home->settles;

	if (batch->channel != NULL &&
	    (batch->channel != ch || batch->source != entry->source || batch->outcome != outcome ||
	     batch->count == SETTLE_BATCH_MAX))
		settle_flush(ch->connection->home);
	batch->channel = ch;
	batch->source = entry->source;
	batch->outcome = outcome;
	batch->seqs[batch->count++] = entry->seq;
	unacked_remove(&ch->unacked, entry);
}

static int settle_unknown(uint64_t tag, struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED, "unknown delivery tag %llu",
			      (unsigned long long)tag);
}

int settle_one(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome,
	       struct amqp_error *error)
{
	if (tx_is_on(ch))
		return tx_add_ack(ch, tag, entry, outcome, error);
	settle_entry(ch, entry, outcome);
	return 0;
}

/* Tag 0 is all there are, also none; any other must itself be unacknowledged, as RabbitMQ demands.
 */
static int settle_up_to(struct channel *ch, uint64_t tag, int outcome, struct amqp_error *error)
{
	struct unacked *u = &ch->unacked;
	uint64_t last = tag == 0 ? u->end - 1 : tag;
	struct unacked_entry *entry;

	if (tag != 0 && unacked_find(u, tag) == NULL)
		return settle_unknown(tag, error);
	if (settling_begin(ch, last, outcome, error->method_id, SETTLING_NO_REPLY))
		return 0;
	for (uint64_t t = 0; (entry = unacked_next(u, &t)) != NULL && t <= last; t++)
		if (entry->state == UNACKED_HELD && settle_one(ch, t, entry, outcome, error) != 0)
			return -EPROTO;
	return 0;
}

int settle_tags(struct channel *ch, uint64_t tag, bool multiple, int outcome,
		struct amqp_error *error)
{
	struct unacked_entry *entry;

	if (multiple)
		return settle_up_to(ch, tag, outcome, error);
	entry = unacked_find(&ch->unacked, tag);
	if (entry == NULL)
		return settle_unknown(tag, error);
	return settle_one(ch, tag, entry, outcome, error);
}

static void settle_those(struct channel *ch, bool also_in_tx, int outcome)
{
	struct unacked_entry *entry;

	for (uint64_t t = 0; (entry = unacked_next(&ch->unacked, &t)) != NULL; t++)
		if (also_in_tx || entry->state == UNACKED_HELD)
			settle_entry(ch, entry, outcome);
	if (ch->connection->home->settles.channel == ch)
		settle_flush(ch->connection->home);
}

void settle_all(struct channel *ch, int outcome)
{
	settle_those(ch, true, outcome);
}

/* A transaction does not defer it, as in RabbitMQ: it is for what the transaction has not got. */
void settle_held(struct channel *ch, int outcome)
{
	settle_those(ch, false, outcome);
}

/* Room under the channel-wide limit is granted in turn to the sources whose queues have messages,
 * in equal shares. */
void settle_grant(struct channel *ch)
{
	struct list *pos;
	uint32_t n_wanting = 0;

	if (list_is_empty(&ch->wanting) || ch->state != CHANNEL_OPEN)
		return;
	list_for_each(pos, &ch->wanting)
		n_wanting++;
	for (; !list_is_empty(&ch->wanting) &&
	       (ch->channel_limit == 0 || ch->n_limited < ch->channel_limit);
	     n_wanting--) {
		struct source *source =
			container_of(list_first(&ch->wanting), struct source, wanting);
		uint32_t room = ch->channel_limit != 0 ? ch->channel_limit - ch->n_limited
						       : SETTLE_BATCH_MAX;
		uint32_t share = room / n_wanting != 0 ? room / n_wanting : 1;

		list_remove(&source->wanting);
		source->n_granted += share;
		ch->n_limited += share;
		queue_grant(source->queue, ch->endpoint.ref, source->number, share);
	}
}
