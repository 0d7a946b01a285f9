/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/tls_session.h"
#include "tls_fixture.h"

#include "../unit.h"

/* ---- Contexts ---- */

static void expect_failure(const struct tls_options *options, enum tls_part part, const char *text)
{
	struct tls_failure failure = {.text = ""};
	SSL_CTX *ctx = NULL;

	CU_ASSERT_EQUAL(tls_context_create(options, NULL, &failure, &ctx), -1);
	CU_ASSERT_EQUAL(failure.part, part);
	if (!strstr(failure.text, text))
		(void)printf("\"%s\" is not in \"%s\"\n", text, failure.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(failure.text, text));
	CU_ASSERT_PTR_NULL(ctx);
	CU_ASSERT_EQUAL(ERR_peek_error(), 0);
}

static void files_that_are_wrong_are_named(void)
{
	struct tls_options options = plain_options();

	options.certificate_file = NULL;
	expect_failure(&options, TLS_PART_CERTIFICATE, "needed");
	options.certificate_file = "/nowhere/at.all";
	expect_failure(&options, TLS_PART_CERTIFICATE,
		       "'/nowhere/at.all': No such file or directory");
	options.certificate_file = not_pem;
	expect_failure(&options, TLS_PART_CERTIFICATE, "no start line");
	options = plain_options();
	options.key_file = client.file;
	expect_failure(&options, TLS_PART_KEY, "mismatch");
	options.key_file = not_pem;
	expect_failure(&options, TLS_PART_KEY, not_pem);
	options = strict_options();
	options.authorities_file = not_pem;
	expect_failure(&options, TLS_PART_AUTHORITIES, not_pem);
	options.authorities_file = "/nowhere/at.all";
	expect_failure(&options, TLS_PART_AUTHORITIES, "No such file");
	options = plain_options();
	options.dh_file = not_pem;
	expect_failure(&options, TLS_PART_DH, not_pem);
}

static void demands_need_what_they_rest_on(void)
{
	struct tls_options options = strict_options();

	options.authorities_file = NULL;
	expect_failure(&options, TLS_PART_VERIFY, "authorities");
	options = plain_options();
	options.demands_certificate = true;
	expect_failure(&options, TLS_PART_VERIFY, "verify_peer");
}

static void an_encrypted_key_needs_its_password(void)
{
	struct tls_options options = plain_options();

	options.key_file = encrypted_key;
	expect_failure(&options, TLS_PART_KEY, encrypted_key);
	options.password = "wrong";
	expect_failure(&options, TLS_PART_KEY, encrypted_key);
	options.password = "secret";
	SSL_CTX_free(make_context(&options, NULL));
}

static void ciphers_are_checked_one_by_one(void)
{
	const char *const wrong[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-NO-SUCH"};
	const char *const lists[] = {"HIGH:!aNULL"};
	const char *const rule[] = {"-ALL"};
	const char *const of_1_3[] = {"TLS_AES_128_GCM_SHA256"};
	struct tls_options options = plain_options();

	options.ciphers = wrong;
	options.n_ciphers = 2;
	expect_failure(&options, TLS_PART_CIPHERS, "'ECDHE-NO-SUCH'");
	options.n_ciphers = 1;
	SSL_CTX_free(make_context(&options, NULL));
	options.ciphers = lists;
	expect_failure(&options, TLS_PART_CIPHERS, "HIGH");
	options.ciphers = rule;
	expect_failure(&options, TLS_PART_CIPHERS, "-ALL");
	options.ciphers = of_1_3;
	options.has_1_3 = false;
	expect_failure(&options, TLS_PART_CIPHERS, "no cipher for the versions");
	options.n_ciphers = 0;
	options.has_1_2 = false;
	expect_failure(&options, TLS_PART_CIPHERS, "no cipher for the versions");
}

/* ---- Handshakes ---- */

/* Returns what the server says; the reason is kept for the test. */
static char reason[TLS_REASON_MAX];
static int try_handshake(const struct tls_options *options, const struct certificate *who,
			 int version, struct tls_description *ret_description)
{
	SSL_CTX *ctx = make_context(options, NULL);
	struct peer peer = {.fd = -1};
	struct tls_session *session;
	int fds[2], r;

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(&peer, fds[1], who, version);
	session = tls_session_create(ctx, fds[0]);
	reason[0] = '\0';
	r = shake_hands(&peer, session, reason);
	if (r == 0 && ret_description)
		tls_session_describe(session, ret_description);
	tls_session_destroy(session);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	(void)close(fds[0]);
	SSL_CTX_free(ctx);
	return r;
}

static void versions_are_kept_to(void)
{
	struct tls_options options = plain_options();
	struct tls_description d;

	CU_ASSERT_EQUAL(try_handshake(&options, NULL, 0, &d), 0);
	CU_ASSERT_STRING_EQUAL(d.protocol, "tlsv1.3");
	CU_ASSERT_STRING_EQUAL(d.key_exchange, "any");
	CU_ASSERT_STRING_EQUAL(d.hash, "aead");
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, TLS1_2_VERSION, &d), 0);
	CU_ASSERT_STRING_EQUAL(d.protocol, "tlsv1.2");
	CU_ASSERT_STRING_EQUAL(d.key_exchange, "ecdhe_ecdsa");
	options.has_1_2 = false;
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, TLS1_2_VERSION, NULL), -EPROTO);
	CU_ASSERT_STRING_EQUAL(reason, "unsupported protocol");
	options.has_1_2 = true;
	options.has_1_3 = false;
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, 0, &d), 0);
	CU_ASSERT_STRING_EQUAL(d.protocol, "tlsv1.2");
}

/* A version without a suite is not spoken at all: the client gets the other one. */
static void ciphers_choose_the_version(void)
{
	const char *const of_1_2[] = {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"};
	const char *const of_1_3[] = {"TLS_CHACHA20_POLY1305_SHA256"};
	struct tls_options options = plain_options();
	struct tls_description d;

	options.ciphers = of_1_2;
	options.n_ciphers = 1;
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, 0, &d), 0);
	CU_ASSERT_STRING_EQUAL(d.protocol, "tlsv1.2");
	CU_ASSERT_STRING_EQUAL(d.cipher, "aes_256_cbc");
	CU_ASSERT_STRING_EQUAL(d.hash, "sha384");
	options.ciphers = of_1_3;
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, 0, &d), 0);
	CU_ASSERT_STRING_EQUAL(d.protocol, "tlsv1.3");
	CU_ASSERT_STRING_EQUAL(d.cipher, "chacha20_poly1305");
	CU_ASSERT_EQUAL(try_handshake(&options, NULL, TLS1_2_VERSION, NULL), -EPROTO);
}

static void clients_certificates_are_verified(void)
{
	struct tls_options options = strict_options();

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		options.demands_certificate = true;
		CU_ASSERT_EQUAL(try_handshake(&options, &client, version, NULL), 0);
		CU_ASSERT_EQUAL(try_handshake(&options, NULL, version, NULL), -EPROTO);
		CU_ASSERT_STRING_EQUAL(reason, "peer did not return a certificate");
		CU_ASSERT_EQUAL(try_handshake(&options, &stranger_client, version, NULL), -EPROTO);
		CU_ASSERT_STRING_EQUAL(reason, "unable to get local issuer certificate");
		options.demands_certificate = false;
		CU_ASSERT_EQUAL(try_handshake(&options, NULL, version, NULL), 0);
		CU_ASSERT_EQUAL(try_handshake(&options, &stranger_client, version, NULL), -EPROTO);
	}
}

/* The alert that says why is what the client reads. */
static void a_refused_certificate_gets_its_alert(void)
{
	struct tls_options options = strict_options();
	SSL_CTX *ctx = make_context(&options, NULL);
	struct peer peer = {.fd = -1};
	struct tls_session *session;
	char byte;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(&peer, fds[1], &stranger_client, TLS1_3_VERSION);
	session = tls_session_create(ctx, fds[0]);
	CU_ASSERT_EQUAL(shake_hands(&peer, session, reason), -EPROTO);
	ERR_clear_error();
	CU_ASSERT_TRUE(SSL_read(peer.ssl, &byte, 1) <= 0);
	CU_ASSERT_EQUAL(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_UNKNOWN_CA);
	tls_session_destroy(session);
	peer_close(&peer);
	(void)close(fds[0]);
	SSL_CTX_free(ctx);
}

static void the_certificate_is_known(void)
{
	struct tls_options options = strict_options();
	SSL_CTX *ctx = make_context(&options, NULL);
	struct peer peer = {.fd = -1};
	char name[TLS_NAME_MAX], validity[TLS_VALIDITY_MAX];
	unsigned char *der = NULL;
	struct tls_session *session;
	int fd, size = i2d_X509(client.x509, &der);

	session = connect_peer(&peer, ctx, &client, 0, &fd);
	CU_ASSERT_TRUE(size > 0 && slice_equal(tls_session_certificate(session),
					       slice_make(der, (size_t)size)));
	tls_session_print_subject(session, name);
	CU_ASSERT_STRING_EQUAL(name, "CN=client,O=Shunt\\, Inc");
	tls_session_print_issuer(session, name);
	CU_ASSERT_STRING_EQUAL(name, "CN=authority,O=Shunt\\, Inc");
	tls_session_print_validity(session, validity);
	CU_ASSERT_EQUAL(strlen(validity), strlen("2026-11-26T15:40:22Z - 2026-12-26T15:40:22Z"));
	OPENSSL_free(der);
	tls_session_destroy(session);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	(void)close(fd);
	SSL_CTX_free(ctx);
}

/* Cut anywhere, a client's first flight is no handshake and no disaster. */
static void a_handshake_is_cut_at_every_byte(void)
{
	struct tls_options options = plain_options();
	SSL_CTX *ctx = make_context(&options, NULL);
	unsigned char hello[2048];
	struct peer peer = {.fd = -1};
	ssize_t size;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(&peer, fds[1], NULL, 0);
	(void)SSL_do_handshake(peer.ssl);
	size = recv(fds[0], hello, sizeof(hello), 0);
	CU_ASSERT_TRUE_FATAL(size > 100);
	peer_close(&peer);
	(void)close(fds[0]);
	for (ssize_t cut = 0; cut < size; cut++) {
		struct tls_session *session;

		CU_ASSERT_EQUAL_FATAL(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
		session = tls_session_create(ctx, fds[0]);
		CU_ASSERT_EQUAL(send(fds[1], hello, (size_t)cut, 0), cut);
		CU_ASSERT_EQUAL(tls_session_accept(session, reason), -EAGAIN);
		(void)close(fds[1]);
		CU_ASSERT_EQUAL(tls_session_accept(session, reason), -EPROTO);
		CU_ASSERT_STRING_EQUAL(reason, "closed by the peer during the handshake");
		tls_session_destroy(session);
		(void)close(fds[0]);
	}
	SSL_CTX_free(ctx);
}

static void what_is_no_handshake_has_openssl_s_reason(void)
{
	static const struct {
		const char bytes[20], *reason;
	} inputs[] = {
		{"AMQP\0\0\x09\x01", "wrong version number"},
		{"GET / HTTP/1.0\r\n\r\n", "http request"},
		{"\x15\x03\x01\x00\x02\x02\x28", "unexpected message"},
	};
	struct tls_options options = plain_options();
	SSL_CTX *ctx = make_context(&options, NULL);

	for (size_t i = 0; i < 3; i++) {
		struct tls_session *session;
		int fds[2];

		CU_ASSERT_EQUAL_FATAL(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
		session = tls_session_create(ctx, fds[0]);
		CU_ASSERT_TRUE(send(fds[1], inputs[i].bytes, sizeof(inputs[i].bytes), 0) > 0);
		CU_ASSERT_EQUAL(tls_session_accept(session, reason), -EPROTO);
		CU_ASSERT_STRING_EQUAL(reason, inputs[i].reason);
		tls_session_destroy(session);
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	SSL_CTX_free(ctx);
}

/* ---- Sessions that come back ---- */

/* Connects with the ticket that the peer has, if it has one, and gets another. */
static bool comes_back(struct peer *peer, SSL_CTX *ctx, int version)
{
	struct tls_session *session;
	unsigned char *der = NULL;
	int fd, size = i2d_X509(client.x509, &der);
	bool is_resumed;
	char byte;

	session = connect_peer(peer, ctx, &client, version, &fd);
	is_resumed = tls_session_is_resumed(session);
	CU_ASSERT_TRUE(
		slice_equal(tls_session_certificate(session), slice_make(der, (size_t)size)));
	OPENSSL_free(der);
	(void)SSL_read(peer->ssl, &byte, 1); /* the tickets of TLS 1.3 */
	tls_session_destroy(session);
	peer_close(peer);
	(void)close(fd);
	return is_resumed;
}

static void tickets_survive_a_reload(void)
{
	struct tls_tickets *tickets = tls_tickets_create(3600 * 1000);
	struct tls_options options = strict_options();

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *first = make_context(&options, tickets);
		SSL_CTX *second = make_context(&options, tickets);
		struct peer peer = {.fd = -1};

		CU_ASSERT_FALSE(comes_back(&peer, first, version));
		CU_ASSERT_TRUE(comes_back(&peer, first, version));
		CU_ASSERT_TRUE(comes_back(&peer, second, version));
		SSL_SESSION_free(peer.session);
		SSL_CTX_free(first);
		SSL_CTX_free(second);
	}
	tls_tickets_destroy(tickets);
}

/* A certificate counts as verified where the same would be demanded of a new one. */
static void tickets_do_not_outlive_what_was_demanded(void)
{
	struct tls_tickets *tickets = tls_tickets_create(3600 * 1000);
	struct tls_tickets *others = tls_tickets_create(3600 * 1000);
	struct tls_options strict = strict_options(), less = strict_options();

	less.demands_certificate = false;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		SSL_CTX *before = make_context(&less, tickets);
		SSL_CTX *after = make_context(&strict, tickets);
		SSL_CTX *restarted = make_context(&strict, others);
		struct peer peer = {.fd = -1};

		CU_ASSERT_FALSE(comes_back(&peer, before, version));
		CU_ASSERT_FALSE(comes_back(&peer, after, version));
		CU_ASSERT_TRUE(comes_back(&peer, after, version));
		CU_ASSERT_FALSE(comes_back(&peer, restarted, version));
		SSL_SESSION_free(peer.session);
		SSL_CTX_free(before);
		SSL_CTX_free(after);
		SSL_CTX_free(restarted);
	}
	tls_tickets_destroy(tickets);
	tls_tickets_destroy(others);
}

/* Other authorities were trusted when it was verified. */
static void tickets_do_not_outlive_their_authorities(void)
{
	struct tls_tickets *tickets = tls_tickets_create(3600 * 1000);
	struct tls_options options = strict_options();
	SSL_CTX *before = make_context(&options, tickets), *after;
	struct peer peer = {.fd = -1};
	struct tls_session *session;
	int fds[2];

	options.authorities_file = stranger.file;
	after = make_context(&options, tickets);
	CU_ASSERT_FALSE(comes_back(&peer, before, 0));
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer.session);
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(&peer, fds[1], &client, 0);
	session = tls_session_create(after, fds[0]);
	CU_ASSERT_EQUAL(shake_hands(&peer, session, reason), -EPROTO);
	CU_ASSERT_STRING_EQUAL(reason, "self-signed certificate in certificate chain");
	tls_session_destroy(session);
	peer_close(&peer);
	SSL_SESSION_free(peer.session);
	(void)close(fds[0]);
	SSL_CTX_free(before);
	SSL_CTX_free(after);
	tls_tickets_destroy(tickets);
}

static void keys_of_tickets_grow_old(void)
{
	struct tls_tickets *tickets = tls_tickets_create(1);
	struct tls_options options = strict_options();
	SSL_CTX *ctx = make_context(&options, tickets);

	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct peer peer = {.fd = -1};
		uint64_t then;

		CU_ASSERT_FALSE(comes_back(&peer, ctx, version));
		then = clock_monotonic_ms();
		while (clock_monotonic_ms() < then + 3)
			;
		CU_ASSERT_FALSE(comes_back(&peer, ctx, version));
		SSL_SESSION_free(peer.session);
	}
	SSL_CTX_free(ctx);
	tls_tickets_destroy(tickets);
}

static void without_sessions_there_are_no_tickets(void)
{
	struct tls_tickets *tickets = tls_tickets_create(3600 * 1000);
	struct tls_options options = strict_options();
	SSL_CTX *ctx;

	options.has_sessions = false;
	ctx = make_context(&options, tickets);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct peer peer = {.fd = -1};

		CU_ASSERT_FALSE(comes_back(&peer, ctx, version));
		CU_ASSERT_FALSE(comes_back(&peer, ctx, version));
		SSL_SESSION_free(peer.session);
	}
	SSL_CTX_free(ctx);
	tls_tickets_destroy(tickets);
}

UNIT_MAIN("net/tls", UNIT_TEST(certificates_make), UNIT_TEST(files_that_are_wrong_are_named),
	  UNIT_TEST(demands_need_what_they_rest_on), UNIT_TEST(an_encrypted_key_needs_its_password),
	  UNIT_TEST(ciphers_are_checked_one_by_one), UNIT_TEST(versions_are_kept_to),
	  UNIT_TEST(ciphers_choose_the_version), UNIT_TEST(clients_certificates_are_verified),
	  UNIT_TEST(a_refused_certificate_gets_its_alert), UNIT_TEST(the_certificate_is_known),
	  UNIT_TEST(a_handshake_is_cut_at_every_byte),
	  UNIT_TEST(what_is_no_handshake_has_openssl_s_reason), UNIT_TEST(tickets_survive_a_reload),
	  UNIT_TEST(tickets_do_not_outlive_what_was_demanded),
	  UNIT_TEST(tickets_do_not_outlive_their_authorities), UNIT_TEST(keys_of_tickets_grow_old),
	  UNIT_TEST(without_sessions_there_are_no_tickets), UNIT_TEST(certificates_remove))
