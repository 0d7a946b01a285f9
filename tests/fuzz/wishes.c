/* SPDX-License-Identifier: MIT */
#include "wishes.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "broker/topology/binding.h"
#include "broker/change/declare.h"
#include "broker/topology/exchange.h"
#include "broker/queue/queue.h"
#include "fuzz.h"
#include "world.h"

/* A declare request of ours, with room for its names. */
struct wish {
	struct declare_request request;
	struct wish *next;
	uint8_t bytes[];
};

static struct broker *broker;
static struct vhost *vhost;
static struct wish *wishes;

static struct slice wish_copy(uint8_t **at, struct slice bytes)
{
	struct slice copy = slice_make(*at, bytes.size);

	if (bytes.size > 0)
		memcpy(*at, bytes.data, bytes.size);
	*at += bytes.size;
	return copy;
}

static void wish_done(struct declare_request *request)
{
	fuzz_check(request->error.code == 0);
	free(container_of(request, struct wish, request));
}

static struct wish *wish(enum declare_operation operation, struct slice name, size_t room)
{
	struct wish *w = calloc(1, sizeof(*w) + name.size + room);
	uint8_t *at;

	fuzz_check(w != NULL);
	at = w->bytes;
	w->request.operation = operation;
	w->request.broker = broker;
	w->request.vhost = vhost;
	w->request.done = wish_done;
	w->request.name = wish_copy(&at, name);
	w->next = wishes;
	wishes = w;
	return w;
}

static void delete_queue(void *context, struct queue *queue)
{
	struct queue_entry *entry = queue_entry_of(queue);
	struct queue_stats stats;

	(void)context;
	queue_stats(queue, &stats);
	fuzz_check(stats.unacknowledged == 0 && stats.consumers == 0);
	fuzz_check(entry->owner == 0);
	if (!entry->doomed) /* by its time */
		(void)wish(DECLARE_QUEUE_DELETE, entry->node.key, 0);
}

void wishes_queues_here(void *unused)
{
	(void)unused;
	queue_for_each(broker, delete_queue, NULL);
}

static bool is_standard(struct slice name)
{
	return name.size == 0 || slice_starts_with(name, SLICE_LITERAL("amq."));
}

static void delete_exchange(void *context, const struct exchange *exchange)
{
	unsigned *n_standard = context;

	if (is_standard(exchange->node.key))
		(*n_standard)++;
	else
		(void)wish(DECLARE_EXCHANGE_DELETE, exchange->node.key, 0);
}

/* Of a binding between two standard exchanges, which stay. */
static void unbind(void *context, const struct binding *binding)
{
	struct slice key =
		slice_make(binding->view.routing_key.data, binding->view.routing_key.size);
	struct slice arguments =
		slice_make(binding->view.arguments.data, binding->view.arguments.size);
	struct declare_request *request;
	struct slice source;
	uint8_t *at;

	(void)context;
	if (binding->exchange == NULL || !is_standard(binding->exchange->node.key) ||
	    !is_standard(binding->source->node.key))
		return;
	source = binding->source->node.key;
	request = &wish(DECLARE_UNBIND, binding->exchange->node.key,
			source.size + key.size + arguments.size)
			   ->request;
	at = container_of(request, struct wish, request)->bytes + request->name.size;
	request->bind.source = wish_copy(&at, source);
	request->bind.routing_key = wish_copy(&at, key);
	request->bind.destination_is_exchange = true;
	request->arguments = wish_copy(&at, arguments);
}

void wishes_fulfil(void)
{
	while (wishes != NULL) {
		struct wish *w = wishes;

		wishes = w->next;
		declare_submit(&w->request);
	}
	world_settle();
}

void wishes_topology(unsigned *ret_standard)
{
	uint64_t cursor = 0;

	*ret_standard = 0;
	do {
		cursor = topology_list_exchanges(broker->topology, vhost, cursor, 1000,
						 delete_exchange, ret_standard);
	} while (cursor != 0);
	do {
		cursor =
			topology_list_bindings(broker->topology, vhost, cursor, 1000, unbind, NULL);
	} while (cursor != 0);
}

void wishes_use(struct broker *of_broker, struct vhost *of_vhost)
{
	broker = of_broker;
	vhost = of_vhost;
}

bool wishes_are_left(void)
{
	return wishes != NULL;
}
