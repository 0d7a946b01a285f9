/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_CONNECTION_H
#define KERNEL_CONN_CONNECTION_H

/*
 * A client's connection: handshake, channels, heartbeats, back pressure, close. Lives on one loop
 * at a time, which owns it and its channels. Created by conn_service_accept(); ends itself when its
 * transport is closed.
 */

#include <stdbool.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "amqp/error.h"
#include "amqp/frame.h"
#include "amqp/method.h"
#include "base/list.h"
#include "broker/barrier.h"
#include "conn/service.h"
#include "loop/loop.h"
#include "loop/slots.h"
#include "net/transport.h"

enum connection_state {
	CONNECTION_HEADER,   /* awaits the protocol header */
	CONNECTION_START_OK, /* connection.start is sent */
	CONNECTION_LOGIN,    /* the password is being checked */
	CONNECTION_TUNE_OK,
	CONNECTION_OPEN,
	CONNECTION_RUNNING,
	CONNECTION_CLOSING, /* connection.close is sent, all but close-ok is ignored */
	CONNECTION_CLOSED,  /* what is queued is flushed, nothing is read */
};

/* Why nothing is read from it; any one is enough. */
enum connection_pause {
	CONNECTION_PAUSE_LOGIN = 1 << 0,
	CONNECTION_PAUSE_INFLIGHT = 1
				    << 1, /* too many published bytes on their way to other loops */
	CONNECTION_PAUSE_BACKLOG = 1 << 2, /* too many bytes wait for a channel's answer */
	CONNECTION_PAUSE_OUTPUT = 1 << 3,  /* it does not take its answers */
	CONNECTION_PAUSE_ALARM = 1 << 4,   /* publishes while an alarm is set */
	CONNECTION_PAUSE_ENDING = 1 << 5,  /* it has said all */
	CONNECTION_PAUSE_MOVE = 1 << 6,	   /* it is to go to another loop */
};

/* Bounds of what a connection may hold, in bytes; a single message or frame always fits. */
#define CONNECTION_INFLIGHT_MAX (4u << 20)
#define CONNECTION_BACKLOG_MAX	(1u << 20)
#define CONNECTION_OUTPUT_MAX	(4u << 20)
#define CONNECTION_REPLIES_MAX                                                                     \
	(64u << 20) /* of output that waits: direct replies beyond it are dropped */

/* Which loop most of what it does is for; see conn/placement/placement.c. */
struct placement_vote {
	uint32_t loop;	/* the candidate */
	uint32_t lead;	/* of it before all others together */
	uint32_t total; /* votes since the count began */
	uint32_t messages;
	uint64_t began_ms, began_handled; /* what its loop had handled then */
};

/* What the client said it can do (client_properties.capabilities). */
struct connection_capabilities {
	bool authentication_failure_close, blocked, consumer_cancel_notify;
	/*
	 * It is py-amqp. kombu, on top of it, goes by our product's name, and takes every broker
	 * but RabbitMQ for one with the specification's basic.qos, where a changed prefetch holds
	 * for running consumers at once. A Celery worker needs that: it raises its prefetch for
	 * every task that it keeps for later, and would starve.
	 */
	bool expects_qos_at_once;
};

struct arrived;
struct decisions; /* conn/decisions.h */
struct move;	  /* conn/placement/move.c */
struct tls_session;

/* A client's connection. Its loop may change: conn/placement/move.h. */
struct connection {
	struct list link; /* conn_loop.connections */
	struct conn_service *service;
	struct conn_loop *home;
	struct transport *transport;
	const struct tls_session *tls; /* the transport's; NULL: it is plain */
	struct shunt_peer peer; /* whom the transport leads to, as plugins see it */
	struct actor_ref ref;
	uint64_t number; /* never used again; the owner of exclusive queues */
	enum connection_state state;
	unsigned paused; /* enum connection_pause */

	uint16_t channel_max, heartbeat_s;
	uint32_t frame_max;
	struct connection_capabilities capabilities;
	struct vhost *vhost;
	struct access_user *user;
	struct access_login *login;	  /* under way */
	struct decisions *decisions;	  /* what the user may; NULL: nothing is remembered */
	uint64_t access_forgotten;	  /* how often it was forgotten as its time was over */
	uint64_t access_until_ms; /* when it will be, by loop_now_ms(); 0: it has no such time */
	struct buffer *client_properties; /* raw table, for lists; NULL before start-ok */
	uint64_t connected_at_ms;	  /* wall clock */

	struct channel **channels; /* by number, n_slots of them; [0] is unused */
	unsigned n_slots, n_open;

	struct actor_ref *exclusive_queues;
	size_t n_exclusive, exclusive_capacity;
	struct exclusive_end *exclusive_end; /* while they go in steps; its own */

	uint64_t inflight_bytes; /* see publication.inflight_bytes */
	uint64_t backlog_bytes;	 /* waiting in channels */
	bool counts_for_user, counts_in_vhost; /* conn/entry/opening.h: it is given back */
	bool has_published;
	bool is_replaying; /* within connection_replay() */
	bool is_ending;	   /* connection.close came, and waits for channels */
	bool is_garbled;   /* its bytes were no frame: all that comes is discarded */
	bool is_broken;	 /* output was lost for want of memory: it ends as soon as the loop is free
			    to */
	bool is_held;	 /* counts in conn_service.n_held */
	bool is_blocked; /* connection.blocked was sent, if it understands that */

	struct loop_timer timer; /* handshake, then heartbeat, then closing */
	uint64_t resumed_at_ms;	 /* silence before it is ours */
	uint64_t heard_bytes;	 /* read by the last look at its silence */
	uint64_t close_deadline_ms;

	struct loop_task flush; /* at the turn's end: confirms and credits */
	struct list dirty;	/* struct channel.dirty: have confirms or credits to send */
	struct list indebted;	/* struct source.indebted: credit to give back */

	struct move *move;	    /* to another loop, under way; NULL: none */
	uint64_t stays_until_ms;    /* on this loop; by loop_now_ms() */
	unsigned n_sent_away;	    /* from full loops, with little time in between */
	struct loop_set told;	    /* conn/placement/move.h: move_note_letter() */
	unsigned n_fences;	    /* conn/placement/move.c: under way */
	struct placement_vote vote; /* conn/placement/placement.h */
};

/* It does not take its answers: nothing more is done for it until it has taken most of them. */
static inline bool connection_is_full(const struct connection *c)
{
	return c->state == CONNECTION_RUNNING &&
	       transport_queued(c->transport) > CONNECTION_OUTPUT_MAX;
}

/* Ends the connection with an exception: sends connection.close, ends all channels, ignores what
 * comes. */
void connection_fail(struct connection *c, const struct amqp_error *error);
/* The same, by who has logged why. */
void connection_fail_silently(struct connection *c, const struct amqp_error *error);

/* As above, by the server's own will (320): `text` is the reason. */
void connection_force(struct connection *c, const char *text, unsigned limit_ms);

/*
 * It was refused before it was open, and has been told so: its socket is closed in 3 s, as RabbitMQ
 * does, so that guessing is slow; at once if CONNECTION_HELD_MAX others are held already.
 */
#define CONNECTION_HELD_MAX 1000u
#define CONNECTION_HOLD_MS  3000u
void connection_hold(struct connection *c);

/* Takes it out of everything, closes its socket at once and retires it. */
void connection_destroy(struct connection *c);

/*
 * The client has asked for its end: ends all channels and exclusive queues, sends close-ok,
 * finishes. While channels wait for answers, or very many exclusive queues go in steps, it only
 * says so, in is_ending; then it is called again when an answer has come or they are gone.
 */
void connection_answer_close(struct connection *c);

/* Flushes what is queued, then closes the socket. */
void connection_finish(struct connection *c, unsigned linger_ms);

/* Output could not be queued. Safe within any callback: the connection ends by its timer. */
void connection_break(struct connection *c);

/* Whole frames that came before, and were kept. */
void connection_replay(struct connection *c, struct slice frames);

/* Sends a method. */
void connection_send(struct connection *c, uint16_t channel, const struct amqp_method *method);

/* conn/peer.c: the transport of one that is new, with who is at its other end. */
struct transport_handler;
void connection_open_transport(struct connection *c, const struct arrived *arrived,
			       const struct transport_handler *handler);

/* For lists. */
const char *connection_state_name(const struct connection *c);
/* "127.0.0.1:51022 -> 127.0.0.1:5672" */
#define CONNECTION_NAME_MAX 176
void connection_print_name(const struct connection *c, char ret_text[CONNECTION_NAME_MAX]);

#endif
