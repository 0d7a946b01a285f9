/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_ARRIVAL_H
#define KERNEL_NET_ARRIVAL_H

/*
 * Accepted connections on their way to where they are served: the PROXY header is read first, where
 * one is expected, and then the TLS handshake is done. Each waits on the loop to which it was
 * added; steps of handshakes run on workers, so that none holds up the loop.
 *
 * One that says nothing costs its descriptor and some hundred bytes, for timeout_ms. On each loop
 * at most `max` are under way: for one more, the one that has been silent for the longest
 * time goes.
 */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"
#include "net/range.h"

struct tls_session;
struct workers;

/* Of one loop, with the workers at the same time; the others wait on the loop. */
#define ARRIVALS_STEPS_MAX 4u

/* One that has arrived. All of it is the receiver's: it serves it, or discards it. */
struct arrived {
	int fd;
	struct tls_session *tls;	/* the handshake is done; NULL: no TLS */
	bool has_addresses;		/* those that a proxy has given, not the socket's */
	struct net_address peer, local; /* if so */
};
void arrived_discard(const struct arrived *arrived);

struct arrivals_handler {
	/* On the loop that it was added to. */
	void (*arrived)(void *context, const struct arrived *arrived);
	/*
	 * It does not arrive: `what` ("TLS handshake failed"), and why. Its peer is the proxy as
	 * long as that has not said otherwise.
	 */
	void (*failed)(void *context, const struct net_address *peer, const char *what,
		       const char *reason);
	/* A descriptor is free again. */
	void (*gone)(void *context);
};

/* Borrowed, with what it points to, for the life of the arrivals. */
struct arrivals_config {
	const struct arrivals_handler *handler;
	void *context;
	struct workers *workers; /* NULL: TLS is never asked for */
	unsigned timeout_ms;
	unsigned max;	    /* on each loop; a quarter of them in the midst of a handshake */
	bool expects_proxy; /* a header, from one of the trusted; others are turned away */
	const struct net_range *trusted;
	size_t n_trusted;
};

struct arrivals;

/* The pool of loops exists. */
struct arrivals *arrivals_create(const struct arrivals_config *config);
/* After all loops' were cut, and the workers have ended. Accepts NULL. */
void arrivals_destroy(struct arrivals *arrivals);

/* The socket, and the reference to the context (NULL: no TLS), are taken over. */
void arrivals_add(struct arrivals *arrivals, int fd, SSL_CTX *tls_take);

/* Ends all of the calling loop, but what workers have, which goes when it comes back; and those
 * that are added from now on. */
void arrivals_cut(struct arrivals *arrivals);

/* Of the calling loop: those under way. */
unsigned arrivals_count(const struct arrivals *arrivals);

#endif
