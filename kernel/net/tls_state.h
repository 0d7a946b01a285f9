/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TLS_STATE_H
#define KERNEL_NET_TLS_STATE_H

/*
 * The inside of a TLS session, shared by the files that make it: tls_session.c (life and
 * handshake), tls_socket.c (below OpenSSL), tls_layer.c (above it), tls_describe.c. Nobody else
 * includes it.
 */

#include <stdbool.h>

#include "net/tls_session.h"

struct tls_session {
	SSL *ssl;
	int fd;
	int socket_error;	 /* of the last call; 0: none, or it was to be tried again */
	bool is_dry;		 /* the socket has no more bytes for now */
	bool is_at_end;		 /* the peer has closed the socket */
	bool is_last;		 /* what is written now is followed by the end */
	bool is_broken;		 /* OpenSSL has given up: it must not be asked again */
	bool may_pend;		 /* the last read did not take all that there may be */
	unsigned n_empty_rounds; /* since the last bytes: tls_layer.c */
	int end;		 /* negative errno, or 0: how reading ended ... */
	bool has_ended;		 /* ... which the next read says */
	size_t retry; /* bytes of a record that the socket did not take: they come again */
	size_t certificate_size;
	unsigned char *certificate; /* DER, OpenSSL's memory */
};

/* Reads and writes the session's socket for its SSL. -1: no memory. */
int tls_socket_attach(struct tls_session *session) __attribute__((warn_unused_result));

#endif
