/* SPDX-License-Identifier: MIT */
/* Class queue. AMQP 0-9-1 section 1.7. */
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "broker/router.h"
#include "conn/exclusive.h"
#include "conn/permission.h"
#include "conn/request.h"

static void queue_remember(struct channel *ch, struct slice name)
{
	mem_free(ch->last_queue);
	ch->last_queue = slice_strdup(name);
	ch->last_queue_size = (uint8_t)name.size;
}

/* ---- Declare ---- */

static void queue_declare_reply(struct channel *ch, const struct channel_request *request,
				struct slice name, uint32_t messages, uint32_t consumers)
{
	struct amqp_method ok = {.id = AMQP_QUEUE_DECLARE_OK};

	ok.queue_declare_ok.queue = name;
	ok.queue_declare_ok.message_count = messages;
	ok.queue_declare_ok.consumer_count = consumers;
	request_reply(ch, request, &ok);
}

/* An exclusive queue that has no connection to end it. */
static void queue_expire(const struct declare_request *d)
{
	struct queue *queue = slots_get(d->queue);

	if (queue != NULL)
		declare_queue_expire(d->broker, queue_entry_of(queue));
}

static int queue_declare_finish(struct channel *ch, struct channel_request *request,
				struct amqp_error *error)
{
	const struct declare_request *d = &request->declare;

	if (d->created && d->owner != 0 && exclusive_add(ch->connection, d->queue) != 0) {
		queue_expire(d);
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	queue_remember(ch, d->name);
	queue_declare_reply(ch, request, d->name, d->message_count, d->consumer_count);
	return 0;
}

/* The channel has gone, but an exclusive queue lives as long as its connection: it is noted there,
 * or goes too. */
static void queue_declare_abandon(struct channel_request *request)
{
	const struct declare_request *d = &request->declare;
	struct list *pos;

	if (!d->created || d->owner == 0)
		return;
	list_for_each(pos, &conn_loop_self(request->service)->connections) {
		struct connection *c = container_of(pos, struct connection, link);

		if (c->number == d->owner && c->state == CONNECTION_RUNNING &&
		    exclusive_add(c, d->queue) == 0)
			return;
	}
	queue_expire(d);
}

/*
 * The pseudo-queue of direct reply-to is always there; a reply name is as long as its channel is
 * (RabbitMQ: docs/direct-reply-to).
 */
static int queue_declare_reply_to(struct channel *ch, const struct amqp_queue_declare *m,
				  struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_QUEUE_DECLARE_OK};

	bool is_pseudo_queue = slice_equal(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX));

	if (!is_pseudo_queue && !router_reply_name_is_valid(m->queue))
		return amqp_error_set(error, AMQP_NOT_FOUND,
				      "no queue '" SLICE_FMT "' in vhost '%s'", SLICE_ARG(m->queue),
				      ch->connection->vhost->name);
	ok.queue_declare_ok.queue = m->queue;
	ok.queue_declare_ok.consumer_count = 1;
	if (!m->no_wait)
		connection_send(ch->connection, ch->number, &ok);
	return 0;
}

int method_queue_declare(struct channel *ch, const struct amqp_queue_declare *m,
			 struct amqp_error *error)
{
	bool server_named = m->queue.size == 0 && !m->passive;
	char made[8 + RANDOM_NAME_SIZE];
	struct channel_request *request;
	struct slice name = m->queue;

	if (slice_equal(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX)) ||
	    slice_starts_with(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX ".")))
		return queue_declare_reply_to(ch, m, error);
	if (server_named) {
		memcpy(made, "amq.gen-", 8);
		random_name(made + 8);
		name = slice_cstr(made);
	}
	if (!m->passive &&
	    permission_check_with(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_QUEUE, name, m->arguments,
				  error) != 0)
		return -EPROTO;
	request = request_create(ch, AMQP_QUEUE_DECLARE, m->no_wait, name.size + m->arguments.size,
				 error);
	if (request == NULL)
		return -EPROTO;
	request->finish = queue_declare_finish;
	request->abandon = queue_declare_abandon;
	request->declare.operation = DECLARE_QUEUE;
	request->declare.name = request_copy(request, name);
	request->declare.arguments = request_copy(request, m->arguments);
	request->declare.queue_declare.passive = m->passive;
	request->declare.queue_declare.durable = m->durable;
	request->declare.queue_declare.exclusive = m->exclusive;
	request->declare.queue_declare.auto_delete = m->auto_delete;
	request->declare.queue_declare.server_named = server_named;
	request_submit_declare(ch, request);
	return 0;
}

/* ---- Bind, unbind ---- */

static int queue_bind_finish(struct channel *ch, struct channel_request *request,
			     struct amqp_error *error)
{
	struct amqp_method ok = {
		.id = request->method_id == AMQP_QUEUE_BIND ? AMQP_QUEUE_BIND_OK
							    : AMQP_QUEUE_UNBIND_OK,
	};

	(void)error;
	request_reply(ch, request, &ok);
	return 0;
}

static int queue_bind_or_unbind(struct channel *ch, uint32_t method_id,
				const struct amqp_queue_bind *m, struct amqp_error *error)
{
	struct slice queue, key = m->routing_key;
	struct channel_request *request;

	if (request_queue_name(ch, m->queue, &queue, error) != 0)
		return -EPROTO;
	if (m->queue.size == 0 && key.size == 0)
		key = queue;
	if (permission_check_with(ch, ACCESS_WRITE, ACCESS_RESOURCE_QUEUE, queue, m->arguments,
				  error) != 0 ||
	    permission_check_binding(ch, m->exchange, key, m->arguments, error) != 0)
		return -EPROTO;
	request =
		request_create(ch, method_id, m->no_wait,
			       queue.size + m->exchange.size + key.size + m->arguments.size, error);
	if (request == NULL)
		return -EPROTO;
	request->finish = queue_bind_finish;
	request->declare.operation = method_id == AMQP_QUEUE_BIND ? DECLARE_BIND : DECLARE_UNBIND;
	request->declare.name = request_copy(request, queue);
	request->declare.arguments = request_copy(request, m->arguments);
	request->declare.bind.source = request_copy(request, m->exchange);
	request->declare.bind.routing_key = request_copy(request, key);
	request_submit_declare(ch, request);
	return 0;
}

int method_queue_bind(struct channel *ch, const struct amqp_queue_bind *m, struct amqp_error *error)
{
	return queue_bind_or_unbind(ch, AMQP_QUEUE_BIND, m, error);
}

int method_queue_unbind(struct channel *ch, const struct amqp_queue_unbind *m,
			struct amqp_error *error)
{
	struct amqp_queue_bind same = {
		.queue = m->queue,
		.exchange = m->exchange,
		.routing_key = m->routing_key,
		.arguments = m->arguments,
	};

	return queue_bind_or_unbind(ch, AMQP_QUEUE_UNBIND, &same, error);
}

/* ---- Purge, delete ---- */

static int queue_purge_finish(struct channel *ch, struct channel_request *request,
			      struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_QUEUE_PURGE_OK};

	(void)error;
	ok.queue_purge_ok.message_count = request->queue.message_count;
	request_reply(ch, request, &ok);
	return 0;
}

int method_queue_purge(struct channel *ch, const struct amqp_queue_purge *m,
		       struct amqp_error *error)
{
	struct channel_request *request = request_create_for_queue(
		ch, AMQP_QUEUE_PURGE, QUEUE_PURGE, m->no_wait, m->queue, 0, error);

	if (request == NULL)
		return -EPROTO;
	request->finish = queue_purge_finish;
	request_submit_queue(ch, request);
	return 0;
}

static int queue_delete_finish(struct channel *ch, struct channel_request *request,
			       struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_QUEUE_DELETE_OK};

	(void)error;
	ok.queue_delete_ok.message_count = request->declare.message_count;
	request_reply(ch, request, &ok);
	return 0;
}

int method_queue_delete(struct channel *ch, const struct amqp_queue_delete *m,
			struct amqp_error *error)
{
	struct channel_request *request;
	struct slice queue;

	if (request_queue_name(ch, m->queue, &queue, error) != 0 ||
	    permission_check(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_QUEUE, queue, error) != 0)
		return -EPROTO;
	request = request_create(ch, AMQP_QUEUE_DELETE, m->no_wait, queue.size, error);
	if (request == NULL)
		return -EPROTO;
	request->finish = queue_delete_finish;
	request->declare.operation = DECLARE_QUEUE_DELETE;
	request->declare.name = request_copy(request, queue);
	request->declare.queue_delete.if_unused = m->if_unused;
	request->declare.queue_delete.if_empty = m->if_empty;
	request_submit_declare(ch, request);
	return 0;
}
