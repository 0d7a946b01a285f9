/* SPDX-License-Identifier: MIT */
/* list_queues: on the loops that own the queues. */
#include "broker/broker.h"
#include "broker/queue/queue.h"
#include "broker/topology/topology.h"
#include "control/columns.h"

struct queue_row {
	struct queue *queue;
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

	return owner != 0 ? column_connection_pid(owner) : json_string("");
}

static json_t *queue_pid(const void *object)
{
	const struct queue_row *row = object;

	return column_actor(row->ref);
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

static json_t *queue_ready_ram(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.ready - row->stats.ready_away);
}

static json_t *queue_unacknowledged_ram(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.unacknowledged - row->stats.unacknowledged_away);
}

static uint64_t messages_away(const struct queue_row *row)
{
	return row->stats.ready_away + row->stats.unacknowledged_away;
}

static json_t *queue_messages_ram(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.ready + row->stats.unacknowledged - messages_away(row));
}

static json_t *queue_messages_paged_out(const void *object)
{
	return column_number(messages_away(object));
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

static json_t *queue_message_bytes_ram(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.body_bytes - row->stats.away_bytes);
}

static json_t *queue_message_bytes_paged_out(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.away_bytes);
}

static json_t *queue_state(const void *object)
{
	(void)object;
	return json_string("running");
}

static json_t *queue_type(const void *object)
{
	return json_string(((const struct queue_row *)object)->options->quorum ? "quorum"
									       : "classic");
}

/* No policies yet; and a queue is in one place. */
static json_t *queue_nothing(const void *object)
{
	(void)object;
	return json_string("");
}

static json_t *queue_message_bytes_ready(const void *object)
{
	const struct queue_row *row = object;

	return column_number(row->stats.body_bytes - row->stats.unacknowledged_bytes);
}

static json_t *queue_message_bytes_unacknowledged(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.unacknowledged_bytes);
}

static json_t *queue_messages_persistent(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.persistent);
}

static json_t *queue_message_bytes_persistent(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.persistent_bytes);
}

static json_t *queue_disk_reads(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.disk_reads);
}

static json_t *queue_disk_writes(const void *object)
{
	return column_number(((const struct queue_row *)object)->stats.disk_writes);
}

static json_t *queue_head_message_timestamp(const void *object)
{
	uint64_t seconds;

	return queue_head_timestamp(((const struct queue_row *)object)->queue, &seconds)
		       ? column_number(seconds)
		       : json_string("");
}

/*
 * RabbitMQ shows the share of the time in which a message would have been delivered at once; this
 * is whether one would be now.
 */
static json_t *queue_consumer_capacity(const void *object)
{
	const struct queue_row *row = object;

	if (row->stats.consumers == 0)
		return json_integer(0);
	return json_real(queue_has_able_consumer(row->queue) ? 1.0 : 0.0);
}

/* ---- The exclusive consumer ---- */

struct exclusive_consumer {
	json_t *tag, *pid;
};

static void queue_see_exclusive(void *context, const struct queue_consumer_info *info)
{
	struct exclusive_consumer *found = context;

	if (!info->exclusive)
		return;
	found->tag = column_text(slice_cstr(info->tag));
	found->pid = column_actor(info->endpoint);
}

/* It is the only one. */
static struct exclusive_consumer queue_exclusive_consumer(const struct queue_row *row)
{
	struct exclusive_consumer found = {NULL, NULL};
	struct queue_consumer_cursor cursor = {0};

	if (row->stats.consumers == 1)
		(void)queue_list_consumers(row->queue, &cursor, 1, queue_see_exclusive, &found);
	return found;
}

static json_t *queue_exclusive_consumer_tag(const void *object)
{
	struct exclusive_consumer found = queue_exclusive_consumer(object);

	json_decref(found.pid);
	return found.tag != NULL ? found.tag : json_string("");
}

static json_t *queue_exclusive_consumer_pid(const void *object)
{
	struct exclusive_consumer found = queue_exclusive_consumer(object);

	json_decref(found.tag);
	return found.pid != NULL ? found.pid : json_string("");
}

/* ---- The columns ---- */

static const struct column queue_columns[] = {
	{"name", queue_name},
	{"durable", queue_durable},
	{"auto_delete", queue_auto_delete},
	{"arguments", queue_arguments},
	{"policy", queue_nothing},
	{"pid", queue_pid},
	{"owner_pid", queue_owner},
	{"exclusive", queue_exclusive},
	{"exclusive_consumer_pid", queue_exclusive_consumer_pid},
	{"exclusive_consumer_tag", queue_exclusive_consumer_tag},
	{"messages_ready", queue_ready},
	{"messages_unacknowledged", queue_unacknowledged},
	{"messages", queue_messages},
	{"messages_ready_ram", queue_ready_ram},
	{"messages_unacknowledged_ram", queue_unacknowledged_ram},
	{"messages_ram", queue_messages_ram},
	{"messages_paged_out", queue_messages_paged_out},
	{"message_bytes", queue_message_bytes},
	{"message_bytes_ram", queue_message_bytes_ram},
	{"message_bytes_paged_out", queue_message_bytes_paged_out},
	{"message_bytes_ready", queue_message_bytes_ready},
	{"message_bytes_unacknowledged", queue_message_bytes_unacknowledged},
	{"messages_persistent", queue_messages_persistent},
	{"message_bytes_persistent", queue_message_bytes_persistent},
	{"disk_reads", queue_disk_reads},
	{"disk_writes", queue_disk_writes},
	{"head_message_timestamp", queue_head_message_timestamp},
	{"consumer_capacity", queue_consumer_capacity},
	{"consumer_utilisation", queue_consumer_capacity},
	{"consumers", queue_consumers},
	{"memory", queue_memory},
	{"leader", queue_nothing},
	{"members", queue_nothing},
	{"online", queue_nothing},
	{"slave_pids", queue_nothing},
	{"synchronised_slave_pids", queue_nothing},
	{"state", queue_state},
	{"type", queue_type},
	{"vhost", queue_vhost},
	{NULL, NULL},
};
static const char *const queue_defaults[] = {"name", "messages", NULL};

/* Being declared or deleted: its name is not a queue's. */
static bool queue_is_visible(struct broker *broker, const struct queue_entry *entry)
{
	bool is_visible;

	topology_read_begin(broker->topology);
	is_visible = !entry->pending && !entry->doomed;
	topology_read_end(broker->topology);
	return is_visible;
}

static void queue_visit_one(void *context, struct queue *queue)
{
	const struct queue_visit *visit = context;
	struct queue_row row = {
		.queue = queue,
		.entry = queue_entry_of(queue),
		.options = queue_options_of(queue),
		.ref = queue_ref(queue),
	};

	if (row.entry->vhost != visit->scope->vhost ||
	    !queue_is_visible(visit->scope->broker, row.entry))
		return;
	queue_stats(queue, &row.stats);
	visit->sink->row(visit->sink, &row);
}

static bool queue_visit_some(const struct listing_scope *scope, struct listing_position *position,
			     unsigned slice, struct listing_sink *sink)
{
	struct queue_visit visit = {scope, sink};

	return queue_list(scope->broker, &position->queue, slice, queue_visit_one, &visit);
}

const struct listing_kind listing_queues = {
	.command = "list_queues",
	.columns = queue_columns,
	.defaults = queue_defaults,
	.has_vhost = true,
	.on_every_loop = true,
	.slice = 64,
	.visit = queue_visit_some,
};
