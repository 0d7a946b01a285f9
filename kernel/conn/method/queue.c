/* SPDX-License-Identifier: MIT */
/* Class queue. AMQP 0-9-1 section 1.7. */
#include <errno.h>
#include <string.h>

#include "amqp/table.h"
#include "base/mem.h"
#include "base/random.h"
#include "broker/router/router.h"
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

/* Whether it may be made with these arguments; of one that is there they are only compared. */
static void queue_check_dead_letters(struct channel *ch, struct slice name, struct slice arguments,
				     struct amqp_error *ret_forbidden)
{
	struct amqp_value value;

	if (!amqp_table_find(arguments, "x-dead-letter-exchange", &value) ||
	    value.type != AMQP_VALUE_STRING ||
	    permission_check_quietly(ch, ACCESS_READ, ACCESS_RESOURCE_QUEUE, name, ret_forbidden) !=
		    0)
		return;
	(void)permission_check_quietly(ch, ACCESS_WRITE, ACCESS_RESOURCE_EXCHANGE, value.bytes,
				       ret_forbidden);
}

/* In RabbitMQ's order: a name that nobody may declare comes first. */
static int queue_check_declare(struct channel *ch, const struct amqp_queue_declare *m,
			       struct slice name, struct amqp_error *error)
{
	if (m->passive)
		return permission_check_passive(ch, ACCESS_RESOURCE_QUEUE, name, error);
	if (m->queue.size != 0 && slice_starts_with(name, SLICE_LITERAL("amq.")))
		return amqp_error_set(error, AMQP_ACCESS_REFUSED,
				      "queue name '" SLICE_FMT "' contains reserved prefix 'amq.*'",
				      SLICE_ARG(name));
	return permission_check_with(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_QUEUE, name,
				     m->arguments, error);
}

/* The name that is declared; `made` has room for one of the server's own making. */
static struct slice queue_declare_name(const struct amqp_queue_declare *m, bool server_named,
				       struct permission_name *made)
{
	if (!server_named)
		return permission_strip(m->queue, made);
	memcpy(made->bytes, "amq.gen-", 8);
	random_name((char *)made->bytes + 8);
	return slice_cstr((const char *)made->bytes);
}

int method_queue_declare(struct channel *ch, const struct amqp_queue_declare *m,
			 struct amqp_error *error)
{
	bool server_named = m->queue.size == 0 && !m->passive;
	struct channel_request *request;
	struct amqp_error forbidden = {.code = 0};
	struct permission_name made;
	struct slice name;

	if (slice_equal(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX)) ||
	    slice_starts_with(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX ".")))
		return queue_declare_reply_to(ch, m, error);
	name = queue_declare_name(m, server_named, &made);
	if (queue_check_declare(ch, m, name, error) != 0)
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
	if (!m->passive)
		queue_check_dead_letters(ch, name, m->arguments, &forbidden);
	request_forbid(request, &forbidden);
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
	struct permission_name rooms[2];
	struct permission_binding b = {
		.destination_kind = ACCESS_RESOURCE_QUEUE,
		.source = permission_strip(m->exchange, &rooms[0]),
		.routing_key = m->routing_key,
		.arguments = m->arguments,
	};
	struct channel_request *request;

	if (request_queue_name(ch, m->queue, &b.destination, error) != 0)
		return -EPROTO;
	if (m->queue.size == 0 && b.routing_key.size == 0)
		b.routing_key = b.destination;
	b.destination = permission_strip(b.destination, &rooms[1]);
	if (permission_check_binding(ch, &b, error) != 0)
		return -EPROTO;
	request = request_create(
		ch, method_id, m->no_wait,
		b.destination.size + b.source.size + b.routing_key.size + b.arguments.size, error);
	if (request == NULL)
		return -EPROTO;
	request->finish = queue_bind_finish;
	request->declare.operation = method_id == AMQP_QUEUE_BIND ? DECLARE_BIND : DECLARE_UNBIND;
	request->declare.name = request_copy(request, b.destination);
	request->declare.arguments = request_copy(request, b.arguments);
	request->declare.bind.source = request_copy(request, b.source);
	request->declare.bind.routing_key = request_copy(request, b.routing_key);
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
	struct permission_name room;
	struct slice queue;

	if (request_queue_name(ch, m->queue, &queue, error) != 0)
		return -EPROTO;
	queue = permission_strip(queue, &room);
	if (permission_check(ch, ACCESS_CONFIGURE, ACCESS_RESOURCE_QUEUE, queue, error) != 0)
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
