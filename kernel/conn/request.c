/* SPDX-License-Identifier: MIT */
/*
 * The happy path on one loop: submit calls done() before it returns, finish() sends the reply, and
 * the method's handler has never waited. Otherwise the channel keeps the frames that come until
 * done() runs from a letter.
 */
#include "conn/request.h"

#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "conn/audit.h"
#include "conn/permission.h"

struct channel_request *request_create(struct channel *ch, uint32_t method_id, bool no_wait,
				       size_t size, struct amqp_error *error)
{
	struct channel_request *request = mem_try_zalloc(sizeof(*request) + size);

	if (request == NULL) {
		amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		return NULL;
	}
	request->channel = ch->endpoint.ref;
	request->service = ch->connection->service;
	request->method_id = method_id;
	request->no_wait = no_wait;
	request->size = size;
	return request;
}

struct slice request_copy(struct channel_request *request, struct slice bytes)
{
	uint8_t *copy = request->bytes + request->used;

	bug_on(bytes.size > request->size - request->used);
	if (bytes.size != 0)
		memcpy(copy, bytes.data, bytes.size);
	request->used += bytes.size;
	return slice_make(copy, bytes.size);
}

int request_queue_name(struct channel *ch, struct slice given, struct slice *ret_name,
		       struct amqp_error *error)
{
	if (given.size != 0) {
		*ret_name = given;
		return 0;
	}
	if (ch->last_queue == NULL)
		return amqp_error_set(error, AMQP_NOT_FOUND, "no previously declared queue");
	*ret_name = slice_make(ch->last_queue, ch->last_queue_size);
	return 0;
}

/* Messages are got one by one: only then is it worth remembering that it is allowed. */
static int request_check_read(struct channel *ch, enum queue_operation operation, struct slice name,
			      struct amqp_error *error)
{
	return operation == QUEUE_GET
		       ? permission_check_often(ch, ACCESS_READ, ACCESS_RESOURCE_QUEUE, name, NULL, error)
		       : permission_check(ch, ACCESS_READ, ACCESS_RESOURCE_QUEUE, name, error);
}

struct channel_request *request_create_for_queue(struct channel *ch, uint32_t method_id,
						 enum queue_operation operation, bool no_wait,
						 struct slice given_name, size_t extra,
						 struct amqp_error *error)
{
	struct connection *c = ch->connection;
	struct channel_request *request;
	struct actor_ref queue;
	struct slice name, vhost = slice_cstr(c->vhost->name);

	if (request_queue_name(ch, given_name, &name, error) != 0 ||
	    request_check_read(ch, operation, name, error) != 0 ||
	    declare_find_queue(c->service->broker, c->vhost, name, c->number, &queue, error) != 0)
		return NULL;
	request = request_create(ch, method_id, no_wait, name.size + vhost.size + extra, error);
	if (request == NULL)
		return NULL;
	request->queue.operation = operation;
	request->queue.queue = queue;
	request->queue.queue_name = request_copy(request, name);
	/* The vhost may go before the answer comes. */
	request->queue.vhost_name = request_copy(request, vhost);
	return request;
}

void request_reply(struct channel *ch, const struct channel_request *request,
		   const struct amqp_method *method)
{
	if (!request->no_wait)
		connection_send(ch->connection, ch->number, method);
}

/* The channel may have ended meanwhile. */
static void request_ask_again(struct loop_task *task)
{
	struct channel_request *request = container_of(task, struct channel_request, again);

	if (slots_get(request->channel) != NULL)
		queue_request_submit(&request->queue);
	else
		mem_free(request);
}

/* However often it is, the loop's turn is not longer for it. */
static void request_again(struct channel *ch, struct channel_request *request)
{
	ch->waiting = request;
	loop_task_init(&request->again, request_ask_again);
	loop_defer_background(&request->again);
}

/* The answer is there. */
static void request_done(struct channel_request *request, struct amqp_error *error)
{
	struct channel *ch = slots_get(request->channel);
	int result = 0;

	if (ch == NULL) {
		if (request->abandon != NULL && error->code == 0)
			request->abandon(request);
		mem_free(request);
		return;
	}
	bug_on(ch->waiting != request);
	ch->waiting = NULL;
	error->method_id = request->method_id;
	if (error->code == 0)
		result = request->finish(ch, request, error);
	if (result == REQUEST_AGAIN) {
		request_again(ch, request);
		return;
	}
	if (error->code != 0) {
		error->method_id = request->method_id;
		channel_fail(ch, error);
	}
	mem_free(request);
	channel_resume(ch);
}

static void request_audit(const struct channel_request *request)
{
	const struct channel *ch = slots_get(request->channel);
	char name[CONNECTION_NAME_MAX];
	struct audit_actor actor = {
		.by = buffer_slice(&request->left_user),
		.from = buffer_slice(&request->left_name),
	};

	if (ch != NULL)
		actor = conn_audit_actor(ch->connection, name);
	if (request->declare.was_forbidden)
		conn_audit_forbidden(&actor, &request->declare);
	else
		conn_audit_declare(&actor, &request->declare);
}

void request_forbid(struct channel_request *request, const struct amqp_error *error)
{
	if (error->code == 0)
		return;
	request->forbidden = mem_alloc(sizeof(*error));
	*request->forbidden = *error;
	request->declare.forbidden = request->forbidden;
}

static void request_declare_done(struct declare_request *declare)
{
	struct channel_request *request = container_of(declare, struct channel_request, declare);
	struct amqp_error error = declare->error;

	if (UNLIKELY(conn_audit_concerns(declare) || declare->was_forbidden))
		request_audit(request);
	mem_free(request->forbidden);
	buffer_fini(&request->left_user);
	buffer_fini(&request->left_name);
	request_done(request, &error);
}

void request_leave(struct channel *ch)
{
	struct channel_request *request = ch->waiting;
	char name[CONNECTION_NAME_MAX];
	struct audit_actor actor;

	ch->waiting = NULL;
	if (request == NULL || !request->is_declare)
		return;
	actor = conn_audit_actor(ch->connection, name);
	buffer_append_slice(&request->left_user, actor.by);
	buffer_append_slice(&request->left_name, actor.from);
}

static void request_queue_done(struct queue_request *queue)
{
	struct amqp_error error = queue->error;

	request_done(container_of(queue, struct channel_request, queue), &error);
}

void request_submit_declare(struct channel *ch, struct channel_request *request)
{
	struct connection *c = ch->connection;

	request->is_declare = true;
	buffer_init(&request->left_user);
	buffer_init(&request->left_name);
	request->declare.broker = c->service->broker;
	request->declare.vhost = c->vhost;
	request->declare.asker = ch->endpoint.ref;
	request->declare.connection = c->number;
	request->declare.done = request_declare_done;
	ch->waiting = request;
	declare_submit(&request->declare);
}

void request_submit_queue(struct channel *ch, struct channel_request *request)
{
	request->queue.asker = ch->endpoint.ref;
	request->queue.connection = ch->connection->number;
	request->queue.done = request_queue_done;
	ch->waiting = request;
	queue_request_submit(&request->queue);
}
