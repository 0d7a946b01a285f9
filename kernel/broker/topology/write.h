/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_WRITE_H
#define KERNEL_BROKER_TOPOLOGY_WRITE_H

/*
 * The inside of the topology, for those who change it: declare*.c, removal.c, exchange*.c,
 * binding.c, vhost.c, upgrade*.c, reaper.c.
 *
 * Between topology_write_begin and _end all loops' routing stands still: so nothing there that
 * takes long (200 us at most), no letters, no store, and of plugins only bind(), unbind(), bound(),
 * adopt(), and validate_binding() for a shadow.
 */

#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "broker/topology/dense.h"
#include "broker/topology/topology.h"
#include "loop/brlock.h"

#define TOPOLOGY_SLICE_US 120 /* after which a writer should leave, to be out before 200 us */

struct topology {
	struct brlock *lock;
	_Atomic uint64_t generation;
	struct map vhosts;	     /* struct vhost.node: those that can be found */
	struct list vhosts_in_order; /* struct vhost_home.in_order. Loop 0's, as the next two */
	uint64_t last_vhost_number;
	struct map vhost_homes; /* struct vhost_home.node: all, by name. Loop 0's */
	struct list types;	/* struct exchange_type.link; changed on loop 0 only */
	struct list typeless;	/* struct exchange.of_type: those whose type is not loaded */
	struct list upgrades;	/* struct upgrade.link */
	_Atomic unsigned n_trials;
	bool must_nudge; /* upgrades have something to do: told after the write side */
	struct dense exchanges, queues, bindings;
	uint64_t last_binding_id, last_exchange_number;
	unsigned n_loops;
	_Atomic uint32_t *queues_on; /* how many entries each loop's queues have; a hint for placing
					new ones */
};

void topology_write_begin(struct topology *topology);
void topology_write_end(struct topology *topology);

/* Inside either side: whatever has that name, pending and doomed ones too. */
struct exchange *topology_any_exchange(struct vhost *vhost, struct slice name);
struct queue_entry *topology_any_queue(struct vhost *vhost, struct slice name);

/*
 * Where to put a new queue that may be anywhere. connections_follow: those who use it go where it
 * is. Any loop; no lock needed.
 */
unsigned topology_place_queue(const struct topology *topology, unsigned own_loop,
			      bool connections_follow);

/*
 * The directory's entry for a new queue, of one reference. NULL when memory is out. Insert and
 * remove: write side; the reference stays. queue is where it is or will be.
 */
struct queue_entry *queue_entry_create(struct vhost *vhost, struct slice name,
				       struct slice arguments);
void queue_entry_insert(struct topology *topology, struct queue_entry *entry, unsigned loop);
void queue_entry_remove(struct topology *topology, struct queue_entry *entry);
void queue_entry_unref(struct queue_entry *entry);

#endif
