/* SPDX-License-Identifier: MIT */
#include "consumer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "amqp/frame.h"
#include "base/clock.h"
#include "base/mem.h"
#include "batch.h"

#define ACK_FRAME_SIZE 21

int consumer_init(struct consumer *consumer, const struct plan *plan, const struct target *target,
		  unsigned index)
{
	const int slow_receive_size = 16 << 10;
	const struct options *options = plan->options;
	int error;

	*consumer = (struct consumer){.plan = plan, .index = index};
	consumer->queue_count = plan_queue_count(index, options->consumers, options->queues);
	consumer->sequences = mem_zalloc((size_t)consumer->queue_count * options->producers *
					 sizeof(*consumer->sequences));
	if (!options->reads_slowly)
		return client_connect(&consumer->client, options, target, CLIENT_BUFFER_SIZE);
	error = client_connect(&consumer->client, options, target, CLIENT_BUFFER_SMALL);
	if (error == 0 && setsockopt(consumer->client.wire.fd, SOL_SOCKET, SO_RCVBUF,
				     &slow_receive_size, sizeof(slow_receive_size)) < 0)
		error = client_fail(&consumer->client, -errno, "SO_RCVBUF: %s", strerror(errno));
	return error;
}

void consumer_fini(struct consumer *consumer)
{
	mem_free(consumer->sequences);
	client_fini(&consumer->client);
}

int consumer_find_queue(const struct consumer *consumer, unsigned queue)
{
	const struct options *options = consumer->plan->options;

	for (unsigned i = 0; i < consumer->queue_count; i++) {
		if (plan_queue(consumer->index, i, options->consumers, options->queues) == queue)
			return (int)i;
	}
	return -1;
}

static void put_qos(struct consumer *consumer)
{
	struct amqp_method method = {.id = AMQP_BASIC_QOS};

	method.basic_qos.prefetch_count = (uint16_t)consumer->plan->options->prefetch;
	client_put(&consumer->client, CLIENT_CHANNEL, &method);
	consumer->answers_left++;
}

static void put_consume(struct consumer *consumer, unsigned i)
{
	const struct options *options = consumer->plan->options;
	struct amqp_method method = {.id = AMQP_BASIC_CONSUME};
	char queue[PLAN_NAME_SIZE], tag[9];

	plan_queue_name(consumer->plan,
			plan_queue(consumer->index, i, options->consumers, options->queues), queue);
	/* the tag comes back with each delivery: the parser reads it as a number */
	(void)snprintf(tag, sizeof(tag), "%x", i);
	method.basic_consume.queue = slice_cstr(queue);
	method.basic_consume.consumer_tag = slice_cstr(tag);
	method.basic_consume.no_ack = options->ack == 0;
	client_put(&consumer->client, CLIENT_CHANNEL, &method);
	consumer->answers_left++;
}

int consumer_subscribe(struct consumer *consumer)
{
	if (consumer->plan->options->prefetch > 0)
		put_qos(consumer);
	for (unsigned i = 0; i < consumer->queue_count; i++)
		put_consume(consumer, i);
	return client_flush(&consumer->client);
}

int consumer_cancel(struct consumer *consumer)
{
	for (unsigned i = 0; i < consumer->queue_count; i++) {
		struct amqp_method method = {.id = AMQP_BASIC_CANCEL};
		char tag[9];

		(void)snprintf(tag, sizeof(tag), "%x", i);
		method.basic_cancel.consumer_tag = slice_cstr(tag);
		client_put(&consumer->client, CLIENT_CHANNEL, &method);
		consumer->answers_left++;
	}
	return client_flush(&consumer->client);
}

static void put_ack(struct consumer *consumer, uint64_t delivery_tag, bool multiple)
{
	static const uint8_t begin[] = {
		AMQP_FRAME_METHOD, 0, CLIENT_CHANNEL, 0, 0, 0, 13, 0, 60, 0, 80};
	uint8_t *p = buffer_reserve(&consumer->client.out, ACK_FRAME_SIZE);
	uint64_t tag = __builtin_bswap64(delivery_tag);

	if (p == NULL) /* client_flush() says so */
		return;
	memcpy(p, begin, sizeof(begin));
	memcpy(p + 11, &tag, sizeof(tag));
	p[19] = multiple;
	p[20] = AMQP_FRAME_END;
	consumer->client.out.size += ACK_FRAME_SIZE;
}

static ALWAYS_INLINE void check_message(struct consumer *consumer, struct consumer_figures *figures,
					const struct parser_event *event, uint64_t now_ns)
{
	const struct options *options = consumer->plan->options;
	struct stamp stamp;
	uint64_t producer;

	if (UNLIKELY(event->redelivered))
		consumer->redelivered++;
	if (UNLIKELY(event->body_size != options->size ||
		     event->consumer >= consumer->queue_count)) {
		consumer->foreign++;
		return;
	}
	if (event->head_size < STAMP_NUMBER_SIZE) {
		/* too small to bear a number: only counted */
		consumer->sequences[event->consumer * options->producers].count++;
		return;
	}
	memcpy(&stamp, event->head, STAMP_SIZE);
	producer = stamp.number >> STAMP_PRODUCER_SHIFT;
	if (UNLIKELY(producer >= options->producers)) {
		consumer->foreign++;
		return;
	}
	sequence_take(&consumer->sequences[event->consumer * options->producers + producer],
		      stamp.number & STAMP_SEQUENCE_MASK);
	if (figures->is_measuring && event->head_size == STAMP_SIZE)
		histogram_add(&figures->latency,
			      now_ns > stamp.time_ns ? now_ns - stamp.time_ns : 0);
}

static ALWAYS_INLINE void take_delivery(struct consumer *consumer, struct consumer_figures *figures,
					const struct parser_event *event, uint64_t now_ns)
{
	unsigned ack = consumer->plan->options->ack;

	consumer->received++;
	check_message(consumer, figures, event, now_ns);
	if (ack > 0 && ++consumer->unacked >= ack) {
		put_ack(consumer, event->delivery_tag, ack > 1);
		consumer->unacked = 0;
	}
}

static int take_method(struct consumer *consumer, struct slice payload)
{
	struct amqp_method method;

	if (consumer->answers_left > 0 && amqp_method_decode(&method, payload) == 0 &&
	    (method.id == AMQP_BASIC_CONSUME_OK || method.id == AMQP_BASIC_QOS_OK ||
	     method.id == AMQP_BASIC_CANCEL_OK)) {
		consumer->answers_left--;
		return 0;
	}
	return client_take_method(&consumer->client, payload);
}

static int take_events(struct consumer *consumer, struct consumer_figures *figures)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct parser_event event;
	enum parser_type type;
	int error = 0;

	while (error == 0 &&
	       (type = parser_next(&consumer->client.parser, &event)) != PARSER_MORE) {
		if (LIKELY(type == PARSER_DELIVERY))
			take_delivery(consumer, figures, &event, now_ns);
		else if (type == PARSER_METHOD)
			error = take_method(consumer, event.method);
		else if (type == PARSER_ERROR)
			error = client_fail_parse(&consumer->client);
		else
			error = client_fail(&consumer->client, -EPROTO,
					    "the broker sent a confirm to a consumer");
	}
	return error == 0 ? client_flush(&consumer->client) : error;
}

/* Of a socket once; in TLS what has left the socket is waited for in vain. */
int consumer_read(struct consumer *consumer, struct consumer_figures *figures)
{
	int error;
	ssize_t n;

	do {
		n = client_receive(&consumer->client, NULL);
		if (n < 0)
			return (int)n;
		error = take_events(consumer, figures);
	} while (error == 0 && n > 0 && client_is_flushed(&consumer->client) &&
		 client_has_more(&consumer->client));
	return error;
}

int consumer_await_subscribed(struct consumer *consumer, struct consumer_figures *figures)
{
	const struct options *options = consumer->plan->options;
	uint64_t deadline_ms = clock_monotonic_ms() + (uint64_t)(options->timeout_s * 1000);
	int error = 0;

	while (error == 0 && consumer->answers_left > 0) {
		struct pollfd pollfd = {.fd = consumer->client.wire.fd, .events = POLLIN};

		if (!client_is_flushed(&consumer->client))
			pollfd.events |= POLLOUT;
		if (clock_monotonic_ms() >= deadline_ms)
			return client_fail(&consumer->client, -ETIMEDOUT,
					   "no answer to basic.consume for %g s",
					   options->timeout_s);
		(void)poll(&pollfd, 1, 100);
		error = client_flush(&consumer->client);
		if (error == 0)
			error = consumer_read(consumer, figures);
	}
	return error;
}
