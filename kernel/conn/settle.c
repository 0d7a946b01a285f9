/* SPDX-License-Identifier: MIT */
/* From delivery tags to the queues: acknowledgements, rejects, requeues; and channel-wide prefetch. */
#include "base/bug.h"
#include "broker/queue.h"
#include "conn/channel.h"

static enum queue_outcome settle_outcome(const struct settle_batch *batch)
{
	return (enum queue_outcome)batch->outcome;
}

void channel_flush_settles(struct conn_loop *home)
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
	queue_settle(source->queue, ch->endpoint.ref, source->number, settle_outcome(batch), batch->seqs, count);
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

	if (batch->channel != NULL && (batch->channel != ch || batch->source != entry->source ||
				       batch->outcome != outcome || batch->count == SETTLE_BATCH_MAX))
		channel_flush_settles(ch->connection->home);
	batch->channel = ch;
	batch->source = entry->source;
	batch->outcome = outcome;
	batch->seqs[batch->count++] = entry->seq;
	unacked_remove(&ch->unacked, entry);
}

static int settle_unknown(uint64_t tag, struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED, "unknown delivery tag %llu", (unsigned long long)tag);
}

/* Settles now, or notes it in the transaction. */
static int settle_one(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome,
		      struct amqp_error *error)
{
	if (tx_is_on(ch))
		return tx_add_ack(ch, tag, entry, outcome, error);
	settle_entry(ch, entry, outcome);
	return 0;
}

/* Tag 0 is all there are, also none; any other must itself be unacknowledged, as RabbitMQ demands. */
static int settle_up_to(struct channel *ch, uint64_t tag, int outcome, struct amqp_error *error)
{
	struct unacked *u = &ch->unacked;
	uint64_t last = tag == 0 ? u->end : tag;

	if (tag != 0 && unacked_find(u, tag) == NULL)
		return settle_unknown(tag, error);
	for (uint64_t t = u->base; t <= last && t < u->end; t++) {
		struct unacked_entry *entry = unacked_find(u, t);

		if (entry == NULL)
			continue;
		if (settle_one(ch, t, entry, outcome, error) != 0)
			return -1;
	}
	return 0;
}

int settle_tags(struct channel *ch, uint64_t tag, bool multiple, int outcome, struct amqp_error *error)
{
	struct unacked_entry *entry;

	if (multiple)
		return settle_up_to(ch, tag, outcome, error);
	entry = unacked_find(&ch->unacked, tag);
	if (entry == NULL)
		return settle_unknown(tag, error);
	return settle_one(ch, tag, entry, outcome, error);
}

void settle_all(struct channel *ch, int outcome)
{
	struct unacked *u = &ch->unacked;

	for (uint64_t t = u->base; u->held != 0 && t < u->end; t++) {
		struct unacked_entry *entry = &u->entries[t & (u->capacity - 1)];

		if (entry->state != UNACKED_GONE)
			settle_entry(ch, entry, outcome);
	}
	if (ch->connection->home->settles.channel == ch)
		channel_flush_settles(ch->connection->home);
}

/* Room under the channel-wide limit is granted in turn to the sources whose queues have messages, in equal shares. */
void settle_grant(struct channel *ch)
{
	struct list *pos;
	uint32_t n_wanting = 0;

	if (list_is_empty(&ch->wanting) || ch->state != CHANNEL_OPEN)
		return;
	list_for_each(pos, &ch->wanting)
		n_wanting++;
	while (!list_is_empty(&ch->wanting) && (ch->channel_limit == 0 || ch->n_limited < ch->channel_limit)) {
		struct source *source = container_of(list_first(&ch->wanting), struct source, wanting);
		uint32_t room = ch->channel_limit != 0 ? ch->channel_limit - ch->n_limited : SETTLE_BATCH_MAX;
		uint32_t share = room / n_wanting != 0 ? room / n_wanting : 1;

		list_remove(&source->wanting);
		source->n_granted += share;
		ch->n_limited += share;
		queue_grant(source->queue, ch->endpoint.ref, source->number, share);
	}
}
