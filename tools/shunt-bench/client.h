/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_CLIENT_H
#define TOOLS_SHUNT_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "amqp/method.h"
#include "base/buffer.h"
#include "base/compiler.h"
#include "options.h"
#include "parser.h"
#include "wire.h"

/* Where the broker is, and what TLS to it takes. */
struct target {
	struct ssl_ctx_st *tls; /* owned; NULL: plain */
	struct sockaddr_storage address;
	socklen_t size;
	int family;
};

enum client_state {
	CLIENT_STARTING, /* connecting, or before connection.start */
	CLIENT_TUNING,
	CLIENT_OPENING,
	CLIENT_OPENING_CHANNEL,
	CLIENT_READY,
	CLIENT_CLOSING, /* connection.close is sent */
	CLIENT_CLOSED,
};

#define CLIENT_CHANNEL	    1
#define CLIENT_ERROR_SIZE   400
#define CLIENT_BUFFER_SIZE  ((size_t)256 << 10) /* takes any method frame */
#define CLIENT_BUFFER_SMALL ((size_t)8 << 10)	/* enough to shake hands */

/*
 * A connection with one channel, on a non-blocking socket. Owned by one thread. Everything that may
 * fail returns a negative code and leaves a line in `error` that says what happened.
 */
struct client {
	struct wire wire;
	enum client_state state;
	const struct options *options;
	struct parser parser;
	struct buffer out; /* small things that wait to be sent */
	size_t out_sent;
	uint32_t frame_max;
	bool is_blocked; /* connection.blocked came last */
	char broker[64]; /* product and version */
	char error[CLIENT_ERROR_SIZE];
};

/* Looks the host up and loads what TLS takes. On failure `error` says why. target_fini() is due in
 * any case, when no connection is left. */
int target_init(struct target *target, const struct options *options,
		char error[CLIENT_ERROR_SIZE]) MUST_USE;
void target_fini(struct target *target);

/*
 * Begins to connect. `source`, unless 0, is a number by which connections to a loopback address are
 * spread over source addresses: thousands that have just ended keep their ports for a while, and
 * the search for a free one then costs more than all the rest. client_fini() is due in any case.
 */
int client_open(struct client *client, const struct options *options, const struct target *target,
		uint32_t source, size_t buffer_size) MUST_USE;
void client_fini(struct client *client);

/*
 * Goes on with the handshake, or with closing, as far as it goes without waiting. The state tells
 * how far it is; on READY, nothing has been read beyond it.
 */
int client_step(struct client *client) MUST_USE;

/* Steps until it is in `state`, waiting at most options->timeout_s. */
int client_await(struct client *client, enum client_state state) MUST_USE;

/* Opens and awaits READY. */
int client_connect(struct client *client, const struct options *options,
		   const struct target *target, size_t buffer_size) MUST_USE;

/* Sends connection.close; then step or await CLOSED. */
int client_begin_close(struct client *client) MUST_USE;

/* Both, if it is READY, whatever comes of it. */
void client_say_goodbye(struct client *client);

/* Puts a method on the channel into `out`. */
void client_put(struct client *client, uint16_t channel, const struct amqp_method *method);

/* Sends of `out` what the socket takes; 0 also when some is left. */
int client_flush(struct client *client) MUST_USE;
static inline bool client_is_flushed(const struct client *client)
{
	return client->out_sent == client->out.size;
}

/* Reads once. The count of bytes; 0: nothing there; *ret_asked (unless NULL) is what fitted. */
ssize_t client_receive(struct client *client, size_t *ret_asked) MUST_USE;

/* There may be more to receive, though the socket has nothing: it is worth another call. */
static inline bool client_has_more(const struct client *client)
{
	return wire_has_more(&client->wire);
}

/* Sends a method, waits for the answer `expected`. *ret borrows until the next receive. */
int client_call(struct client *client, const struct amqp_method *method, uint32_t expected,
		struct amqp_method *ret) MUST_USE;

/*
 * What to do about a method that nobody waited for. 0: it is taken care of; negative: the broker
 * closed the channel or the connection, or cancelled, and `error` gives its code and text.
 */
int client_take_method(struct client *client, struct slice payload) MUST_USE;

/* Notes the error; the connection is of no use from then on. Returns the code. */
int client_fail(struct client *client, int code, const char *format, ...) PRINTF_FORMAT(3, 4);
/* The same for something that makes no sense. */
int client_fail_parse(struct client *client);

#endif
