/* SPDX-License-Identifier: MIT */
/*
 * A draft waits in its loop's list, on the account of messages, until the loop's background task
 * takes it out and makes the message. A message whose end somebody wants to know has a record,
 * whose address is its sequence number with the router.
 */
#include "plugin/publisher.h"

#include "base/account.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "plugin/publisher_state.h"

#define NAME_MAX_SIZE 255u

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
void plugin_draft_drop(struct plugin_draft *d)
{
	struct plugin *plugin = d->plugin;

	account_add(ACCOUNT_MESSAGE, -(ptrdiff_t)d->accounted);
	free_draft(d);
	plugin_release(plugin);
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
	own->endpoint.ops = &publisher_endpoint_ops;
	own->endpoint.ref = slots_add(&own->endpoint);
	list_init(&own->drafts);
	list_init(&own->records);
	loop_task_init(&own->send, publisher_send_some);
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
		plugin_draft_drop(d);
		return;
	}
	own = loop_publisher(d->publisher);
	list_add_tail(&own->drafts, &d->link);
	if (!loop_is_own(0) || !d->publisher->rests)
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

void publisher_rest(struct publisher *publisher)
{
	publisher->rests = true;
}

void publisher_go_on(struct publisher *publisher)
{
	struct loop_publisher *own = publisher->loops[0];

	publisher->rests = false;
	if (own != NULL && !list_is_empty(&own->drafts))
		loop_defer_background(&own->send);
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
		publisher_tell(d->plugin, d->done, d->context, SHUNT_REFUSED);
		plugin_draft_drop(d);
	}
	while ((node = list_first(&own->records)) != NULL)
		record_finish(container_of(node, struct record, link), SHUNT_REFUSED);
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
