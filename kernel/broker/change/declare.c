/* SPDX-License-Identifier: MIT */
#include "broker/change/declare.h"

#include "base/log.h"
#include "base/mem.h"
#include "broker/change/declare_steps.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"

#define RS_QUEUE "queue '" SLICE_FMT "' in vhost '%s'"

/* ---- Texts ---- */

int declare_error_no_exchange(struct declare_request *request, struct slice name)
{
	return amqp_error_set(&request->error, AMQP_NOT_FOUND,
			      "no exchange '" SLICE_FMT "' in vhost '%s'", SLICE_ARG(name),
			      request->vhost->name);
}

static int error_no_queue(const struct vhost *vhost, struct slice name, struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_NOT_FOUND, "no " RS_QUEUE, SLICE_ARG(name), vhost->name);
}

int declare_error_no_queue(struct declare_request *request, struct slice name)
{
	return error_no_queue(request->vhost, name, &request->error);
}

int declare_error_default_exchange(struct declare_request *request)
{
	return amqp_error_set(&request->error, AMQP_ACCESS_REFUSED,
			      "operation not permitted on the default exchange");
}

int declare_error_unknown_type(struct declare_request *request, struct slice type)
{
	return amqp_error_set(&request->error, AMQP_PRECONDITION_FAILED,
			      "unknown exchange type '" SLICE_FMT "'", SLICE_ARG(type));
}

int declare_error_reserved(struct declare_request *request, const char *kind)
{
	return amqp_error_set(&request->error, AMQP_ACCESS_REFUSED,
			      "%s name '" SLICE_FMT "' contains reserved prefix 'amq.*'", kind,
			      SLICE_ARG(request->name));
}

static int error_locked(const struct vhost *vhost, struct slice name, struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_RESOURCE_LOCKED,
			      "cannot obtain exclusive access to locked " RS_QUEUE
			      ". It could be originally declared on "
			      "another connection or the exclusive property value does not match "
			      "that of the original "
			      "declaration.",
			      SLICE_ARG(name), vhost->name);
}

int declare_error_locked(struct declare_request *request)
{
	return error_locked(request->vhost, request->name, &request->error);
}

int declare_error_memory(struct declare_request *request)
{
	return amqp_error_set(&request->error, AMQP_RESOURCE_ERROR, "out of memory");
}

int declare_error_store(struct declare_request *request, enum store_result result)
{
	static struct log_limit limit = LOG_LIMIT(5);

	log_limited(&limit, LOG_LEVEL_ERROR, "broker",
		    "the store did not take a definition: result=%d", (int)result);
	return amqp_error_set(&request->error, AMQP_INTERNAL_ERROR,
			      "the definition could not be stored");
}

bool declare_may_create(struct declare_request *request)
{
	uint32_t method_id = request->error.method_id;

	if (!request->forbidden)
		return true;
	request->error = *request->forbidden;
	request->error.method_id = method_id;
	request->was_forbidden = true;
	return false;
}

/* ---- A request's way ---- */

static void run(struct declare_request *request)
{
	switch (request->operation) {
	case DECLARE_EXCHANGE:
		declare_exchange(request);
		break;
	case DECLARE_EXCHANGE_DELETE:
		declare_exchange_delete(request);
		break;
	case DECLARE_BIND:
		declare_bind(request);
		break;
	case DECLARE_UNBIND:
		declare_unbind(request);
		break;
	case DECLARE_QUEUE:
		declare_queue(request);
		break;
	case DECLARE_QUEUE_DELETE:
		declare_queue_delete(request);
		break;
	}
}

static void arrive(struct letter *letter)
{
	run(container_of(letter, struct declare_request, letter));
}

void declare_travel(struct declare_request *request, unsigned loop)
{
	if (loop == loop_index(loop_self())) {
		run(request);
		return;
	}
	request->letter.deliver = arrive;
	loop_post(loop, &request->letter);
}

static void again(struct turn_waiter *waiter)
{
	run(container_of(waiter, struct declare_work, waiter)->request);
}

void declare_wait(struct declare_request *request, struct turns *turns)
{
	turns_wait(turns, &declare_work(request)->waiter, again);
}

/* The names that the request still shows lie in the work, so that goes last; and the request may go
 * in done(). */
static void finish_at_home(struct declare_request *request)
{
	struct declare_work *work = request->work;

	struct vhost *vhost = request->vhost;

	request->work = NULL;
	request->done(request);
	vhost_release(vhost);
	mem_free(work->stripped_name);
	mem_free(work->stripped_source);
	mem_free(work);
}

static void arrive_at_home(struct letter *letter)
{
	finish_at_home(container_of(letter, struct declare_request, letter));
}

void declare_finish(struct declare_request *request)
{
	if (loop_index(loop_self()) == request->home) {
		finish_at_home(request);
		return;
	}
	request->letter.deliver = arrive_at_home;
	loop_post(request->home, &request->letter);
}

/* ---- The store ---- */

static void committed(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct declare_work *work = container_of(commit, struct declare_work, commit);

	broker_committed(work->request->broker);
	work->committed(commit, result, revision);
}

bool declare_commit(struct declare_request *request, const struct definition *definition,
		    bool is_deletion,
		    void (*done)(struct store_commit *commit, enum store_result result,
				 uint64_t revision))
{
	struct declare_work *work = request->work;
	struct buffer key, value;

	buffer_init(&key);
	buffer_init(&value);
	definition_put_key(&key, definition);
	if (!is_deletion)
		definition_put_value(&value, definition);

	bool is_complete = !key.failed && !value.failed;
	struct store_change change = {
		.key = buffer_slice(&key),
		.value = is_deletion ? SLICE_EMPTY : buffer_slice(&value),
		.expected_revision = STORE_ANY_REVISION,
	};

	if (is_complete) {
		request->stored = true;
		work->committed = done;
		work->commit = (struct store_commit){
			.changes = &change, .n_changes = 1, .done = committed};
		broker_commit(request->broker, &work->commit);
	} else {
		(void)declare_error_memory(request);
	}
	buffer_fini(&key);
	buffer_fini(&value);
	return is_complete;
}

struct declare_request *declare_of_commit(const struct store_commit *commit)
{
	return container_of(commit, struct declare_work, commit)->request;
}

void declare_removed(struct removal *removal)
{
	struct declare_request *request = removal->context;

	request->stored = removal->durable;
	if (removal->error.code != 0) {
		uint32_t method_id = request->error.method_id;

		request->error = removal->error;
		request->error.method_id = method_id;
	}
	declare_finish(request);
}

/* ---- Beginning ---- */

/* Takes out CR and LF, as RabbitMQ does. *ret_copy holds the name if there were any. */
static int strip(struct slice *name, uint8_t **ret_copy)
{
	size_t n = 0;

	if (name->size == 0 ||
	    (!memchr(name->data, '\r', name->size) && !memchr(name->data, '\n', name->size)))
		return 0;
	*ret_copy = mem_try_alloc(name->size);
	if (!*ret_copy)
		return -1;
	for (size_t i = 0; i < name->size; i++) {
		if (name->data[i] != '\r' && name->data[i] != '\n')
			(*ret_copy)[n++] = name->data[i];
	}
	*name = slice_make(*ret_copy, n);
	return 0;
}

void declare_submit(struct declare_request *request)
{
	struct declare_work *work = mem_zalloc(sizeof(*work));
	bool is_bind = request->operation == DECLARE_BIND || request->operation == DECLARE_UNBIND;

	work->request = request;
	list_init(&work->waiter.link);
	request->work = work;
	request->home = loop_index(loop_self());
	(void)vhost_hold(request->vhost);
	request->error.code = 0;
	request->step = 0;
	request->created = request->changed = request->stored = request->was_forbidden = false;
	request->queue = ACTOR_REF_NONE;
	request->owner = 0;
	request->message_count = request->consumer_count = 0;
	if (strip(&request->name, &work->stripped_name) != 0 ||
	    (is_bind && strip(&request->bind.source, &work->stripped_source) != 0)) {
		(void)declare_error_memory(request);
		declare_finish(request);
		return;
	}
	run(request);
}

int declare_find_queue(struct broker *broker, struct vhost *vhost, struct slice name,
		       uint64_t connection, struct actor_ref *ret_ref, struct amqp_error *error)
{
	struct queue_entry *entry;
	int r = 0;

	topology_read_begin(broker->topology);
	entry = topology_queue(vhost, name);
	if (!entry)
		r = error_no_queue(vhost, name, error);
	else if (connection != 0 && entry->owner != 0 && entry->owner != connection)
		r = error_locked(vhost, name, error);
	else
		*ret_ref = entry->queue;
	topology_read_end(broker->topology);
	return r;
}
