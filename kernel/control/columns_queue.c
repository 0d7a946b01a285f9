/* SPDX-License-Identifier: MIT */
/* list_queues and list_consumers: on the loops that own the queues. */
#include <stdio.h>

#include "broker/queue.h"
#include "broker/topology.h"
#include "control/columns.h"

struct queue_row {
	const struct queue_entry *entry;
	const struct queue_options *options;
	struct queue_stats stats;
	struct actor_ref ref;
};

struct queue_visit {
	const struct listing_scope *scope;
	struct listing_sink *sink;
};

static json_t *queue_name(const void *object)
{
	return column_text(((const struct queue_row *)object)->entry->node.key);
}

static json_t *queue_vhost(const void *object)
{
	return column_text(slice_cstr(((const struct queue_row *)object)->entry->vhost->name));
}

static json_t *queue_durable(const void *object)
{
	return json_boolean(((const struct queue_row *)object)->options->durable);
}

static json_t *queue_auto_delete(const void *object)
{
	return json_boolean(((const struct queue_row *)object)->options->auto_delete);
}

static json_t *queue_exclusive(const void *object)
{
	return json_boolean(((const struct queue_row *)object)->options->owner != 0);
}

static json_t *queue_arguments(const void *object)
{
	return column_table(((const struct queue_row *)object)->entry->arguments);
}

static json_t *queue_owner(const void *object)
{
	uint64_t owner = ((const struct queue_row *)object)->options->owner;

	return owner != 0 ? column_number(owner) : json_string("");
}

static json_t *queue_pid(const void *object)
{
	const struct queue_row *row = object;
	char text[64];

	snprintf(text, sizeof(text), "<%u.%u.%llu>", row->ref.loop, row->ref.slot, (unsigned long long)row->ref.serial);
	return json_string(text);
}

static json_t *queue_ready(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.ready);
}

static json_t *queue_unacknowledged(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.unacknowledged);
}

static json_t *queue_messages(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.ready + row->stats.unacknowledged);
}

static json_t *queue_consumers(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.consumers);
}

static json_t *queue_memory(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.memory_bytes);
}

static json_t *queue_message_bytes(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.body_bytes);
}

static json_t *queue_state(const void *object)
{
	(void)object;
	return json_string("running");
}

static json_t *queue_type(const void *object)
{
	return json_string(((const struct queue_row *)object)->options->quorum ? "quorum" : "classic");
}

static json_t *queue_policy(const void *object)
{
	(void)object;
	return json_string("");
}

static const struct column queue_columns[] = {
	{ "name", queue_name },
	{ "durable", queue_durable },
	{ "auto_delete", queue_auto_delete },
	{ "arguments", queue_arguments },
	{ "policy", queue_policy },
	{ "pid", queue_pid },
	{ "owner_pid", queue_owner },
	{ "exclusive", queue_exclusive },
	{ "messages_ready", queue_ready },
	{ "messages_unacknowledged", queue_unacknowledged },
	{ "messages", queue_messages },
	{ "message_bytes", queue_message_bytes },
	{ "consumers", queue_consumers },
	{ "memory", queue_memory },
	{ "state", queue_state },
	{ "type", queue_type },
	{ "vhost", queue_vhost },
	{ NULL, NULL },
};
static const char *const queue_defaults[] = { "name", "messages", NULL };

static void queue_visit_one(void *context, struct queue *queue)
{
	const struct queue_visit *visit = context;
	struct queue_row row = {
		.entry = queue_entry_of(queue),
		.options = queue_options_of(queue),
		.ref = queue_ref(queue),
	};

	if (row.entry->vhost != visit->scope->vhost || row.entry->pending || row.entry->doomed)
		return;
	queue_stats(queue, &row.stats);
	visit->sink->row(visit->sink, &row);
}

static uint64_t queue_visit_all(const struct listing_scope *scope, uint64_t cursor, unsigned limit,
				struct listing_sink *sink)
{
	struct queue_visit visit = { scope, sink };

	(void)cursor, (void)limit;
	queue_for_each(scope->broker, queue_visit_one, &visit);
	return 0;
}

const struct listing_kind listing_queues = {
	.command = "list_queues",
	.columns = queue_columns,
	.defaults = queue_defaults,
	.has_vhost = true,
	.on_every_loop = true,
	.visit = queue_visit_all,
};

/* ---- Consumers ---- */

struct consumer_row {
	struct slice queue;
	const struct queue_consumer_info *info;
};

struct consumer_visit {
	struct queue_visit visit;
	struct slice queue;
};

static json_t *consumer_queue(const void *object)
{
	return column_text(((const struct consumer_row *)object)->queue);
}

static json_t *consumer_channel(const void *object)
{
	const struct consumer_row *row = object;
	char text[64];

	snprintf(text, sizeof(text), "<%u.%u.%llu>", row->info->endpoint.loop, row->info->endpoint.slot,
		 (unsigned long long)row->info->endpoint.serial);
	return json_string(text);
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
	{ "queue_name", consumer_queue },
	{ "channel_pid", consumer_channel },
	{ "consumer_tag", consumer_tag },
	{ "ack_required", consumer_ack_required },
	{ "prefetch_count", consumer_prefetch },
	{ "active", consumer_active },
	{ "arguments", consumer_arguments },
	{ "exclusive", consumer_exclusive },
	{ "priority", consumer_priority },
	{ NULL, NULL },
};
static const char *const consumer_defaults[] = {
	"queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments", NULL,
};

static void consumer_visit_one(void *context, const struct queue_consumer_info *info)
{
	const struct consumer_visit *visit = context;
	struct consumer_row row = { visit->queue, info };

	visit->visit.sink->row(visit->visit.sink, &row);
}

static void consumer_visit_queue(void *context, struct queue *queue)
{
	struct consumer_visit *visit = context;
	const struct queue_entry *entry = queue_entry_of(queue);

	if (entry->vhost != visit->visit.scope->vhost)
		return;
	visit->queue = entry->node.key;
	queue_for_each_consumer(queue, consumer_visit_one, visit);
}

static uint64_t consumer_visit_all(const struct listing_scope *scope, uint64_t cursor, unsigned limit,
				   struct listing_sink *sink)
{
	struct consumer_visit visit = { { scope, sink }, SLICE_LITERAL("") };

	(void)cursor, (void)limit;
	queue_for_each(scope->broker, consumer_visit_queue, &visit);
	return 0;
}

const struct listing_kind listing_consumers = {
	.command = "list_consumers",
	.columns = consumer_columns,
	.defaults = consumer_defaults,
	.has_vhost = true,
	.on_every_loop = true,
	.visit = consumer_visit_all,
};
