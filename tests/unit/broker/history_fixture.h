/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_HISTORY_FIXTURE_H
#define TESTS_UNIT_BROKER_HISTORY_FIXTURE_H

/* An exchange type that remembers all that comes by, and sends it to each new binding. */

#include "broker/topology/exchange.h"
#include "broker/message/held_message.h"
#include "router_fixture.h"

enum { HISTORY_MAX = 128 };

struct history {
	struct fake_exchange base; /* first: fake_bind() and the like */
	const struct routed_message *held[HISTORY_MAX];
	size_t n_held;
};

static _Atomic size_t n_observed, n_bound_calls, n_send_failures;
static _Atomic unsigned observed_on; /* a bit for each loop */
static size_t history_repeats;	     /* how often bound() sends all */
static char observed_user[64];	     /* of the last one, and what type it knew itself as */
static char history_type[64];

static inline int history_create(void *plugin, const struct shunt_exchange *exchange,
				 void **ret_state, struct shunt_error *said)
{
	struct history *history = mem_zalloc(sizeof(*history));

	(void)plugin, (void)said;
	(void)snprintf(history_type, sizeof(history_type), "%.*s", (int)exchange->type.size,
		       (const char *)exchange->type.data);
	list_init(&history->base.bound);
	history->base.by_key = true;
	fake_instances++;
	*ret_state = history;
	return 0;
}

static inline void history_destroy(void *state)
{
	struct history *history = state;

	for (size_t i = 0; i < history->n_held; i++)
		held_message_destroy(history->held[i]);
	fake_destroy(&history->base);
}

static inline void history_observe(void *state, const struct shunt_message *message)
{
	struct history *history = state;

	n_observed++;
	(void)snprintf(observed_user, sizeof(observed_user), "%.*s", (int)message->user.size,
		       (const char *)message->user.data);
	observed_on |= 1u << loop_index(loop_self());
	if (history->n_held == HISTORY_MAX)
		return;
	history->held[history->n_held] =
		held_message_create(container_of(message, const struct routed_message, view));
	history->n_held += history->held[history->n_held] != NULL;
}

static inline void history_bound(void *state, const struct shunt_binding *binding,
				 struct shunt_sender *sender)
{
	const struct history *history = state;

	(void)binding;
	n_bound_calls++;
	for (size_t n = 0; n < history_repeats; n++) {
		for (size_t i = 0; i < history->n_held; i++)
			n_send_failures += sender->send(sender, &history->held[i]->view) != 0;
	}
}

static const struct shunt_exchange_type fake_history = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "history",
	.create = history_create,
	.destroy = history_destroy,
	.validate_binding = fake_validate_binding,
	.bind = fake_bind,
	.unbind = fake_unbind,
	.route = fake_route,
	.routes_by_key = true,
	.observe = history_observe,
	.bound = history_bound,
};

static inline void history_begin(unsigned n_loops)
{
	router_begin(n_loops);
	register_type(&fake_history);
	n_observed = n_bound_calls = n_send_failures = 0;
	observed_on = 0;
	history_repeats = 1;
}

static inline unsigned loop_of_exchange(const char *name)
{
	topology_read_begin(broker->topology);
	unsigned loop = exchange_own_loop(topology_exchange(vhost, slice_cstr(name)), loop_count());
	topology_read_end(broker->topology);
	return loop;
}

/* One of the type history, that observes on that loop; ones before it are called ".", "..", ... */
static inline void history_declare_on(const char *name, unsigned loop, unsigned flags)
{
	char other[64] = "";

	for (;;) {
		CU_ASSERT_EQUAL_FATAL(exchange_declare(name, "history", flags), 0);
		if (loop_of_exchange(name) == loop)
			return;
		CU_ASSERT_EQUAL_FATAL(exchange_delete(name, false), 0);
		strcat(other, ".");
		CU_ASSERT_EQUAL_FATAL(exchange_declare(other, "fanout", 0), 0);
	}
}

/* ---- What a queue of this loop holds ---- */

struct got {
	struct queue_request request;
	bool is_done;
};

static inline void got_done(struct queue_request *request)
{
	container_of(request, struct got, request)->is_done = true;
}

/* Takes the next message off the queue; NULL: there is none. With a reference. */
static inline struct message *get(const char *queue)
{
	struct got got = {.request = {.operation = QUEUE_GET,
				      .asker = publisher.ref,
				      .connection = CONNECTION,
				      .queue_name = slice_cstr(queue),
				      .vhost_name = SLICE_LITERAL("/"),
				      .done = got_done}};

	got.request.get.no_ack = true;
	CU_ASSERT_EQUAL_FATAL(declare_find_queue(broker, vhost, slice_cstr(queue), CONNECTION,
						 &got.request.queue, &error),
			      0);
	queue_request_submit(&got.request);
	if (!got.is_done)
		turn();
	CU_ASSERT_TRUE_FATAL(got.is_done);
	return got.request.get.delivery.message;
}

/* The next message has that key. */
static inline void ASSERT_NEXT(const char *queue, const char *key)
{
	struct message *message = get(queue);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	CU_ASSERT_TRUE(slice_equal(message_routing_key(message), slice_cstr(key)));
	message_unref(message);
}

#endif
