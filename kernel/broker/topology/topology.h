/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_TOPOLOGY_TOPOLOGY_H
#define KERNEL_BROKER_TOPOLOGY_TOPOLOGY_H

/*
 * The shared topology: vhosts, exchanges, bindings and the queue directory, under one big-reader
 * lock (loop/brlock.h).
 *
 * Read side: topology_read_begin/end around every look at what is below, on a loop's thread; short
 * (at most 64 messages or 100 us), never around a hook, a letter or I/O. Pointers to exchanges,
 * entries and bindings are valid inside it only, except that a queue's own loop may keep its entry
 * as long as the queue lives. Write side: inside the functions of declare.h only.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <shunt/plugin.h>

#include "base/list.h"
#include "base/map.h"
#include "base/slice.h"
#include "broker/topology/turns.h"
#include "loop/grace.h"
#include "loop/slots.h"

struct topology;
struct removal;
struct vhost_home;    /* broker/vhost/state.h */
struct exchange_type; /* broker/topology/exchange_type.h: a registered type */
struct shadow;	      /* broker/upgrade/state.h: an instance that is made beside the present one */

/*
 * Counted (broker/vhost/vhost.h): its exchanges and queue entries hold it, and who keeps the pointer for
 * longer than the turn in which it was found.
 */
struct vhost {
	struct map_node node; /* topology.vhosts, by name */
	char *name;
	struct map exchanges; /* struct exchange.node */
	struct map queues;    /* struct queue_entry.node */
	struct map bindings;  /* struct binding.node */
	_Atomic uint32_t refs;
	_Atomic bool is_doomed;	       /* being deleted; set in the write side */
	_Atomic int64_t n_connections; /* as they are counted for their limit */
	_Atomic int64_t max_connections;
	int64_t max_queues;	 /* changed in the write side, as is_doomed is */
	struct vhost_home *home; /* loop 0's: broker/vhost/state.h */
	struct loop_grace grace; /* after which nobody finds it any more who does not hold it */
};

/* What create() of a type made for an exchange. */
struct exchange_instance {
	struct exchange_type *type; /* NULL: there is none */
	void *state;
	uint32_t serial; /* counts the exchange's instances, from 1 on */
};

/* An exchange. The default exchange ('') is one too, without a type: it is the queue directory. */
struct exchange {
	struct map_node node; /* vhost.exchanges, by name */
	struct vhost *vhost;
	uint32_t index; /* dense, reused: marks of routing are kept by it */
	/* For answers that are remembered (broker/router/answers.h): no other exchange has had this
	 * number; and the number of what the instance that routes has been told. */
	uint64_t number, knowledge;
	bool durable, auto_delete, internal;
	bool pending;		/* declared, but not on disk yet: not visible */
	bool doomed;		/* being deleted: skip it */
	_Atomic uint32_t refs;	/* its place in the vhost, and every binding from or to it */
	struct slice arguments; /* raw table, owned */
	char *type_name;
	struct exchange_type *type; /* those of instances[active]; NULL: not loaded */
	void *instance;
	/* Set while a share of the messages is routed by the shadow, too (broker/upgrade/trial.h). */
	_Atomic(struct shadow *) tried;
	/* The one that routes, and one that is being made to take its place. */
	struct exchange_instance instances[2];
	unsigned active;
	uint32_t last_serial;
	struct shadow *shadow; /* of the other one; NULL: there is none */
	struct list of_type;   /* struct exchange_type.exchanges, or topology.typeless */
	/* Bindings that have gone, but that an instance which is being destroyed may know. */
	struct list limbo;	    /* struct binding.from_source */
	uint32_t n_dying;	    /* such instances */
	struct slice alternate;	    /* alternate exchange's name, owned; empty: none */
	struct shunt_exchange view; /* what the plugin sees */
	struct list outgoing;	    /* struct binding.from_source */
	struct list incoming;	    /* struct binding.to_destination */
	uint64_t n_outgoing;
	struct turns turns;
	struct list removed; /* struct removal.exchanges */
};

/* The directory's entry of a queue. */
struct queue_entry {
	struct map_node node; /* vhost.queues, by name */
	struct vhost *vhost;
	struct actor_ref queue;
	uint64_t id;
	uint32_t index; /* dense, reused */
	bool durable, auto_delete;
	bool pending;		/* declared, but not on disk yet: not visible */
	bool doomed;		/* being deleted: skip it */
	uint64_t owner;		/* connection number of the exclusive owner; 0: none */
	_Atomic uint32_t refs;	/* its place in the vhost, and every binding to it */
	struct slice arguments; /* raw table, owned */
	struct list incoming;	/* struct binding.to_destination */
	struct turns turns;
	struct removal *removal; /* by which it is doomed */
};

/*
 * A binding. Its key in the map holds source, destination, routing key and arguments (sorted by
 * name, so that two tables with the same entries are one binding); the slices of the view lie in
 * it.
 */
struct binding {
	struct shunt_binding view; /* what the plugin sees */
	struct map_node node;	   /* vhost.bindings */
	struct list from_source;
	struct list to_destination;
	struct exchange *source;
	struct queue_entry *queue; /* one of the two */
	struct exchange *exchange;
	/* Of each of the source's instances, which knows the binding if the serial is its own. */
	void *cookies[2];
	uint32_t serials[2];
	uint32_t index;		 /* dense, reused */
	_Atomic uint8_t holders; /* who has it, and the source's limbo: the last one frees it */
	bool durable;		 /* both ends are */
	bool pending;		 /* the instance knows it, but it is not on disk yet: skip it */
	bool doomed;		 /* going away: skip it. It has left the lists of its ends. */
};

/*
 * Makes the structure with the vhost `default_vhost` (NULL: none yet) and its predeclared
 * exchanges. It is destroyed after the loops have ended, and the queues with them.
 */
struct topology *topology_create(unsigned n_loops, const char *default_vhost);
void topology_destroy(struct topology *topology);

void topology_read_begin(struct topology *topology);
void topology_read_end(struct topology *topology);

/* Grows with every change of anything in it; cached decisions carry it. Any thread. */
uint64_t topology_generation(const struct topology *topology);

/*
 * Vhosts by name: NULL when there is none, or it is being deleted. Inside the read side, or on loop
 * 0, which alone adds and deletes them. It is there until the turn ends: who keeps it holds it
 * (vhost_hold()).
 */
struct vhost *topology_vhost(struct topology *topology, struct slice name);
uint64_t topology_vhost_count(const struct topology *topology); /* as above */

/* Inside the read side. Doomed and pending ones are not found. */
struct exchange *topology_exchange(struct vhost *vhost, struct slice name);
struct queue_entry *topology_queue(struct vhost *vhost, struct slice name);

/* How many slots marks of routing need (dense indexes are below). Inside the read side. */
uint32_t topology_exchange_limit(const struct topology *topology);
uint32_t topology_queue_limit(const struct topology *topology);

/* Whether new versions of exchange types are tried (broker/upgrade/trial.h). Any thread. */
bool topology_has_trials(const struct topology *topology);

/*
 * Lists for operators, in slices: each call visits at most `limit` objects inside one read side and
 * returns a cursor for the next; 0 at the end. Objects that come or go meanwhile may or may not be
 * seen. cursor 0 begins.
 */
uint64_t topology_list_exchanges(struct topology *topology, struct vhost *vhost, uint64_t cursor,
				 unsigned limit,
				 void (*visit)(void *context, const struct exchange *exchange),
				 void *context);
/* The default exchange's bindings, one for each queue, are among them. */
uint64_t topology_list_bindings(struct topology *topology, struct vhost *vhost, uint64_t cursor,
				unsigned limit,
				void (*visit)(void *context, const struct binding *binding),
				void *context);

#endif
