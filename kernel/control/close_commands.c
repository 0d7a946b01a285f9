/* SPDX-License-Identifier: MIT */
#include "control/close_commands.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conn/closing.h"

/* Under way. */
struct close_order {
	struct conn_closing closing;
	struct actor_ref client; /* may be gone when all are closed */
	char by[64], from[64];	 /* of the audit trail */
	json_t *request;	 /* a reference: texts lie in it */
	bool tells_count;
};

static struct slice text_of(const json_t *request, const char *key)
{
	const json_t *text = json_object_get(request, key);

	return json_is_string(text) ? slice_make(json_string_value(text), json_string_length(text))
				    : slice_cstr("");
}

static uint64_t number_of(const json_t *request, const char *key)
{
	const json_t *number = json_object_get(request, key);

	return json_is_integer(number) && json_integer_value(number) > 0
		       ? (uint64_t)json_integer_value(number)
		       : 0;
}

static struct close_order *order_create(struct control_client *client, const json_t *request)
{
	struct audit_actor actor = control_client_actor(client);
	struct close_order *order = mem_zalloc(sizeof(*order));
	const char *reason = json_string_value(json_object_get(request, "explanation"));

	order->client = control_client_ref(client);
	order->request = json_incref((json_t *)(uintptr_t)request);
	snprintf(order->by, sizeof(order->by), SLICE_FMT, SLICE_ARG(actor.by));
	snprintf(order->from, sizeof(order->from), SLICE_FMT, SLICE_ARG(actor.from));
	order->closing.service = control_client_config(client)->connections;
	order->closing.reason = reason != NULL ? reason : "";
	return order;
}

static void order_audit(const struct close_order *order)
{
	const struct audit_actor actor = {slice_cstr(order->by), slice_cstr(order->from)};
	char reason[600];

	log_quote(reason, sizeof(reason), slice_cstr(order->closing.reason));
	audit(&actor, NULL, "connections.closed", "count=%llu reason=%s",
	      (unsigned long long)order->closing.n_closed, reason);
}

static void closed(struct conn_closing *closing)
{
	struct close_order *order = closing->context;
	struct control_client *client = control_client_get(order->client);
	char text[48];

	order_audit(order);
	if (client != NULL && order->tells_count) {
		snprintf(text, sizeof(text), "Closed %llu connections",
			 (unsigned long long)closing->n_closed);
		control_client_send(client, json_pack("{s:{s:s}}", "value", "message", text));
	}
	if (client != NULL)
		control_client_ok(client);
	json_decref(order->request);
	mem_free(order);
}

static void order_submit(struct close_order *order)
{
	order->closing.done = closed;
	order->closing.context = order;
	conn_close_matching(&order->closing);
}

/* "<0.N.0>" */
static bool parse_pid(const char *text, uint64_t *ret_number)
{
	unsigned long long number;
	int end = 0;

	if (text == NULL || sscanf(text, "<0.%20llu.0>%n", &number, &end) != 1 || end == 0 ||
	    text[end] != '\0' || number == 0)
		return false;
	*ret_number = number;
	return true;
}

void control_close_connection(struct control_client *client, const json_t *request)
{
	const char *pid = json_string_value(json_object_get(request, "connection_pid"));
	struct close_order *order;
	uint64_t number;

	if (!parse_pid(pid, &number)) {
		control_client_fail(client, CONTROL_UNAVAILABLE,
				    "Error:\n{:invalid_pid_syntax, \"%s\"}",
				    pid != NULL ? pid : "");
		return;
	}
	order = order_create(client, request);
	order->closing.number = number;
	order_submit(order);
}

void control_close_all_connections(struct control_client *client, const json_t *request)
{
	struct close_order *order = order_create(client, request);

	if (!json_is_true(json_object_get(request, "global")))
		order->closing.vhost = text_of(order->request, "vhost");
	order->closing.limit = number_of(request, "limit");
	order->closing.delay_ms = (unsigned)number_of(request, "per_connection_delay");
	order->tells_count = true;
	order_submit(order);
}

void control_close_all_user_connections(struct control_client *client, const json_t *request)
{
	struct close_order *order = order_create(client, request);

	order->closing.user = text_of(order->request, "username");
	order_submit(order);
}
