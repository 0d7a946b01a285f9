/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_ARRIVAL_STATE_H
#define KERNEL_NET_ARRIVAL_STATE_H

/*
 * The inside of an arrival, shared by the files that make it: arrival.c (its way, and handshakes)
 * and arrival_header.c (the PROXY header). Nobody else includes it.
 */

#include <event2/event_struct.h>

#include "base/list.h"
#include "loop/loop.h"
#include "loop/workers.h"
#include "net/arrival.h"
#include "net/proxy.h"
#include "net/tls.h"

enum arrival_state {
	ARRIVAL_HEADER, /* reads the PROXY header */
	ARRIVAL_SKIP,	/* and what it has behind the addresses */
	ARRIVAL_HELLO,	/* waits for the first byte of a handshake */
	ARRIVAL_SHAKE,	/* waits for more */
	ARRIVAL_QUEUED, /* for a worker */
	ARRIVAL_WORKED, /* a worker has it */
	ARRIVAL_LINGER, /* has failed */
};

/* While its header is being read. */
struct arrival_header {
	size_t size;
	uint8_t bytes[PROXY_LOOK_MAX];
};

struct arrivals_loop {
	_Alignas(128) struct list waiting; /* for their sockets; the longest time first */
	struct list shaking;		   /* the same, in the midst of a handshake */
	struct list queued;		   /* for a worker */
	unsigned n, n_shaking, n_worked;
	bool is_cut;
};

struct arrivals {
	struct arrivals_config config;
	struct arrivals_loop *loops;
};

struct arrival {
	struct work work; /* first */
	struct list link; /* arrivals_loop.waiting, .shaking or .queued */
	struct arrivals *arrivals;
	struct arrivals_loop *home;
	enum arrival_state state;
	bool is_doomed; /* goes when it comes back */
	bool is_header_read;
	struct arrived made;
	struct arrival_header *header;
	size_t to_skip;
	SSL_CTX *ctx; /* NULL: no TLS */
	struct event event;
	struct loop_timer limit;
	int result; /* of the step */
	char reason[TLS_REASON_MAX];
};

/* arrival.c. All but has_come are the last that is done with it. */

/* Waits for the socket in the new state; `what` is EV_READ or EV_WRITE. */
void arrival_wait_for(struct arrival *a, enum arrival_state state, short what);
/* It has all it needs. */
void arrival_finish(struct arrival *a);
/* It ends with a word, or without one. */
void arrival_fail(struct arrival *a, const char *reason);
void arrival_end(struct arrival *a);
/* By what recv(2) gave: 1: something has come; 0: later; -1: it has ended, and is gone. */
int arrival_has_come(struct arrival *a, ssize_t n);
struct net_address arrival_socket_peer(int fd);
struct net_address arrival_socket_local(int fd);

/* arrival_header.c: the socket has bytes, in ARRIVAL_HEADER or ARRIVAL_SKIP. */
void arrival_read_header(struct arrival *a);
void arrival_skip_header(struct arrival *a);

#endif
