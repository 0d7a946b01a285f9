/* SPDX-License-Identifier: MIT */
#include "net/arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/workers.h"
#include "net/tls_session.h"
#include "tls_fixture.h"

#include "../unit.h"

#define LIMIT_MS 20000
#define N_MAX	 128

/* What has become of those that were added. */
static struct {
	unsigned n_arrived, n_failed, n_gone;
	struct arrived last;
	bool keeps; /* the last one: otherwise it is discarded at once */
	char what[64], reason[TLS_REASON_MAX];
	struct net_address peer;
} seen;

static void on_arrived(void *context, const struct arrived *arrived)
{
	(void)context;
	seen.n_arrived++;
	seen.last = *arrived;
	if (!seen.keeps)
		arrived_discard(arrived);
}

static void on_failed(void *context, const struct net_address *peer, const char *what,
		      const char *reason)
{
	(void)context;
	seen.n_failed++;
	seen.peer = *peer;
	(void)snprintf(seen.what, sizeof(seen.what), "%s", what);
	(void)snprintf(seen.reason, sizeof(seen.reason), "%s", reason);
}

static void on_gone(void *context)
{
	(void)context;
	seen.n_gone++;
}

static const struct arrivals_handler handler = {
	.arrived = on_arrived, .failed = on_failed, .gone = on_gone};

static struct workers *workers;
static struct arrivals_config config;
static struct arrivals *arrivals;
static struct tls_options options;
static SSL_CTX *ctx;
static struct net_range loopback;

static void begin(bool expects_proxy, unsigned timeout_ms)
{
	memset(&seen, 0, sizeof(seen));
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(1), 0);
	CU_ASSERT_EQUAL_FATAL(workers_create("tls", WORKERS_BEHIND, 2, &workers), 0);
	CU_ASSERT_EQUAL_FATAL(net_range_parse("127.0.0.0/8", &loopback), 0);
	config = (struct arrivals_config){
		.handler = &handler,
		.workers = workers,
		.timeout_ms = timeout_ms,
		.max = N_MAX,
		.expects_proxy = expects_proxy,
		.trusted = &loopback,
		.n_trusted = 1,
	};
	arrivals = arrivals_create(&config);
	options = strict_options();
	ctx = make_context(&options, NULL);
}

/* As the server ends: first the workers, then the loops' own. */
static void finish(void)
{
	arrivals_cut(arrivals);
	workers_destroy(workers);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), 0);
	arrivals_destroy(arrivals);
	SSL_CTX_free(ctx);
	loop_pool_destroy();
}

static void wait_until(const unsigned *count, unsigned at_least)
{
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;

	while (*count < at_least && clock_monotonic_ms() < limit)
		loop_run_once(false);
	CU_ASSERT_TRUE_FATAL(*count >= at_least);
}

/* Over TCP, as what is trusted goes by the address. Returns the client's socket. */
static int add(bool is_tls)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);
	int on = 1;

	CU_ASSERT_TRUE_FATAL(listening >= 0 && fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(listening, (struct sockaddr *)&address, size), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listening, 1), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(listening, (struct sockaddr *)&address, &size), 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, size), 0);
	CU_ASSERT_EQUAL(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	CU_ASSERT_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	if (is_tls)
		(void)SSL_CTX_up_ref(ctx);
	arrivals_add(arrivals, accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC),
		     is_tls ? ctx : NULL);
	(void)close(listening);
	return fd;
}

/* Steps of the client's, and turns; until it has arrived or failed. */
static void shake(struct peer *peer)
{
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;

	while (seen.n_arrived + seen.n_failed == 0 && clock_monotonic_ms() < limit) {
		ERR_clear_error();
		(void)SSL_do_handshake(peer->ssl);
		loop_run_once(false);
	}
	ERR_clear_error();
}

static void plain_ones_arrive_at_once(void)
{
	int fd;

	begin(false, LIMIT_MS);
	fd = add(false);
	CU_ASSERT_EQUAL(seen.n_arrived, 1);
	CU_ASSERT_PTR_NULL(seen.last.tls);
	CU_ASSERT_FALSE(seen.last.has_addresses);
	(void)close(fd);
	finish();
}

static void a_handshake_is_done_by_workers(void)
{
	struct peer peer = {.fd = -1};

	begin(false, LIMIT_MS);
	peer_open(&peer, add(true), &client, 0);
	shake(&peer);
	CU_ASSERT_EQUAL(seen.n_arrived, 1);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), 0);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	finish();
}

static void a_refused_client_reads_its_alert(void)
{
	struct peer peer = {.fd = -1};
	uint64_t limit = clock_monotonic_ms() + LIMIT_MS;
	char byte;
	int r = -1;

	begin(false, LIMIT_MS);
	peer_open(&peer, add(true), &stranger_client, 0);
	shake(&peer);
	CU_ASSERT_EQUAL(seen.n_failed, 1);
	CU_ASSERT_STRING_EQUAL(seen.what, "TLS handshake failed");
	CU_ASSERT_STRING_EQUAL(seen.reason, "unable to get local issuer certificate");
	CU_ASSERT_STRING_EQUAL(seen.peer.host, "127.0.0.1");
	/* it goes on sending, and nobody resets the connection for that */
	(void)SSL_write(peer.ssl, "AMQP", 4);
	loop_run_once(false);
	loop_run_once(false);
	do {
		ERR_clear_error();
		r = SSL_read(peer.ssl, &byte, 1);
	} while (SSL_get_error(peer.ssl, r) == SSL_ERROR_WANT_READ && clock_monotonic_ms() < limit);
	CU_ASSERT_EQUAL(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
	peer_close(&peer);
	wait_until(&seen.n_gone, 1);
	finish();
}

static void what_is_no_handshake_is_told(void)
{
	int fd;

	begin(false, LIMIT_MS);
	fd = add(true);
	CU_ASSERT_EQUAL(send(fd, "AMQP\0\0\x09\x01", 8, 0), 8);
	wait_until(&seen.n_failed, 1);
	CU_ASSERT_STRING_EQUAL(seen.reason, "wrong version number");
	(void)close(fd);
	wait_until(&seen.n_gone, 1);
	finish();
}

/* Who only looks whether somebody listens is nothing to be told. */
static void one_that_says_nothing_goes_without_a_word(void)
{
	int fd;

	begin(false, LIMIT_MS);
	fd = add(true);
	loop_run_once(false);
	(void)close(fd);
	wait_until(&seen.n_gone, 1);
	CU_ASSERT_EQUAL(seen.n_failed, 0);
	finish();
}

static void silence_has_a_limit(void)
{
	int fd;

	begin(false, 50);
	fd = add(true);
	wait_until(&seen.n_gone, 1);
	CU_ASSERT_EQUAL(seen.n_failed, 1);
	CU_ASSERT_STRING_EQUAL(seen.reason, "timed out");
	(void)close(fd);
	finish();
}

/* One that has said something: its memory goes, too. */
static void a_stalled_handshake_has_a_limit(void)
{
	int fd;

	begin(false, 50);
	fd = add(true);
	CU_ASSERT_EQUAL(send(fd, "\x16\x03\x01", 3, 0), 3);
	wait_until(&seen.n_gone, 1);
	CU_ASSERT_STRING_EQUAL(seen.reason, "timed out");
	(void)close(fd);
	finish();
}

static void they_are_cut_wherever_they_are(void)
{
	int fds[64];

	begin(true, LIMIT_MS);
	for (unsigned i = 0; i < 64; i++) {
		fds[i] = add(true);
		if (i % 4 > 0)
			CU_ASSERT_EQUAL(send(fds[i], "PROXY UNKNOWN\r\n", 15, 0), 15);
		if (i % 4 > 1)
			CU_ASSERT_EQUAL(send(fds[i], "\x16\x03\x01", 3, 0), 3);
		if (i % 8 == 7)
			loop_run_once(false);
	}
	CU_ASSERT_TRUE(arrivals_count(arrivals) > 0);
	finish();
	CU_ASSERT_EQUAL(seen.n_arrived, 0);
	CU_ASSERT_EQUAL(seen.n_gone, 64);
	for (unsigned i = 0; i < 64; i++)
		(void)close(fds[i]);
}

static void after_the_cut_none_begins(void)
{
	int fd;

	begin(false, LIMIT_MS);
	arrivals_cut(arrivals);
	fd = add(true);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), 0);
	CU_ASSERT_EQUAL(seen.n_gone, 1);
	(void)close(fd);
	finish();
}

/* ---- PROXY header ---- */

static void the_header_names_the_peer(void)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 10.1.2.3 51022 5672\r\nAMQP";
	char rest[8];
	int fd;

	begin(true, LIMIT_MS);
	seen.keeps = true;
	fd = add(false);
	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		CU_ASSERT_EQUAL(send(fd, line + i, 1, 0), 1);
		if (seen.n_arrived == 0)
			loop_run_once(false);
	}
	wait_until(&seen.n_arrived, 1);
	CU_ASSERT_TRUE(seen.last.has_addresses);
	CU_ASSERT_STRING_EQUAL(seen.last.peer.host, "192.0.2.7");
	CU_ASSERT_EQUAL(seen.last.peer.port, 51022);
	CU_ASSERT_FALSE(seen.last.peer.is_loopback);
	CU_ASSERT_STRING_EQUAL(seen.last.local.host, "10.1.2.3");
	/* and not a byte more was taken */
	CU_ASSERT_EQUAL(recv(seen.last.fd, rest, sizeof(rest), 0), 4);
	CU_ASSERT_EQUAL(memcmp(rest, "AMQP", 4), 0);
	arrived_discard(&seen.last);
	(void)close(fd);
	finish();
}

/* In one piece, or with the loop looking after each byte of its head. */
static void skip_more(bool is_slow)
{
	static const uint8_t head[28] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49,
					 0x54, 0x0a, 0x21, 0x11, 0x75, 0x3c, 192,  0,	 2,    7,
					 10,   1,    2,	   3,	 1,    2,    3,	   4};
	static uint8_t more[30000];
	char rest[8];
	int fd;

	CU_ASSERT_EQUAL(head[14] << 8 | head[15], 12 + (int)sizeof(more));
	begin(true, LIMIT_MS);
	seen.keeps = true;
	fd = add(false);
	for (size_t i = 0; is_slow && i < sizeof(head); i++) {
		CU_ASSERT_EQUAL(send(fd, head + i, 1, 0), 1);
		loop_run_once(false);
	}
	if (!is_slow)
		CU_ASSERT_EQUAL(send(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	CU_ASSERT_EQUAL(send(fd, more, sizeof(more), 0), (ssize_t)sizeof(more));
	CU_ASSERT_EQUAL(send(fd, "AMQP", 4, 0), 4);
	wait_until(&seen.n_arrived, 1);
	CU_ASSERT_STRING_EQUAL(seen.last.peer.host, "192.0.2.7");
	CU_ASSERT_EQUAL(recv(seen.last.fd, rest, sizeof(rest), 0), 4);
	CU_ASSERT_EQUAL(memcmp(rest, "AMQP", 4), 0);
	arrived_discard(&seen.last);
	(void)close(fd);
	finish();
}

static void what_follows_the_addresses_is_skipped(void)
{
	skip_more(false);
	skip_more(true);
}

static void expect_loopback(const char *line, bool is_loopback)
{
	int fd;

	begin(true, LIMIT_MS);
	fd = add(false);
	CU_ASSERT_EQUAL(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
	wait_until(&seen.n_arrived, 1);
	CU_ASSERT_TRUE(seen.last.has_addresses);
	CU_ASSERT_EQUAL(seen.last.peer.is_loopback, is_loopback);
	(void)close(fd);
	finish();
}

/* Users that may only come from here are judged by that. */
static void who_is_unknown_is_not_local(void)
{
	expect_loopback("PROXY UNKNOWN\r\n", false);
	expect_loopback("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", true);
	expect_loopback("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", false);
}

static void the_header_comes_before_tls(void)
{
	struct peer peer = {.fd = -1};
	int fd;

	begin(true, LIMIT_MS);
	seen.keeps = true;
	fd = add(true);
	CU_ASSERT_EQUAL(send(fd, "PROXY TCP4 192.0.2.7 10.1.2.3 1 2\r\n", 35, 0), 35);
	peer_open(&peer, fd, &client, 0);
	shake(&peer);
	CU_ASSERT_EQUAL_FATAL(seen.n_arrived, 1);
	CU_ASSERT_STRING_EQUAL(seen.last.peer.host, "192.0.2.7");
	CU_ASSERT_PTR_NOT_NULL(seen.last.tls);
	arrived_discard(&seen.last);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	finish();
}

static void who_is_not_trusted_is_turned_away(void)
{
	char byte;
	int fd;

	begin(true, LIMIT_MS);
	CU_ASSERT_EQUAL_FATAL(net_range_parse("10.0.0.0/8", &loopback), 0);
	fd = add(false);
	CU_ASSERT_EQUAL(seen.n_failed, 1);
	CU_ASSERT_EQUAL(seen.n_arrived, 0);
	CU_ASSERT_STRING_EQUAL(seen.reason, "not from a trusted proxy");
	CU_ASSERT_EQUAL(recv(fd, &byte, 1, 0), 0);
	(void)close(fd);
	finish();
}

static void without_a_header_it_does_not_arrive(void)
{
	int fd;

	begin(true, LIMIT_MS);
	fd = add(false);
	CU_ASSERT_EQUAL(send(fd, "AMQP\0\0\x09\x01", 8, 0), 8);
	wait_until(&seen.n_failed, 1);
	CU_ASSERT_STRING_EQUAL(seen.what, "no PROXY header");
	CU_ASSERT_EQUAL(seen.n_arrived, 0);
	(void)close(fd);
	finish();
	begin(true, 50);
	fd = add(false);
	CU_ASSERT_EQUAL(send(fd, "PROXY ", 6, 0), 6);
	wait_until(&seen.n_failed, 1);
	CU_ASSERT_STRING_EQUAL(seen.reason, "timed out");
	(void)close(fd);
	finish();
}

/* ---- Too many ---- */

static int unix_pair(bool is_tls)
{
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	if (is_tls)
		(void)SSL_CTX_up_ref(ctx);
	arrivals_add(arrivals, fds[0], is_tls ? ctx : NULL);
	return fds[1];
}

/* A crowd that says nothing keeps nobody out: the oldest of them goes. */
static void the_longest_silent_one_makes_room(void)
{
	int fds[N_MAX];
	struct peer peer = {.fd = -1};

	begin(false, LIMIT_MS);
	for (unsigned i = 0; i < N_MAX; i++)
		fds[i] = unix_pair(true);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), N_MAX);
	CU_ASSERT_EQUAL(seen.n_gone, 0);
	peer_open(&peer, unix_pair(true), &client, 0);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), N_MAX);
	CU_ASSERT_EQUAL(seen.n_gone, 1);
	CU_ASSERT_STRING_EQUAL(seen.reason, "too many at the same time");
	seen.n_failed = 0;
	shake(&peer);
	CU_ASSERT_EQUAL(seen.n_arrived, 1);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	for (unsigned i = 0; i < N_MAX; i++)
		(void)close(fds[i]);
	finish();
}

/* What holds memory of OpenSSL's has a smaller bound. */
static void those_amid_a_handshake_are_fewer(void)
{
	int fds[N_MAX];

	begin(false, LIMIT_MS);
	for (unsigned i = 0; i < N_MAX; i++) {
		fds[i] = unix_pair(true);
		CU_ASSERT_EQUAL(send(fds[i], "\x16\x03\x01\x02", 4, 0), 4);
	}
	wait_until(&seen.n_gone, N_MAX - N_MAX / 4);
	CU_ASSERT_EQUAL(arrivals_count(arrivals), N_MAX / 4);
	CU_ASSERT_STRING_EQUAL(seen.reason, "too many at the same time");
	for (unsigned i = 0; i < N_MAX; i++)
		(void)close(fds[i]);
	finish();
	CU_ASSERT_EQUAL(seen.n_gone, N_MAX);
}

/* Many at once: each of them arrives, whatever the order of their steps. */
static void many_shake_hands_at_once(void)
{
	static struct peer peers[N_MAX / 4];
	uint64_t limit = clock_monotonic_ms() + 3 * LIMIT_MS;

	begin(false, 3 * LIMIT_MS);
	for (unsigned i = 0; i < N_MAX / 4; i++) {
		peers[i] = (struct peer){.fd = -1};
		peer_open(&peers[i], unix_pair(true), &client, i % 2 ? TLS1_2_VERSION : 0);
	}
	while (seen.n_arrived < N_MAX / 4 && clock_monotonic_ms() < limit) {
		for (unsigned i = 0; i < N_MAX / 4; i++) {
			ERR_clear_error();
			(void)SSL_do_handshake(peers[i].ssl);
		}
		loop_run_once(false);
	}
	CU_ASSERT_EQUAL(seen.n_arrived, N_MAX / 4);
	CU_ASSERT_EQUAL(seen.n_failed, 0);
	for (unsigned i = 0; i < N_MAX / 4; i++) {
		peer_close(&peers[i]);
		SSL_SESSION_free(peers[i].session);
	}
	finish();
}

UNIT_MAIN("net/arrival", UNIT_TEST(certificates_make), UNIT_TEST(plain_ones_arrive_at_once),
	  UNIT_TEST(a_handshake_is_done_by_workers), UNIT_TEST(a_refused_client_reads_its_alert),
	  UNIT_TEST(what_is_no_handshake_is_told),
	  UNIT_TEST(one_that_says_nothing_goes_without_a_word), UNIT_TEST(silence_has_a_limit),
	  UNIT_TEST(a_stalled_handshake_has_a_limit), UNIT_TEST(they_are_cut_wherever_they_are),
	  UNIT_TEST(after_the_cut_none_begins), UNIT_TEST(the_header_names_the_peer),
	  UNIT_TEST(what_follows_the_addresses_is_skipped), UNIT_TEST(who_is_unknown_is_not_local),
	  UNIT_TEST(the_header_comes_before_tls), UNIT_TEST(who_is_not_trusted_is_turned_away),
	  UNIT_TEST(without_a_header_it_does_not_arrive),
	  UNIT_TEST(the_longest_silent_one_makes_room), UNIT_TEST(those_amid_a_handshake_are_fewer),
	  UNIT_TEST(many_shake_hands_at_once), UNIT_TEST(certificates_remove))
