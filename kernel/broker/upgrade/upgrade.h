/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BROKER_UPGRADE_UPGRADE_H
#define KERNEL_BROKER_UPGRADE_UPGRADE_H

/*
 * Other exchange types in the place of those that are there, while messages go through: for each of
 * their exchanges, in all vhosts, a *shadow* is made, an instance of the new type that is told of
 * all bindings and kept in step with them; when all exchanges have one, shadows and old instances
 * are swapped. Exchanges that are declared meanwhile get shadows, too. A type that was not there
 * before brings to life the exchanges that wait for it. A type without a successor goes, if it has
 * no exchanges. All types of one upgrade change, or none does.
 *
 * If anything goes wrong before the swap (the type does not want an exchange or a binding, memory
 * is out), all shadows are dropped, and nothing has changed.
 *
 * Between, a share of the messages may be routed by the shadows, too, and compared
 * (broker/upgrade/trial.h).
 *
 * All on loop 0. Old instances, and dropped shadows, are destroyed on a thread of their own.
 */

#include <stdbool.h>
#include <stddef.h>

#include "broker/broker.h"

struct exchange_type;
struct trial;
struct upgrade;

/*
 * One type: old and new, either of which may be NULL, have the same name. A new one belongs to the
 * topology once it is swapped in, and to its maker before, and again if it is dropped; an old one,
 * which is registered, belongs to the topology till then, and to its maker afterwards. They are not
 * in two upgrades at once.
 */
struct upgrade_part {
	struct exchange_type *old, *new;
};

enum upgrade_event {
	UPGRADE_READY,	 /* all shadows are there. Not after upgrade_swap() */
	UPGRADE_SWAPPED, /* the end */
	UPGRADE_FAILED, /* the end: error says why; nothing has changed. Also after UPGRADE_READY */
	UPGRADE_DROPPED, /* the end: upgrade_drop(), or that of the broker */
};

#define UPGRADE_ERROR_SIZE 768

/* Of the one who began it: never inside of a function below, but for upgrades_end(). With an end,
 * the upgrade is freed after it returns. */
typedef void (*upgrade_tell_fn)(void *context, enum upgrade_event event, const char *error);

/*
 * Begins. percent: how many of 100 messages the shadows route, too; 0: it is not a trial. parts are
 * copied.
 */
struct upgrade *upgrade_create(struct broker *broker, const struct upgrade_part *parts,
			       size_t n_parts, unsigned percent, upgrade_tell_fn tell,
			       void *context);

/* Swaps as soon as all shadows are there. */
void upgrade_swap(struct upgrade *upgrade);

/* Not after upgrade_swap(). */
void upgrade_drop(struct upgrade *upgrade);

/* How many shadows there are, and the trial; NULL: it is none. Inside either side. */
size_t upgrade_shadow_count(const struct upgrade *upgrade);
struct trial *upgrade_trial(const struct upgrade *upgrade);

/* After the loops have ended: drops those that are under way. */
struct topology;
void upgrades_end(struct topology *topology);

#endif
