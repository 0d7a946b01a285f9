/* SPDX-License-Identifier: MIT */
/* list_channels: on every loop, of its own connections. */
#include <stdio.h>

#include "broker/topology/topology.h"
#include "conn/channel.h"
#include "conn/method/tx.h"
#include "control/columns.h"

static json_t *channel_pid(const void *object)
{
	return column_actor(((const struct channel *)object)->endpoint.ref);
}

static json_t *channel_connection(const void *object)
{
	return column_connection_pid(((const struct channel *)object)->connection->number);
}

static json_t *channel_name(const void *object)
{
	const struct channel *ch = object;
	char connection[CONNECTION_NAME_MAX], text[CONNECTION_NAME_MAX + 16];

	connection_print_name(ch->connection, connection);
	snprintf(text, sizeof(text), "%s (%u)", connection, ch->number);
	return json_string(text);
}

static json_t *channel_number(const void *object)
{
	return column_number(((const struct channel *)object)->number);
}

static json_t *channel_user(const void *object)
{
	const struct access_user *user = ((const struct channel *)object)->connection->user;

	return column_text(slice_cstr(user != NULL ? user->name : ""));
}

static json_t *channel_vhost(const void *object)
{
	const struct vhost *vhost = ((const struct channel *)object)->connection->vhost;

	return column_text(slice_cstr(vhost != NULL ? vhost->name : ""));
}

static json_t *channel_transactional(const void *object)
{
	return json_boolean(tx_is_on(object));
}

static json_t *channel_confirm(const void *object)
{
	return json_boolean(((const struct channel *)object)->confirms_on);
}

static json_t *channel_consumer_count(const void *object)
{
	return column_number(((const struct channel *)object)->n_consumers);
}

/* What a transaction has acknowledged is not among them, but among the uncommitted. */
static json_t *channel_unacknowledged(const void *object)
{
	const struct channel *ch = object;
	size_t publishes, acks;

	tx_counts(ch, &publishes, &acks);
	return column_number(ch->unacked.held > acks ? ch->unacked.held - acks : 0);
}

static json_t *channel_uncommitted(const void *object)
{
	size_t publishes, acks;

	tx_counts(object, &publishes, &acks);
	return column_number(publishes);
}

static json_t *channel_acks_uncommitted(const void *object)
{
	size_t publishes, acks;

	tx_counts(object, &publishes, &acks);
	return column_number(acks);
}

static json_t *channel_unconfirmed(const void *object)
{
	const struct channel *ch = object;

	return column_number(ch->confirms_on ? confirms_open(&ch->confirms) : 0);
}

static json_t *channel_prefetch(const void *object)
{
	return column_number(((const struct channel *)object)->prefetch);
}

static json_t *channel_global_prefetch(const void *object)
{
	return column_number(((const struct channel *)object)->channel_limit);
}

static const struct column channel_columns[] = {
	{"pid", channel_pid},
	{"connection", channel_connection},
	{"name", channel_name},
	{"number", channel_number},
	{"user", channel_user},
	{"vhost", channel_vhost},
	{"transactional", channel_transactional},
	{"confirm", channel_confirm},
	{"consumer_count", channel_consumer_count},
	{"messages_unacknowledged", channel_unacknowledged},
	{"messages_uncommitted", channel_uncommitted},
	{"acks_uncommitted", channel_acks_uncommitted},
	{"messages_unconfirmed", channel_unconfirmed},
	{"prefetch_count", channel_prefetch},
	{"global_prefetch_count", channel_global_prefetch},
	{NULL, NULL},
};
static const char *const channel_defaults[] = {"pid", "user", "consumer_count",
					       "messages_unacknowledged", NULL};

/* ---- Going through them ---- */

/* A connection may have thousands: the list stops within one, too. */
struct channel_visit {
	struct listing_sink *sink;
	uint64_t first_number, first_channel; /* where it goes on */
	unsigned left;
	bool is_full;
	uint64_t number, channel; /* where it stopped */
};

static void visit_channels(void *context, const struct connection *c)
{
	struct channel_visit *visit = context;
	uint64_t i = c->number == visit->first_number ? visit->first_channel : 1;

	for (; i < c->n_slots && !visit->is_full; i++) {
		if (c->channels[i] == NULL)
			continue;
		if (visit->left == 0) {
			visit->is_full = true;
			visit->number = c->number;
			visit->channel = i;
			return;
		}
		visit->left--;
		visit->sink->row(visit->sink, c->channels[i]);
	}
}

static bool channel_visit(const struct listing_scope *scope, struct listing_position *position,
			  unsigned slice, struct listing_sink *sink)
{
	struct channel_visit visit = {
		.sink = sink,
		.first_number = position->number + 1,
		.first_channel = position->part,
		.left = slice,
	};
	uint64_t last;

	if (visit.first_channel == 0)
		visit.first_channel = 1;
	last = conn_service_list(scope->connections, position->number, slice, visit_channels,
				 &visit);
	/* the connection in which it stopped is the next one again */
	position->number = visit.is_full ? visit.number - 1 : last;
	position->part = visit.is_full ? visit.channel : 0;
	return visit.is_full || last != 0;
}

const struct listing_kind listing_channels = {
	.command = "list_channels",
	.columns = channel_columns,
	.defaults = channel_defaults,
	.on_every_loop = true,
	.slice = 64,
	.visit = channel_visit,
};
