/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_AUDIT_H
#define KERNEL_ACCESS_AUDIT_H

/*
 * The audit trail: who logged in, was refused, or changed a definition, and from where. One line of
 * the log each, of category "audit":
 *
 *	... I audit: event=user.created by="uid=0" from="control socket, pid 4711" name="lqz"
 *
 * Events are RabbitMQ's names (its event exchange): user.authentication.success and .failure,
 * user.created, user.deleted, user.password.changed, user.tags.set, permission.created, .deleted,
 * topic.permission.created, .deleted, vhost.created, .deleted, queue.created, .deleted and so on;
 * access.refused, definitions.imported and the like are ours. docs/shunt.conf.5 lists them.
 */

#include <stdbool.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/slice.h"

/* Texts are quoted here: they may be a peer's own. */
struct audit_actor {
	struct slice by;   /* the user, or "uid=N" */
	struct slice from; /* the connection's name, "control socket, pid N", "shuntd" (the start) */
};

/* Whether lines are written at all now: for those whose actor is dear to name. Any thread. */
bool audit_is_on(void);

/*
 * `details` is a printf format of key="value" pairs; "%s" with "" for none. Any thread. Names in
 * the details go through log_quote() by the caller. What a peer can cause at will (refusals) is
 * limited by `limit`; NULL: never left out.
 */
void audit(const struct audit_actor *actor, struct log_limit *limit, const char *event,
	   const char *details, ...) PRINTF_FORMAT(4, 5);

#endif
