/* SPDX-License-Identifier: MIT */
#include "net/tls_session.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/account.h"
#include "base/mem.h"
#include "net/tls_state.h"

/* Of OpenSSL's memory while it is idle: measured, with and without a client's certificate. */
#define SESSION_BYTES (16 * 1024)

/* Records that bring nothing; a handshake has a few. */
#define ROUNDS_MAX 64

struct tls_session *tls_session_create(SSL_CTX *ctx, int fd)
{
	struct tls_session *s = mem_try_zalloc(sizeof(*s));

	if (!s)
		return NULL;
	account_add(ACCOUNT_CONNECTION, SESSION_BYTES);
	s->fd = fd;
	s->may_pend = true;
	s->ssl = SSL_new(ctx);
	if (s->ssl && tls_socket_attach(s) == 0)
		return s;
	ERR_clear_error();
	tls_session_destroy(s);
	return NULL;
}

void tls_session_destroy(struct tls_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	OPENSSL_free(s->certificate);
	account_add(ACCOUNT_CONNECTION, -(ptrdiff_t)SESSION_BYTES);
	mem_free(s);
}

static int fail(struct tls_session *s, const char *reason, char ret_reason[TLS_REASON_MAX])
{
	s->is_broken = true;
	ERR_clear_error();
	(void)snprintf(ret_reason, TLS_REASON_MAX, "%s", reason);
	return -EPROTO;
}

/*
 * A session that comes back has been verified when it began: that its certificate has ended since
 * is only seen here.
 */
static int keep_certificate(struct tls_session *s, char ret_reason[TLS_REASON_MAX])
{
	X509 *certificate = SSL_get0_peer_certificate(s->ssl);
	int size;

	if (!certificate || s->certificate)
		return 0;
	if (SSL_get_verify_result(s->ssl) != X509_V_OK)
		return fail(s, X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)),
			    ret_reason);
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
		return fail(s, "certificate has expired", ret_reason);
	size = i2d_X509(certificate, &s->certificate);
	if (size < 0)
		return fail(s, "out of memory", ret_reason);
	s->certificate_size = (size_t)size;
	return 0;
}

static int handshake_failed(struct tls_session *s, char ret_reason[TLS_REASON_MAX])
{
	long verified = SSL_get_verify_result(s->ssl);

	s->is_broken = true;
	if (s->is_at_end)
		return fail(s, "closed by the peer during the handshake", ret_reason);
	if (s->socket_error != 0)
		return fail(s, strerror(s->socket_error), ret_reason);
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return fail(s, X509_verify_cert_error_string(verified), ret_reason);
	tls_take_reason(ret_reason);
	return -EPROTO;
}

int tls_session_accept(struct tls_session *s, char ret_reason[TLS_REASON_MAX])
{
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		int r;

		ERR_clear_error();
		r = SSL_accept(s->ssl);
		if (r == 1)
			return keep_certificate(s, ret_reason);
		r = SSL_get_error(s->ssl, r);
		if (r == SSL_ERROR_WANT_WRITE)
			return -EINPROGRESS;
		if (r != SSL_ERROR_WANT_READ)
			return handshake_failed(s, ret_reason);
		if (s->is_dry)
			return -EAGAIN;
	}
	return fail(s, "too many records without a handshake", ret_reason);
}

struct slice tls_session_certificate(const struct tls_session *s)
{
	return slice_make(s->certificate, s->certificate_size);
}

bool tls_session_is_resumed(const struct tls_session *s)
{
	return SSL_session_reused(s->ssl) == 1;
}
