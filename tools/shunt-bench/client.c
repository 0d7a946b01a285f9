/* SPDX-License-Identifier: MIT */
/*
 * The way to an open channel: header, start-ok, tune-ok and open in one write, channel.open. What
 * has to be sent waits in `out`; each step flushes it, and reads as long as there is something.
 */
#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "amqp/frame.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/clock.h"

#define FRAME_MAX_WANTED 131072

int client_fail(struct client *client, int code, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(client->error, sizeof(client->error), format, arguments);
	va_end(arguments);
	client->state = CLIENT_CLOSED;
	return code;
}

int client_fail_parse(struct client *client)
{
	return client_fail(client, -EPROTO, "the broker sent %s", client->parser.error);
}

static int look_up(struct target *target, const struct options *options,
		   char error[CLIENT_ERROR_SIZE])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[8];
	int status;

	(void)snprintf(port, sizeof(port), "%u", options->port);
	status = getaddrinfo(options->host, port, &hints, &found);
	if (status != 0) {
		(void)snprintf(error, CLIENT_ERROR_SIZE, "%s: %s", options->host,
			       gai_strerror(status));
		return -EHOSTUNREACH;
	}
	memcpy(&target->address, found->ai_addr, found->ai_addrlen);
	target->size = found->ai_addrlen;
	target->family = found->ai_family;
	freeaddrinfo(found);
	return 0;
}

int target_init(struct target *target, const struct options *options, char error[CLIENT_ERROR_SIZE])
{
	int result;

	*target = (struct target){.tls = NULL};
	result = wire_context_create(options, &target->tls, error);
	return result < 0 ? result : look_up(target, options, error);
}

void target_fini(struct target *target)
{
	wire_context_free(target->tls);
	target->tls = NULL;
}

/* 127.0.1.1 to 127.0.1.200; the kernel chooses the port when it knows both ends. */
static int spread_source(const struct client *client, const struct target *target, uint32_t source)
{
	const struct sockaddr_in *to = (const void *)&target->address;
	struct sockaddr_in from = {.sin_family = AF_INET};
	const int on = 1;

	if (target->family != AF_INET || ntohl(to->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return 0;
	from.sin_addr.s_addr = htonl(UINT32_C(0x7f000101) + source % 200);
	if (setsockopt(client->wire.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(client->wire.fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		return -errno;
	return 0;
}

int client_open(struct client *client, const struct options *options, const struct target *target,
		uint32_t source, size_t buffer_size)
{
	const int on = 1;

	*client = (struct client){
		.wire = {.fd = -1}, .options = options, .frame_max = FRAME_MAX_WANTED};
	buffer_init(&client->out);
	parser_init(&client->parser, buffer_size);
	client->wire.fd = socket(target->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->wire.fd < 0)
		return client_fail(client, -errno, "socket: %s", strerror(errno));
	(void)setsockopt(client->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (source != 0 && spread_source(client, target, source) < 0)
		return client_fail(client, -errno, "bind: %s", strerror(errno));
	if (connect(client->wire.fd, (const struct sockaddr *)&target->address, target->size) < 0 &&
	    errno != EINPROGRESS)
		return client_fail(client, -errno, "%s port %u: %s", options->host, options->port,
				   strerror(errno));
	if (target->tls != NULL && wire_begin_tls(&client->wire, target->tls, options) < 0)
		return client_fail(client, -ENOMEM, "no memory for TLS");
	buffer_append(&client->out, amqp_protocol_header, AMQP_PROTOCOL_HEADER_SIZE);
	return 0;
}

void client_fini(struct client *client)
{
	wire_end(&client->wire);
	parser_fini(&client->parser);
	buffer_fini(&client->out);
}

void client_put(struct client *client, uint16_t channel, const struct amqp_method *method)
{
	size_t size = amqp_method_size(method) + AMQP_FRAME_OVERHEAD;
	uint8_t *room = buffer_reserve(&client->out, size);
	struct amqp_writer writer;

	if (room == NULL) /* client_flush() says so */
		return;
	amqp_writer_init(&writer, room, size);
	amqp_frame_put_method(&writer, channel, method);
	client->out.size += size;
}

static int fail_end(struct client *client)
{
	const char *hint = client->state == CLIENT_TUNING ? " (login refused?)" : "";

	return client_fail(client, -ECONNRESET, "the broker closed the socket%s", hint);
}

static int fail_wire(struct client *client, int error)
{
	return client_fail(client, error, "%s port %u: %s", client->options->host,
			   client->options->port, wire_reason(&client->wire, error));
}

int client_flush(struct client *client)
{
	if (client->out.failed)
		return client_fail(client, -ENOMEM, "out of memory");
	while (client->out_sent < client->out.size) {
		const struct iovec piece = {client->out.data + client->out_sent,
					    client->out.size - client->out_sent};
		ssize_t n = wire_send(&client->wire, &piece, 1);

		if (n == -EAGAIN)
			return 0;
		if (n <= 0)
			return n < 0 ? fail_wire(client, (int)n) : fail_end(client);
		client->out_sent += (size_t)n;
	}
	buffer_clear(&client->out);
	client->out_sent = 0;
	return 0;
}

ssize_t client_receive(struct client *client, size_t *ret_asked)
{
	size_t size;
	uint8_t *room = parser_room(&client->parser, &size);
	ssize_t n = wire_receive(&client->wire, room, size);

	if (ret_asked != NULL)
		*ret_asked = size;
	if (n > 0) {
		parser_add(&client->parser, (size_t)n);
		return n;
	}
	if (n == -EAGAIN)
		return 0;
	return n == 0 ? fail_end(client) : fail_wire(client, (int)n);
}

/* product and version, with nothing in them that a terminal would take amiss */
static void keep_broker_name(struct client *client, struct slice properties)
{
	static const char *const keys[] = {"product", "version"};
	size_t used = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct amqp_value value;

		if (!amqp_table_find(properties, keys[i], &value) || value.type != 'S')
			continue;
		if (used > 0 && used + 1 < sizeof(client->broker))
			client->broker[used++] = ' ';
		for (size_t k = 0; k < value.bytes.size && used + 1 < sizeof(client->broker); k++) {
			uint8_t byte = value.bytes.data[k];

			client->broker[used++] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
		}
	}
	client->broker[used] = '\0';
}

static int put_client_properties(struct buffer *buffer)
{
	static const char *const capabilities[] = {"authentication_failure_close", "basic.nack",
						   "connection.blocked", "consumer_cancel_notify",
						   "publisher_confirms"};
	struct amqp_table_writer writer;

	amqp_table_writer_init(&writer, buffer);
	amqp_table_put_string(&writer, "product", SLICE_LITERAL("shunt-bench"));
	amqp_table_put_string(&writer, "version", SLICE_LITERAL(PACKAGE_VERSION));
	amqp_table_begin_table(&writer, "capabilities");
	for (unsigned i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		amqp_table_put_bool(&writer, capabilities[i], true);
	amqp_table_end(&writer);
	return amqp_table_writer_finish(&writer);
}

static int answer_start(struct client *client, const struct amqp_connection_start *start)
{
	const struct options *options = client->options;
	struct amqp_method answer = {.id = AMQP_CONNECTION_START_OK};
	struct buffer properties, response;
	int error;

	keep_broker_name(client, start->server_properties);
	buffer_init(&properties);
	buffer_init(&response);
	buffer_append_byte(&response, 0);
	buffer_append_cstr(&response, options->user);
	buffer_append_byte(&response, 0);
	buffer_append_cstr(&response, options->password);
	error = put_client_properties(&properties);
	if (error == 0 && !response.failed) {
		answer.connection_start_ok = (struct amqp_connection_start_ok){
			.client_properties = buffer_slice(&properties),
			.mechanism = SLICE_LITERAL("PLAIN"),
			.response = buffer_slice(&response),
			.locale = SLICE_LITERAL("en_US"),
		};
		client_put(client, 0, &answer);
	}
	buffer_fini(&properties);
	buffer_fini(&response);
	client->state = CLIENT_TUNING;
	return error;
}

static void answer_tune(struct client *client, const struct amqp_connection_tune *tune)
{
	struct amqp_method answer = {.id = AMQP_CONNECTION_TUNE_OK};
	struct amqp_method open = {.id = AMQP_CONNECTION_OPEN};

	if (tune->frame_max != 0 && tune->frame_max < client->frame_max)
		client->frame_max = tune->frame_max;
	answer.connection_tune_ok = (struct amqp_connection_tune_ok){
		.channel_max = tune->channel_max, .frame_max = client->frame_max};
	open.connection_open.virtual_host = slice_cstr(client->options->vhost);
	client_put(client, 0, &answer);
	client_put(client, 0, &open);
	client->state = CLIENT_OPENING;
}

/* The next step of the handshake, or of closing. */
static int take_handshake(struct client *client, struct slice payload)
{
	struct amqp_method method;

	if (amqp_method_decode(&method, payload) != 0)
		return client_take_method(client, payload);
	if (client->state == CLIENT_STARTING && method.id == AMQP_CONNECTION_START)
		return answer_start(client, &method.connection_start);
	if (client->state == CLIENT_TUNING && method.id == AMQP_CONNECTION_TUNE) {
		answer_tune(client, &method.connection_tune);
	} else if (client->state == CLIENT_OPENING && method.id == AMQP_CONNECTION_OPEN_OK) {
		method = (struct amqp_method){.id = AMQP_CHANNEL_OPEN};
		client_put(client, CLIENT_CHANNEL, &method);
		client->state = CLIENT_OPENING_CHANNEL;
	} else if (client->state == CLIENT_OPENING_CHANNEL && method.id == AMQP_CHANNEL_OPEN_OK) {
		client->state = CLIENT_READY;
	} else if (client->state == CLIENT_CLOSING && method.id == AMQP_CONNECTION_CLOSE_OK) {
		client->state = CLIENT_CLOSED;
	} else {
		return client_take_method(client, payload);
	}
	return 0;
}

/* All that has come, or up to the state in which others read. */
static int take_events(struct client *client)
{
	enum client_state before = client->state;
	struct parser_event event;

	for (;;) {
		enum parser_type type = parser_next(&client->parser, &event);
		int error = 0;

		if (type == PARSER_MORE)
			return 0;
		if (type == PARSER_ERROR)
			return client_fail_parse(client);
		if (type == PARSER_METHOD)
			error = take_handshake(client, event.method);
		if (error < 0)
			return error;
		if (client->state != before &&
		    (client->state == CLIENT_READY || client->state == CLIENT_CLOSED))
			return 0;
	}
}

int client_step(struct client *client)
{
	int error = client_flush(client);
	size_t asked = 0;
	ssize_t n = 0;

	/* a read that was not filled has emptied the socket: another would find nothing */
	while (error == 0 && (size_t)n == asked && client->state != CLIENT_CLOSED) {
		enum client_state before = client->state;

		n = client_receive(client, &asked);
		if (n < 0)
			return (int)n;
		error = take_events(client);
		if (error == 0 && client->state != before)
			error = client_flush(client);
		if (client->state != before && client->state == CLIENT_READY)
			break;
	}
	return error;
}

/* Waits until the socket can be read, or be written if there is something to write. */
static int client_wait(struct client *client, uint64_t deadline_ms)
{
	struct pollfd pollfd = {.fd = client->wire.fd, .events = POLLIN};
	uint64_t now = clock_monotonic_ms();
	int n;

	if (client_has_more(client))
		return 0;
	if (!client_is_flushed(client) && !wire_waits_to_receive(&client->wire))
		pollfd.events |= POLLOUT;
	if (now >= deadline_ms)
		return client_fail(client, -ETIMEDOUT, "no answer for %g s",
				   client->options->timeout_s);
	n = poll(&pollfd, 1, (int)(deadline_ms - now));
	if (n < 0 && errno != EINTR)
		return client_fail(client, -errno, "poll: %s", strerror(errno));
	return 0;
}

static uint64_t deadline_of(const struct client *client)
{
	return clock_monotonic_ms() + (uint64_t)(client->options->timeout_s * 1000);
}

int client_await(struct client *client, enum client_state state)
{
	uint64_t deadline_ms = deadline_of(client);
	int error = client_step(client);

	while (error == 0 && client->state != state) {
		error = client_wait(client, deadline_ms);
		if (error == 0)
			error = client_step(client);
	}
	return error;
}

int client_connect(struct client *client, const struct options *options,
		   const struct target *target, size_t buffer_size)
{
	int error = client_open(client, options, target, 0, buffer_size);

	return error < 0 ? error : client_await(client, CLIENT_READY);
}

int client_begin_close(struct client *client)
{
	struct amqp_method method = {.id = AMQP_CONNECTION_CLOSE};

	method.connection_close.reply_code = 200;
	method.connection_close.reply_text = SLICE_LITERAL("done");
	client_put(client, 0, &method);
	client->state = CLIENT_CLOSING;
	return client_flush(client);
}

void client_say_goodbye(struct client *client)
{
	if (client->state == CLIENT_READY && client_begin_close(client) == 0)
		(void)!client_await(client, CLIENT_CLOSED);
}

int client_call(struct client *client, const struct amqp_method *method, uint32_t expected,
		struct amqp_method *ret)
{
	uint64_t deadline_ms = deadline_of(client);
	struct parser_event event;

	client_put(client, CLIENT_CHANNEL, method);
	for (;;) {
		enum parser_type type;
		ssize_t n;
		int error = client_flush(client);

		while (error == 0 && (type = parser_next(&client->parser, &event)) != PARSER_MORE) {
			if (type == PARSER_ERROR)
				return client_fail_parse(client);
			if (type != PARSER_METHOD)
				continue;
			if (amqp_method_decode(ret, event.method) == 0 && ret->id == expected)
				return 0;
			error = client_take_method(client, event.method);
		}
		if (error == 0)
			error = client_wait(client, deadline_ms);
		if (error < 0)
			return error;
		n = client_receive(client, NULL);
		if (n < 0)
			return (int)n;
	}
}

/* Text of the broker's, without what a terminal would take amiss. */
static void print_text(char out[256], struct slice text)
{
	size_t n = text.size < 255 ? text.size : 255;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = text.data[i];

		out[i] = byte >= ' ' && byte != 0x7f ? (char)byte : '?';
	}
	out[n] = '\0';
}

static int fail_closed(struct client *client, const char *what, uint16_t code, struct slice text)
{
	char printable[256];

	print_text(printable, text);
	return client_fail(client, -ECONNABORTED, "the broker closed the %s: %u %s", what, code,
			   printable);
}

int client_take_method(struct client *client, struct slice payload)
{
	struct amqp_method method;
	struct amqp_method answer = {.id = AMQP_CONNECTION_CLOSE_OK};

	if (amqp_method_decode(&method, payload) != 0)
		return client_fail(client, -EPROTO, "the broker sent a malformed method");
	switch (method.id) {
	case AMQP_CONNECTION_CLOSE:
		client_put(client, 0, &answer);
		(void)!client_flush(client);
		return fail_closed(client, "connection", method.connection_close.reply_code,
				   method.connection_close.reply_text);
	case AMQP_CHANNEL_CLOSE:
		return fail_closed(client, "channel", method.channel_close.reply_code,
				   method.channel_close.reply_text);
	case AMQP_BASIC_CANCEL:
		return client_fail(client, -ECONNABORTED, "the broker cancelled a consumer");
	case AMQP_CONNECTION_BLOCKED:
	case AMQP_CONNECTION_UNBLOCKED:
		client->is_blocked = method.id == AMQP_CONNECTION_BLOCKED;
		return 0;
	default:
		return client_fail(client, -EPROTO, "the broker sent an unexpected %s",
				   amqp_method_name(method.id));
	}
}
