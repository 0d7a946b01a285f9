/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_NET_WRITING_H
#define TESTS_UNIT_NET_WRITING_H

/* What a transport writes to its peer: one long pattern, by each of the ways to write. */

#include <stddef.h>
#include <stdint.h>

#include "fixture.h"

#define KIB ((size_t)1024)

extern uint64_t written, received; /* positions in the pattern */
extern unsigned n_released;	   /* of the shared bodies */

/* A loop with a connection on which nothing has been written; and its end. */
void set(struct end *end);
void set_tcp(struct end *end);
void clear(struct end *end);

void write_reserved(struct end *end, size_t size);
void write_copied(struct end *end, size_t size);
void write_shared(struct end *end, size_t size);
/* More than the socket takes. */
void fill_up(struct end *end);
/* Reads at the peer; returns the number of bytes that were not as they should be. */
size_t receive(struct end *end, size_t max);

/* For a handler: destroys the transport, and then writes as somebody who does not know of it. */
void destroy_when_called(struct end *end);

#endif
