/* SPDX-License-Identifier: MIT */
/*
 * declare_*, delete_* and purge_queue: as a client's methods, but that nobody's permissions are
 * asked, and that queues which are exclusive to a connection are an operator's as well.
 */
#include "control/topology_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "broker/change/declare.h"
#include "broker/queue/queue.h"
#include "broker/vhost/vhost.h"
#include "conn/audit.h"
#include "control/arguments.h"

/* A command under way. */
struct topology_order {
	struct actor_ref client; /* may be gone when the answer is there */
	char by[64], from[64];	 /* of the audit trail */
	json_t *request;	 /* a reference: names lie in it */
	struct vhost *vhost;
	struct buffer arguments;
	const char *missing; /* what to say if there was nothing to delete; NULL: nothing */
	union {
		struct declare_request declare;
		struct queue_request queue;
	};
};

static struct slice text_of(const json_t *request, const char *key)
{
	const json_t *text = json_object_get(request, key);

	return json_is_string(text) ? slice_make(json_string_value(text), json_string_length(text))
				    : slice_cstr("");
}

static bool flag_of(const json_t *request, const char *key, bool otherwise)
{
	const json_t *flag = json_object_get(request, key);

	return json_is_boolean(flag) ? json_is_true(flag) : otherwise;
}

/* ---- The end ---- */

static void order_free(struct topology_order *order)
{
	if (order->vhost != NULL)
		vhost_release(order->vhost);
	json_decref(order->request);
	buffer_fini(&order->arguments);
	mem_free(order);
}

static struct audit_actor order_actor(const struct topology_order *order)
{
	return (struct audit_actor){slice_cstr(order->by), slice_cstr(order->from)};
}

/* As of clients, which are noted only where something durable changes; an operator always is. */
static void order_audit(const struct topology_order *order)
{
	const struct audit_actor actor = order_actor(order);

	if (order->declare.changed)
		conn_audit_declare(&actor, &order->declare);
}

static const char *text_without_code(const struct amqp_error *error)
{
	const char *dash = strstr(error->text, " - ");

	return dash != NULL ? dash + 3 : error->text;
}

static void order_fail(struct topology_order *order, const struct amqp_error *error)
{
	struct control_client *client = control_client_get(order->client);

	if (client != NULL)
		control_client_fail(client,
				    error->code == AMQP_INTERNAL_ERROR ? CONTROL_SOFTWARE
								       : CONTROL_DATA,
				    "%s", text_without_code(error));
	order_free(order);
}

/* message NULL: there is nothing to say. */
static void order_succeed(struct topology_order *order, const char *message)
{
	struct control_client *client = control_client_get(order->client);

	if (client != NULL && message != NULL)
		control_client_send(client, json_pack("{s:{s:s}}", "value", "message", message));
	if (client != NULL)
		control_client_ok(client);
	order_free(order);
}

static void order_refuse(struct topology_order *order, enum control_status status, const char *text)
{
	struct control_client *client = control_client_get(order->client);

	if (client != NULL)
		control_client_fail(client, status, "%s", text);
	order_free(order);
}

/* ---- The beginning ---- */

/* NULL: the client has been told why not. */
static struct topology_order *order_create(struct control_client *client, const json_t *request)
{
	struct audit_actor actor = control_client_actor(client);
	struct topology_order *order = mem_zalloc(sizeof(*order));
	int error;

	order->client = control_client_ref(client);
	order->request = json_incref((json_t *)(uintptr_t)request);
	snprintf(order->by, sizeof(order->by), SLICE_FMT, SLICE_ARG(actor.by));
	snprintf(order->from, sizeof(order->from), SLICE_FMT, SLICE_ARG(actor.from));
	order->vhost = topology_vhost(control_client_config(client)->broker->topology,
				      text_of(request, "vhost"));
	if (order->vhost != NULL)
		(void)vhost_hold(order->vhost);
	buffer_init(&order->arguments);
	error = control_arguments(json_object_get(request, "arguments"), &order->arguments);
	if (error == 0)
		return order;
	order_refuse(order, CONTROL_DATA,
		     error == -EINVAL  ? "Arguments are not a JSON object"
		     : error == -E2BIG ? "A name in the arguments is longer than 255 bytes, or "
					 "they are nested too deeply"
				       : "Out of memory");
	return NULL;
}

/* For those that make something: there must be the vhost, and the names must be possible. */
static struct topology_order *order_create_in_vhost(struct control_client *client,
						    const json_t *request)
{
	struct slice vhost = text_of(request, "vhost");
	struct topology_order *order = order_create(client, request);

	if (order == NULL || order->vhost != NULL)
		return order;
	order_free(order);
	control_client_fail(client, CONTROL_DATA, "Virtual host '" SLICE_FMT "' does not exist",
			    SLICE_ARG(vhost));
	return NULL;
}

static bool names_fit(struct topology_order *order, const char *const *keys)
{
	for (; *keys != NULL; keys++) {
		if (text_of(order->request, *keys).size <= UINT8_MAX)
			continue;
		order_refuse(order, CONTROL_DATA,
			     "A name or a routing key is longer than 255 bytes");
		return false;
	}
	return true;
}

static void declare_begin(struct topology_order *order, struct broker *broker,
			  enum declare_operation operation, struct slice name,
			  void (*done)(struct declare_request *request))
{
	order->declare.operation = operation;
	order->declare.broker = broker;
	order->declare.vhost = order->vhost;
	order->declare.asker = order->client;
	order->declare.done = done;
	order->declare.name = name;
	order->declare.arguments = buffer_slice(&order->arguments);
	order->declare.context = order;
}

/* Declares, bindings, and the deletion of an exchange. */
static void topology_changed(struct declare_request *request)
{
	struct topology_order *order = request->context;

	if (request->error.code != 0) {
		order_fail(order, &request->error);
	} else if (!request->changed && order->missing != NULL) {
		order_refuse(order, CONTROL_USAGE, order->missing);
	} else {
		order_audit(order);
		order_succeed(order, NULL);
	}
}

/* ---- Queues ---- */

/* Whose an exclusive queue is, so that it can be asked in that one's name; 0: nobody's. */
static bool find_queue(struct topology_order *order, struct broker *broker, struct slice name,
		       uint64_t *ret_owner, struct actor_ref *ret_ref)
{
	const struct queue_entry *entry;

	if (order->vhost == NULL)
		return false;
	topology_read_begin(broker->topology);
	entry = topology_queue(order->vhost, name);
	if (entry != NULL) {
		*ret_owner = entry->owner;
		*ret_ref = entry->queue;
	}
	topology_read_end(broker->topology);
	return entry != NULL;
}

void control_declare_queue(struct control_client *client, const json_t *request)
{
	static const char *const names[] = {"queue", NULL};
	struct topology_order *order = order_create_in_vhost(client, request);
	struct slice name = text_of(request, "queue");

	if (order == NULL || !names_fit(order, names))
		return;
	if (name.size == 0) {
		order_refuse(order, CONTROL_DATA, "A queue's name must not be empty");
		return;
	}
	declare_begin(order, control_client_config(client)->broker, DECLARE_QUEUE, name,
		      topology_changed);
	order->declare.queue_declare.durable = flag_of(request, "durable", true);
	order->declare.queue_declare.auto_delete = flag_of(request, "auto_delete", false);
	declare_submit(&order->declare);
}

static void queue_deleted(struct declare_request *request)
{
	struct topology_order *order = request->context;
	char text[80];

	if (request->error.code == AMQP_PRECONDITION_FAILED) {
		order_refuse(order, CONTROL_USAGE,
			     strstr(request->error.text, "in use") != NULL ? "Queue is in use"
									   : "Queue is not empty");
	} else if (request->error.code != 0) {
		order_fail(order, &request->error);
	} else if (!request->changed) {
		order_refuse(order, CONTROL_USAGE, "Queue not found");
	} else {
		order_audit(order);
		snprintf(text, sizeof(text),
			 "Queue was successfully deleted with %u ready messages",
			 request->message_count);
		order_succeed(order, text);
	}
}

void control_delete_queue(struct control_client *client, const json_t *request)
{
	struct broker *broker = control_client_config(client)->broker;
	struct topology_order *order = order_create(client, request);
	struct slice name = text_of(request, "queue_name");
	struct actor_ref ref;
	uint64_t owner;

	if (order == NULL)
		return;
	if (!find_queue(order, broker, name, &owner, &ref)) {
		order_refuse(order, CONTROL_USAGE, "Queue not found");
		return;
	}
	declare_begin(order, broker, DECLARE_QUEUE_DELETE, name, queue_deleted);
	order->declare.connection = owner;
	order->declare.queue_delete.if_empty = flag_of(request, "if_empty", false);
	order->declare.queue_delete.if_unused = flag_of(request, "if_unused", false);
	declare_submit(&order->declare);
}

static void audit_purge(const struct topology_order *order, const struct queue_request *request)
{
	const struct audit_actor actor = order_actor(order);
	char vhost[600], name[600];

	audit(&actor, NULL, "queue.purged", "vhost=%s name=%s messages=%u",
	      log_quote(vhost, sizeof(vhost), request->vhost_name),
	      log_quote(name, sizeof(name), request->queue_name), request->message_count);
}

static void queue_purged(struct queue_request *request)
{
	struct topology_order *order = container_of(request, struct topology_order, queue);

	if (request->error.code == AMQP_NOT_FOUND) {
		order_refuse(order, CONTROL_UNAVAILABLE, "not_found");
	} else if (request->error.code != 0) {
		order_fail(order, &request->error);
	} else {
		audit_purge(order, request);
		order_succeed(order, NULL);
	}
}

void control_purge_queue(struct control_client *client, const json_t *request)
{
	struct broker *broker = control_client_config(client)->broker;
	struct topology_order *order = order_create(client, request);
	struct slice name = text_of(request, "queue");
	struct actor_ref ref;
	uint64_t owner;

	if (order == NULL)
		return;
	if (!find_queue(order, broker, name, &owner, &ref)) {
		order_refuse(order, CONTROL_UNAVAILABLE, "not_found");
		return;
	}
	order->queue.operation = QUEUE_PURGE;
	order->queue.queue = ref;
	order->queue.asker = order->client;
	order->queue.connection = owner;
	order->queue.queue_name = name;
	order->queue.vhost_name = slice_cstr(order->vhost->name);
	order->queue.done = queue_purged;
	queue_request_submit(&order->queue);
}

/* ---- Exchanges ---- */

void control_declare_exchange(struct control_client *client, const json_t *request)
{
	static const char *const names[] = {"exchange", "type", NULL};
	struct topology_order *order = order_create_in_vhost(client, request);

	if (order == NULL || !names_fit(order, names))
		return;
	declare_begin(order, control_client_config(client)->broker, DECLARE_EXCHANGE,
		      text_of(request, "exchange"), topology_changed);
	order->declare.exchange.type = text_of(request, "type");
	if (order->declare.exchange.type.size == 0)
		order->declare.exchange.type = slice_cstr("direct");
	order->declare.exchange.durable = flag_of(request, "durable", true);
	order->declare.exchange.auto_delete = flag_of(request, "auto_delete", false);
	order->declare.exchange.internal = flag_of(request, "internal", false);
	declare_submit(&order->declare);
}

void control_delete_exchange(struct control_client *client, const json_t *request)
{
	static const char *const names[] = {"exchange", NULL};
	struct topology_order *order = order_create_in_vhost(client, request);

	if (order == NULL || !names_fit(order, names))
		return;
	order->missing = "Exchange not found";
	declare_begin(order, control_client_config(client)->broker, DECLARE_EXCHANGE_DELETE,
		      text_of(request, "exchange"), topology_changed);
	order->declare.exchange_delete.if_unused = flag_of(request, "if_unused", false);
	declare_submit(&order->declare);
}

/* ---- Bindings ---- */

static void change_binding(struct control_client *client, struct topology_order *order,
			   enum declare_operation operation)
{
	static const char *const names[] = {"source", "destination", "routing_key", NULL};
	struct broker *broker = control_client_config(client)->broker;
	const json_t *request;
	struct actor_ref ref;
	uint64_t owner = 0;

	if (order == NULL || !names_fit(order, names))
		return;
	request = order->request;
	declare_begin(order, broker, operation, text_of(request, "destination"), topology_changed);
	order->declare.bind.source = text_of(request, "source");
	order->declare.bind.routing_key = text_of(request, "routing_key");
	order->declare.bind.destination_is_exchange =
		slice_equal(text_of(request, "destination_type"), SLICE_LITERAL("exchange"));
	if (!order->declare.bind.destination_is_exchange)
		(void)find_queue(order, broker, order->declare.name, &owner, &ref);
	order->declare.connection = owner;
	declare_submit(&order->declare);
}

void control_declare_binding(struct control_client *client, const json_t *request)
{
	change_binding(client, order_create_in_vhost(client, request), DECLARE_BIND);
}

void control_delete_binding(struct control_client *client, const json_t *request)
{
	struct topology_order *order = order_create_in_vhost(client, request);

	if (order != NULL)
		order->missing = "Binding not found";
	change_binding(client, order, DECLARE_UNBIND);
}
