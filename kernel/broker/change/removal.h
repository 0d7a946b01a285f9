/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_CHANGE_REMOVAL_H
#define KERNEL_BROKER_CHANGE_REMOVAL_H

/*
 * Taking a queue, an exchange or a binding out of the topology, with what goes with it: the
 * bindings from and to it, and auto-delete exchanges that lose their last binding by that, and so
 * on.
 *
 * First everything is doomed: routing skips it, and it keeps its name. Then, if anything of it is
 * durable, one commit to the store. Then it is taken out and freed. Where there is much of it, this
 * goes in slices of the write side, with turns of the loop between. If the store fails, what was
 * doomed is brought back.
 *
 * A binding that waits for its own commit is doomed and left to the one who waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "amqp/error.h"
#include "base/buffer.h"
#include "base/list.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "loop/mailbox.h"
#include "store/store.h"

enum removal_phase {
	REMOVAL_DOOM,
	REMOVAL_GATHER,
	REMOVAL_COMMIT,
	REMOVAL_FREE,
	REMOVAL_REVIVE,
	REMOVAL_END, /* all is done, but for telling */
	REMOVAL_OVER,
};

/* What a slice of the write side leaves to be done outside of it. */
struct removal_slice {
	uint64_t end_us;
	unsigned n_steps;
	struct list woken;     /* struct turn_waiter.link */
	struct list bindings;  /* to free */
	struct list exchanges; /* to give back */
	bool queue_ends;
};

/* The deletions of all that is durable, gathered in slices, too, but outside of the write side. */
struct removal_changes {
	struct store_change *items; /* whose keys are in `keys`, one behind the other */
	size_t count, capacity;
	struct buffer keys;
	bool has_failed; /* memory is out */
	bool has_entry;	 /* the queue has been looked at; the others up to here: */
	struct list *exchange, *binding;
};

/* Belongs to the loop that began it; frees itself after done(). A queue is removed on its own loop.
 */
struct removal {
	struct broker *broker;
	void (*done)(struct removal *removal); /* may be NULL */
	void *context;			       /* the asker's */

	/* answers */
	struct amqp_error error; /* code 0: done; 541: the store failed, nothing is changed */
	uint64_t n_messages;	 /* ready messages that went with the queue */

	enum removal_phase phase;
	bool durable;	/* something of it is */
	bool is_urgent; /* set before removal_begin(): the queue, which is not durable, has ended
			   when removal_continue() returns */
	struct queue_entry *entry; /* NULL: none, or its queue has ended */
	bool entry_is_out;	   /* of the directory; its queue has ended, or is about to */
	struct list exchanges;	   /* struct exchange.removed */
	struct list *scanned;	   /* the last of them whose bindings are all doomed */
	struct list bindings;	   /* struct binding.to_destination */
	struct removal_slice slice;
	struct letter next_slice; /* to the own loop: a poll comes between slices */
	bool is_posted;		  /* next_slice is under way, and the removal must not go */
	struct removal_changes changes;
	struct store_commit commit;
};

struct removal *removal_create(struct broker *broker, void (*done)(struct removal *removal),
			       void *context);

/*
 * Write side, after removal_create(): the one thing to begin with, which is visible. Then, as the
 * last in this write side, removal_begin(), and outside of it removal_continue(); that calls done()
 * if the work was small and nothing durable.
 */
void removal_add_queue(struct removal *removal, struct queue_entry *entry);
void removal_add_exchange(struct removal *removal, struct exchange *exchange);
void removal_add_binding(struct removal *removal, struct binding *binding);
void removal_begin(struct removal *removal);
void removal_continue(struct removal *removal);

/* For a queue that is not durable, whose removal began earlier: on return it has ended. */
void removal_hurry(struct removal *removal);

#endif
