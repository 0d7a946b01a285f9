/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdio.h>

#include "base/random.h"

void plan_init(struct plan *plan, const struct options *options)
{
	plan->options = options;
	(void)snprintf(plan->run, sizeof(plan->run), "%08x", (unsigned)random_u64());
}

unsigned plan_queue_count(unsigned index, unsigned peers, unsigned queues)
{
	return peers >= queues ? 1 : (queues - index + peers - 1) / peers;
}

unsigned plan_queue(unsigned index, unsigned i, unsigned peers, unsigned queues)
{
	return peers >= queues ? index % queues : index + i * peers;
}

static bool is_fanout(const struct plan *plan)
{
	return plan->options->exchange == BENCH_EXCHANGE_FANOUT;
}

unsigned plan_stream_count(const struct plan *plan, unsigned producer)
{
	const struct options *options = plan->options;

	return is_fanout(plan) ? 1
			       : plan_queue_count(producer, options->producers, options->queues);
}

unsigned plan_stream_queue(const struct plan *plan, unsigned producer, unsigned stream)
{
	const struct options *options = plan->options;

	return is_fanout(plan) ? 0
			       : plan_queue(producer, stream, options->producers, options->queues);
}

bool plan_find_stream(const struct plan *plan, unsigned producer, unsigned queue, unsigned *ret)
{
	unsigned producers = plan->options->producers;
	unsigned queues = plan->options->queues;

	*ret = 0;
	if (is_fanout(plan))
		return true;
	if (producers >= queues)
		return producer % queues == queue;
	*ret = queue / producers;
	return queue % producers == producer;
}

unsigned plan_copies(const struct plan *plan)
{
	return is_fanout(plan) ? plan->options->queues : 1;
}

void plan_exchange(const struct plan *plan, char name[PLAN_NAME_SIZE])
{
	if (plan->options->exchange == BENCH_EXCHANGE_DEFAULT)
		name[0] = '\0';
	else
		(void)snprintf(name, PLAN_NAME_SIZE, "shunt-bench.%s", plan->run);
}

void plan_queue_name(const struct plan *plan, unsigned queue, char name[PLAN_NAME_SIZE])
{
	(void)snprintf(name, PLAN_NAME_SIZE, "shunt-bench.%s.q%u", plan->run, queue);
}

static void make_key(const struct plan *plan, unsigned queue, bool is_binding,
		     char key[PLAN_NAME_SIZE])
{
	switch (plan->options->exchange) {
	case BENCH_EXCHANGE_DEFAULT:
		plan_queue_name(plan, queue, key);
		break;
	case BENCH_EXCHANGE_FANOUT:
		key[0] = '\0';
		break;
	case BENCH_EXCHANGE_TOPIC:
		(void)snprintf(key, PLAN_NAME_SIZE, "bench.q%u.%c", queue, is_binding ? '*' : 'k');
		break;
	case BENCH_EXCHANGE_DIRECT:
	case BENCH_EXCHANGE_HEADERS:
	case BENCH_EXCHANGE_OTHER:
		(void)snprintf(key, PLAN_NAME_SIZE, "q%u", queue);
		break;
	}
}

void plan_routing_key(const struct plan *plan, unsigned queue, char key[PLAN_NAME_SIZE])
{
	make_key(plan, queue, false, key);
}

void plan_binding_key(const struct plan *plan, unsigned queue, char key[PLAN_NAME_SIZE])
{
	make_key(plan, queue, true, key);
}

void plan_idle_key(const struct plan *plan, unsigned n, char key[PLAN_NAME_SIZE])
{
	/* beside the path of the messages, and with wildcards in every place */

	if (plan->options->exchange != BENCH_EXCHANGE_TOPIC)
		(void)snprintf(key, PLAN_NAME_SIZE, "n%u", n);
	else if (n % 3 == 0)
		(void)snprintf(key, PLAN_NAME_SIZE, "bench.n%u.*", n);
	else if (n % 3 == 1)
		(void)snprintf(key, PLAN_NAME_SIZE, "*.n%u.#", n);
	else
		(void)snprintf(key, PLAN_NAME_SIZE, "n%u.*.k", n);
}
