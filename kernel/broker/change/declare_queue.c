/* SPDX-License-Identifier: MIT */
#include "broker/change/declare_steps.h"

#include <errno.h>

#include "base/mem.h"
#include "broker/change/arguments.h"
#include "broker/queue/queue.h"
#include "broker/vhost/vhost.h"
#include "loop/loop.h"

/*
 * Declaring: if the queue is there, it is compared with the request and asked for its counts. If
 * not, the request goes to the loop that will have it, looks again there, and makes it. Deleting:
 * the request goes to the queue's loop, as only there it is known whether it is used or empty.
 */

static unsigned own_loop(void)
{
	return loop_index(loop_self());
}

/* ---- Is it there? ---- */

static int compare_flag(struct declare_request *request, const char *what, bool received,
			bool current)
{
	if (received == current)
		return 0;
	return arguments_inequivalent(
		what, "queue", request->name, slice_cstr(request->vhost->name),
		received ? SLICE_LITERAL("'true'") : SLICE_LITERAL("'false'"),
		current ? SLICE_LITERAL("'true'") : SLICE_LITERAL("'false'"), &request->error);
}

/* Exclusive queues end with their connection, so they are never durable. */
static bool is_durable(const struct declare_request *request)
{
	return request->queue_declare.durable && !request->queue_declare.exclusive;
}

/* In RabbitMQ's order: the owner must be the same, for a passive declare it is enough not to be
 * locked out. */
static int compare(struct declare_request *request, const struct queue_entry *entry)
{
	uint64_t owner = request->queue_declare.exclusive ? request->connection : 0;

	if (request->queue_declare.passive)
		return entry->owner == 0 || entry->owner == request->connection
			       ? 0
			       : declare_error_locked(request);
	if (entry->owner != owner)
		return declare_error_locked(request);
	if (compare_flag(request, "durable", is_durable(request), entry->durable) != 0 ||
	    compare_flag(request, "auto_delete", request->queue_declare.auto_delete,
			 entry->auto_delete) != 0)
		return -EPROTO;
	return arguments_compare_queue(entry->arguments, request->arguments, request->name,
				       slice_cstr(request->vhost->name), &request->error);
}

/* What is found under the name; the request's error may be set with FOUND. */
enum found {
	FOUND,
	FOUND_NONE,
	FOUND_CHANGING, /* pending or doomed */
};

static enum found look(struct declare_request *request)
{
	struct topology *topology = request->broker->topology;
	enum found found = FOUND_NONE;

	topology_read_begin(topology);
	const struct queue_entry *entry = topology_any_queue(request->vhost, request->name);

	if (entry && (entry->pending || entry->doomed)) {
		found = FOUND_CHANGING;
	} else if (entry) {
		found = FOUND;
		request->queue = entry->queue;
		request->owner = entry->owner;
		(void)compare(request, entry);
	}
	topology_read_end(topology);
	return found;
}

/* ---- It is there: its counts ---- */

struct touch {
	struct queue_request queue;
	struct declare_request *request;
};

/* On the asker's loop, or here, if the queue is here. */
static void touched(struct queue_request *queue_request)
{
	struct touch *touch = container_of(queue_request, struct touch, queue);
	struct declare_request *request = touch->request;
	uint16_t code = queue_request->error.code;

	request->message_count = queue_request->message_count;
	request->consumer_count = queue_request->consumer_count;
	mem_free(touch);
	if (code == 0) {
		declare_finish(request);
	} else if (code == AMQP_NOT_FOUND && !request->queue_declare.passive) {
		declare_queue(request); /* it went meanwhile: once more */
	} else {
		(void)(code == AMQP_NOT_FOUND ? declare_error_no_queue(request, request->name)
					      : declare_error_locked(request));
		declare_finish(request);
	}
}

static void touch_queue(struct declare_request *request)
{
	struct touch *touch = mem_zalloc(sizeof(*touch));

	touch->request = request;
	touch->queue.operation = QUEUE_TOUCH;
	touch->queue.queue = request->queue;
	touch->queue.asker = request->asker;
	touch->queue.asker.loop = request->home;
	touch->queue.connection = request->connection;
	touch->queue.queue_name = request->name;
	touch->queue.vhost_name = slice_cstr(request->vhost->name);
	touch->queue.done = touched;
	queue_request_submit(&touch->queue);
}

/* ---- It is not there: making it ---- */

/* Reads the arguments, before anything is made. */
static int read_options(struct declare_request *request, struct queue_options *ret)
{
	*ret = (struct queue_options){
		.durable = is_durable(request),
		.auto_delete = request->queue_declare.auto_delete,
		.owner = request->queue_declare.exclusive ? request->connection : 0,
	};
	return arguments_read_queue(request->arguments, request->name,
				    slice_cstr(request->vhost->name), ret, &request->error);
}

/*
 * Of so many ids as there are loops, the one that says this loop: after a restart the id is all
 * that places a queue, and its log with it. 0: there is none for now.
 */
static uint64_t durable_id(struct broker *broker)
{
	uint64_t first = store_ids(broker->store, broker->n_loops);
	unsigned at = (unsigned)(first % broker->n_loops);

	return first == 0 ? 0 : first + (own_loop() + broker->n_loops - at) % broker->n_loops;
}

static struct queue_entry *make_entry(struct declare_request *request,
				      const struct queue_options *options)
{
	struct queue_entry *entry =
		queue_entry_create(request->vhost, request->name, request->arguments);

	if (!entry) {
		(void)declare_error_memory(request);
		return NULL;
	}
	entry->id = options->durable ? durable_id(request->broker)
				     : atomic_fetch_add(&request->broker->next_transient_id, 1);
	if (entry->id == 0) {
		(void)declare_error_store(request, STORE_ERROR);
		queue_entry_unref(entry);
		return NULL;
	}
	entry->durable = options->durable;
	entry->auto_delete = options->auto_delete;
	entry->owner = options->owner;
	entry->pending = options->durable;
	return entry;
}

enum entering {
	ENTERED,
	TAKEN,	   /* the name, by a queue that came meanwhile: begin again */
	MUST_WAIT, /* for a change that is under way */
	REFUSED,   /* by the vhost */
};

static enum entering enter(struct declare_request *request, struct queue_entry *entry)
{
	struct topology *topology = request->broker->topology;
	enum entering result = TAKEN;

	topology_write_begin(topology);
	struct queue_entry *other = topology_any_queue(request->vhost, request->name);

	if (!other && vhost_check_queue(request->vhost, request->name, &request->error) != 0) {
		result = REFUSED;
	} else if (!other) {
		result = ENTERED;
		queue_entry_insert(topology, entry, own_loop());
	} else if (other->pending || other->doomed) {
		result = MUST_WAIT;
		declare_wait(request, &other->turns);
	}
	topology_write_end(topology);
	return result;
}

/* What follows if it was not entered; a request that waits may be running already. */
static void go_on(struct declare_request *request, enum entering result)
{
	if (result == TAKEN)
		declare_queue(request);
	else if (result == REFUSED)
		declare_finish(request);
}

static void answer_created(struct declare_request *request, const struct queue_entry *entry)
{
	request->created = request->changed = true;
	request->queue = entry->queue;
	request->owner = entry->owner;
	request->message_count = request->consumer_count = 0;
}

static void drop_entry(void *object)
{
	queue_entry_unref(object);
}

/* What is not stored is there at once, so the queue is made first. */
static void create_transient(struct declare_request *request, struct queue_entry *entry)
{
	struct queue *queue =
		queue_create(request->broker, entry, entry->id, &declare_work(request)->options);
	enum entering result;

	entry->queue = queue_ref(queue);
	answer_created(request, entry);
	result = enter(request, entry);
	if (result == ENTERED) {
		declare_finish(request);
		return;
	}
	request->created = request->changed = false;
	(void)queue_destroy(queue);
	loop_retire(entry, drop_entry);
	go_on(request, result);
}

/* The entry becomes visible with its queue, or goes. */
static void settle(struct declare_request *request, bool is_stored)
{
	struct queue_entry *entry = declare_work(request)->object;
	struct topology *topology = request->broker->topology;
	struct actor_ref ref = ACTOR_REF_NONE;
	struct list woken;

	list_init(&woken);
	if (is_stored)
		ref = queue_ref(queue_create(request->broker, entry, entry->id,
					     &declare_work(request)->options));
	topology_write_begin(topology);
	entry->pending = false;
	if (is_stored)
		entry->queue = ref;
	else
		queue_entry_remove(topology, entry);
	turns_pass(&entry->turns, &woken);
	topology_write_end(topology);
	turns_wake(&woken);
	if (is_stored)
		answer_created(request, entry);
	else
		queue_entry_unref(entry);
	declare_finish(request);
}

static void stored(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct declare_request *request = declare_of_commit(commit);

	(void)revision;
	if (result != STORE_DURABLE)
		(void)declare_error_store(request, result);
	settle(request, result == STORE_DURABLE);
}

static void create_durable(struct declare_request *request, struct queue_entry *entry)
{
	struct definition definition = definition_of_queue(entry);
	enum entering result = enter(request, entry);

	if (result == ENTERED) {
		declare_work(request)->object = entry;
		if (!declare_commit(request, &definition, false, stored))
			settle(request, false);
		return;
	}
	queue_entry_unref(entry);
	go_on(request, result);
}

static unsigned place(const struct declare_request *request)
{
	if (request->queue_declare.exclusive)
		return request->home;
	return topology_place_queue(request->broker->topology, request->home,
				    request->broker->connections_follow);
}

static void create(struct declare_request *request)
{
	struct queue_options *options = &declare_work(request)->options;
	struct queue_entry *entry = NULL;

	if (read_options(request, options) == 0) {
		/* Chosen once: on the way there the counts may change, and it must not travel for
		 * ever. */
		unsigned loop = request->step != 0 ? own_loop() : place(request);

		if (loop != own_loop()) {
			request->step = 1;
			declare_travel(request, loop);
			return;
		}
		entry = make_entry(request, options);
	}
	if (!entry)
		declare_finish(request);
	else if (options->durable)
		create_durable(request, entry);
	else
		create_transient(request, entry);
}

/* Waits for a change under way; if it is over by now, begins anew. */
static void wait(struct declare_request *request, void (*again)(struct declare_request *request))
{
	struct topology *topology = request->broker->topology;

	topology_write_begin(topology);
	struct queue_entry *entry = topology_any_queue(request->vhost, request->name);
	bool waits = entry && (entry->pending || entry->doomed);

	if (waits)
		declare_wait(request, &entry->turns);
	topology_write_end(topology);
	if (!waits)
		again(request);
}

void declare_queue(struct declare_request *request)
{
	bool passive = request->queue_declare.passive;
	enum found found;

	if (!passive && !request->queue_declare.server_named &&
	    declare_is_reserved(request->name)) {
		(void)declare_error_reserved(request, "queue");
		declare_finish(request);
		return;
	}
	found = look(request);
	if (found == FOUND && request->error.code == 0) {
		touch_queue(request);
	} else if (found == FOUND) {
		declare_finish(request);
	} else if (passive) {
		(void)declare_error_no_queue(request, request->name);
		declare_finish(request);
	} else if (found == FOUND_CHANGING) {
		wait(request, declare_queue);
	} else if (declare_may_create(request)) {
		create(request);
	} else {
		declare_finish(request);
	}
}

/* ---- Delete ---- */

static int check_unused(struct declare_request *request, const struct queue *queue)
{
	const char *why = NULL;

	if (request->queue_delete.if_unused && queue_has_consumers(queue))
		why = "in use";
	else if (request->queue_delete.if_empty && !queue_is_empty(queue))
		why = "not empty";
	if (!why)
		return 0;
	return amqp_error_set(&request->error, AMQP_PRECONDITION_FAILED,
			      "queue '" SLICE_FMT "' in vhost '%s' %s", SLICE_ARG(request->name),
			      request->vhost->name, why);
}

static void removed(struct removal *removal)
{
	struct declare_request *request = removal->context;
	uint64_t n = removal->n_messages;

	request->message_count = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	declare_removed(removal);
}

/* On the queue's loop, where only we take queues out: so what was just seen is still so. */
static void delete_here(struct declare_request *request, struct queue_entry *entry)
{
	struct topology *topology = request->broker->topology;
	struct actor_ref ref = entry->queue;
	struct removal *removal;

	/* What was published before is delivered before; that may be the queue's end, by its own
	 * reasons. */
	queue_refresh(slots_get(ref));

	struct queue *queue = slots_get(ref);

	if (!queue || entry->doomed) {
		declare_queue_delete(request);
		return;
	}
	if (check_unused(request, queue) != 0) {
		declare_finish(request);
		return;
	}
	request->changed = true;
	removal = removal_create(request->broker, removed, request);
	topology_write_begin(topology);
	removal_add_queue(removal, entry);
	removal_begin(removal);
	topology_write_end(topology);
	removal_continue(removal);
}

/* A queue that is not there is deleted as well as any. */
void declare_queue_delete(struct declare_request *request)
{
	struct topology *topology = request->broker->topology;
	enum found found = FOUND_NONE;
	struct actor_ref ref = ACTOR_REF_NONE;

	topology_read_begin(topology);
	struct queue_entry *entry = topology_any_queue(request->vhost, request->name);

	if (entry && (entry->pending || entry->doomed)) {
		found = FOUND_CHANGING;
	} else if (entry) {
		found = FOUND;
		ref = entry->queue;
		if (entry->owner != 0 && entry->owner != request->connection && !request->is_forced)
			(void)declare_error_locked(request);
	}
	topology_read_end(topology);

	if (found == FOUND_NONE || request->error.code != 0)
		declare_finish(request);
	else if (found == FOUND_CHANGING)
		wait(request, declare_queue_delete);
	else if (ref.loop != own_loop())
		declare_travel(request, ref.loop);
	else
		delete_here(request, entry);
}

void declare_queue_expire(struct broker *broker, struct queue_entry *entry)
{
	OWN(entry->queue.loop);
	if (entry->doomed) {
		if (!entry->durable)
			removal_hurry(entry->removal);
		return;
	}

	struct removal *removal = removal_create(broker, NULL, NULL);

	removal->is_urgent = !entry->durable;
	topology_write_begin(broker->topology);
	removal_add_queue(removal, entry);
	removal_begin(removal);
	topology_write_end(broker->topology);
	removal_continue(removal);
}
