/* SPDX-License-Identifier: MIT */
#include "conn/exclusive.h"

#include <errno.h>

#include "base/mem.h"
#include "broker/change/declare.h"
#include "broker/queue/queue.h"
#include "conn/closing.h"
#include "loop/task.h"

int exclusive_add(struct connection *c, struct actor_ref queue)
{
	if (c->n_exclusive == c->exclusive_capacity) {
		size_t capacity = c->exclusive_capacity != 0 ? c->exclusive_capacity * 2 : 4,
		       kept = 0;
		struct actor_ref *queues;

		for (size_t i = 0; i < c->n_exclusive; i++) /* forget those that are gone */
			if (slots_get(c->exclusive_queues[i]) != NULL)
				c->exclusive_queues[kept++] = c->exclusive_queues[i];
		c->n_exclusive = kept;
		if (kept > c->exclusive_capacity / 2 || c->exclusive_capacity == 0) {
			queues = mem_try_realloc(c->exclusive_queues, capacity * sizeof(*queues));
			if (queues == NULL)
				return -ENOMEM;
			c->exclusive_queues = queues;
			c->exclusive_capacity = capacity;
		}
	}
	c->exclusive_queues[c->n_exclusive++] = queue;
	return 0;
}

/* Queues that go in steps. Its own, not the connection's, which may go before. */
struct exclusive_end {
	struct loop_task task;
	struct broker *broker;
	struct conn_loop *home;
	struct connection *connection; /* NULL: gone */
	bool is_waited_for;
	struct actor_ref *queues;
	size_t n_queues; /* from the first on; the last go first */
};

static void expire_last(struct broker *broker, const struct actor_ref *queues, size_t *n_queues)
{
	for (size_t i = 0; i<EXCLUSIVE_STEP && * n_queues> 0; i++) {
		struct queue *queue = slots_get(queues[--*n_queues]);

		if (queue != NULL)
			declare_queue_expire(broker, queue_entry_of(queue));
	}
}

static void end_is_done(struct exclusive_end *e)
{
	struct connection *c = e->connection;
	bool is_waited_for = e->is_waited_for;

	if (--e->home->n_exclusive_ends == 0)
		closing_note_exclusive(e->home);
	mem_free(e->queues);
	mem_free(e);
	if (c == NULL)
		return;
	c->exclusive_end = NULL;
	if (is_waited_for)
		connection_answer_close(c);
}

static void end_some(struct loop_task *task)
{
	struct exclusive_end *e = container_of(task, struct exclusive_end, task);

	expire_last(e->broker, e->queues, &e->n_queues);
	if (e->n_queues > 0)
		loop_defer_background(task);
	else
		end_is_done(e);
}

void exclusive_end(struct connection *c)
{
	if (c->n_exclusive <= EXCLUSIVE_STEP) {
		expire_last(c->service->broker, c->exclusive_queues, &c->n_exclusive);
		return;
	}

	struct exclusive_end *e = mem_alloc(sizeof(*e));

	*e = (struct exclusive_end){
		.broker = c->service->broker,
		.home = c->home,
		.connection = c,
		.queues = c->exclusive_queues,
		.n_queues = c->n_exclusive,
	};
	loop_task_init(&e->task, end_some);
	loop_defer_background(&e->task);
	c->home->n_exclusive_ends++;
	c->exclusive_end = e;
	c->exclusive_queues = NULL;
	c->n_exclusive = c->exclusive_capacity = 0;
}

bool exclusive_wait(struct connection *c)
{
	if (c->exclusive_end == NULL)
		return false;
	c->exclusive_end->is_waited_for = true;
	return true;
}

void exclusive_leave(struct connection *c)
{
	if (c->exclusive_end == NULL)
		return;
	c->exclusive_end->connection = NULL;
	c->exclusive_end = NULL;
}
