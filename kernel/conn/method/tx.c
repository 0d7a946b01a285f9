/* SPDX-License-Identifier: MIT */
/*
 * Class tx. AMQP 0-9-1 section 1.9. Publishes and acknowledgements are kept until tx.commit.
 *
 * Then the publishes go to their queues as one atomic batch, each log's part in one append. When
 * all have settled (what must be on disk is), the acknowledgements follow; when they are on disk,
 * too, commit-ok. So nothing that was acknowledged before a commit-ok comes back, and a crash
 * before it redelivers rather than loses. If something could not be stored, the channel fails.
 *
 * A rollback forgets both: deliveries acknowledged in it are unacknowledged again.
 */
#include "conn/method/tx.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/barrier.h"
#include "broker/queue/queue.h"
#include "broker/topology/topology.h"
#include "conn/publish/publish.h"
#include "conn/request.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/source.h"

struct tx_publish {
	struct message *message;
	struct extra_keys extra;
	bool mandatory;
};

struct tx_ack {
	uint64_t tag;
	int outcome;
};

struct tx {
	struct tx_publish *publishes;
	size_t n_publishes, publishes_capacity;
	struct tx_ack *acks;
	size_t n_acks, acks_capacity;
	struct channel_request *commit; /* under way; it is channel.waiting */
	uint64_t n_pending;
	bool has_failed;
};

/* Room for one more of `size` bytes; how many there are is the client's doing. */
static void *tx_grow(void *items, size_t size, size_t count, size_t *capacity)
{
	size_t wanted = *capacity != 0 ? *capacity * 2 : 16;
	void *grown;

	if (count < *capacity)
		return items;
	grown = mem_try_realloc(items, wanted * size);
	if (grown != NULL)
		*capacity = wanted;
	return grown;
}

/*
 * RabbitMQ routes at the publish, so a missing exchange fails that. Here the commit routes, and
 * fails, too, if the exchange has gone meanwhile.
 */
static int tx_check_exchange(struct channel *ch, struct slice name, struct amqp_error *error)
{
	struct topology *topology = ch->connection->service->broker->topology;
	bool is_there;

	topology_read_begin(topology);
	is_there = topology_exchange(ch->connection->vhost, name) != NULL;
	topology_read_end(topology);
	if (is_there)
		return 0;
	return amqp_error_set(error, AMQP_NOT_FOUND, "no exchange '" SLICE_FMT "' in vhost '%s'",
			      SLICE_ARG(name), ch->connection->vhost->name);
}

int tx_add_publish(struct channel *ch, struct message *message, bool mandatory,
		   struct amqp_error *error)
{
	struct tx *tx = ch->tx;
	struct tx_publish *publishes;

	error->method_id = AMQP_BASIC_PUBLISH;
	if (tx_check_exchange(ch, message_exchange(message), error) != 0) {
		message_unref(message);
		return -EPROTO;
	}
	publishes = tx_grow(tx->publishes, sizeof(*publishes), tx->n_publishes,
			    &tx->publishes_capacity);
	if (publishes == NULL) {
		message_unref(message);
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	tx->publishes = publishes;
	publishes[tx->n_publishes++] = (struct tx_publish){
		.message = message,
		.extra = ch->publish->extra,
		.mandatory = mandatory,
	};
	extra_keys_init(&ch->publish->extra);
	return 0;
}

int tx_add_ack(struct channel *ch, uint64_t tag, struct unacked_entry *entry, int outcome,
	       struct amqp_error *error)
{
	struct tx *tx = ch->tx;
	struct tx_ack *acks = tx_grow(tx->acks, sizeof(*acks), tx->n_acks, &tx->acks_capacity);

	if (acks == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	tx->acks = acks;
	acks[tx->n_acks++] = (struct tx_ack){tag, outcome};
	entry->state = UNACKED_IN_TX;
	return 0;
}

static void tx_forget_publishes(struct tx *tx)
{
	for (size_t i = 0; i < tx->n_publishes; i++) {
		message_unref(tx->publishes[i].message);
		extra_keys_fini(&tx->publishes[i].extra);
	}
	tx->n_publishes = 0;
}

void tx_counts(const struct channel *ch, size_t *ret_publishes, size_t *ret_acks)
{
	*ret_publishes = ch->tx != NULL ? ch->tx->n_publishes : 0;
	*ret_acks = ch->tx != NULL ? ch->tx->n_acks : 0;
}

void tx_destroy(struct channel *ch)
{
	struct tx *tx = ch->tx;

	if (tx == NULL)
		return;
	ch->tx = NULL;
	tx_forget_publishes(tx);
	mem_free(tx->publishes);
	mem_free(tx->acks);
	mem_free(tx->commit);
	mem_free(tx);
}

/* ---- Commit ---- */

/* All is done, or something has failed. */
static void tx_end_commit(struct channel *ch)
{
	struct tx *tx = ch->tx;
	struct channel_request *commit = tx->commit;
	struct amqp_method ok = {.id = AMQP_TX_COMMIT_OK};
	struct amqp_error error = {.method_id = AMQP_TX_COMMIT};

	tx->commit = NULL;
	ch->waiting = NULL;
	if (tx->has_failed) {
		amqp_error_set(&error, AMQP_PRECONDITION_FAILED, "partial tx completion");
		channel_fail(ch, &error);
	} else {
		connection_send(ch->connection, ch->number, &ok);
	}
	mem_free(commit);
	channel_resume(ch);
}

/* Lives as long as the barrier; the channel may be gone before. */
struct tx_barrier {
	struct broker_barrier barrier;
	struct actor_ref channel;
};

static void tx_barrier_done(struct broker_barrier *barrier)
{
	struct tx_barrier *b = container_of(barrier, struct tx_barrier, barrier);
	struct channel *ch = slots_get(b->channel);

	if (ch != NULL) {
		ch->tx->has_failed |= barrier->has_failed;
		tx_end_commit(ch);
	}
	mem_free(b);
}

/* Returns the loops that were told. */
static struct loop_set tx_apply_acks(struct channel *ch)
{
	struct loop_set loops = {0};
	struct tx *tx = ch->tx;

	for (size_t i = 0; i < tx->n_acks; i++) {
		struct unacked_entry *entry = unacked_at(&ch->unacked, tx->acks[i].tag);

		bug_on(entry == NULL || entry->state != UNACKED_IN_TX);
		loop_set_add(&loops, ch->sources[entry->source]->queue.loop);
		settle_entry(ch, entry, tx->acks[i].outcome);
	}
	tx->n_acks = 0;
	settle_flush(ch->connection->home);
	return loops;
}

/* All publishes have settled. */
static void tx_finish_publishes(struct channel *ch)
{
	struct loop_set loops;
	struct tx_barrier *b;

	if (ch->tx->has_failed || ch->tx->n_acks == 0) {
		tx_end_commit(ch);
		return;
	}
	loops = tx_apply_acks(ch);
	b = mem_zalloc(sizeof(*b));
	b->channel = ch->endpoint.ref;
	b->barrier.done = tx_barrier_done;
	broker_barrier(ch->connection->service->broker, &loops, &b->barrier);
}

void tx_published(struct channel *ch, const struct publish_outcome *outcomes, size_t count)
{
	struct tx *tx = ch->tx;

	bug_on(count > tx->n_pending);
	for (size_t i = 0; i < count; i++)
		tx->has_failed |= outcomes[i].rejected;
	tx->n_pending -= count;
	if (count != 0 && tx->n_pending == 0 && tx->commit != NULL)
		tx_finish_publishes(ch);
}

void tx_add_pending(struct channel *ch, const struct publication *p)
{
	ch->tx->n_pending += p->n_pending;
	ch->tx->has_failed |= p->rejected;
}

/* What the router is given. */
struct tx_batch {
	struct publish_batch batch;
	struct slice *keys;
	uint32_t *n_keys;
};

static void tx_batch_fini(struct tx_batch *b)
{
	mem_free(b->batch.publications);
	mem_free(b->keys);
	mem_free(b->n_keys);
}

/* How much it is was the client's doing. */
static bool tx_batch_init(struct tx_batch *b, const struct tx *tx)
{
	size_t n = tx->n_publishes, n_keys = 0;

	for (size_t i = 0; i < n; i++)
		n_keys += tx->publishes[i].extra.n;
	*b = (struct tx_batch){.batch = {.count = n, .is_atomic = true}};
	b->batch.publications = mem_try_alloc(n * sizeof(*b->batch.publications));
	if (n_keys != 0) {
		b->keys = mem_try_alloc(n_keys * sizeof(*b->keys));
		b->n_keys = mem_try_alloc(n * sizeof(*b->n_keys));
		b->batch.extra_keys = b->keys;
		b->batch.n_extra_keys = b->n_keys;
	}
	if (b->batch.publications != NULL &&
	    (n_keys == 0 || (b->keys != NULL && b->n_keys != NULL)))
		return true;
	tx_batch_fini(b);
	return false;
}

/* Takes the messages. */
static void tx_batch_fill(struct tx_batch *b, struct channel *ch)
{
	struct slice *keys = b->keys;

	for (size_t i = 0; i < b->batch.count; i++) {
		struct tx_publish *item = &ch->tx->publishes[i];

		b->batch.publications[i] = (struct publication){
			.message = item->message,
			.seq = ch->next_publish++,
			.mandatory = item->mandatory,
		};
		item->message = NULL;
		if (b->keys == NULL)
			continue;
		b->n_keys[i] = extra_keys_read(buffer_slice(&item->extra.bytes), item->extra.n,
					       keys);
		keys += b->n_keys[i];
	}
}

/* Hands over what was published, in order. False: it failed, and the channel with it. */
static bool tx_publish(struct channel *ch)
{
	struct tx_batch b;
	bool is_done;

	if (ch->tx->n_publishes == 0)
		return true;
	if (!tx_batch_init(&b, ch->tx)) {
		struct amqp_error error = {.method_id = AMQP_TX_COMMIT};

		amqp_error_set(&error, AMQP_RESOURCE_ERROR, "out of memory");
		channel_fail(ch, &error);
		return false;
	}
	tx_batch_fill(&b, ch);
	is_done = publish_now(ch, &b.batch); /* if not, the transaction has gone with the channel */
	if (is_done)
		tx_forget_publishes(ch->tx);
	tx_batch_fini(&b);
	return is_done;
}

int method_tx_commit(struct channel *ch, const struct amqp_tx_commit *m, struct amqp_error *error)
{
	struct tx *tx = ch->tx;

	(void)m;
	if (tx == NULL)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "channel is not transactional");
	tx->commit = request_create(ch, AMQP_TX_COMMIT, false, 0, error);
	if (tx->commit == NULL)
		return -EPROTO;
	tx->has_failed = false;
	ch->waiting = tx->commit;
	if (tx_publish(ch) && tx->n_pending == 0)
		tx_finish_publishes(ch);
	return 0;
}

int method_tx_rollback(struct channel *ch, const struct amqp_tx_rollback *m,
		       struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_TX_ROLLBACK_OK};
	struct tx *tx = ch->tx;

	(void)m;
	if (tx == NULL)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "channel is not transactional");
	tx_forget_publishes(tx);
	for (size_t i = 0; i < tx->n_acks; i++) {
		struct unacked_entry *entry = unacked_at(&ch->unacked, tx->acks[i].tag);

		bug_on(entry == NULL);
		entry->state = UNACKED_HELD;
	}
	tx->n_acks = 0;
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}

int method_tx_select(struct channel *ch, const struct amqp_tx_select *m, struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_TX_SELECT_OK};

	(void)m;
	if (ch->confirms_on)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "cannot switch from confirm to tx mode");
	if (ch->tx == NULL)
		ch->tx = mem_zalloc(sizeof(*ch->tx));
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}
