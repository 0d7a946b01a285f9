/* SPDX-License-Identifier: MIT */
/* Class basic, but for publish (conn/publish/publish.c). AMQP 0-9-1 section 1.8; nack, consumer priorities
 * and direct reply-to are RabbitMQ's. */
#include <string.h>

#include "amqp/table.h"
#include "base/mem.h"
#include "base/random.h"
#include "broker/router/router.h"
#include "conn/publish/content.h"
#include "conn/hooks/hooked.h"
#include "conn/placement/placement.h"
#include "conn/request.h"
#include "conn/deliver/settle.h"
#include "conn/deliver/settling.h"
#include "conn/deliver/source.h"
#include "loop/counters.h"

/* ---- qos ---- */

/* Channel-wide prefetch holds for all consumers of the channel, also those that are there already.
 */
static void basic_limit_channel(struct channel *ch, uint16_t limit)
{
	bool needs_grants = limit != 0;

	ch->channel_limit = limit;
	ch->n_limited = 0;
	for (unsigned i = 0; i < ch->n_sources; i++) {
		struct source *source = ch->sources[i];

		if (source == NULL || source->number == 0 || source->no_ack)
			continue;
		if (source->is_consuming && source->needs_grants != needs_grants) {
			list_remove(&source->wanting);
			source->n_granted = 0;
			queue_limit(source->queue, ch->endpoint.ref, source->number, needs_grants);
		}
		source->needs_grants = needs_grants;
		if (needs_grants)
			ch->n_limited += source->n_unacked + source->n_granted;
	}
	settle_grant(ch);
}

/* It holds for new consumers, as with RabbitMQ; and for those that are there if the client expects
 * that. */
static void basic_limit_consumers(struct channel *ch, uint16_t prefetch)
{
	ch->prefetch = prefetch;
	if (!ch->connection->capabilities.expects_qos_at_once)
		return;
	for (unsigned i = 0; i < ch->n_sources; i++) {
		struct source *source = ch->sources[i];

		if (source != NULL && source->is_consuming && !source->no_ack)
			queue_change_prefetch(source->queue, ch->endpoint.ref, source->number,
					      prefetch);
	}
}

int method_basic_qos(struct channel *ch, const struct amqp_basic_qos *m, struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_BASIC_QOS_OK};

	if (m->prefetch_size != 0)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "prefetch_size!=0 (%u)",
				      m->prefetch_size);
	if (m->global)
		basic_limit_channel(ch, m->prefetch_count);
	else
		basic_limit_consumers(ch, m->prefetch_count);
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}

/* ---- consume ---- */

static void basic_consume_ok(struct channel *ch, bool no_wait, struct slice tag)
{
	struct amqp_method ok = {.id = AMQP_BASIC_CONSUME_OK};

	ok.basic_consume_ok.consumer_tag = tag;
	if (!no_wait)
		connection_send(ch->connection, ch->number, &ok);
}

static int basic_consume_finish(struct channel *ch, struct channel_request *request,
				struct amqp_error *error)
{
	struct source *source = source_find_number(ch, request->source);

	(void)error;
	if (source != NULL)
		basic_consume_ok(ch, request->no_wait, slice_make(source->tag, source->tag_size));
	return 0;
}

static bool basic_is_reply_tag(const struct channel *ch, struct slice tag)
{
	return tag.size != 0 && slice_equal(tag, slice_make(ch->reply_tag, ch->reply_tag_size));
}

/* The pseudo-queue of direct reply-to (RabbitMQ: docs/direct-reply-to). */
static int basic_consume_replies(struct channel *ch, const struct amqp_basic_consume *m,
				 struct slice tag, struct amqp_error *error)
{
	if (ch->reply_tag_size != 0)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "reply consumer already set");
	if (!m->no_ack)
		return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
				      "reply consumer cannot acknowledge");
	memcpy(ch->reply_tag, tag.data, tag.size);
	ch->reply_tag_size = (uint8_t)tag.size;
	while (ch->endpoint.reply_key == 0)
		ch->endpoint.reply_key = random_u64();
	basic_consume_ok(ch, m->no_wait, tag);
	return 0;
}

static int basic_priority(const struct amqp_basic_consume *m, int32_t *ret_priority,
			  struct amqp_error *error)
{
	struct amqp_value value;
	int64_t integer;

	*ret_priority = 0;
	if (!amqp_table_find(m->arguments, "x-priority", &value))
		return 0;
	if (!amqp_value_get_integer(&value, &integer))
		return amqp_error_set(
			error, AMQP_PRECONDITION_FAILED,
			"invalid arg 'x-priority' for consumer: \"expected integer, got %s\"",
			amqp_value_type_name(value.type));
	*ret_priority = integer > INT32_MAX   ? INT32_MAX
			: integer < INT32_MIN ? INT32_MIN
					      : (int32_t)integer;
	return 0;
}

static int basic_consume_queue(struct channel *ch, const struct amqp_basic_consume *m,
			       struct slice tag, struct amqp_error *error)
{
	struct channel_request *request;
	struct source *source;
	int32_t priority;

	if (basic_priority(m, &priority, error) != 0)
		return -EPROTO;
	request = request_create_for_queue(ch, AMQP_BASIC_CONSUME, QUEUE_CONSUME, m->no_wait,
					   m->queue, m->arguments.size, error);
	if (request == NULL)
		return -EPROTO;
	if (placement_consume(ch, request->queue.queue)) {
		mem_free(request);
		return CHANNEL_LATER;
	}
	source = source_create(ch, request->queue.queue, request->queue.queue_name, tag);
	if (source == NULL) {
		mem_free(request);
		return amqp_error_set(error, AMQP_RESOURCE_ERROR,
				      "too many consumers on this channel");
	}
	source_begin_consuming(source);
	source->no_ack = m->no_ack;
	source->needs_grants = ch->channel_limit != 0 && !m->no_ack;
	request->finish = basic_consume_finish;
	request->source = source->number;
	request->queue.consume.consumer = source->number;
	request->queue.consume.prefetch = m->no_ack ? 0 : ch->prefetch;
	request->queue.consume.priority = priority;
	request->queue.consume.no_ack = m->no_ack;
	request->queue.consume.exclusive = m->exclusive;
	request->queue.consume.needs_grants = source->needs_grants;
	request->queue.consume.arguments = request_copy(request, m->arguments);
	memcpy(request->queue.consume.tag, source->tag, (size_t)source->tag_size + 1);
	request_submit_queue(ch, request);
	return 0;
}

int method_basic_consume(struct channel *ch, const struct amqp_basic_consume *m,
			 struct amqp_error *error)
{
	bool is_for_replies = slice_equal(m->queue, SLICE_LITERAL(ROUTER_REPLY_PREFIX));
	char made[9 + RANDOM_NAME_SIZE];
	struct slice tag = m->consumer_tag;

	if (tag.size == 0) {
		memcpy(made, "amq.ctag-", 9);
		random_name(made + 9);
		tag = slice_cstr(made);
	}
	if (source_find_tag(ch, tag) != NULL || (!is_for_replies && basic_is_reply_tag(ch, tag)))
		return amqp_error_set(error, AMQP_NOT_ALLOWED,
				      "attempt to reuse consumer tag '" SLICE_FMT "'",
				      SLICE_ARG(tag));
	if (is_for_replies)
		return basic_consume_replies(ch, m, tag, error);
	return basic_consume_queue(ch, m, tag, error);
}

/* ---- cancel ---- */

static void basic_cancel_ok(struct channel *ch, bool no_wait, struct slice tag)
{
	struct amqp_method ok = {.id = AMQP_BASIC_CANCEL_OK};

	ok.basic_cancel_ok.consumer_tag = tag;
	if (!no_wait)
		connection_send(ch->connection, ch->number, &ok);
}

static int basic_cancel_finish(struct channel *ch, struct channel_request *request,
			       struct amqp_error *error)
{
	struct source *source = source_find_number(ch, request->source);

	basic_cancel_ok(ch, request->no_wait, slice_make(request->bytes, request->used));
	if (source != NULL)
		source_end_consuming(source);
	settle_grant(ch);
	(void)error;
	return 0;
}

int method_basic_cancel(struct channel *ch, const struct amqp_basic_cancel *m,
			struct amqp_error *error)
{
	struct source *source = source_find_tag(ch, m->consumer_tag);
	struct channel_request *request;

	if (source == NULL) {
		if (basic_is_reply_tag(ch, m->consumer_tag)) {
			ch->reply_tag_size = 0;
			ch->endpoint.reply_key = 0;
		}
		basic_cancel_ok(ch, m->no_wait, m->consumer_tag);
		return 0;
	}
	request = request_create(ch, AMQP_BASIC_CANCEL, m->no_wait, m->consumer_tag.size, error);
	if (request == NULL)
		return -EPROTO;
	(void)request_copy(request, m->consumer_tag);
	source->is_cancelling = true;
	request->finish = basic_cancel_finish;
	request->source = source->number;
	request->queue.operation = QUEUE_CANCEL;
	request->queue.queue = source->queue;
	request->queue.cancel.consumer = source->number;
	request_submit_queue(ch, request);
	return 0;
}

/* A client's answer to the server's basic.cancel, which goes out with no-wait: nothing to answer.
 * As RabbitMQ. */
int method_basic_cancel_ok(struct channel *ch, const struct amqp_basic_cancel_ok *m,
			   struct amqp_error *error)
{
	(void)ch, (void)m;
	return amqp_error_set(error, AMQP_COMMAND_INVALID, "unimplemented method");
}

/* ---- get ---- */

static void basic_get_abandon(struct channel_request *request)
{
	struct queue_request *q = &request->queue;

	if (q->get.delivery.message == NULL)
		return;
	if (!q->get.no_ack)
		queue_settle(q->queue, q->asker, QUEUE_NO_CONSUMER, QUEUE_RETURN,
			     &q->get.delivery.seq, 1);
	message_unref(q->get.delivery.message);
}

/* *ret_is_withheld: the client does not get it, and it has been settled. */
static NO_INLINE int basic_get_ask_hooks(struct channel *ch, struct channel_request *request,
					 const struct hook_list *hooks, bool *ret_is_withheld,
					 struct amqp_error *error)
{
	struct queue_request *q = &request->queue;
	enum shunt_decision decision;

	if (hooked_deliver(ch, hooks, q->queue_name, SLICE_EMPTY, &q->get.delivery, &decision) !=
	    0) {
		basic_get_abandon(request);
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	*ret_is_withheld = decision != SHUNT_PASS;
	if (*ret_is_withheld && !q->get.no_ack)
		queue_settle(q->queue, q->asker, QUEUE_NO_CONSUMER,
			     decision == SHUNT_DROP ? QUEUE_ACK : QUEUE_DISCARD,
			     &q->get.delivery.seq, 1);
	return 0;
}

static int basic_get_send(struct channel *ch, struct channel_request *request,
			  struct amqp_error *error)
{
	const struct delivery *d = &request->queue.get.delivery;
	struct amqp_basic_get_ok ok;
	struct source *source;

	if (!request->queue.get.no_ack) {
		source = source_for_get(ch, request->queue.queue, request->queue.queue_name);
		if (source == NULL ||
		    unacked_add(&ch->unacked, ch->next_tag, d->seq, source->index) != 0) {
			basic_get_abandon(request);
			return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
		}
		source->n_unacked++;
	}
	ok = (struct amqp_basic_get_ok){
		.delivery_tag = ch->next_tag++,
		.redelivered = d->redelivered,
		.exchange = message_exchange(d->message),
		.routing_key = message_routing_key(d->message),
		.message_count = request->queue.get.ready_count,
	};
	content_get_ok(ch, &ok, d->message);
	return 0;
}

/* The next message is asked for in place of one that the hooks withhold. */
static int basic_get_finish(struct channel *ch, struct channel_request *request,
			    struct amqp_error *error)
{
	const struct hook_list *hooks = hooks_on_deliver(ch->connection->service->hooks);
	struct amqp_method empty = {.id = AMQP_BASIC_GET_EMPTY};
	bool is_withheld = false;

	if (request->queue.get.delivery.message == NULL) {
		connection_send(ch->connection, ch->number, &empty);
		return 0;
	}
	if (UNLIKELY(hooks != NULL) &&
	    basic_get_ask_hooks(ch, request, hooks, &is_withheld, error) != 0)
		return -EPROTO;
	return is_withheld ? REQUEST_AGAIN : basic_get_send(ch, request, error);
}

int method_basic_get(struct channel *ch, const struct amqp_basic_get *m, struct amqp_error *error)
{
	struct channel_request *request =
		request_create_for_queue(ch, AMQP_BASIC_GET, QUEUE_GET, false, m->queue, 0, error);

	if (request == NULL)
		return -EPROTO;
	if (placement_get(ch, request->queue.queue)) {
		mem_free(request);
		return CHANNEL_LATER;
	}
	request->finish = basic_get_finish;
	request->abandon = basic_get_abandon;
	request->queue.get.no_ack = m->no_ack;
	request_submit_queue(ch, request);
	return 0;
}

/* ---- ack, reject, nack, recover ---- */

int method_basic_ack(struct channel *ch, const struct amqp_basic_ack *m, struct amqp_error *error)
{
	return settle_tags(ch, m->delivery_tag, m->multiple, QUEUE_ACK, error);
}

int method_basic_reject(struct channel *ch, const struct amqp_basic_reject *m,
			struct amqp_error *error)
{
	return settle_tags(ch, m->delivery_tag, false, m->requeue ? QUEUE_REQUEUE : QUEUE_DISCARD,
			   error);
}

int method_basic_nack(struct channel *ch, const struct amqp_basic_nack *m, struct amqp_error *error)
{
	return settle_tags(ch, m->delivery_tag, m->multiple,
			   m->requeue ? QUEUE_REQUEUE : QUEUE_DISCARD, error);
}

int method_basic_recover_async(struct channel *ch, const struct amqp_basic_recover_async *m,
			       struct amqp_error *error)
{
	if (!m->requeue)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "requeue=false");
	if (!settling_begin(ch, ch->unacked.end - 1, QUEUE_REQUEUE, error->method_id,
			    SETTLING_NO_REPLY))
		settle_held(ch, QUEUE_REQUEUE);
	return 0;
}

int method_basic_recover(struct channel *ch, const struct amqp_basic_recover *m,
			 struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_BASIC_RECOVER_OK};

	if (!m->requeue)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "requeue=false");
	if (settling_begin(ch, ch->unacked.end - 1, QUEUE_REQUEUE, error->method_id,
			   SETTLING_RECOVER_OK))
		return 0;
	settle_held(ch, QUEUE_REQUEUE);
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}
