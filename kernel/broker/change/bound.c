/* SPDX-License-Identifier: MIT */
#include "broker/change/bound.h"

#include "base/account.h"
#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/message/message.h"
#include "broker/router/send.h"
#include "loop/loop.h"

/*
 * The happy path: bound() gathers, bound_end() sends all of it in one step, and the request goes to
 * the destination's loop behind what was sent there, and home from there: so bind-ok comes when the
 * queue has the messages. If the destination is an exchange, the request goes round all loops.
 *
 * Many messages go in steps in the background. What is published meanwhile may come before them.
 */
#define STEP_US	   80
#define NO_LOOP	   UINT32_MAX
#define FIRST_ROOM 64u

struct bound_sends {
	struct shunt_sender sender;
	struct declare_request *request;
	struct router_destination to; /* with a reference, if an exchange */
	struct message **messages;    /* with a reference each, until they are sent */
	size_t count, capacity, n_sent;
	struct loop_task task;
	unsigned next_loop; /* to which the request goes from here */
};

/* ---- In the write side ---- */

static bool make_room(struct bound_sends *sends)
{
	size_t wanted = sends->capacity > 0 ? 2 * sends->capacity : FIRST_ROOM;
	struct message **messages;

	if (sends->count < sends->capacity)
		return true;
	messages = mem_try_realloc(sends->messages, wanted * sizeof(struct message *));
	if (!messages)
		return false;
	account_add(ACCOUNT_OTHER,
		    (ptrdiff_t)((wanted - sends->capacity) * sizeof(struct message *)));
	sends->messages = messages;
	sends->capacity = wanted;
	return true;
}

static int add_message(struct shunt_sender *sender, const struct shunt_message *message)
{
	struct bound_sends *sends = container_of(sender, struct bound_sends, sender);
	const struct routed_message *held =
		container_of(message, const struct routed_message, view);

	if (!make_room(sends))
		return -1;
	sends->messages[sends->count++] = message_ref(held->message);
	return 0;
}

static void run_step(struct loop_task *task);

void bound_begin(struct declare_request *request, struct binding *binding)
{
	struct exchange *source = binding->source;
	struct bound_sends *sends;

	if (!source->type || !source->type->own.bound || loop_pool_is_stopping())
		return;
	sends = mem_zalloc(sizeof(*sends));
	sends->sender = (struct shunt_sender){.size = sizeof(sends->sender), .send = add_message};
	sends->request = request;
	if (binding->queue)
		sends->to.queue = binding->queue->queue;
	else
		sends->to.exchange = binding->exchange;
	loop_task_init(&sends->task, run_step);
	source->type->own.bound(source->instance, &binding->view, &sends->sender);
	if (sends->count == 0) {
		mem_free(sends);
		return;
	}
	if (sends->to.exchange)
		exchange_ref(sends->to.exchange);
	declare_work(request)->sends = sends;
}

/* ---- Outside of it ---- */

static void destroy(struct bound_sends *sends)
{
	account_add(ACCOUNT_OTHER, -(ptrdiff_t)(sends->capacity * sizeof(struct message *)));
	exchange_unref(sends->to.exchange);
	mem_free(sends->messages);
	mem_free(sends);
}

/* As much as fits in a step. */
static void send_some(struct bound_sends *sends)
{
	const struct declare_request *request = sends->request;
	uint64_t end_us = clock_monotonic_us() + STEP_US;

	while (sends->n_sent < sends->count && clock_monotonic_us() < end_us) {
		size_t n = sends->count - sends->n_sent;

		if (n > ROUTER_BATCH_MAX)
			n = ROUTER_BATCH_MAX;
		sends->n_sent += router_send_take(request->broker, request->vhost, &sends->to,
						  sends->messages + sends->n_sent, n);
	}
}

/* The first loop from `loop` on to which something was sent. */
static unsigned loop_from(const struct bound_sends *sends, unsigned loop)
{
	if (!sends->to.exchange)
		return loop <= sends->to.queue.loop ? sends->to.queue.loop : NO_LOOP;
	return loop < loop_count() ? loop : NO_LOOP;
}

static void run_step(struct loop_task *task)
{
	struct bound_sends *sends = container_of(task, struct bound_sends, task);

	send_some(sends);
	if (sends->n_sent < sends->count) {
		loop_defer_background(task);
		return;
	}
	bound_go_on(sends->request);
}

void bound_end(struct declare_request *request)
{
	struct bound_sends *sends = declare_work(request)->sends;

	if (sends)
		run_step(&sends->task);
	else
		declare_finish(request);
}

void bound_go_on(struct declare_request *request)
{
	struct bound_sends *sends = declare_work(request)->sends;
	unsigned loop = loop_from(sends, sends->next_loop);

	if (loop != NO_LOOP) {
		sends->next_loop = loop + 1;
		declare_travel(request, loop);
		return;
	}
	declare_work(request)->sends = NULL;
	destroy(sends);
	declare_finish(request);
}
