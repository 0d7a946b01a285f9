/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_BINDING_H
#define KERNEL_BROKER_TOPOLOGY_BINDING_H

/* Making and ending bindings: for those who change the topology. */

#include <stdbool.h>

#include "amqp/error.h"
#include "base/compiler.h"
#include "base/slice.h"
#include "broker/topology/topology.h"

struct binding_options {
	struct slice source, destination, routing_key, arguments; /* arguments are valid */
	bool destination_is_exchange;
};

/*
 * A binding that is nowhere yet, with its key and its view. A plain mem_free() ends it then. NULL
 * when memory is out, or a name is too long (which none from the wire is).
 */
struct binding *binding_create(const struct binding_options *options);

/* Inside either side: the one with the same key, in whatever state; NULL: none. */
struct binding *binding_find(struct vhost *vhost, const struct binding *like);

/*
 * Write side: enters it in the vhost, in the lists of its ends (of which it takes a reference
 * each), and in the source's instance, if it has one. On failure, of memory, nothing has happened.
 */
int binding_insert(struct topology *topology, struct binding *binding, struct exchange *source,
		   struct queue_entry *queue, struct exchange *exchange,
		   struct amqp_error *error) MUST_USE;

/*
 * Write side: dooms it, and takes it out of the lists of its ends, or puts it back there. An
 * instance that was made meanwhile has to be told of it, which fails when memory is out: then it
 * stays doomed.
 */
void binding_unlink(struct binding *binding);
int binding_relink(struct topology *topology, struct binding *binding) MUST_USE;

/* Write side: takes it out of the instances, the vhost and the lists. */
void binding_detach(struct topology *topology, struct binding *binding);

/*
 * Outside of the write side, after binding_detach(): gives back the references to its ends and
 * frees it; later, if an instance may know it that is being destroyed.
 */
void binding_release(struct binding *binding);

/* Tells the source's instance in that slot of it, if that does not know it. The read side
 * is enough, if nobody else changes the instance meanwhile. */
int binding_tell(struct binding *binding, unsigned slot, struct amqp_error *error) MUST_USE;

#endif
