/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_NET_TLS_FIXTURE_H
#define TESTS_UNIT_NET_TLS_FIXTURE_H

/* Certificates in files of a folder of the test's own, and a client of OpenSSL's. */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

struct certificate {
	EVP_PKEY *key;
	X509 *x509;
	char file[64]; /* with its key */
};

extern struct certificate authority, stranger, server, client, stranger_client;
extern char encrypted_key[64]; /* the server's; the password is "secret" */
extern char not_pem[64];       /* a file with something else in it */

void certificates_make(void);
void certificates_remove(void);

/* The server's certificate, no demands on clients. */
struct tls_options plain_options(void);
/* And a client must have one. */
struct tls_options strict_options(void);
SSL_CTX *make_context(const struct tls_options *options, struct tls_tickets *tickets);

/* The other end: non-blocking, driven by the test. */
struct peer {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	SSL_SESSION *session; /* the last ticket it got; the test's */
};

/* who: the client's certificate, or NULL. version: 0 for any. */
void peer_open(struct peer *peer, int fd, const struct certificate *who, int version);
/* Closes the socket, too, unless it is -1. */
void peer_close(struct peer *peer);

/* Steps of both ends in turn until both are done or one has failed; 0 if both are done. */
struct tls_session;
int shake_hands(struct peer *peer, struct tls_session *session, char ret_reason[TLS_REASON_MAX]);
/* A socket pair, and the handshake on it; the server's socket is *ret_fd. */
struct tls_session *connect_peer(struct peer *peer, SSL_CTX *ctx, const struct certificate *who,
				 int version, int *ret_fd);

#endif
