/* SPDX-License-Identifier: MIT */
#include "conn/hooks/hooked.h"

#include <errno.h>

#include "access/access.h"
#include "broker/queue/queue.h"
#include "conn/publish/publish.h"
#include "conn/deliver/settle.h"

#define SETTLES_MAX 64u

/* ---- Publish ---- */

int hooked_publish(struct channel *ch, const struct hook_list *list, struct message **message,
		   enum shunt_decision *ret_decision, struct amqp_error *error)
{
	struct connection *c = ch->connection;
	const struct conn_settings *settings = &c->service->settings;
	struct hooked_publish publish = {
		.message = *message,
		.keys = &ch->publish->extra,
		.limits = {settings->max_message_size, draft_properties_max(settings->frame_max)},
		.vhost = slice_cstr(c->vhost->name),
		.user = slice_cstr(c->user->name),
		.peer = &c->peer,
		.mandatory = ch->publish->mandatory,
	};
	enum shunt_decision decision;

	error->method_id = AMQP_BASIC_PUBLISH;
	decision = hooks_publish(list, &publish, error);
	*ret_decision = decision;
	if (decision == SHUNT_PASS)
		*message = publish.message;
	else
		message_unref(publish.message);
	return decision == SHUNT_REJECT ? -EPROTO : 0;
}

/* ---- Deliver ---- */

void hooked_settles_init(struct hooked_settles *s, struct channel *ch, struct source *source)
{
	s->channel = ch;
	s->source = source;
	s->n_acked = 0;
	s->n_discarded = 0;
}

static void settle(struct hooked_settles *s, enum queue_outcome outcome, const uint64_t *seqs,
		   unsigned *count)
{
	struct source *source = s->source;

	queue_settle(source->queue, s->channel->endpoint.ref, source->number, outcome, seqs,
		     *count);
	if (source->needs_grants)
		s->channel->n_limited -= *count;
	*count = 0;
}

void hooked_settle(struct hooked_settles *s, enum shunt_decision decision, uint64_t seq)
{
	if (decision == SHUNT_DROP) {
		s->acked[s->n_acked++] = seq;
		if (s->n_acked == SETTLES_MAX)
			settle(s, QUEUE_ACK, s->acked, &s->n_acked);
	} else {
		s->discarded[s->n_discarded++] = seq;
		if (s->n_discarded == SETTLES_MAX)
			settle(s, QUEUE_DISCARD, s->discarded, &s->n_discarded);
	}
}

void hooked_settles_flush(struct hooked_settles *s)
{
	settle(s, QUEUE_ACK, s->acked, &s->n_acked);
	settle(s, QUEUE_DISCARD, s->discarded, &s->n_discarded);
	settle_grant(s->channel);
}

int hooked_deliver(struct channel *ch, const struct hook_list *list, struct slice queue,
		   struct slice tag, struct delivery *d, enum shunt_decision *ret_decision)
{
	struct connection *c = ch->connection;
	struct hooked_delivery delivery = {
		.message = d->message,
		.limits = {c->service->settings.max_message_size,
			   draft_properties_max(c->frame_max)},
		.vhost = slice_cstr(c->vhost->name),
		.queue = queue,
		.user = slice_cstr(c->user->name),
		.consumer_tag = tag,
		.peer = &c->peer,
		.redelivered = d->redelivered,
	};
	int result;

	result = hooks_deliver(list, &delivery, ret_decision);
	d->message = delivery.message;
	if (result == 0 && *ret_decision != SHUNT_PASS) {
		message_unref(d->message);
		d->message = NULL;
	}
	return result;
}
