/* SPDX-License-Identifier: MIT */
/*
 * import_definitions and export_definitions. A file comes through the socket: the request says how
 * long it is, the answer {"ready": true} says that it may come, then its bytes follow as they are.
 * What is exported goes as rows, [SECTION, OBJECT], as fast as the client takes them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/export.h"
#include "admin/import.h"
#include "base/list.h"
#include "base/mem.h"
#include "control/client.h"
#include "control/columns.h"

/* What RabbitMQ is told of the file: the format is that of this version. */
#define RABBITMQ_VERSION "3.13.7"
#define PIECE_SIZE	 ((size_t)64 << 10)

/* A line for each warning: {"warning": TEXT}. */
static void send_warnings(struct control_client *client, const struct buffer *warnings, size_t n)
{
	struct slice lines = buffer_slice(warnings);
	char more[64];

	while (lines.size > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.size);
		size_t size = end ? (size_t)(end - lines.data) : lines.size;

		control_client_send(client, json_pack("{s:o}", "warning",
						      column_text(slice_make(lines.data, size))));
		size += end != NULL;
		lines = slice_make(lines.data + size, lines.size - size);
	}
	if (n <= PLAN_WARNINGS_MAX)
		return;
	(void)snprintf(more, sizeof(more), "and %zu more", n - PLAN_WARNINGS_MAX);
	control_client_send(client, json_pack("{s:s}", "warning", more));
}

/* ---- Import ---- */

struct import_order {
	struct import import;
	struct actor_ref client;
	char *vhost; /* NULL: none was named */
	size_t n_received;
};

static void order_free(struct import_order *order)
{
	admin_dispose(order->import.admin, order->import.text, order->n_received);
	mem_free(order->vhost);
	buffer_fini(&order->import.warnings);
	mem_free(order);
}

static enum control_status status_of(int result)
{
	switch (-result) {
	case EINVAL:
		return CONTROL_DATA;
	case EBUSY:
	case ECANCELED:
		return CONTROL_UNAVAILABLE;
	default:
		return CONTROL_SOFTWARE;
	}
}

static void imported(struct import *import)
{
	struct import_order *order = container_of(import, struct import_order, import);
	struct control_client *client = control_client_get(order->client);

	if (client) {
		send_warnings(client, &import->warnings, import->n_warnings);
		if (import->is_unchanged)
			control_client_send(client, json_pack("{s:b}", "unchanged", 1));
		if (import->result == 0)
			control_client_ok(client);
		else
			control_client_fail(client, status_of(import->result), "%s",
					    import->reason);
	}
	order_free(order);
}

/* Before all of it was here. */
static void sender_gone(void *context)
{
	order_free(context);
}

static void submit(struct import_order *order, struct control_client *client)
{
	control_client_when_gone(client, NULL, NULL); /* the import goes on without it */
	order->import.vhost = order->vhost ? slice_cstr(order->vhost) : SLICE_EMPTY;
	order->import.actor = control_client_actor(client);
	order->import.done = imported;
	import_submit(&order->import);
}

static void received(void *context, struct slice bytes)
{
	struct import_order *order = context;

	slice_copy((uint8_t *)order->import.text + order->n_received, bytes);
	order->n_received += bytes.size;
	if (order->n_received == order->import.size)
		submit(order, control_client_get(order->client));
}

static struct import_order *order_create(struct control_client *client, const json_t *request,
					 size_t size)
{
	const char *vhost = json_string_value(json_object_get(request, "vhost"));
	char *text = mem_try_alloc(size);
	struct import_order *order;

	if (!text)
		return NULL;
	order = mem_zalloc(sizeof(*order));
	order->client = control_client_ref(client);
	order->import.admin = control_client_config(client)->admin;
	order->import.text = text;
	order->import.size = size;
	order->import.skips_unbuilt = json_is_true(json_object_get(request, "skip_unsupported"));
	order->import.only_if_changed =
		json_is_true(json_object_get(request, "skip_if_unchanged"));
	order->vhost = vhost ? mem_strdup(vhost) : NULL;
	buffer_init(&order->import.warnings);
	return order;
}

static void command_import(struct control_client *client, const json_t *request)
{
	json_int_t size = json_integer_value(json_object_get(request, "size"));
	struct import_order *order;

	if (size <= 0 || (uint64_t)size > IMPORT_SIZE_MAX) {
		control_client_fail(client, CONTROL_DATA,
				    "a file has at least one byte, and at most %zu",
				    IMPORT_SIZE_MAX);
		return;
	}
	order = order_create(client, request, (size_t)size);
	if (!order) {
		control_client_fail(client, CONTROL_SOFTWARE, "out of memory");
		return;
	}
	control_client_when_gone(client, sender_gone, order);
	control_client_send(client, json_pack("{s:b}", "ready", 1));
	control_client_receive(client, (size_t)size, received, order);
}

/* ---- Export ---- */

struct export_order {
	struct export export;
	struct actor_ref client;
	size_t n_sent;
};

static void export_free(struct export_order *order)
{
	export_free_lines(&order->export);
	buffer_fini(&order->export.warnings);
	mem_free(order);
}

/* Whole lines, about a piece of them. */
static struct slice next_lines(const struct export_order *order)
{
	struct slice left = slice_make(order->export.lines.data + order->n_sent,
				       order->export.lines.size - order->n_sent);
	const uint8_t *end;

	if (left.size <= PIECE_SIZE)
		return left;
	end = memchr(left.data + PIECE_SIZE, '\n', left.size - PIECE_SIZE);
	return end ? slice_make(left.data, (size_t)(end - left.data) + 1) : left;
}

/* The client has room again, or is gone. */
static void send_more(void *context)
{
	struct export_order *order = context;
	struct control_client *client = control_client_get(order->client);
	struct slice lines = next_lines(order);

	if (!client) {
		export_free(order);
		return;
	}
	if (lines.size == 0) {
		send_warnings(client, &order->export.warnings, order->export.n_warnings);
		export_free(order);
		control_client_ok(client);
		return;
	}
	order->n_sent += lines.size;
	control_client_send_raw(client, &(struct buffer){.data = (uint8_t *)(uintptr_t)lines.data,
							 .size = lines.size});
	control_client_when_ready(client, send_more, order);
}

static void send_head(struct control_client *client)
{
	const struct control_config *config = control_client_config(client);

	control_client_send(client,
			    json_pack("{s:{s:s, s:s, s:s, s:s}}", "value", "rabbit_version",
				      RABBITMQ_VERSION, "rabbitmq_version", RABBITMQ_VERSION,
				      "product_name", "Shunt", "product_version", config->version));
}

static void exported(struct export *export)
{
	struct export_order *order = container_of(export, struct export_order, export);
	struct control_client *client = control_client_get(order->client);

	if (client && export->result == 0) {
		send_head(client);
		send_more(order);
		return;
	}
	if (client)
		control_client_fail(client, status_of(export->result), "%s",
				    strerror(-export->result));
	export_free(order);
}

static void command_export(struct control_client *client, const json_t *request)
{
	struct export_order *order = mem_zalloc(sizeof(*order));

	(void)request;
	order->client = control_client_ref(client);
	order->export.admin = control_client_config(client)->admin;
	order->export.done = exported;
	export_submit(&order->export);
}

const struct control_command control_definition_commands[] = {
	{"import_definitions", command_import},
	{"export_definitions", command_export},
	{NULL, NULL},
};
