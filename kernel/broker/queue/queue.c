/* SPDX-License-Identifier: MIT */
#include "broker/queue/queue.h"

#include "base/account.h"
#include "base/mem.h"
#include "broker/endpoint_post.h"
#include "broker/queue/state.h"
#include "loop/counters.h"
#include "loop/lag.h"

/*
 * Life, publishing and looks of a queue. Deliveries are in deliver.c, expiry in expiry.c, settling in
 * settle.c, requests in request.c and get.c; which bodies leave memory in page_out.c, how they come
 * back in load.c; all share state.h.
 */

struct queue *queue_create(struct broker *broker, struct queue_entry *entry, uint64_t id,
			   const struct queue_options *options)
{
	struct queue *q = mem_zalloc(sizeof(*q));

	q->broker = broker;
	q->home = broker_loop_self(broker);
	q->entry = entry;
	q->id = id;
	q->options = *options;
	q->durable = options->durable;
	q->message_ttl_ms = options->message_ttl_ms;
	backlog_init(&q->backlog, &q->home->pool);
	consumer_set_init(&q->consumers);
	queue_log_state_init(&q->log, id);
	loop_task_init(&q->run, queue_run);
	loop_timer_init(&q->timer, queue_timer_fired);
	q->used_at_ms = loop_now_ms();
	q->ref = slots_add(q);
	q->log.queue = q->ref;
	list_init(&q->on_loop);
	list_add_tail(&q->home->queues, &q->on_loop);
	q->home->n_queues++;
	account_add(ACCOUNT_QUEUE, (ptrdiff_t)sizeof(*q));
	counter_add(COUNTER_QUEUES_CREATED, 1);
	queue_expiry_arm(q);
	return q;
}

static void queue_free(void *object)
{
	struct queue *q = object;

	consumer_set_fini(&q->consumers);
	queue_log_state_fini(&q->log);
	account_add(ACCOUNT_QUEUE, -(ptrdiff_t)sizeof(*q));
	mem_free(q);
}

static void remove_consumers(struct queue *q, bool tell)
{
	struct consumer *c;

	while ((c = consumer_any(&q->consumers))) {
		struct consumer_key key = c->key;

		consumer_remove(&q->consumers, c);
		counter_add(COUNTER_CONSUMERS_REMOVED, 1);
		if (tell)
			endpoint_post_cancelled(key.endpoint, (uint32_t)key.number);
	}
}

/* Nobody finds it any more, and nothing of its own comes later. */
static void detach(struct queue *q)
{
	q->is_gone = true;
	slots_remove(q->ref);
	list_remove(&q->on_loop);
	q->home->n_queues--;
	loop_cancel(&q->run);
	loop_timer_stop(&q->timer);
	counter_add(COUNTER_QUEUES_DELETED, 1);
}

uint64_t queue_destroy(struct queue *q)
{
	OWN(q->ref.loop);
	bug_on(q->is_gone);
	/* What was published in this turn before the end still goes to whom it is for. */
	if (loop_task_is_armed(&q->run))
		queue_refresh(q);

	uint64_t ready = backlog_ready(&q->backlog);
	detach(q);
	if (queue_is_in_log(q) && q->backlog.next_seq > 1)
		queue_log_purge(q->home->log, &q->log, UINT64_MAX);
	backlog_fini(&q->backlog);
	remove_consumers(q, true);
	queue_end_gets(q);
	loop_retire(q, queue_free);
	return ready;
}

void queue_abandon(struct queue *q)
{
	detach(q);
	backlog_fini(&q->backlog);
	remove_consumers(q, false);
	queue_end_gets(q);
	loop_retire(q, queue_free);
}

struct actor_ref queue_ref(const struct queue *q)
{
	return q->ref;
}

struct queue_entry *queue_entry_of(const struct queue *q)
{
	return q->entry;
}

const struct queue_options *queue_options_of(const struct queue *q)
{
	return &q->options;
}

/* ---- Publishing ---- */

/* The shorter of the queue's and the message's; a time that far is never. */
static uint64_t expiry_of(const struct queue *q, const struct message *m)
{
	uint64_t ttl = m->expiration_ms < q->message_ttl_ms ? m->expiration_ms : q->message_ttl_ms;

	if (LIKELY(ttl == MESSAGE_NO_EXPIRATION))
		return SLOT_NEVER;
	uint64_t now = loop_now_ms();
	return ttl < SLOT_NEVER - now ? now + ttl : SLOT_NEVER;
}

static enum queue_publish_result log_publish(struct queue *q, uint64_t seq, struct message *m,
					     uint64_t expires_at, struct actor_ref publisher,
					     uint64_t publisher_seq)
{
	uint64_t wall =
		expires_at == SLOT_NEVER ? 0 : loop_now_wall_ms() + (expires_at - loop_now_ms());

	q->n_disk_writes++;
	backlog_count_persistent(&q->backlog, m->body_size);
	queue_log_publish(q->home->log, &q->log, seq, m, wall, publisher, publisher_seq);
	return publisher_seq > 0 ? QUEUE_PENDING : QUEUE_ACCEPTED;
}

enum queue_publish_result queue_publish_take(struct queue *q, struct message *m,
					     struct actor_ref publisher, uint64_t publisher_seq)
{
	bool logged = m->persistent && q->durable;
	bool paged = !logged && queue_must_page(q);
	uint64_t expires_at = expiry_of(q, m);
	uint64_t marks = logged ? SLOT_LOGGED | SLOT_PERSISTENT : paged ? SLOT_LOGGED : 0;
	uint64_t seq = backlog_append(&q->backlog, m, expires_at, marks);

	if (expires_at != SLOT_NEVER)
		loop_defer(&q->run);
	else
		queue_wake(q);
	if (q->is_lagging)
		loop_lag_fed();
	if (UNLIKELY(paged)) {
		q->has_transient_records = true;
		q->n_disk_writes++;
		queue_log_publish_transient(q->home->log, &q->log, seq, m);
	}
	return logged ? log_publish(q, seq, m, expires_at, publisher, publisher_seq)
		      : QUEUE_ACCEPTED;
}

enum queue_publish_result queue_publish(struct queue *q, struct message *m,
					struct actor_ref publisher, uint64_t publisher_seq)
{
	return queue_publish_take(q, message_ref(m), publisher, publisher_seq);
}

/* ---- Looking ---- */

void queue_stats(const struct queue *q, struct queue_stats *ret_stats)
{
	const struct backlog *b = &q->backlog;

	*ret_stats = (struct queue_stats){
		.ready = backlog_ready(b),
		.unacknowledged = b->taken.count,
		.consumers = q->consumers.count,
		.memory_bytes = sizeof(*q) + backlog_overhead(b) + b->all.alloc_bytes +
				q->consumers.count * sizeof(struct consumer),
		.body_bytes = b->all.body_bytes,
		.unacknowledged_bytes = b->taken.body_bytes,
		.ready_away = b->all.away_count - b->taken.away_count,
		.unacknowledged_away = b->taken.away_count,
		.away_bytes = b->all.away_bytes,
		.persistent = b->persistent_count,
		.persistent_bytes = b->persistent_bytes,
		.disk_reads = q->n_disk_reads,
		.disk_writes = q->n_disk_writes,
	};
}

bool queue_has_consumers(const struct queue *q)
{
	return q->consumers.count > 0;
}

bool queue_is_empty(const struct queue *q)
{
	return backlog_ready(&q->backlog) == 0;
}

void queue_for_each(struct broker *broker, void (*visit)(void *context, struct queue *queue),
		    void *context)
{
	struct list *link, *next;

	list_for_each_safe(link, next, &broker_loop_self(broker)->queues)
		visit(context, container_of(link, struct queue, on_loop));
}
