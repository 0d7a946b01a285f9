/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_WIRE_H
#define TOOLS_SHUNT_BENCH_WIRE_H

/* Bytes over a non-blocking socket, plain or in TLS. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "options.h"

struct ssl_st;
struct ssl_ctx_st;

#define WIRE_ERROR_SIZE 200

/* What all connections have in common. 0: it is there, NULL without --tls; negative: `error` says
 * why not. The caller's, for wire_context_free(). */
int wire_context_create(const struct options *options, struct ssl_ctx_st **ret_context,
			char error[WIRE_ERROR_SIZE]) MUST_USE;
void wire_context_free(struct ssl_ctx_st *context); /* NULL is fine */

/* An end of a connection. Plain if tls is NULL. */
struct wire {
	int fd; /* -1: none */
	struct ssl_st *tls;
};

/* TLS on the socket, which may still be connecting; shakes hands when there is something to send.
 * `host`: for whom the certificate must be, if it is verified. 0 or -ENOMEM. */
int wire_begin_tls(struct wire *wire, struct ssl_ctx_st *context,
		   const struct options *options) MUST_USE;
/* Closes it. */
void wire_end(struct wire *wire);

/*
 * Sends of the pieces what the socket takes, at least a byte: how many. -EAGAIN: it takes none now;
 * then the same bytes come again the next time, with others behind them if need be.
 */
ssize_t wire_send(const struct wire *wire, const struct iovec *pieces, size_t count) MUST_USE;

/* What is there, until the room is full: less means that there was no more. 0: the end. -EAGAIN:
 * nothing now. */
ssize_t wire_receive(const struct wire *wire, void *room, size_t size) MUST_USE;

/* Bytes may be here that the socket has given up, so that waiting for it may be in vain. */
bool wire_has_more(const struct wire *wire);
/* While hands are shaken: sending waits for the other end, not for room. */
bool wire_waits_to_receive(const struct wire *wire);

/* What the negative code means that this thread was given last. Valid until the next call. */
const char *wire_reason(const struct wire *wire, int error);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" without TLS. */
void wire_print_tls(const struct wire *wire, char *out, size_t size);

#endif
