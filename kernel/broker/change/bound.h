/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_BOUND_H
#define KERNEL_BROKER_CHANGE_BOUND_H

/*
 * An exchange type is told that a binding is in force, and may send messages to its destination
 * (shunt_exchange_type.bound). What it sends is gathered in the write side, and delivered outside
 * of it, in steps; who asked for the binding hears of it when all has arrived.
 */

#include "broker/change/declare_steps.h"

struct binding;

/* Write side: the binding of the request has just come into force. */
void bound_begin(struct declare_request *request, struct binding *binding);

/* Outside of it, afterwards: delivers, and finishes the request. */
void bound_end(struct declare_request *request);

/* The request, which has sends, has come to the loop to which it went with bound_end(). */
void bound_go_on(struct declare_request *request);

#endif
