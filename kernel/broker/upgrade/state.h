/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_UPGRADE_STATE_H
#define KERNEL_BROKER_UPGRADE_STATE_H

/*
 * The inside of upgrades, and what those who change exchanges and bindings tell them.
 *
 * What is in struct upgrade and struct shadow is changed by loop 0 inside either side, and by other
 * loops in the write side; by either it is looked at inside a side.
 */

#include "broker/topology/topology.h"
#include "broker/upgrade/upgrade.h"
#include "loop/task.h"

struct reaper;

/*
 * An instance beside that of an exchange. Belongs to its upgrade while the exchange has it, and
 * then, with the instance that nobody needs any more, to the reaper.
 */
struct shadow {
	struct list link; /* struct upgrade.shadows, .dead, or the reaper's */
	struct upgrade *upgrade;
	struct exchange *exchange;	 /* a reference */
	const struct exchange_type *old; /* the exchange's when it was found; NULL: none */
	struct list *told; /* the last one of exchange.outgoing that it was told of, or the head */
	bool is_attached;  /* exchange.shadow is this */
	bool is_complete;  /* in step: it is told of new ones at once */
	struct exchange_instance instance; /* when it is not the exchange's: before and after */
};

enum upgrade_phase {
	UPGRADE_BUILD,
	UPGRADE_WAIT,
	UPGRADE_SWAP,
	UPGRADE_DROP,
};

struct upgrade_scan {
	struct upgrade_part part;
	struct list *scanned; /* the last one of old.exchanges or topology.typeless, or the head */
};

struct upgrade {
	struct list link; /* topology.upgrades: changed in the write side */
	struct broker *broker;
	enum upgrade_phase phase; /* loop 0's */
	bool wants_swap, was_told_ready;
	bool is_committed; /* the new types are registered: no way back */
	bool has_failed;
	char error[UPGRADE_ERROR_SIZE];
	struct list shadows; /* attached, and not swapped */
	size_t n_shadows;
	struct list dead;	 /* for the reaper */
	struct shadow *building; /* the one that is being told of bindings */
	struct trial *trial;	 /* NULL: none */
	struct loop_task task;
	upgrade_tell_fn tell;
	void *context;
	size_t n_scans;
	struct upgrade_scan scans[];
};

/* Inside a side where it may be changed. The first reason is kept. */
void upgrade_fail(struct upgrade *upgrade, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- Told by those who change the topology, in the write side ---- */

/* A binding has come to the end of the exchange's list, or will be taken out of it. */
void shadow_bind(struct topology *topology, struct shadow *shadow, struct binding *binding);
void shadow_pass(struct shadow *shadow, const struct binding *binding);

/* If the exchange is to be swapped, and its turn has not come yet, it is swapped now. */
void shadow_swap_if_due(struct topology *topology, struct exchange *exchange);

/* The exchange will be taken out of its type's list; out of the topology. */
void upgrades_pass_exchange(struct topology *topology, struct exchange *exchange);
void upgrades_forget_exchange(struct topology *topology, struct exchange *exchange);

/* After the write side, on any loop: something has come or gone. */
void upgrades_nudge(struct topology *topology);

/* ---- broker/upgrade/shadow.c, for upgrade.c ---- */

/* Loop 0, inside the read side. Tells it of some more bindings; false: it is in step now, or the
 * upgrade has failed. The first time, it is given to its exchange, if that is still there. */
bool shadow_build(struct shadow *shadow);

/* Write side. Both leave it with the dead. */
void shadow_swap(struct topology *topology, struct shadow *shadow);
void shadow_take_away(struct shadow *shadow);

#endif
