/* SPDX-License-Identifier: MIT */
/*
 * A draft waits in its loop's list, on the account of messages, until the loop's background task
 * takes it out and makes the message. A message whose end somebody wants to know has a record,
 * whose address is its sequence number with the router.
 */
#include "plugin/publisher.h"

#include <stdatomic.h>

#include "base/account.h"
#include "base/mem.h"
#include "base/slab.h"
#include "broker/broker.h"
#include "broker/endpoint.h"
#include "broker/router.h"
#include "broker/topology.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

#define NAME_MAX_SIZE 255u

/* One message whose targets have not all reported. Its loop's. */
struct record {
	struct list link;      /* loop_publisher.records */
	struct plugin *plugin; /* held */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
	uint32_t n_pending;
	bool is_refused;
};

struct loop_publisher {
	struct endpoint endpoint;
	struct publisher *publisher;
	struct list drafts;  /* struct plugin_draft.link */
	struct list records; /* struct record.link */
	struct loop_task send;
};

struct publisher {
	struct broker *broker;
	struct draft_limits limits;
	_Atomic bool is_ended;
	struct loop_publisher **loops; /* each is its loop's; NULL: not used yet */
};

struct plugin_draft {
	struct draft draft;
	/* From here on only once it is handed over. */
	struct letter letter;
	struct list link;
	struct publisher *publisher;
	struct plugin *plugin; /* held */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
	size_t accounted;
	struct slice vhost;
	uint8_t names[]; /* the exchange, then the vhost */
};

struct publisher *publisher_create(struct broker *broker, const struct draft_limits *limits)
{
	struct publisher *publisher = mem_zalloc(sizeof(*publisher));

	publisher->broker = broker;
	publisher->limits = *limits;
	publisher->loops = mem_zalloc(loop_count() * sizeof(struct loop_publisher *));
	return publisher;
}

void publisher_destroy(struct publisher *publisher)
{
	if (publisher == NULL)
		return;
	mem_free(publisher->loops);
	mem_free(publisher);
}

/* ---- Drafts ---- */

static struct plugin_draft *draft_of(struct shunt_draft *functions)
{
	return container_of(functions, struct plugin_draft, draft.functions);
}

static struct shunt_bytes bytes_of(struct slice s)
{
	return (struct shunt_bytes){s.data, s.size};
}

struct shunt_draft *publisher_draft(const struct publisher *publisher,
				    const struct publisher_names *names, struct slice body)
{
	struct slice exchange = names->exchange, vhost = names->vhost;
	struct plugin_draft *d;
	struct shunt_draft *functions;

	if (exchange.size > NAME_MAX_SIZE || vhost.size > NAME_MAX_SIZE)
		return NULL;
	d = mem_try_alloc(sizeof(*d) + exchange.size + vhost.size);
	if (d == NULL)
		return NULL;
	draft_init(&d->draft, NULL, &publisher->limits, false);
	slice_copy(d->names, exchange);
	slice_copy(d->names + exchange.size, vhost);
	draft_set_exchange(&d->draft, slice_make(d->names, exchange.size));
	d->vhost = slice_make(d->names + exchange.size, vhost.size);
	functions = &d->draft.functions;
	if (functions->set_routing_key(functions, bytes_of(names->routing_key)) == 0 &&
	    (functions->set_body(functions, bytes_of(body)) == 0 || d->draft.refused_size != 0))
		return functions;
	publisher_draft_free(functions);
	return NULL;
}

static void free_draft(struct plugin_draft *d)
{
	draft_fini(&d->draft);
	mem_free(d);
}

void publisher_draft_free(struct shunt_draft *functions)
{
	if (functions != NULL)
		free_draft(draft_of(functions));
}

/* It has been handed over, and is not needed any more. */
static void drop_draft(struct plugin_draft *d)
{
	struct plugin *plugin = d->plugin;

	account_add(ACCOUNT_MESSAGE, -(ptrdiff_t)d->accounted);
	free_draft(d);
	plugin_release(plugin);
}

/* ---- Outcomes ---- */

static void finish(struct record *record, enum shunt_outcome outcome)
{
	struct plugin *plugin = record->plugin;

	list_remove(&record->link);
	record->done(record->context, outcome);
	slab_free(record, sizeof(*record));
	plugin_release(plugin);
}

static void on_published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
			 size_t count, uint64_t taken_bytes)
{
	(void)endpoint, (void)taken_bytes;
	for (size_t i = 0; i < count; i++) {
		struct record *record = (struct record *)(uintptr_t)outcomes[i].seq;

		record->is_refused |= outcomes[i].rejected;
		if (--record->n_pending == 0)
			finish(record, record->is_refused ? SHUNT_REFUSED : SHUNT_ROUTED);
	}
}

/* It consumes nothing, and has no name for replies. */
static const struct endpoint_ops publisher_ops = {.published = on_published};

/* ---- Sending ---- */

/* What goes out together. */
struct outgoing {
	struct loop_publisher *own;
	struct vhost *vhost;
	size_t n;
	struct publication publications[ROUTER_BATCH_MAX];
};

static struct record *record_of(const struct publication *p)
{
	return (struct record *)(uintptr_t)p->seq;
}

/* What the router said of one. */
static void note_publication(struct publication *p)
{
	struct record *record = record_of(p);

	if (p->unroutable) {
		counter_add(COUNTER_MESSAGES_UNROUTABLE, 1);
		message_unref(p->message);
	}
	if (record == NULL)
		return;
	record->n_pending = p->n_pending;
	record->is_refused = p->rejected;
	if (p->unroutable)
		finish(record, SHUNT_UNROUTABLE);
	else if (p->n_pending == 0)
		finish(record, p->rejected ? SHUNT_REFUSED : SHUNT_ROUTED);
}

static void refuse_publication(struct publication *p)
{
	message_unref(p->message);
	if (p->seq != 0)
		finish(record_of(p), SHUNT_REFUSED);
}

/* One that fails does not hold up those behind it. */
static void send_out(struct outgoing *out, const struct extra_keys *keys)
{
	struct publish_batch batch = {.vhost = out->vhost,
				      .publisher = out->own->endpoint.ref,
				      .publications = out->publications,
				      .count = out->n};
	struct slice *extra = NULL;
	struct amqp_error error;

	if (keys != NULL) {
		extra = mem_try_alloc(keys->n * sizeof(*extra));
		if (extra == NULL) {
			refuse_publication(&out->publications[0]);
			batch.count = 0;
		} else {
			extra_keys_read(buffer_slice(&keys->bytes), keys->n, extra);
		}
		batch.extra_keys = extra;
		batch.n_extra_keys = &keys->n;
	}
	while (batch.count != 0) {
		size_t n = router_publish(out->own->publisher->broker, &batch, &error);

		for (size_t i = 0; i < n; i++)
			note_publication(&batch.publications[i]);
		if (n < batch.count)
			refuse_publication(&batch.publications[n++]);
		batch.publications += n;
		batch.count -= n;
	}
	mem_free(extra);
	out->n = 0;
}

/* NULL: nobody wants to know. */
static struct record *make_record(struct loop_publisher *own, struct plugin_draft *d)
{
	struct record *record;

	if (d->done == NULL)
		return NULL;
	record = slab_alloc(sizeof(*record));
	*record = (struct record){.plugin = d->plugin, .done = d->done, .context = d->context};
	list_add_tail(&own->records, &record->link);
	plugin_hold(d->plugin);
	return record;
}

/* A message with CC or BCC keys goes alone. */
static void take_up(struct outgoing *out, struct plugin_draft *d)
{
	struct topology *topology = out->own->publisher->broker->topology;
	struct record *record = make_record(out->own, d);
	struct message *message = NULL;
	struct extra_keys keys;
	struct amqp_error error;
	struct vhost *vhost;

	topology_read_begin(topology);
	vhost = topology_vhost(topology, d->vhost);
	topology_read_end(topology);
	extra_keys_init(&keys);
	if (vhost == NULL || draft_make(&d->draft, &keys, &message, &error) != 0) {
		if (record != NULL)
			finish(record, SHUNT_REFUSED);
		extra_keys_fini(&keys);
		return;
	}
	counter_add(COUNTER_MESSAGES_PUBLISHED, 1);
	if (out->n != 0 && (vhost != out->vhost || keys.n != 0))
		send_out(out, NULL);
	out->vhost = vhost;
	out->publications[out->n++] =
		(struct publication){.message = message, .seq = (uint64_t)(uintptr_t)record};
	if (keys.n != 0)
		send_out(out, &keys);
	extra_keys_fini(&keys);
}

static void send_some(struct loop_task *task)
{
	struct loop_publisher *own = container_of(task, struct loop_publisher, send);
	struct outgoing out = {.own = own};
	struct list *node;

	for (unsigned i = 0; i < ROUTER_BATCH_MAX && (node = list_first(&own->drafts)) != NULL;
	     i++) {
		struct plugin_draft *d = container_of(node, struct plugin_draft, link);

		list_remove(&d->link);
		take_up(&out, d);
		drop_draft(d);
	}
	if (out.n != 0)
		send_out(&out, NULL);
	if (!list_is_empty(&own->drafts))
		loop_defer_background(&own->send);
}

/* ---- Handing over ---- */

/* The calling loop's. */
static struct loop_publisher *loop_publisher(struct publisher *publisher)
{
	struct loop_publisher **place = &publisher->loops[loop_index(loop_self())];
	struct loop_publisher *own = *place;

	if (own != NULL)
		return own;
	own = mem_zalloc(sizeof(*own));
	own->publisher = publisher;
	own->endpoint.ops = &publisher_ops;
	own->endpoint.ref = slots_add(&own->endpoint);
	list_init(&own->drafts);
	list_init(&own->records);
	loop_task_init(&own->send, send_some);
	*place = own;
	return own;
}

static bool is_over(const struct publisher *publisher)
{
	return atomic_load_explicit(&publisher->is_ended, memory_order_acquire) ||
	       loop_pool_is_stopping();
}

static void hand_over(struct plugin_draft *d)
{
	struct loop_publisher *own;

	if (atomic_load_explicit(&d->publisher->is_ended, memory_order_acquire)) {
		drop_draft(d);
		return;
	}
	own = loop_publisher(d->publisher);
	list_add_tail(&own->drafts, &d->link);
	loop_defer_background(&own->send);
}

static void arrive(struct letter *letter)
{
	hand_over(container_of(letter, struct plugin_draft, letter));
}

void publisher_publish_take(struct publisher *publisher, struct plugin *plugin,
			    struct shunt_draft *functions,
			    void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct plugin_draft *d = draft_of(functions);

	if (is_over(publisher)) {
		free_draft(d);
		return;
	}
	list_init(&d->link);
	d->letter.deliver = arrive;
	d->publisher = publisher;
	d->plugin = plugin;
	d->done = done;
	d->context = context;
	d->accounted = sizeof(*d) + draft_size(&d->draft);
	account_add(ACCOUNT_MESSAGE, (ptrdiff_t)d->accounted);
	plugin_hold(plugin);
	if (loop_self() != NULL)
		hand_over(d);
	else
		plugins_post_home(&d->letter);
}

/* ---- The end ---- */

static void end_here(void *arg)
{
	struct publisher *publisher = arg;
	struct loop_publisher **place = &publisher->loops[loop_index(loop_self())], *own = *place;
	struct list *node;

	if (own == NULL)
		return;
	loop_cancel(&own->send);
	while ((node = list_first(&own->drafts)) != NULL) {
		struct plugin_draft *d = container_of(node, struct plugin_draft, link);

		list_remove(&d->link);
		if (d->done != NULL)
			d->done(d->context, SHUNT_REFUSED);
		drop_draft(d);
	}
	while ((node = list_first(&own->records)) != NULL)
		finish(container_of(node, struct record, link), SHUNT_REFUSED);
	slots_remove(own->endpoint.ref);
	mem_free(own);
	*place = NULL;
}

void publisher_end(struct publisher *publisher)
{
	if (publisher == NULL)
		return;
	atomic_store_explicit(&publisher->is_ended, true, memory_order_release);
	for (unsigned i = 0; i < loop_count(); i++)
		loop_pool_visit(i, end_here, publisher);
}
