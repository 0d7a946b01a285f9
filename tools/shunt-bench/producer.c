/* SPDX-License-Identifier: MIT */
/*
 * A batch is made of prepared messages, in which only the stamp changes, and goes out in one write;
 * while the socket does not take all of it nothing more is made.
 *
 * In the open loop (--rate) a message that the broker held back, by a full socket or a full confirm
 * window, bears the time when it was due: its latency counts from there. One that is late because
 * this tool woke up late bears the time when it was made; that lateness is kept as `lag`.
 */
#include "producer.h"

#include <errno.h>
#include <string.h>

#include "amqp/frame.h"
#include "amqp/properties.h"
#include "amqp/table_writer.h"
#include "base/clock.h"
#include "base/mem.h"

static int put_headers(struct buffer *table, const char *name, const char *key)
{
	struct amqp_table_writer writer;

	amqp_table_writer_init(&writer, table);
	amqp_table_put_string(&writer, name, slice_cstr(key));
	return amqp_table_writer_finish(&writer);
}

/* The frame of the content header. */
static int put_content_header(struct buffer *out, const struct plan *plan, const char *key)
{
	const struct options *options = plan->options;
	struct amqp_properties properties = {.flags = AMQP_PROPERTY_DELIVERY_MODE};
	struct amqp_content_header header = {.class_id = AMQP_CLASS_BASIC};
	struct amqp_writer writer;
	struct buffer table;
	uint8_t raw[256], frame[256 + AMQP_CONTENT_HEADER_FIXED + AMQP_FRAME_OVERHEAD];
	const char *name = options->exchange == BENCH_EXCHANGE_HEADERS ? key : options->header;
	int error = 0;

	buffer_init(&table);
	properties.delivery_mode = options->persistent ? 2 : 1;
	if (name != NULL) {
		error = put_headers(&table, name, key);
		properties.flags |= AMQP_PROPERTY_HEADERS;
		properties.headers = buffer_slice(&table);
	}
	amqp_writer_init(&writer, raw, sizeof(raw));
	amqp_properties_encode(&writer, &properties);
	header.properties = slice_make(raw, (size_t)(writer.p - raw));
	header.body_size = options->size;
	amqp_writer_init(&writer, frame, sizeof(frame));
	amqp_frame_put_header(&writer, AMQP_FRAME_HEADER, CLIENT_CHANNEL,
			      (uint32_t)amqp_content_header_size(&header));
	amqp_content_header_encode(&writer, &header);
	amqp_frame_put_end(&writer);
	buffer_append(out, frame, (size_t)(writer.p - frame));
	buffer_fini(&table);
	return error;
}

static int stream_init(struct producer *producer, struct stream *stream, unsigned queue)
{
	const struct plan *plan = producer->plan;
	struct amqp_method method = {.id = AMQP_BASIC_PUBLISH};
	char exchange[PLAN_NAME_SIZE], key[PLAN_NAME_SIZE];
	uint8_t bytes[64 + 2 * PLAN_NAME_SIZE];
	struct amqp_writer writer;
	struct buffer header;
	int error;

	plan_exchange(plan, exchange);
	plan_routing_key(plan, queue, key);
	method.basic_publish.exchange = slice_cstr(exchange);
	method.basic_publish.routing_key = slice_cstr(key);
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_frame_put_method(&writer, CLIENT_CHANNEL, &method);
	buffer_init(&header);
	error = put_content_header(&header, plan, key);
	if (error == 0)
		error = template_init(&stream->template,
				      slice_make(bytes, (size_t)(writer.p - bytes)),
				      buffer_slice(&header), plan->options->size,
				      producer->client.frame_max, producer->tail);
	buffer_fini(&header);
	return error;
}

static int init_streams(struct producer *producer)
{
	const struct plan *plan = producer->plan;
	int error = template_tail(plan->options->size, producer->client.frame_max, &producer->tail);

	producer->stream_count = plan_stream_count(plan, producer->index);
	producer->streams = mem_zalloc(producer->stream_count * sizeof(*producer->streams));
	for (unsigned i = 0; error == 0 && i < producer->stream_count; i++)
		error = stream_init(producer, &producer->streams[i],
				    plan_stream_queue(plan, producer->index, i));
	if (error != 0)
		return client_fail(&producer->client, error, "no memory for the messages");
	return 0;
}

int producer_init(struct producer *producer, const struct plan *plan, const struct target *target,
		  unsigned index, uint64_t limit)
{
	const struct options *options = plan->options;
	struct amqp_method select = {.id = AMQP_CONFIRM_SELECT}, answer;
	int error;

	*producer = (struct producer){
		.plan = plan, .index = index, .limit = limit, .is_writable = true};
	if (options->rate > 0)
		producer->interval_ns = 1e9 * options->producers / options->rate;
	batch_init(&producer->batch);
	if (options->confirm > 0)
		confirms_init(&producer->confirms, options->confirm);
	error = client_connect(&producer->client, options, target, CLIENT_BUFFER_SIZE);
	if (error == 0)
		error = init_streams(producer);
	if (error == 0 && options->confirm > 0)
		error = client_call(&producer->client, &select, AMQP_CONFIRM_SELECT_OK, &answer);
	return error;
}

void producer_fini(struct producer *producer)
{
	for (unsigned i = 0; producer->streams != NULL && i < producer->stream_count; i++)
		template_fini(&producer->streams[i].template);
	mem_free(producer->streams);
	mem_free((void *)(uintptr_t)producer->tail.data);
	batch_fini(&producer->batch);
	confirms_fini(&producer->confirms);
	client_fini(&producer->client);
}

void producer_begin(struct producer *producer, uint64_t now_ns)
{
	double share = (double)producer->index / producer->plan->options->producers;

	producer->begin_ns = now_ns + (uint64_t)(share * producer->interval_ns);
}

void producer_stop(struct producer *producer)
{
	if (producer->limit > producer->encoded)
		producer->limit = producer->encoded;
}

bool producer_is_done(const struct producer *producer)
{
	return producer->sent >= producer->limit && producer->confirms.outstanding == 0;
}

static uint64_t due_time(const struct producer *producer, uint64_t message)
{
	return producer->begin_ns + (uint64_t)((double)message * producer->interval_ns);
}

/* How many are due and not made; at most a batch needs. */
static uint64_t due_count(const struct producer *producer, uint64_t now_ns)
{
	uint64_t due;

	if (now_ns < producer->begin_ns)
		return 0;
	due = (uint64_t)((double)(now_ns - producer->begin_ns) / producer->interval_ns) + 1;
	return due > producer->encoded ? due - producer->encoded : 0;
}

static uint64_t stamp_time(struct producer *producer, struct producer_figures *figures,
			   uint64_t now_ns)
{
	uint64_t due_ns;

	if (producer->interval_ns <= 0)
		return now_ns;
	due_ns = due_time(producer, producer->encoded);
	if (due_ns < producer->held_until_ns)
		return due_ns;
	if (figures->is_measuring)
		histogram_add(&figures->lag, now_ns > due_ns ? now_ns - due_ns : 0);
	return now_ns;
}

static void fill_batch(struct producer *producer, struct producer_figures *figures, uint64_t count,
		       uint64_t now_ns)
{
	uint64_t producer_bits = (uint64_t)producer->index << STAMP_PRODUCER_SHIFT;
	bool has_confirms = producer->confirms.window > 0;

	batch_clear(&producer->batch);
	for (; count > 0; count--) {
		struct stream *stream = &producer->streams[producer->stream_at];
		struct stamp stamp = {producer_bits | stream->next, now_ns};

		if (producer->interval_ns > 0)
			stamp.time_ns = stamp_time(producer, figures, now_ns);
		if (!batch_add(&producer->batch, &stream->template, stamp))
			return;
		stream->next++;
		producer->encoded++;
		if (++producer->stream_at == producer->stream_count)
			producer->stream_at = 0;
		if (has_confirms)
			confirms_publish(&producer->confirms, stamp.time_ns);
	}
}

/* 0: the batch is out; 1: the socket is full; negative: an error. */
static int send_batch(struct producer *producer)
{
	int error;

	if (batch_is_sent(&producer->batch))
		return 0;
	error = batch_send(&producer->batch, &producer->client.wire);
	if (error == -EAGAIN) {
		producer->is_writable = false;
		return 1;
	}
	if (error < 0) /* what the broker said before it closed is worth more */
		return client_fail(&producer->client, error, "sending: %s",
				   wire_reason(&producer->client.wire, error));
	producer->sent += producer->batch.messages;
	producer->batch.messages = 0;
	return 0;
}

/* How many may be made now; *ret_next_ns when it may go on if none. */
static uint64_t allowance(struct producer *producer, uint64_t now_ns, uint64_t *ret_next_ns)
{
	uint64_t count = producer->limit - producer->encoded;

	*ret_next_ns = PRODUCER_WAITS;
	if (count > 0 && producer->interval_ns > 0) {
		uint64_t due = due_count(producer, now_ns);

		if (due == 0)
			*ret_next_ns = due_time(producer, producer->encoded);
		if (due < count)
			count = due;
	}
	if (count > 0 && producer->confirms.window > 0) {
		uint64_t room = confirms_room(&producer->confirms);

		if (room == 0)
			producer->is_held = true;
		if (room < count)
			count = room;
	}
	return count;
}

int producer_publish(struct producer *producer, struct producer_figures *figures, uint64_t now_ns,
		     uint64_t *ret_next_ns)
{
	uint64_t count;
	int status = 0;

	*ret_next_ns = PRODUCER_WAITS;
	if (!producer->is_writable) {
		producer->is_held = true;
		return 0;
	}
	status = send_batch(producer);
	if (status != 0)
		return status < 0 ? status : 0;
	count = allowance(producer, now_ns, ret_next_ns);
	if (count == 0)
		return 0;
	if (producer->is_held) {
		producer->is_held = false;
		producer->held_until_ns = now_ns;
	}
	fill_batch(producer, figures, count, now_ns);
	status = send_batch(producer);
	if (status == 0)
		*ret_next_ns = 0;
	return status < 0 ? status : 0;
}

static int take_event(struct producer *producer, struct producer_figures *figures,
		      enum parser_type type, const struct parser_event *event, uint64_t now_ns)
{
	struct histogram *latencies = figures->is_measuring ? &figures->confirm_latency : NULL;

	switch (type) {
	case PARSER_ACK:
	case PARSER_NACK:
		if (producer->confirms.window == 0)
			return client_fail(&producer->client, -EPROTO,
					   "the broker confirmed without being asked to");
		confirms_settle(&producer->confirms, event->delivery_tag, event->multiple,
				type == PARSER_NACK, now_ns, latencies);
		return 0;
	case PARSER_RETURN:
		producer->returned++;
		return 0;
	case PARSER_METHOD:
		return client_take_method(&producer->client, event->method);
	case PARSER_ERROR:
		return client_fail_parse(&producer->client);
	case PARSER_DELIVERY:
	case PARSER_MORE:
		break;
	}
	return client_fail(&producer->client, -EPROTO, "the broker sent a message to a producer");
}

int producer_read(struct producer *producer, struct producer_figures *figures)
{
	struct parser_event event;
	enum parser_type type;
	size_t asked;
	ssize_t n;
	int error = 0;

	do {
		uint64_t now_ns;

		n = client_receive(&producer->client, &asked);
		if (n < 0)
			return (int)n;
		now_ns = clock_monotonic_ns();
		while (error == 0 &&
		       (type = parser_next(&producer->client.parser, &event)) != PARSER_MORE)
			error = take_event(producer, figures, type, &event, now_ns);
	} while (error == 0 && (size_t)n == asked);
	return error;
}
