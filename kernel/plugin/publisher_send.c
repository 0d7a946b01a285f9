/* SPDX-License-Identifier: MIT */
/* From drafts to the router; and what the router and the queues say of them, to the plugins. */
#include "base/mem.h"
#include "base/slab.h"
#include "broker/broker.h"
#include "broker/router/router.h"
#include "broker/topology/topology.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "plugin/publisher_state.h"

/* ---- Outcomes ---- */

/*
 * Nothing is called any more of what has been stopped. What has published in stop(), or in a start()
 * that failed, or on its own threads, has published at home; elsewhere it is held till the end.
 */
void publisher_tell(const struct plugin *plugin,
		    void (*done)(void *context, enum shunt_outcome outcome), void *context,
		    enum shunt_outcome outcome)
{
	if (done != NULL && (!loop_is_own(0) || plugin->phase != PLUGIN_STOPPED))
		done(context, outcome);
}

void record_finish(struct record *record, enum shunt_outcome outcome)
{
	struct plugin *plugin = record->plugin;

	list_remove(&record->link);
	publisher_tell(plugin, record->done, record->context, outcome);
	slab_free(record, sizeof(*record));
	plugin_release(plugin);
}

/* All targets have said what they had to say. */
static void record_end(struct record *record)
{
	enum shunt_outcome outcome = record->is_unroutable ? SHUNT_UNROUTABLE : SHUNT_ROUTED;

	record_finish(record, record->is_refused ? SHUNT_REFUSED : outcome);
}

static void on_published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
			 size_t count, uint64_t taken_bytes)
{
	(void)endpoint, (void)taken_bytes;
	for (size_t i = 0; i < count; i++) {
		struct record *record = (struct record *)(uintptr_t)outcomes[i].seq;

		record->is_refused |= outcomes[i].rejected;
		if (--record->n_pending == 0)
			record_end(record);
	}
}

/* It consumes nothing, and has no name for replies. */
const struct endpoint_ops publisher_endpoint_ops = {.published = on_published};

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

/* What the router said of one. Also what reaches no queue may be on its way to who observes. */
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
	record->is_unroutable = p->unroutable;
	if (p->n_pending == 0)
		record_end(record);
}

static void refuse_publication(struct publication *p)
{
	message_unref(p->message);
	if (p->seq != 0)
		record_finish(record_of(p), SHUNT_REFUSED);
}

/* One that fails does not hold up those behind it. */
static void send_out(struct outgoing *out, const struct extra_keys *keys)
{
	struct publish_batch batch = {.vhost = out->vhost,
				      .publisher = out->own->endpoint.ref,
				      .publications = out->publications,
				      .count = out->n};
	struct slice *extra = NULL;
	uint32_t n_extra = 0;
	struct amqp_error error;

	if (keys != NULL) {
		extra = mem_try_alloc(keys->n * sizeof(*extra));
		if (extra == NULL) {
			refuse_publication(&out->publications[0]);
			batch.count = 0;
		} else {
			n_extra = extra_keys_read(buffer_slice(&keys->bytes), keys->n, extra);
		}
		batch.extra_keys = extra;
		batch.n_extra_keys = &n_extra;
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
			record_finish(record, SHUNT_REFUSED);
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

void publisher_send_some(struct loop_task *task)
{
	struct loop_publisher *own = container_of(task, struct loop_publisher, send);
	struct outgoing out = {.own = own};
	struct list *node;

	for (unsigned i = 0; i < ROUTER_BATCH_MAX && (node = list_first(&own->drafts)) != NULL;
	     i++) {
		struct plugin_draft *d = container_of(node, struct plugin_draft, link);

		list_remove(&d->link);
		take_up(&out, d);
		plugin_draft_drop(d);
	}
	if (out.n != 0)
		send_out(&out, NULL);
	if (!list_is_empty(&own->drafts))
		loop_defer_background(&own->send);
}
