/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_WISHES_H
#define TESTS_FUZZ_WISHES_H

/* Taking away what an input has declared, by requests of ours: first all are collected. */

#include <stdbool.h>

#include "broker/broker.h"
#include "broker/topology/topology.h"

void wishes_use(struct broker *broker, struct vhost *vhost);

/* Of the loop in whose name it is called: each of its queues goes. */
void wishes_queues_here(void *unused);
/* Exchanges, and bindings between those that stay, whose number is returned. */
void wishes_topology(unsigned *ret_standard);

/* Makes the requests, and turns the loops until all is done. */
void wishes_fulfil(void);
bool wishes_are_left(void);

#endif
