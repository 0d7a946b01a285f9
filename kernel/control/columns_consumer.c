/* SPDX-License-Identifier: MIT */
/* list_consumers: on the loops that own the queues. */
#include "broker/broker.h"
#include "broker/queue/queue.h"
#include "broker/topology/topology.h"
#include "control/columns.h"

#define QUEUES_AT_A_TIME 64u /* most have few consumers, or none */

struct consumer_row {
	struct slice queue;
	const struct queue_consumer_info *info;
};

static json_t *consumer_queue(const void *object)
{
	return column_text(((const struct consumer_row *)object)->queue);
}

static json_t *consumer_channel(const void *object)
{
	return column_actor(((const struct consumer_row *)object)->info->endpoint);
}

static json_t *consumer_tag(const void *object)
{
	return column_text(slice_cstr(((const struct consumer_row *)object)->info->tag));
}

static json_t *consumer_ack_required(const void *object)
{
	return json_boolean(!((const struct consumer_row *)object)->info->no_ack);
}

static json_t *consumer_prefetch(const void *object)
{
	return column_number(((const struct consumer_row *)object)->info->prefetch);
}

static json_t *consumer_active(const void *object)
{
	return json_boolean(((const struct consumer_row *)object)->info->active);
}

static json_t *consumer_activity_status(const void *object)
{
	return json_string(((const struct consumer_row *)object)->info->active ? "up" : "waiting");
}

static json_t *consumer_exclusive(const void *object)
{
	return json_boolean(((const struct consumer_row *)object)->info->exclusive);
}

static json_t *consumer_priority(const void *object)
{
	return json_integer(((const struct consumer_row *)object)->info->priority);
}

static json_t *consumer_arguments(const void *object)
{
	return column_table(((const struct consumer_row *)object)->info->arguments);
}

static const struct column consumer_columns[] = {
	{"queue_name", consumer_queue},
	{"channel_pid", consumer_channel},
	{"consumer_tag", consumer_tag},
	{"ack_required", consumer_ack_required},
	{"prefetch_count", consumer_prefetch},
	{"active", consumer_active},
	{"activity_status", consumer_activity_status},
	{"arguments", consumer_arguments},
	{"exclusive", consumer_exclusive},
	{"priority", consumer_priority},
	{NULL, NULL},
};
static const char *const consumer_defaults[] = {
	"queue_name",	  "channel_pid", "consumer_tag", "ack_required",
	"prefetch_count", "active",	 "arguments",	 NULL,
};

/* ---- Going through them ---- */

/* A queue may have thousands: the list stops within one, too. */
struct consumer_visit {
	const struct listing_scope *scope;
	struct listing_position *position;
	struct listing_sink *sink;
	struct slice queue;
	unsigned left;
	bool is_full;
	struct queue_cursor before; /* the queue in which it stopped is the next one behind it */
};

static void consumer_visit_one(void *context, const struct queue_consumer_info *info)
{
	struct consumer_visit *visit = context;
	struct consumer_row row = {visit->queue, info};

	visit->left--;
	visit->sink->row(visit->sink, &row);
}

static void consumer_visit_queue(void *context, struct queue *queue)
{
	struct consumer_visit *visit = context;
	const struct queue_entry *entry = queue_entry_of(queue);
	struct listing_position *position = visit->position;
	bool has_more = false;

	if (visit->is_full)
		return;
	if (!actor_ref_equal(position->consumers_of, queue_ref(queue))) {
		position->consumers_of = queue_ref(queue);
		position->consumer = (struct queue_consumer_cursor){0};
	}
	visit->queue = entry->node.key;
	if (entry->vhost == visit->scope->vhost && queue_has_consumers(queue)) {
		has_more = visit->left == 0 ||
			   queue_list_consumers(queue, &position->consumer, visit->left,
						consumer_visit_one, visit);
	}
	visit->is_full = has_more;
	if (!has_more)
		visit->before = (struct queue_cursor){queue_ref(queue), queue_ref(queue)};
}

static bool consumer_visit_some(const struct listing_scope *scope,
				struct listing_position *position, unsigned slice,
				struct listing_sink *sink)
{
	struct consumer_visit visit = {
		.scope = scope,
		.position = position,
		.sink = sink,
		.left = slice,
		.before = position->queue,
	};
	struct queue_cursor cursor = position->queue;
	bool has_more =
		queue_list(scope->broker, &cursor, QUEUES_AT_A_TIME, consumer_visit_queue, &visit);

	position->queue = visit.is_full ? visit.before : cursor;
	return visit.is_full || has_more;
}

const struct listing_kind listing_consumers = {
	.command = "list_consumers",
	.columns = consumer_columns,
	.defaults = consumer_defaults,
	.has_vhost = true,
	.on_every_loop = true,
	.slice = 64,
	.visit = consumer_visit_some,
};
