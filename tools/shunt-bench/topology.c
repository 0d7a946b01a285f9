/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <stdio.h>

#include "amqp/table_writer.h"
#include "base/buffer.h"

#define PIPELINE 500 /* bindings on their way at a time */

static int declare_exchange(struct client *client, const struct plan *plan)
{
	const struct options *options = plan->options;
	struct amqp_method method = {.id = AMQP_EXCHANGE_DECLARE}, answer;
	char name[PLAN_NAME_SIZE];

	plan_exchange(plan, name);
	method.exchange_declare.exchange = slice_cstr(name);
	method.exchange_declare.type = slice_cstr(options_exchange_name(options));
	method.exchange_declare.durable = options->durable;
	return client_call(client, &method, AMQP_EXCHANGE_DECLARE_OK, &answer);
}

static int declare_queue(struct client *client, const struct plan *plan, unsigned queue,
			 bool passive, uint32_t *ret_messages)
{
	struct amqp_method method = {.id = AMQP_QUEUE_DECLARE}, answer;
	char name[PLAN_NAME_SIZE];
	int error;

	plan_queue_name(plan, queue, name);
	method.queue_declare.queue = slice_cstr(name);
	method.queue_declare.durable = plan->options->durable;
	method.queue_declare.passive = passive;
	error = client_call(client, &method, AMQP_QUEUE_DECLARE_OK, &answer);
	if (error == 0)
		*ret_messages = answer.queue_declare_ok.message_count;
	return error;
}

/* {x-match: all, KEY: KEY} for a headers exchange, else nothing. */
static int put_arguments(const struct plan *plan, const char *key, struct buffer *table)
{
	struct amqp_table_writer writer;

	if (plan->options->exchange != BENCH_EXCHANGE_HEADERS)
		return 0;
	amqp_table_writer_init(&writer, table);
	amqp_table_put_string(&writer, "x-match", SLICE_LITERAL("all"));
	amqp_table_put_string(&writer, key, slice_cstr(key));
	return amqp_table_writer_finish(&writer);
}

/* waits: for this one and all before it, which were sent without waiting. */
static int bind_queue(struct client *client, const struct plan *plan, unsigned queue,
		      const char *key, bool waits)
{
	struct amqp_method method = {.id = AMQP_QUEUE_BIND}, answer;
	char exchange[PLAN_NAME_SIZE], name[PLAN_NAME_SIZE];
	struct buffer table;
	int error;

	plan_exchange(plan, exchange);
	plan_queue_name(plan, queue, name);
	buffer_init(&table);
	error = put_arguments(plan, key, &table);
	method.queue_bind.queue = slice_cstr(name);
	method.queue_bind.exchange = slice_cstr(exchange);
	method.queue_bind.routing_key = slice_cstr(key);
	method.queue_bind.no_wait = !waits;
	method.queue_bind.arguments = buffer_slice(&table);
	if (error < 0)
		error = client_fail(client, error, "no memory for a binding");
	else if (waits)
		error = client_call(client, &method, AMQP_QUEUE_BIND_OK, &answer);
	else
		client_put(client, CLIENT_CHANNEL, &method);
	buffer_fini(&table);
	return error;
}

static int bind_all(struct client *client, const struct plan *plan)
{
	const struct options *options = plan->options;
	char key[PLAN_NAME_SIZE];
	int error = 0;

	for (unsigned i = 0; error == 0 && i < options->bindings; i++) {
		plan_idle_key(plan, i, key);
		error = bind_queue(client, plan, i % options->queues, key,
				   i % PIPELINE == PIPELINE - 1 || i + 1 == options->bindings);
	}
	for (unsigned i = 0; error == 0 && i < options->queues; i++) {
		plan_binding_key(plan, i, key);
		error = bind_queue(client, plan, i, key, true);
	}
	return error;
}

int topology_make(struct client *client, const struct plan *plan)
{
	bool has_exchange = plan->options->exchange != BENCH_EXCHANGE_DEFAULT;
	uint32_t messages;
	int error = has_exchange ? declare_exchange(client, plan) : 0;

	for (unsigned i = 0; error == 0 && i < plan->options->queues; i++)
		error = declare_queue(client, plan, i, false, &messages);
	if (error == 0 && has_exchange)
		error = bind_all(client, plan);
	return error;
}

int topology_delete(struct client *client, const struct plan *plan)
{
	struct amqp_method method = {.id = AMQP_EXCHANGE_DELETE}, answer;
	char name[PLAN_NAME_SIZE];
	int error = 0;

	if (plan->options->exchange != BENCH_EXCHANGE_DEFAULT) {
		plan_exchange(plan, name);
		method.exchange_delete.exchange = slice_cstr(name);
		error = client_call(client, &method, AMQP_EXCHANGE_DELETE_OK, &answer);
	}
	for (unsigned i = 0; error == 0 && i < plan->options->queues; i++) {
		method = (struct amqp_method){.id = AMQP_QUEUE_DELETE};
		plan_queue_name(plan, i, name);
		method.queue_delete.queue = slice_cstr(name);
		error = client_call(client, &method, AMQP_QUEUE_DELETE_OK, &answer);
	}
	return error;
}

int topology_count(struct client *client, const struct plan *plan, uint64_t *ret)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < plan->options->queues; i++) {
		uint32_t messages = 0;
		int error = declare_queue(client, plan, i, true, &messages);

		if (error < 0)
			return error;
		sum += messages;
	}
	*ret = sum;
	return 0;
}
