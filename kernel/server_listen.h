/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_LISTEN_H
#define KERNEL_SERVER_LISTEN_H

/* The server's listeners, and the way from there to a connection: PROXY header, TLS handshake. Part
 * of struct server; on loop 0, but for what says otherwise. */

#include "base/compiler.h"
#include "config.h"
#include "net/arrival.h"
#include "net/listener.h"
#include "server.h"

struct server_listen {
	struct listener *listeners[CONFIG_LISTENERS_MAX];
	struct conn_service *connections;
	struct workers *workers; /* for handshakes; NULL: no listener of TLS */
	struct tls_tickets *tickets;
	SSL_CTX *tls; /* for connections that come from now on; NULL: there is no certificate */
	struct net_range *proxies; /* that are trusted */
	struct arrivals_config arrivals_config;
	struct arrivals *arrivals;
	unsigned next_loop;
	bool has_alert_log; /* constant while loops run */
};

/* Reads the certificates, and what belongs to them. Needs no loop. Logs what is wrong. */
enum server_status server_listen_prepare(struct server_listen *listen,
					 const struct config *config) MUST_USE;
/* Listens. The configuration and the connections outlive it. */
enum server_status server_listen_start(struct server_listen *listen, const struct config *config,
				       struct conn_service *connections) MUST_USE;

/*
 * Reads the certificates anew, for the connections that come from now on. 0, or -1 with what is
 * wrong; then all is as it was.
 */
int server_listen_reload(struct server_listen *listen, const struct config *fresh, char *ret_reason,
			 size_t size) MUST_USE;

/* A descriptor is free again. `context` is the server_listen. Any loop. */
void server_listen_again(void *context);

/* No more connections. */
void server_listen_stop(struct server_listen *listen);
/* What is on its way to a connection ends, on the calling loop. */
void server_listen_cut(struct server_listen *listen);
/* Waits for the workers; the loops have stopped, and all of them were cut. */
void server_listen_end(struct server_listen *listen);
/* After the connections. The pool of loops still exists. */
void server_listen_fini(struct server_listen *listen);

#endif
