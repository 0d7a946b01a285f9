/* SPDX-License-Identifier: MIT */
#include "conn/audit.h"

#include <stdio.h>

#include "broker/topology/topology.h"

#define AUDIT_TEXT_SIZE 320 /* a quoted name: cut when it is long, and all escapes */

struct audit_actor conn_audit_actor(const struct connection *c, char name[CONNECTION_NAME_MAX])
{
	connection_print_name(c, name);
	return (struct audit_actor){
		.by = slice_cstr(c->user != NULL ? c->user->name : ""),
		.from = slice_cstr(name),
	};
}

/* What all clients of all loops may cause in a second. */
static struct log_limit audit_refusals = LOG_LIMIT(20);

void conn_audit_forbidden(const struct audit_actor *actor, const struct declare_request *request)
{
	char vhost[AUDIT_TEXT_SIZE], name[AUDIT_TEXT_SIZE];

	audit(actor, &audit_refusals, "access.refused", "vhost=%s operation=declare %s=%s",
	      log_quote(vhost, sizeof(vhost), slice_cstr(request->vhost->name)),
	      request->operation == DECLARE_QUEUE ? "queue" : "exchange",
	      log_quote(name, sizeof(name), request->name));
}

void conn_audit_refusal(const struct connection *c, const char *operation, const char *kind,
			struct slice name, struct slice routing_key)
{
	char from[CONNECTION_NAME_MAX], vhost[AUDIT_TEXT_SIZE], quoted[AUDIT_TEXT_SIZE];
	char key[AUDIT_TEXT_SIZE] = "";
	struct audit_actor actor = conn_audit_actor(c, from);

	if (c->vhost == NULL) {
		audit(&actor, &audit_refusals, "access.refused", "operation=%s %s=%s", operation,
		      kind, log_quote(quoted, sizeof(quoted), name));
		return;
	}
	if (routing_key.size != 0)
		log_quote(key, sizeof(key), routing_key);
	audit(&actor, &audit_refusals, "access.refused", "vhost=%s operation=%s %s=%s%s%s",
	      log_quote(vhost, sizeof(vhost), slice_cstr(c->vhost->name)), operation, kind,
	      log_quote(quoted, sizeof(quoted), name), key[0] != '\0' ? " routing_key=" : "", key);
}

/* ---- Definitions ---- */

static const char *const audit_events[] = {
	[DECLARE_EXCHANGE] = "exchange.created", [DECLARE_EXCHANGE_DELETE] = "exchange.deleted",
	[DECLARE_BIND] = "binding.created",	 [DECLARE_UNBIND] = "binding.deleted",
	[DECLARE_QUEUE] = "queue.created",	 [DECLARE_QUEUE_DELETE] = "queue.deleted",
};

/* From all loops. Who declares more in a second has other worries than each of them. */
static struct log_limit audit_definitions = LOG_LIMIT(1000);

static void audit_binding(const struct audit_actor *actor, const struct declare_request *request,
			  const char *vhost)
{
	char source[AUDIT_TEXT_SIZE], destination[AUDIT_TEXT_SIZE], key[AUDIT_TEXT_SIZE];

	audit(actor, &audit_definitions, audit_events[request->operation],
	      "vhost=%s source=%s %s=%s routing_key=%s", vhost,
	      log_quote(source, sizeof(source), request->bind.source),
	      request->bind.destination_is_exchange ? "exchange" : "queue",
	      log_quote(destination, sizeof(destination), request->name),
	      log_quote(key, sizeof(key), request->bind.routing_key));
}

void conn_audit_declare(const struct audit_actor *actor, const struct declare_request *request)
{
	char vhost[AUDIT_TEXT_SIZE], name[AUDIT_TEXT_SIZE];

	log_quote(vhost, sizeof(vhost), slice_cstr(request->vhost->name));
	if (request->operation == DECLARE_BIND || request->operation == DECLARE_UNBIND)
		audit_binding(actor, request, vhost);
	else
		audit(actor, &audit_definitions, audit_events[request->operation],
		      "vhost=%s name=%s", vhost, log_quote(name, sizeof(name), request->name));
}
