/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_CLOSING_H
#define KERNEL_CONN_CLOSING_H

/*
 * Connections that are closed by the server's own will, wherever they are: those of a user or of a
 * vhost that is deleted, one that an operator names, or all of them. They get connection.close 320
 * with a reason, as with RabbitMQ.
 *
 * Asked and answered at home (loop 0). None is missed because it goes from one loop to another
 * meanwhile. Whoever opens a connection after the question is not meant: he is refused by what has
 * changed before it (no such user, no such vhost), or may stay.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "loop/mailbox.h"

struct conn_service;
struct connection;
struct closing_part; /* conn/closing.c */

/*
 * Filled by the asker, who keeps it, and what it points to, in place until done(), which is not
 * called inside the call. done() comes when all that were meant have ended: their channels,
 * consumers and exclusive queues are gone, their unacknowledged messages are on their way back,
 * nothing more is done for them. Their sockets are closed when the clients have answered, or 30 s
 * later.
 */
struct conn_closing {
	struct conn_service *service;
	/* Whom: all that is given must fit. Only connections that have logged in are meant. */
	uint64_t number;	  /* struct connection.number; 0: any */
	struct slice name;	  /* as lists show it; data NULL: any, also of the next two */
	struct slice user, vhost; /* names */
	const char *reason;	  /* what the client reads behind CONNECTION_FORCED - */
	uint64_t limit;		  /* so many at most; 0: all */
	unsigned delay_ms;	  /* between two of them; 0: at once */
	void (*done)(struct conn_closing *closing);
	void *context;
	/* answer */
	uint64_t n_closed;
	/* its own */
	_Atomic uint64_t n_left; /* may still be closed */
	unsigned phase, n_awaited;
	struct closing_part *parts; /* one for each loop */
};
void conn_close_matching(struct conn_closing *closing);

/* The same for all of a user, as he is deleted: "user 'x' is deleted". The name is copied. */
void conn_close_user(struct conn_service *service, struct slice user);

/* The same for all of a vhost, as it is deleted: "vhost 'x' is deleted". gone() may be NULL. */
void conn_close_vhost(struct conn_service *service, struct slice vhost, void (*gone)(void *context),
		      void *context);

/* ---- The connections' own ---- */

struct conn_loop;
void closing_init(struct conn_loop *home);
/* No exclusive queues of connections that have ended are left on the loop. */
void closing_note_exclusive(struct conn_loop *home);
/* The connection has come from another loop: it may be meant. */
void closing_note_arrival(struct connection *c);
/* The loop stops: nobody waits between two connections any more. */
void closing_hurry(struct conn_loop *home);

#endif
