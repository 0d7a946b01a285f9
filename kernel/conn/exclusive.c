/* SPDX-License-Identifier: MIT */
#include "conn/exclusive.h"

#include <errno.h>

#include "base/mem.h"
#include "broker/declare.h"
#include "broker/queue.h"

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

void exclusive_end(struct connection *c)
{
	for (size_t i = 0; i < c->n_exclusive; i++) {
		struct queue *queue = slots_get(c->exclusive_queues[i]);

		if (queue != NULL)
			declare_queue_expire(c->service->broker, queue_entry_of(queue));
	}
	c->n_exclusive = 0;
}
