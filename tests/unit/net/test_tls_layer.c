/* SPDX-License-Identifier: MIT */
#include "net/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "loop/loop.h"
#include "tls_fixture.h"

#include "../unit.h"

/* A transport over TLS on a socket pair, and a client of OpenSSL's at its other end. */
struct pair {
	SSL_CTX *ctx;
	struct tls_options options;
	struct end end;
	struct peer peer;
};

static void pair_open(struct pair *pair, int version)
{
	struct tls_session *session;
	int fd;

	*pair = (struct pair){.options = plain_options()};
	pair->ctx = make_context(&pair->options, NULL);
	session = connect_peer(&pair->peer, pair->ctx, NULL, version, &fd);
	pair->end = (struct end){.peer = -1};
	pair->end.t = transport_create_layered(fd, &tls_layer, session, &end_handler, &pair->end);
}

static void pair_close(struct pair *pair)
{
	end_close(&pair->end);
	peer_close(&pair->peer);
	SSL_SESSION_free(pair->peer.session);
	SSL_CTX_free(pair->ctx);
}

/* Bytes that the client's socket took, or that came. 0: none now; -1: it is over. */
static ssize_t client_send(struct peer *peer, const void *bytes, size_t size)
{
	size_t n = 0;
	int error;

	ERR_clear_error();
	if (size == 0 || SSL_write_ex(peer->ssl, bytes, size, &n) == 1)
		return (ssize_t)n;
	error = SSL_get_error(peer->ssl, 0);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t client_receive(struct peer *peer, void *bytes, size_t size)
{
	size_t n = 0;
	int error;

	ERR_clear_error();
	if (SSL_read_ex(peer->ssl, bytes, size, &n) == 1)
		return (ssize_t)n;
	error = SSL_get_error(peer->ssl, 0);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void client_send_all(struct pair *pair, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = client_send(&pair->peer, bytes, size);

		CU_ASSERT_TRUE_FATAL(n >= 0);
		bytes += n;
		size -= (size_t)n;
		turn(1);
	}
}

#define LARGE ((size_t)5 * 1000 * 1000)

/* Both directions at once, in pieces of all sizes, through sockets that are full most of the time.
 */
static void exchange(int version)
{
	uint8_t *sent = malloc(LARGE), *back = malloc(LARGE);
	size_t n_queued = 0, n_sent = 0, n_back = 0;
	struct pair pair;

	CU_ASSERT_TRUE_FATAL(sent && back);
	pair_open(&pair, version);
	fill_pattern(sent, LARGE, 0);
	for (unsigned i = 0; n_back < LARGE || pair.end.n_got < LARGE; i++) {
		size_t size = 1 + (size_t)i * 7919 % 40000;
		ssize_t n = client_send(&pair.peer, sent + n_sent, LARGE - n_sent);

		CU_ASSERT_TRUE_FATAL(n >= 0 && i < 1000000);
		n_sent += (size_t)n;
		size = size < LARGE - n_queued ? size : LARGE - n_queued;
		if (!transport_is_congested(pair.end.t)) {
			transport_write(pair.end.t, slice_make(sent + n_queued, size));
			n_queued += size;
		}
		turn(1);
		n = client_receive(&pair.peer, back + n_back, LARGE - n_back);
		CU_ASSERT_TRUE_FATAL(n >= 0);
		n_back += (size_t)n;
	}
	CU_ASSERT_EQUAL(count_wrong(back, n_back, 0), 0);
	CU_ASSERT_EQUAL(count_wrong(pair.end.got, pair.end.n_got, 0), 0);
	CU_ASSERT_EQUAL(transport_bytes_read(pair.end.t), LARGE);
	CU_ASSERT_EQUAL(transport_bytes_written(pair.end.t), LARGE);
	pair_close(&pair);
	free(sent);
	free(back);
}

static void both_directions_at_once(void)
{
	loop_set();
	exchange(TLS1_2_VERSION);
	exchange(TLS1_3_VERSION);
	loop_clear();
}

static void no_release(void *owner)
{
	(void)owner;
}

/* The client reads nothing for long: the same bytes are offered again and again, and while they
 * wait, others come in. */
static void large_writes_wait_for_the_socket(void)
{
	uint8_t *bytes = malloc(LARGE), *back = malloc(LARGE);
	struct pair pair;
	size_t n_back = 0;

	CU_ASSERT_TRUE_FATAL(bytes && back);
	loop_set();
	pair_open(&pair, 0);
	fill_pattern(bytes, LARGE, 0);
	transport_write(pair.end.t, slice_make(bytes, 10));
	transport_write_shared(pair.end.t, slice_make(bytes + 10, LARGE - 20), no_release, NULL);
	transport_write(pair.end.t, slice_make(bytes + LARGE - 10, 10));
	turn(50);
	CU_ASSERT_TRUE(transport_queued(pair.end.t) > LARGE / 2);
	client_send_all(&pair, bytes, 100000);
	turn(5);
	CU_ASSERT_EQUAL(pair.end.n_got, 100000);
	for (unsigned i = 0; n_back < LARGE && i < 1000000; i++) {
		ssize_t n = client_receive(&pair.peer, back + n_back, LARGE - n_back);

		CU_ASSERT_TRUE_FATAL(n >= 0);
		n_back += (size_t)n;
		turn(1);
	}
	CU_ASSERT_EQUAL(n_back, LARGE);
	CU_ASSERT_EQUAL(count_wrong(back, n_back, 0), 0);
	CU_ASSERT_TRUE(pair.end.is_drained);
	pair_close(&pair);
	loop_clear();
	free(bytes);
	free(back);
}

static unsigned n_records;

static void count_records(int is_write, int version, int type, const void *bytes, size_t size,
			  SSL *ssl, void *context)
{
	(void)version, (void)bytes, (void)size, (void)ssl, (void)context;
	n_records += !is_write && type == SSL3_RT_HEADER;
}

static void small_pieces_share_records(void)
{
	uint8_t bytes[20000], back[20000];
	size_t n_back = 0;
	struct pair pair;

	loop_set();
	pair_open(&pair, TLS1_2_VERSION);
	SSL_set_msg_callback(pair.peer.ssl, count_records);
	n_records = 0;
	fill_pattern(bytes, sizeof(bytes), 0);
	for (size_t i = 0; i < sizeof(bytes); i += 4000) {
		transport_write_shared(pair.end.t, slice_make(bytes + i, 4000), no_release, NULL);
		CU_ASSERT_EQUAL(transport_queued(pair.end.t), i + 4000);
	}
	turn(3);
	for (ssize_t n = 1; n > 0; n_back += (size_t)n) {
		n = client_receive(&pair.peer, back + n_back, sizeof(back) - n_back);
		CU_ASSERT_TRUE_FATAL(n >= 0);
	}
	CU_ASSERT_EQUAL(n_back, sizeof(back));
	CU_ASSERT_EQUAL(count_wrong(back, n_back, 0), 0);
	CU_ASSERT_EQUAL(n_records, 2);
	pair_close(&pair);
	loop_clear();
}

/* They came with the handshake's last bytes, and the socket will say nothing of them. */
static void bytes_behind_the_handshake_are_not_lost(void)
{
	struct tls_options options = plain_options();
	SSL_CTX *ctx = make_context(&options, NULL);
	char reason[TLS_REASON_MAX] = "";
	struct peer peer = {.fd = -1};
	struct end end = {.peer = -1};
	struct tls_session *session;
	int fds[2];

	loop_set();
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(&peer, fds[1], NULL, TLS1_3_VERSION);
	session = tls_session_create(ctx, fds[0]);
	(void)SSL_do_handshake(peer.ssl);
	CU_ASSERT_EQUAL(tls_session_accept(session, reason), -EAGAIN);
	CU_ASSERT_EQUAL(SSL_do_handshake(peer.ssl), 1);
	CU_ASSERT_EQUAL(client_send(&peer, "AMQP", 4), 4);
	CU_ASSERT_EQUAL(tls_session_accept(session, reason), 0);
	end.t = transport_create_layered(fds[0], &tls_layer, session, &end_handler, &end);
	CU_ASSERT_TRUE(transport_is_readable(end.t));
	turn(3);
	CU_ASSERT_EQUAL(end.n_got, 4);
	end_close(&end);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	SSL_CTX_free(ctx);
	loop_clear();
}

/* ---- Ends ---- */

static void an_orderly_end(void)
{
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct pair pair;

		loop_set();
		pair_open(&pair, version);
		CU_ASSERT_EQUAL(client_send(&pair.peer, "bye", 3), 3);
		(void)SSL_shutdown(pair.peer.ssl);
		turn(5);
		CU_ASSERT_EQUAL(pair.end.n_got, 3);
		CU_ASSERT_TRUE(pair.end.is_closed);
		CU_ASSERT_EQUAL(pair.end.error, 0);
		pair_close(&pair);
		loop_clear();
	}
}

static void we_end(void)
{
	struct pair pair;
	char bytes[8];

	loop_set();
	pair_open(&pair, 0);
	transport_write(pair.end.t, SLICE_LITERAL("bye"));
	transport_close_after_flush(pair.end.t, 10000);
	turn(3);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, bytes, sizeof(bytes)), 3);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, bytes, sizeof(bytes)), -1);
	CU_ASSERT_EQUAL(SSL_get_error(pair.peer.ssl, 0), SSL_ERROR_ZERO_RETURN);
	(void)close(pair.peer.fd);
	pair.peer.fd = -1;
	turn_until(&pair.end.is_closed);
	CU_ASSERT_EQUAL(pair.end.error, 0);
	pair_close(&pair);
	loop_clear();
}

/* The peer says first that it ends, and is told of our end then. */
static void we_end_behind_the_peer(void)
{
	struct pair pair;
	char bytes[8];

	loop_set();
	pair_open(&pair, 0);
	transport_write(pair.end.t, SLICE_LITERAL("bye"));
	transport_close_after_peer(pair.end.t, 10000);
	turn(3);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, bytes, sizeof(bytes)), 3);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, bytes, sizeof(bytes)), 0);
	CU_ASSERT_EQUAL(SSL_shutdown(pair.peer.ssl), 0);
	turn_until(&pair.end.is_closed);
	CU_ASSERT_EQUAL(pair.end.error, 0);
	CU_ASSERT_EQUAL(SSL_shutdown(pair.peer.ssl), 1);
	pair_close(&pair);
	loop_clear();
}

/* A record cut anywhere brings nothing, and what came before it all the same. */
static void records_are_cut_at_every_byte(void)
{
	uint8_t record[200];
	ssize_t size = 0;

	for (ssize_t cut = 0; cut == 0 || cut < size; cut++) {
		struct pair pair;
		int wire[2];

		loop_set();
		pair_open(&pair, 0);
		CU_ASSERT_EQUAL(client_send(&pair.peer, "before", 6), 6);
		turn(3);
		CU_ASSERT_EQUAL(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, wire),
			0);
		(void)SSL_set_wfd(pair.peer.ssl, wire[0]);
		CU_ASSERT_EQUAL(client_send(&pair.peer, "behind", 6), 6);
		size = recv(wire[1], record, sizeof(record), 0);
		CU_ASSERT_TRUE_FATAL(size > 6);
		CU_ASSERT_EQUAL(send(pair.peer.fd, record, (size_t)cut, 0), cut);
		turn(3);
		CU_ASSERT_FALSE(pair.end.is_closed);
		(void)close(pair.peer.fd);
		pair.peer.fd = -1;
		turn(3);
		CU_ASSERT_EQUAL(pair.end.n_got, 6);
		CU_ASSERT_TRUE(pair.end.is_closed);
		(void)close(wire[0]);
		(void)close(wire[1]);
		pair_close(&pair);
		loop_clear();
	}
}

static void what_is_no_record_ends_it(void)
{
	struct pair pair;

	loop_set();
	pair_open(&pair, 0);
	CU_ASSERT_EQUAL(client_send(&pair.peer, "good", 4), 4);
	CU_ASSERT_EQUAL(send(pair.peer.fd, "this is no record at all", 24, 0), 24);
	turn(5);
	CU_ASSERT_EQUAL(pair.end.n_got, 4);
	CU_ASSERT_TRUE(pair.end.is_closed);
	CU_ASSERT_EQUAL(pair.end.error, EPROTO);
	pair_close(&pair);
	loop_clear();
}

/* It has sent, and closed without reading: all of what it sent is read. */
static void the_peer_goes_without_reading(void)
{
	static uint8_t bytes[100000];
	struct pair pair;

	loop_set();
	pair_open(&pair, 0);
	fill_pattern(bytes, sizeof(bytes), 0);
	transport_write(pair.end.t, slice_make(bytes, sizeof(bytes)));
	turn(2);
	CU_ASSERT_TRUE(client_send(&pair.peer, bytes, 50000) > 0);
	(void)close(pair.peer.fd);
	pair.peer.fd = -1;
	transport_write(pair.end.t, slice_make(bytes, sizeof(bytes)));
	turn_until(&pair.end.is_closed);
	CU_ASSERT_TRUE(pair.end.n_got >= 16384);
	CU_ASSERT_EQUAL(count_wrong(pair.end.got, pair.end.n_got, 0), 0);
	pair_close(&pair);
	loop_clear();
}

/* ---- What TLS does beside bytes ---- */

static void renegotiation_is_refused(void)
{
	struct pair pair;
	bool is_refused = false;

	loop_set();
	pair_open(&pair, TLS1_2_VERSION);
	CU_ASSERT_EQUAL(SSL_renegotiate(pair.peer.ssl), 1);
	for (unsigned i = 0; i < 10 && !is_refused; i++) {
		int r, error;

		ERR_clear_error();
		r = SSL_do_handshake(pair.peer.ssl);
		CU_ASSERT_NOT_EQUAL(r, 1);
		error = SSL_get_error(pair.peer.ssl, r);
		is_refused = error == SSL_ERROR_SSL &&
			     ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_RENEGOTIATION;
		turn(2);
	}
	CU_ASSERT_TRUE(is_refused);
	pair_close(&pair);
	loop_clear();
}

static void change_keys(struct pair *pair, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(
			SSL_key_update(pair->peer.ssl, i % 2 ? SSL_KEY_UPDATE_REQUESTED
							     : SSL_KEY_UPDATE_NOT_REQUESTED),
			1);
		ERR_clear_error();
		CU_ASSERT_EQUAL(SSL_do_handshake(pair->peer.ssl), 1);
	}
}

static void changes_of_keys_are_followed(void)
{
	struct pair pair;
	char back[8];
	ssize_t n = 0;

	loop_set();
	pair_open(&pair, TLS1_3_VERSION);
	change_keys(&pair, 200);
	CU_ASSERT_EQUAL(client_send(&pair.peer, "there", 5), 5);
	turn(20);
	CU_ASSERT_EQUAL(pair.end.n_got, 5);
	transport_write(pair.end.t, SLICE_LITERAL("here"));
	turn(2);
	for (unsigned i = 0; i < 1000 && n == 0; i++)
		n = client_receive(&pair.peer, back, sizeof(back));
	CU_ASSERT_EQUAL(n, 4);
	pair_close(&pair);
	loop_clear();
}

/* One who does nothing else is up to no good. */
static void changes_of_keys_without_end(void)
{
	struct pair pair;

	loop_set();
	pair_open(&pair, TLS1_3_VERSION);
	for (unsigned i = 0; i < 100 && !pair.end.is_closed; i++) {
		change_keys(&pair, 1);
		turn(3);
	}
	CU_ASSERT_TRUE(pair.end.is_closed);
	CU_ASSERT_EQUAL(pair.end.error, EPROTO);
	pair_close(&pair);
	loop_clear();
}

static size_t pause_after(struct end *end, struct slice bytes)
{
	end_take(end, bytes);
	transport_pause_reading(end->t);
	return bytes.size;
}

static void bytes_wait_for_the_pause(void)
{
	static uint8_t bytes[600000];
	struct pair pair;
	size_t n_sent = 0;

	loop_set();
	pair_open(&pair, 0);
	pair.end.consume = pause_after;
	fill_pattern(bytes, sizeof(bytes), 0);
	for (unsigned i = 0; pair.end.n_got < sizeof(bytes) && i < 100000; i++) {
		size_t before = pair.end.n_got;
		ssize_t n = client_send(&pair.peer, bytes + n_sent, sizeof(bytes) - n_sent);

		CU_ASSERT_TRUE_FATAL(n >= 0);
		n_sent += (size_t)n;
		turn(3);
		CU_ASSERT_TRUE(pair.end.n_got == before || transport_is_paused(pair.end.t));
		transport_resume_reading(pair.end.t);
		turn(1);
	}
	CU_ASSERT_EQUAL(pair.end.n_got, sizeof(bytes));
	CU_ASSERT_EQUAL(count_wrong(pair.end.got, pair.end.n_got, 0), 0);
	pair_close(&pair);
	loop_clear();
}

/* ---- From loop to loop ---- */

static void leave(void *arg)
{
	struct pair *pair = arg;

	transport_pause_reading(pair->end.t);
	CU_ASSERT_TRUE_FATAL(transport_can_leave(pair->end.t));
	transport_leave(pair->end.t);
}

static void arrive(void *arg)
{
	struct pair *pair = arg;

	transport_arrive(pair->end.t);
	transport_write(pair->end.t, SLICE_LITERAL("I am here"));
	transport_resume_reading(pair->end.t);
	turn(5);
}

static void depart(void *arg)
{
	turn(5);
	leave(arg);
}

static void destroy_there(void *arg)
{
	end_close(&((struct pair *)arg)->end);
}

static void it_goes_to_another_loop(void)
{
	struct pair pair;
	char back[16];

	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	pair_open(&pair, 0);
	/* some of it lies in OpenSSL, and some in the socket, when it goes */
	pair.end.consume = pause_after;
	client_send_all(&pair, (const uint8_t *)"one", 3);
	client_send_all(&pair, (const uint8_t *)"two", 3);
	leave(&pair);
	pair.end.consume = NULL;
	loop_pool_visit(1, arrive, &pair);
	CU_ASSERT_EQUAL(pair.end.n_got, 6);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, back, sizeof(back)), 9);
	CU_ASSERT_EQUAL(client_send(&pair.peer, "three", 5), 5);
	loop_pool_visit(1, depart, &pair);
	CU_ASSERT_EQUAL(pair.end.n_got, 11);
	arrive(&pair);
	CU_ASSERT_EQUAL(client_receive(&pair.peer, back, sizeof(back)), 9);
	leave(&pair);
	loop_pool_visit(1, arrive, &pair);
	loop_pool_visit(1, destroy_there, &pair);
	peer_close(&pair.peer);
	SSL_SESSION_free(pair.peer.session);
	SSL_CTX_free(pair.ctx);
	loop_pool_destroy();
}

UNIT_MAIN("net/tls_layer", UNIT_TEST(certificates_make), UNIT_TEST(both_directions_at_once),
	  UNIT_TEST(large_writes_wait_for_the_socket), UNIT_TEST(small_pieces_share_records),
	  UNIT_TEST(bytes_behind_the_handshake_are_not_lost), UNIT_TEST(an_orderly_end),
	  UNIT_TEST(we_end), UNIT_TEST(we_end_behind_the_peer),
	  UNIT_TEST(records_are_cut_at_every_byte), UNIT_TEST(what_is_no_record_ends_it),
	  UNIT_TEST(the_peer_goes_without_reading), UNIT_TEST(renegotiation_is_refused),
	  UNIT_TEST(changes_of_keys_are_followed), UNIT_TEST(changes_of_keys_without_end),
	  UNIT_TEST(bytes_wait_for_the_pause), UNIT_TEST(it_goes_to_another_loop),
	  UNIT_TEST(certificates_remove))
