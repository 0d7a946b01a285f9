/* SPDX-License-Identifier: MIT */
/* librabbitmq CASE: rabbitmq-c does what its users do. Ends with status 0 when the case passed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

#define CHECK(condition)                                                                         \
	do {                                                                                     \
		if (!(condition))                                                                \
			fail(__LINE__, #condition);                                              \
	} while (0)

static struct timeval limit;

static void fail(int line, const char *what)
{
	printf("line %d: not %s\n", line, what);
	exit(1);
}

static amqp_bytes_t name(const char *hint)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s.%s", getenv("AMQP_PREFIX"), hint);
	return amqp_cstring_bytes(text);
}

static amqp_socket_t *tls_socket(amqp_connection_state_t c)
{
	amqp_socket_t *socket = amqp_ssl_socket_new(c);

	CHECK(socket && amqp_ssl_socket_set_cacert(socket, getenv("AMQP_CA_FILE")) == AMQP_STATUS_OK);
	amqp_ssl_socket_set_verify_peer(socket, 1);
	amqp_ssl_socket_set_verify_hostname(socket, 1);
	return socket;
}

static amqp_connection_state_t open_socket(void)
{
	amqp_connection_state_t c = amqp_new_connection();
	/* of addresses, the library finds none in a certificate */
	const char *host = getenv("AMQP_CA_FILE") ? "localhost" : getenv("AMQP_HOST");
	amqp_socket_t *socket = getenv("AMQP_CA_FILE") ? tls_socket(c) : amqp_tcp_socket_new(c);
	int status = socket ? amqp_socket_open(socket, host, atoi(getenv("AMQP_PORT"))) : AMQP_STATUS_NO_MEMORY;

	if (status != AMQP_STATUS_OK)
		fail(__LINE__, amqp_error_string2(status));
	amqp_set_rpc_timeout(c, &limit);
	return c;
}

static amqp_rpc_reply_t login(amqp_connection_state_t c, const char *password, int heartbeat, int frame_max)
{
	return amqp_login(c, "/", 0, frame_max, heartbeat, AMQP_SASL_METHOD_PLAIN, getenv("AMQP_USER"), password);
}

static amqp_connection_state_t connect_with(int heartbeat, int frame_max)
{
	amqp_connection_state_t c = open_socket();

	CHECK(login(c, getenv("AMQP_PASSWORD"), heartbeat, frame_max).reply_type == AMQP_RESPONSE_NORMAL);
	CHECK(amqp_channel_open(c, 1));
	return c;
}

static void hang_up(amqp_connection_state_t c)
{
	CHECK(amqp_connection_close(c, AMQP_REPLY_SUCCESS).reply_type == AMQP_RESPONSE_NORMAL);
	CHECK(amqp_destroy_connection(c) == AMQP_STATUS_OK);
}

static amqp_bytes_t own_queue(amqp_connection_state_t c)
{
	amqp_queue_declare_ok_t *ok = amqp_queue_declare(c, 1, amqp_empty_bytes, 0, 0, 1, 0, amqp_empty_table);

	CHECK(ok);
	return amqp_bytes_malloc_dup(ok->queue);
}

static void publish(amqp_connection_state_t c, amqp_bytes_t exchange, amqp_bytes_t key, amqp_bytes_t body)
{
	amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG, .delivery_mode = 2};

	CHECK(amqp_basic_publish(c, 1, exchange, key, 1, 0, &properties, body) == AMQP_STATUS_OK);
}

static int equals(amqp_bytes_t bytes, const char *text)
{
	return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

static int begins(amqp_bytes_t bytes, const char *text)
{
	return bytes.len >= strlen(text) && memcmp(bytes.bytes, text, strlen(text)) == 0;
}

/* Confirms until all of count are there. */
static void wait_for_confirms(amqp_connection_state_t c, uint64_t count)
{
	uint64_t confirmed = 0;

	while (confirmed < count) {
		amqp_frame_t frame;

		CHECK(amqp_simple_wait_frame_noblock(c, &frame, &limit) == AMQP_STATUS_OK);
		CHECK(frame.frame_type == AMQP_FRAME_METHOD && frame.payload.method.id == AMQP_BASIC_ACK_METHOD);
		amqp_basic_ack_t *ack = frame.payload.method.decoded;
		confirmed = ack->multiple ? ack->delivery_tag : confirmed + 1;
		amqp_maybe_release_buffers(c);
	}
}

static void case_confirms_and_consume(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);
	amqp_bytes_t queue = own_queue(c);
	char text[16];

	CHECK(amqp_confirm_select(c, 1));
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%d", i);
		publish(c, amqp_empty_bytes, queue, amqp_cstring_bytes(text));
	}
	wait_for_confirms(c, 500);
	CHECK(amqp_basic_qos(c, 1, 0, 20, 0));
	CHECK(amqp_basic_consume(c, 1, queue, amqp_empty_bytes, 0, 0, 0, amqp_empty_table));
	for (int i = 0; i < 500; i++) {
		amqp_envelope_t envelope;

		CHECK(amqp_consume_message(c, &envelope, &limit, 0).reply_type == AMQP_RESPONSE_NORMAL);
		snprintf(text, sizeof(text), "%d", i);
		CHECK(equals(envelope.message.body, text) && !envelope.redelivered);
		CHECK(envelope.message.properties.delivery_mode == 2);
		CHECK(amqp_basic_ack(c, 1, envelope.delivery_tag, 0) == 0);
		amqp_destroy_envelope(&envelope);
	}
	amqp_bytes_free(queue);
	hang_up(c);
}

static void case_large_body_in_small_frames(void)
{
	amqp_connection_state_t c = connect_with(0, 4096);
	amqp_bytes_t queue = own_queue(c), body = amqp_bytes_malloc(1000000);
	amqp_envelope_t envelope;

	for (size_t i = 0; i < body.len; i++)
		((unsigned char *)body.bytes)[i] = (unsigned char)(i * 31 >> 3);
	publish(c, amqp_empty_bytes, queue, body);
	CHECK(amqp_basic_consume(c, 1, queue, amqp_empty_bytes, 0, 1, 0, amqp_empty_table));
	CHECK(amqp_consume_message(c, &envelope, &limit, 0).reply_type == AMQP_RESPONSE_NORMAL);
	CHECK(envelope.message.body.len == body.len && memcmp(envelope.message.body.bytes, body.bytes, body.len) == 0);
	amqp_destroy_envelope(&envelope);
	amqp_bytes_free(body);
	amqp_bytes_free(queue);
	hang_up(c);
}

static void case_get_and_reject(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);
	amqp_bytes_t queue = own_queue(c);
	amqp_rpc_reply_t reply;
	amqp_message_t message;

	CHECK(amqp_basic_get(c, 1, queue, 1).reply.id == AMQP_BASIC_GET_EMPTY_METHOD);
	publish(c, amqp_empty_bytes, queue, amqp_cstring_bytes("x"));
	for (int redelivered = 0; redelivered < 2; redelivered++) {
		do
			reply = amqp_basic_get(c, 1, queue, 0);
		while (reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD);
		CHECK(reply.reply.id == AMQP_BASIC_GET_OK_METHOD);
		amqp_basic_get_ok_t *ok = reply.reply.decoded;
		uint64_t tag = ok->delivery_tag;
		CHECK(ok->redelivered == redelivered);
		CHECK(amqp_read_message(c, 1, &message, 0).reply_type == AMQP_RESPONSE_NORMAL);
		CHECK(equals(message.body, "x"));
		amqp_destroy_message(&message);
		CHECK(amqp_basic_reject(c, 1, tag, !redelivered) == 0);
	}
	CHECK(amqp_basic_get(c, 1, queue, 1).reply.id == AMQP_BASIC_GET_EMPTY_METHOD);
	amqp_bytes_free(queue);
	hang_up(c);
}

static void case_topic_exchange(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);
	amqp_bytes_t queue = own_queue(c), exchange = name("topic");
	amqp_envelope_t envelope;

	CHECK(amqp_exchange_declare(c, 1, exchange, amqp_cstring_bytes("topic"), 0, 0, 1, 0, amqp_empty_table));
	CHECK(amqp_queue_bind(c, 1, queue, exchange, amqp_cstring_bytes("a.*.c"), amqp_empty_table));
	CHECK(amqp_basic_consume(c, 1, queue, amqp_cstring_bytes("tag"), 0, 1, 0, amqp_empty_table));
	publish(c, exchange, amqp_cstring_bytes("a.b.c"), amqp_cstring_bytes("right"));
	CHECK(amqp_consume_message(c, &envelope, &limit, 0).reply_type == AMQP_RESPONSE_NORMAL);
	CHECK(equals(envelope.message.body, "right") && equals(envelope.consumer_tag, "tag"));
	amqp_destroy_envelope(&envelope);
	CHECK(amqp_queue_unbind(c, 1, queue, exchange, amqp_cstring_bytes("a.*.c"), amqp_empty_table));
	CHECK(amqp_basic_cancel(c, 1, amqp_cstring_bytes("tag")));
	amqp_bytes_free(queue);
	hang_up(c);
}

static void case_channel_error(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);

	CHECK(!amqp_queue_declare(c, 1, name("missing"), 1, 0, 0, 0, amqp_empty_table));
	amqp_rpc_reply_t reply = amqp_get_rpc_reply(c);
	CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD);
	amqp_channel_close_t *closed = reply.reply.decoded;
	CHECK(closed->reply_code == 404 && closed->class_id == 50 && closed->method_id == 10);
	CHECK(begins(closed->reply_text, "NOT_FOUND - no queue '"));
	amqp_channel_close_ok_t ok = {.dummy = 0};
	CHECK(amqp_send_method(c, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok) == AMQP_STATUS_OK);
	CHECK(amqp_channel_open(c, 2));
	hang_up(c);
}

static void case_connection_error(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);
	amqp_bytes_t queue = own_queue(c), tag = amqp_cstring_bytes("twice");

	CHECK(amqp_basic_consume(c, 1, queue, tag, 0, 1, 0, amqp_empty_table));
	CHECK(!amqp_basic_consume(c, 1, queue, tag, 0, 1, 0, amqp_empty_table));
	amqp_rpc_reply_t reply = amqp_get_rpc_reply(c);
	CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD);
	amqp_connection_close_t *closed = reply.reply.decoded;
	CHECK(closed->reply_code == 530);
	CHECK(equals(closed->reply_text, "NOT_ALLOWED - attempt to reuse consumer tag 'twice'"));
	amqp_bytes_free(queue);
	amqp_destroy_connection(c);
}

static void case_wrong_password(void)
{
	amqp_connection_state_t c = open_socket();
	amqp_rpc_reply_t reply = login(c, "wrong", 0, 131072);

	CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD);
	amqp_connection_close_t *closed = reply.reply.decoded;
	CHECK(closed->reply_code == 403);
	CHECK(begins(closed->reply_text, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."));
	amqp_destroy_connection(c);
}

static void case_transactions(void)
{
	amqp_connection_state_t c = connect_with(0, 131072);
	amqp_bytes_t queue = own_queue(c);

	CHECK(amqp_tx_select(c, 1));
	publish(c, amqp_empty_bytes, queue, amqp_cstring_bytes("undone"));
	CHECK(amqp_tx_rollback(c, 1));
	publish(c, amqp_empty_bytes, queue, amqp_cstring_bytes("done"));
	CHECK(amqp_tx_commit(c, 1));
	amqp_queue_purge_ok_t *purged = amqp_queue_purge(c, 1, queue);
	CHECK(purged && purged->message_count == 1);
	amqp_bytes_free(queue);
	hang_up(c);
}

static void case_heartbeats(void)
{
	amqp_connection_state_t c = connect_with(1, 131072);
	amqp_bytes_t queue = own_queue(c);
	struct timeval three_intervals = {.tv_sec = 3, .tv_usec = 300000};
	amqp_envelope_t envelope;

	CHECK(amqp_basic_consume(c, 1, queue, amqp_empty_bytes, 0, 1, 0, amqp_empty_table));
	/* the library sends its own meanwhile, and would say so if the broker's stayed away */
	amqp_rpc_reply_t reply = amqp_consume_message(c, &envelope, &three_intervals, 0);
	CHECK(reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT);
	amqp_bytes_free(queue);
	hang_up(c);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"confirms_and_consume", case_confirms_and_consume},
	{"large_body_in_small_frames", case_large_body_in_small_frames},
	{"get_and_reject", case_get_and_reject},
	{"topic_exchange", case_topic_exchange},
	{"channel_error", case_channel_error},
	{"connection_error", case_connection_error},
	{"wrong_password", case_wrong_password},
	{"transactions", case_transactions},
	{"heartbeats", case_heartbeats},
};

int main(int argc, char **argv)
{
	limit.tv_sec = atoi(getenv("AMQP_LIMIT_SECONDS"));
	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	printf("no such case\n");
	return 64;
}
