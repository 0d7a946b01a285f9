/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_LISTENER_H
#define KERNEL_NET_LISTENER_H

/*
 * Accepts TCP connections on one address, on the loop that created it. Spreading them over loops is
 * the caller's business. When descriptors or memory are out, accepting rests, and is tried again
 * after LISTENER_REST_MS or when the caller says that a connection has gone. Descriptors are out
 * already when only those are left that are not for connections (base/descriptors.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"
#include "net/address.h"

#define LISTENER_REST_MS 100
#define LISTENER_BATCH	 64 /* connections accepted in one turn */

struct listener;

struct listener_handler {
	const char *protocol; /* for lists: "amqp", "amqp/ssl" */
	/*
	 * A connection: a non-blocking, close-on-exec descriptor, which is the callee's from now
	 * on.
	 */
	void (*accepted)(void *context, int fd, const struct sockaddr_storage *peer);
	/*
	 * Accepting rests because of `error` (EMFILE, ENFILE, ENOMEM, ...), once for as long as
	 * that lasts; or (false, 0) goes on, which is known at the first connection accepted with
	 * room for another. May be NULL.
	 */
	void (*resting)(void *context, bool resting, int error);
	bool takes_all; /* descriptors, the last ones as well */
};

/*
 * Listens at `address`: "127.0.0.1:5672", "[::1]:5672", "::1:5672", "5672" (all addresses of IPv6
 * and IPv4); with port 0 the system chooses. The handler outlives the listener. Returns 0, -EINVAL
 * for what is no address, or the negative errno value of what failed (-EADDRINUSE, -EACCES,
 * -EADDRNOTAVAIL). Callbacks come from the loop.
 */
int listener_create(struct slice address, int backlog, const struct listener_handler *handler,
		    void *context, struct listener **ret_listener)
	__attribute__((warn_unused_result));
/* Stops listening. May be called in a callback. */
void listener_destroy(struct listener *l);

/* A descriptor has been closed, or memory freed: if accepting rests, it is tried now. */
void listener_resume(struct listener *l);
bool listener_is_resting(const struct listener *l);

const char *listener_protocol(const struct listener *l);
uint16_t listener_port(const struct listener *l);
/* Where it listens; the host is "::" or "0.0.0.0" for all addresses. */
const struct net_address *listener_address(const struct listener *l);

#endif
