/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_AUDIT_H
#define KERNEL_CONN_AUDIT_H

/* The audit trail of what clients do: what they were refused, and what durable definitions they
 * have changed. */

#include "access/audit.h"
#include "base/slice.h"
#include "broker/change/declare.h"
#include "conn/connection.h"

/* Who it is; the slices lie in `name` and in the connection. */
struct audit_actor conn_audit_actor(const struct connection *c, char name[CONNECTION_NAME_MAX]);

/*
 * access.refused. `operation` is configure, write, read, passive, user-id or connect (and
 * `declare`: conn_audit_forbidden()); routing_key:
 * of a topic, else empty.
 */
void conn_audit_refusal(const struct connection *c, const char *operation, const char *kind,
			struct slice name, struct slice routing_key);

/* Whether it has changed something durable; then one line is due. */
static inline bool conn_audit_concerns(const struct declare_request *request)
{
	return request->stored && request->error.code == 0;
}
/* access.refused, of a declare whose dead-letter or alternate exchange is not allowed. */
void conn_audit_forbidden(const struct audit_actor *actor, const struct declare_request *request);
/* queue.created and so on, of a request that is done. */
void conn_audit_declare(const struct audit_actor *actor, const struct declare_request *request);

#endif
