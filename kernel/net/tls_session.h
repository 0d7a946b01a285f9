/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TLS_SESSION_H
#define KERNEL_NET_TLS_SESSION_H

/*
 * One TLS connection, of a server: first the handshake, on any thread, then the layer of a
 * transport. It belongs to one thread at a time; nothing ties it to a loop.
 */

#include <openssl/ssl.h>

#include "base/slice.h"
#include "net/tls.h"
#include "net/transport.h"

struct tls_session;

/* The connected, non-blocking socket stays the caller's. NULL: no memory. */
struct tls_session *tls_session_create(SSL_CTX *ctx, int fd);
/* Says nothing to the peer. Accepts NULL. */
void tls_session_destroy(struct tls_session *session);

/*
 * A step of the handshake, which may take some milliseconds. 0: done; -EAGAIN: when the socket is
 * readable; -EINPROGRESS: when it is writable; -EPROTO: it has failed, the peer has been told, as
 * far as its socket took that.
 */
int tls_session_accept(struct tls_session *session, char ret_reason[TLS_REASON_MAX])
	__attribute__((warn_unused_result));

/* The context is the session, after a handshake that is done; release destroys it. */
extern const struct transport_layer tls_layer;

/* ---- What is known after the handshake ---- */

/* The peer's certificate, verified, in DER; empty: none. For the session's life. */
struct slice tls_session_certificate(const struct tls_session *session);
/* Whether it went on from an earlier one. */
bool tls_session_is_resumed(const struct tls_session *session);

/* In RabbitMQ's words: "tlsv1.3", "any" (or "ecdhe_rsa"), "aes_256_gcm", "aead" (or "sha384"). */
struct tls_description {
	char protocol[16], key_exchange[32], cipher[32], hash[16];
};
void tls_session_describe(const struct tls_session *session, struct tls_description *ret);

/* "CN=client,O=Shunt" (RFC 4514), and "2026-11-26T15:40:22Z - 2026-12-26T15:40:22Z"; "" without a
 * certificate. */
#define TLS_NAME_MAX	 1024
#define TLS_VALIDITY_MAX 64
void tls_session_print_subject(const struct tls_session *session, char ret_text[TLS_NAME_MAX]);
void tls_session_print_issuer(const struct tls_session *session, char ret_text[TLS_NAME_MAX]);
void tls_session_print_validity(const struct tls_session *session, char ret_text[TLS_VALIDITY_MAX]);

#endif
