/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_VHOST_STATE_H
#define KERNEL_BROKER_VHOST_STATE_H

/* What the parts of vhost.h share (vhost*.c). All loop 0's. */

#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "loop/task.h"
#include "store/store.h"

struct definition;

enum vhost_state {
	VHOST_ADDING, /* its exchanges are there, pending; it is not found */
	VHOST_THERE,
	VHOST_CHANGING, /* its settings */
	VHOST_GOING,
	VHOST_STUCK, /* its deletion has failed half-way */
};

/* Loop 0's part of a vhost: from before it is visible until its definition has gone. */
struct vhost_home {
	struct map_node node; /* topology.vhost_homes */
	struct list in_order; /* topology.vhosts_in_order, by number */
	uint64_t number;      /* never used again */
	struct vhost *vhost;
	enum vhost_state state;
	struct vhost_settings settings; /* the slices' bytes are in texts */
	char *texts;
	struct list waiting; /* struct vhost_work.waiting: changes that come after this one */
};

/* A change under way, from submit to done(). */
struct vhost_work {
	struct list active;  /* struct broker.vhost_changes */
	struct list waiting; /* struct vhost_home.waiting */
	struct vhost_change *change;
	struct vhost *vhost; /* NULL: none is concerned */
	struct store_commit commit;
	void (*committed)(struct vhost_work *work, bool is_stored);
	struct loop_task finish;	/* done() is not called inside the call */
	struct vhost_settings settings; /* VHOST_SET: a copy, and where its bytes are */
	char *texts;
	struct vhost_deletion *deletion; /* delete.c */
};

/* ---- vhost.c ---- */

/* A copy of the settings, whose bytes are in *ret_texts. */
struct vhost_settings vhost_copy_settings(const struct vhost_settings *settings, char **ret_texts);
/* The home takes over both. The write side, if the loops run. */
void vhost_take_settings(struct vhost *vhost, const struct vhost_settings *settings, char *texts);

/* With a home, not in the topology. */
struct vhost *vhost_make(struct topology *topology, struct slice name,
			 const struct vhost_settings *settings);
/* Gives it its exchanges, pending, with instances where their types are there. Outside of the write
 * side. Fails with what a type says; then it has none. */
int vhost_predeclare(struct topology *topology, struct vhost *vhost,
		     struct amqp_error *error) MUST_USE;
/* Takes the exchanges of a vhost out that was never visible, and releases it. */
void vhost_unmake(struct topology *topology, struct vhost *vhost);
/* Its definition has gone: releases it when nobody can have found it. */
void vhost_part(struct topology *topology, struct vhost *vhost);

/* ---- change.c ---- */

/* Puts the definition into the store, or takes it out; then committed() runs (at once, with false,
 * if memory is out). */
void vhost_commit(struct vhost_work *work, const struct definition *definition, bool is_deletion,
		  void (*committed)(struct vhost_work *work, bool is_stored));

/* The change has its result: done() runs later in this turn, and the work is gone then. */
void vhost_finish(struct vhost_work *work, int result, const char *reason);

/* ---- delete.c ---- */

/* The vhost is there, or stuck. */
void vhost_delete(struct vhost_work *work);
/* The broker ends: what is left goes at the next start. */
void vhost_delete_abandon(struct vhost_work *work);

#endif
