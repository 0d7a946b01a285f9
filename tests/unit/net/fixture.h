/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_NET_FIXTURE_H
#define TESTS_UNIT_NET_FIXTURE_H

/* A transport on a loop of its own thread, with a plain descriptor as its peer. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/transport.h"

struct end {
	struct transport *t;
	int peer;     /* non-blocking */
	uint8_t *got; /* what data() has consumed */
	size_t n_got;
	size_t got_capacity;
	size_t (*consume)(struct end *end, struct slice bytes); /* NULL: all of it */
	void (*on_closed)(struct end *end);
	void (*on_drained)(struct end *end);
	unsigned n_data;
	unsigned n_closed;
	unsigned n_drained;
	size_t largest; /* that data() was called with */
	int error;
	bool is_closed;
	bool is_drained;
};

extern bool in_call; /* no handler may run then */
#define CALL(call)                                                                                 \
	do {                                                                                       \
		in_call = true;                                                                    \
		call;                                                                              \
		in_call = false;                                                                   \
	} while (0)

extern const struct transport_handler end_handler;

void loop_set(void);
void loop_clear(void);
/* A turn that does not block, n times. */
void turn(unsigned n);
/* Turns until *done, within a limit. */
void turn_until(const bool *done);

/* With a Unix socket pair, or over TCP on the loopback. */
void end_open(struct end *end);
void end_open_tcp(struct end *end);
/* Destroys what is left. */
void end_close(struct end *end);
void end_take(struct end *end, struct slice bytes); /* appends to got */

/* From the peer: as much as the socket takes; returns how much. */
size_t peer_send(struct end *end, const void *bytes, size_t size);
/* All of it, with turns between. */
void peer_send_all(struct end *end, const void *bytes, size_t size);
/* Reads what is there, at most size: -1 nothing, 0 the end. */
ssize_t peer_receive(struct end *end, void *bytes, size_t size);

/* A pattern in which a lost or displaced byte shows. */
void fill_pattern(uint8_t *bytes, size_t size, uint64_t position);
size_t count_wrong(const uint8_t *bytes, size_t size, uint64_t position);

#endif
