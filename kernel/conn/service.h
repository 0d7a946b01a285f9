/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_SERVICE_H
#define KERNEL_CONN_SERVICE_H

/* What all connections share, and each loop's list of them. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "access/access.h"
#include "base/buffer.h"
#include "base/list.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "broker/router/router.h"
#include "conn/hooks/hooks.h"
#include "conn/entry/sasl.h"
#include "loop/task.h"

/* Where connections are: conn/placement/placement.h. */
enum placement {
	PLACEMENT_NEAR,	    /* they move to the loops of the queues that they use */
	PLACEMENT_FIXED,    /* they stay where they were accepted */
	PLACEMENT_RESTLESS, /* for tests: they move all the time */
};

struct channel;
struct connection;

/* From the configuration; texts are borrowed for the service's life. */
struct conn_settings {
	uint16_t channel_max; /* 0: no limit but the protocol's */
	uint16_t heartbeat_s; /* 0: none */
	uint32_t frame_max;   /* bytes, 0: no limit */
	uint32_t handshake_timeout_ms;
	uint32_t max_message_size; /* bytes */
	enum placement placement;
	unsigned move_limit_ms; /* 0: MOVE_LIMIT_MS of conn/move.h */
	const char *product, *version, *cluster_name;
	struct sasl_settings sasl;
	struct hooks *hooks; /* borrowed; NULL: there never are any */
};

/* Settles of one channel, one source and one outcome, gathered from consecutive acknowledgements.
 */
#define SETTLE_BATCH_MAX 256u
struct settle_batch {
	struct channel *channel; /* NULL: empty */
	uint32_t source;
	int outcome; /* enum queue_outcome */
	size_t count;
	uint64_t seqs[SETTLE_BATCH_MAX];
};

/* What a loop knows of how busy all are: conn/placement/placement.c. */
struct loop_load {
	uint64_t sampled_ms; /* 0: never */
	bool is_known;	     /* the shares hold for a time that has just passed */
	bool has_sent;	     /* a connection, since then */
	unsigned n_restless; /* for PLACEMENT_RESTLESS */
	uint64_t *busy_ns;   /* by loop, when it was sampled */
	uint32_t *permille;  /* of the time, by loop */
};

/* A loop's own part; only that loop touches it, but for what is atomic. */
struct conn_loop {
	_Alignas(128) struct list connections; /* struct connection.link, in no order */
	_Atomic uint64_t n_connections;
	struct conn_service *service;
	struct alarm_listener alarm;
	/* Bits of enum alarm as this loop was told: so what is blocked by it is also unblocked. */
	unsigned alarms;
	bool is_stopping;
	unsigned stop_limit_ms; /* for those that come while it stops */

	/* Publishes of one channel that have not been routed yet; empty between two data() calls.
	 */
	struct channel *publisher;
	size_t n_publications;
	struct publication publications[ROUTER_BATCH_MAX];

	struct settle_batch settles;
	struct loop_load load;
	struct list closings; /* struct closing_part.link: conn/closing.h */
	struct loop_task closing_sweep;
	unsigned n_exclusive_ends; /* conn/exclusive.c: queues that go in steps */
};

struct conn_service {
	struct broker *broker;
	struct access *access;
	struct conn_settings settings;
	struct hooks *hooks;		 /* never NULL */
	struct hooks no_hooks;		 /* if the settings name none */
	struct buffer server_properties; /* the table of connection.start, the same for all */
	unsigned n_loops;
	struct conn_loop *loops;
	_Atomic uint64_t next_number;
	_Atomic unsigned n_held; /* connections that were refused: connection_hold() */
	/* Called on the loop of a connection that is gone: a descriptor is free again. May be NULL.
	 */
	void (*connection_gone)(void *context);
	void *context;
};

/* broker and access are borrowed. Before the loops run. */
struct conn_service *conn_service_create(struct broker *broker, struct access *access,
					 const struct conn_settings *settings, unsigned n_loops);
/* After the loops have stopped and all connections are gone. */
void conn_service_destroy(struct conn_service *service);

/* The calling loop's part. */
struct conn_loop *conn_loop_self(struct conn_service *service);

/* Takes what has arrived (net/arrival.h); serves it on the calling loop. */
struct arrived;
void conn_service_take(struct conn_service *service, const struct arrived *arrived);
/* The same for an accepted socket, as it is. */
void conn_service_accept(struct conn_service *service, int fd);

/*
 * Sends connection.close 320 to all connections of the calling loop, and closes those that come
 * later. Those that have not answered after limit_ms are cut.
 */
void conn_service_shutdown(struct conn_service *service, unsigned limit_ms);

/* Closes a connection that came from another loop while this one was stopping. */
void conn_service_dismiss(struct connection *c);

/* Cuts all connections of the calling loop at once. */
void conn_service_cut(struct conn_service *service);

/*
 * The calling loop's connections with a number above `after`, by number, at most `limit` (1 to
 * CONN_SERVICE_LIST_MAX); returns the last number visited, or 0 when there are no more.
 */
#define CONN_SERVICE_LIST_MAX 64u
uint64_t conn_service_list(struct conn_service *service, uint64_t after, unsigned limit,
			   void (*visit)(void *context, const struct connection *connection),
			   void *context);

#endif
