/* SPDX-License-Identifier: MIT */
#include "tls_fixture.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_session.h"

#include "../unit.h"

struct certificate authority, stranger, server, client, stranger_client;
char encrypted_key[64], not_pem[64];

static char folder[] = "/tmp/shunt-unit-tls-XXXXXX";

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	CU_ASSERT_PTR_NOT_NULL_FATAL(extension);
	CU_ASSERT_EQUAL_FATAL(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void write_pem(struct certificate *certificate, const char *name)
{
	FILE *file;

	(void)snprintf(certificate->file, sizeof(certificate->file), "%s/%s.pem", folder, name);
	file = fopen(certificate->file, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(PEM_write_X509(file, certificate->x509), 1);
	CU_ASSERT_EQUAL(PEM_write_PrivateKey(file, certificate->key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(file);
}

/* by == NULL: by itself, an authority. */
static void make(struct certificate *certificate, const char *name, const struct certificate *by)
{
	static long serial = 1;
	X509 *x509 = X509_new();
	X509_NAME *subject = X509_get_subject_name(x509);
	const struct certificate *issuer = by ? by : certificate;

	certificate->key = EVP_EC_gen("P-256");
	certificate->x509 = x509;
	CU_ASSERT_PTR_NOT_NULL_FATAL(certificate->key);
	(void)X509_set_version(x509, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x509), serial++);
	(void)X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
	(void)X509_gmtime_adj(X509_getm_notAfter(x509), 3600L * 24);
	(void)X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
					 (const unsigned char *)"Shunt, Inc", -1, -1, 0);
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
					 -1, -1, 0);
	(void)X509_set_issuer_name(x509, X509_get_subject_name(issuer->x509));
	(void)X509_set_pubkey(x509, certificate->key);
	add_extension(x509, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
	CU_ASSERT_TRUE_FATAL(X509_sign(x509, issuer->key, EVP_sha256()) > 0);
	write_pem(certificate, name);
}

void certificates_make(void)
{
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	make(&authority, "authority", NULL);
	make(&stranger, "stranger", NULL);
	make(&server, "server", &authority);
	make(&client, "client", &authority);
	make(&stranger_client, "stranger_client", &stranger);
	(void)snprintf(encrypted_key, sizeof(encrypted_key), "%s/encrypted.key", folder);
	file = fopen(encrypted_key, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(PEM_write_PKCS8PrivateKey(file, server.key, EVP_aes_128_cbc(), "secret", 6,
						  NULL, NULL),
			1);
	(void)fclose(file);
	(void)snprintf(not_pem, sizeof(not_pem), "%s/not.pem", folder);
	file = fopen(not_pem, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	(void)fputs("this is no certificate\n", file);
	(void)fclose(file);
}

static void drop(struct certificate *certificate)
{
	X509_free(certificate->x509);
	EVP_PKEY_free(certificate->key);
	(void)unlink(certificate->file);
}

void certificates_remove(void)
{
	drop(&authority);
	drop(&stranger);
	drop(&server);
	drop(&client);
	drop(&stranger_client);
	(void)unlink(encrypted_key);
	(void)unlink(not_pem);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

struct tls_options plain_options(void)
{
	return (struct tls_options){
		.certificate_file = server.file,
		.depth = 10,
		.has_1_2 = true,
		.has_1_3 = true,
		.has_sessions = true,
	};
}

struct tls_options strict_options(void)
{
	struct tls_options options = plain_options();

	options.authorities_file = authority.file;
	options.verifies_peer = true;
	options.demands_certificate = true;
	return options;
}

SSL_CTX *make_context(const struct tls_options *options, struct tls_tickets *tickets)
{
	struct tls_failure failure = {.text = ""};
	SSL_CTX *ctx = NULL;

	CU_ASSERT_EQUAL(tls_context_create(options, tickets, &failure, &ctx), 0);
	CU_ASSERT_STRING_EQUAL(failure.text, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(ctx);
	return ctx;
}

/* ---- The client ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct peer *peer = SSL_get_app_data(ssl);

	SSL_SESSION_free(peer->session);
	peer->session = session;
	return 1;
}

void peer_open(struct peer *peer, int fd, const struct certificate *who, int version)
{
	SSL_SESSION *session = peer->session;

	*peer = (struct peer){
		.ctx = SSL_CTX_new(TLS_client_method()), .fd = fd, .session = session};
	CU_ASSERT_EQUAL(SSL_CTX_load_verify_file(peer->ctx, authority.file), 1);
	SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_session_cache_mode(peer->ctx,
					     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(peer->ctx, keep_session);
	(void)SSL_CTX_set_min_proto_version(peer->ctx, version);
	(void)SSL_CTX_set_max_proto_version(peer->ctx, version);
	(void)SSL_CTX_set_mode(peer->ctx,
			       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (who) {
		CU_ASSERT_EQUAL(SSL_CTX_use_certificate(peer->ctx, who->x509), 1);
		CU_ASSERT_EQUAL(SSL_CTX_use_PrivateKey(peer->ctx, who->key), 1);
	}
	peer->ssl = SSL_new(peer->ctx);
	(void)SSL_set_app_data(peer->ssl, peer);
	(void)SSL_set_fd(peer->ssl, fd);
	if (session)
		CU_ASSERT_EQUAL(SSL_set_session(peer->ssl, session), 1);
	SSL_set_connect_state(peer->ssl);
}

void peer_close(struct peer *peer)
{
	/* or its session would count as a broken one, which does not come back */
	if (peer->ssl)
		SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->ctx);
	if (peer->fd >= 0)
		(void)close(peer->fd);
	peer->ssl = NULL;
	peer->ctx = NULL;
	peer->fd = -1;
	ERR_clear_error();
}

/* The client's step: 0 done, 1 more, -1 failed. */
static int peer_step(struct peer *peer)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(peer->ssl);
	if (r == 1)
		return 0;
	error = SSL_get_error(peer->ssl, r);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 1 : -1;
}

int shake_hands(struct peer *peer, struct tls_session *session, char ret_reason[TLS_REASON_MAX])
{
	for (unsigned i = 0; i < 100; i++) {
		int theirs = peer_step(peer);
		int ours = tls_session_accept(session, ret_reason);

		if (ours == 0 && theirs == 0)
			return 0;
		if (ours != 0 && ours != -EAGAIN && ours != -EINPROGRESS)
			return ours;
		if (theirs < 0)
			return -ECONNABORTED;
	}
	return -ETIMEDOUT;
}

struct tls_session *connect_peer(struct peer *peer, SSL_CTX *ctx, const struct certificate *who,
				 int version, int *ret_fd)
{
	char reason[TLS_REASON_MAX] = "";
	struct tls_session *session;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer_open(peer, fds[1], who, version);
	session = tls_session_create(ctx, fds[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(session);
	CU_ASSERT_EQUAL(shake_hands(peer, session, reason), 0);
	CU_ASSERT_STRING_EQUAL(reason, "");
	*ret_fd = fds[0];
	return session;
}
