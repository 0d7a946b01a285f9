/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TLS_H
#define KERNEL_NET_TLS_H

/*
 * What a TLS server shows and demands: certificate, key, authorities, versions, ciphers. A context
 * is made of it once and then only read, by all threads; one that takes its place is made anew.
 */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/tls_tickets.h"

/* What options a failure is about. */
enum tls_part {
	TLS_PART_CERTIFICATE,
	TLS_PART_KEY,
	TLS_PART_AUTHORITIES,
	TLS_PART_DH,
	TLS_PART_VERIFY,
	TLS_PART_VERSIONS,
	TLS_PART_CIPHERS,
	TLS_PART_COUNT,
};

/* Borrowed for the call. Files are in PEM. */
struct tls_options {
	const char *certificate_file; /* and the chain behind it */
	const char *key_file;	      /* NULL: in certificate_file */
	const char *password;	      /* of the key; NULL: none */
	const char *authorities_file; /* NULL: none */
	const char *dh_file;	      /* parameters; NULL: OpenSSL chooses them */
	bool verifies_peer;	      /* asks for a certificate, and refuses a wrong one */
	bool demands_certificate;     /* and none at all */
	unsigned depth;		      /* of certificates between the peer's and an authority's */
	bool has_1_2, has_1_3;
	const char *const *ciphers; /* names as OpenSSL or the RFCs have them; of both versions */
	size_t n_ciphers;	    /* 0: OpenSSL's choice */
	bool prefers_own_order;
	bool has_sessions; /* clients may come back with a ticket */
};

struct tls_failure {
	enum tls_part part;
	char text[256]; /* with the file's name */
};

/*
 * Reads all files. 0, or -1 with what is wrong. The tickets outlive the context; NULL: none are
 * given. Counted: connections hold it.
 */
int tls_context_create(const struct tls_options *options, struct tls_tickets *tickets,
		       struct tls_failure *ret_failure, SSL_CTX **ret_context)
	__attribute__((warn_unused_result));

/* The first of OpenSSL's errors on this thread, as a text. Clears them. */
#define TLS_REASON_MAX 128
void tls_take_reason(char ret_reason[TLS_REASON_MAX]);

#endif
