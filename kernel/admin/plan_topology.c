/* SPDX-License-Identifier: MIT */
/* Exchanges, queues and bindings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "admin/plan_reader.h"
#include "base/bug.h"
#include "broker/change/arguments.h"

/* RabbitMQ does not take them from a file either: they are there, or were named by a server. */
static bool is_reserved(struct slice name)
{
	return slice_starts_with(name, SLICE_LITERAL("amq."));
}

static void drop_last(struct plan_reader *reader, enum plan_kind kind)
{
	reader->plan->lists[kind].n--;
}

static int skip_reserved(struct plan_reader *reader, enum plan_kind kind, struct slice name)
{
	plan_warn(reader->plan, "%s[%zu].name: '" SLICE_FMT "' is reserved; left out",
		  reader->origin.section, reader->origin.index, SLICE_ARG(name));
	drop_last(reader, kind);
	return 0;
}

static int remember(struct plan_reader *reader, char kind, const char *what, struct slice vhost,
		    struct slice name)
{
	int r = plan_name(reader->plan, kind, vhost, name);

	if (r == -EEXIST)
		return plan_fail(reader, "name", "a second %s of that name in that virtual host",
				 what);
	return r != 0 ? plan_fail_memory(reader) : 0;
}

/*
 * The text of a refusal names the argument, if it is one: "... arg 'x-expires' for ...". It is the
 * path's, if the file has it.
 */
static int refuse_arguments(struct plan_reader *reader, const json_t *object,
			    const struct amqp_error *error)
{
	const json_t *arguments = json_object_get(object, "arguments");
	const char *quote = strstr(error->text, "arg"), *name, *end;
	char path[300] = "arguments", key[256];

	quote = quote ? strchr(quote, '\'') : NULL;
	name = quote ? quote + 1 : "";
	end = strchr(name, '\'');
	if (end && end > name) {
		(void)snprintf(key, sizeof(key), "%.*s", (int)(end - name), name);
		if (json_object_get(arguments, key))
			(void)snprintf(path, sizeof(path), "arguments.%s", key);
	}
	return plan_fail(reader, path, "%s", error->text);
}

/* ---- Exchanges ---- */

static int read_exchange_flags(struct plan_reader *reader, const json_t *object,
			       struct plan_exchange *exchange)
{
	int r = plan_get_bool(reader, object, "durable", true, &exchange->durable);

	if (r == 0)
		r = plan_get_bool(reader, object, "auto_delete", true, &exchange->auto_delete);
	return r != 0 ? r : plan_get_bool(reader, object, "internal", false, &exchange->internal);
}

static int read_exchange_arguments(struct plan_reader *reader, const json_t *object,
				   struct plan_exchange *exchange)
{
	struct amqp_error error;
	int r = plan_get_arguments(reader, object, NULL, &exchange->arguments);

	if (r == 0 && arguments_check_exchange(exchange->arguments, exchange->name, exchange->vhost,
					       &error) != 0)
		r = refuse_arguments(reader, object, &error);
	return r;
}

int plan_read_exchange(struct plan_reader *reader, json_t *object)
{
	struct plan_exchange *exchange = plan_reader_add(reader, PLAN_EXCHANGES);
	int r;

	if (!exchange)
		return plan_fail_memory(reader);
	r = plan_get_vhost(reader, object, &exchange->vhost);
	if (r == 0) /* the default exchange's is empty */
		r = plan_get_text(reader, object, "name", 255, true, &exchange->name);
	if (r == 0 && (exchange->name.size == 0 || is_reserved(exchange->name)))
		return skip_reserved(reader, PLAN_EXCHANGES, exchange->name);
	if (r == 0)
		r = remember(reader, 'x', "exchange", exchange->vhost, exchange->name);
	if (r == 0)
		r = plan_get_name(reader, object, "type", &exchange->type);
	if (r == 0)
		r = plan_need(reader, PLAN_NEEDS_TYPE, "type", exchange->type);
	if (r == 0)
		r = read_exchange_flags(reader, object, exchange);
	return r != 0 ? r : read_exchange_arguments(reader, object, exchange);
}

/* ---- Queues ---- */

/* As a declare of it would be. */
static int check_queue(struct plan_reader *reader, const json_t *object,
		       const struct plan_queue *queue)
{
	struct queue_options options = {.durable = queue->durable,
					.auto_delete = queue->auto_delete};
	struct amqp_error error;

	if (arguments_read_queue(queue->arguments, queue->name, queue->vhost, &options, &error) ==
	    0)
		return 0;
	if (error.code != AMQP_NOT_IMPLEMENTED || !reader->options->skips_unbuilt)
		return refuse_arguments(reader, object, &error);
	plan_warn(reader->plan, PLAN_ORIGIN ": %s; the queue is left out", PLAN_ORIGIN_ARG(queue),
		  error.text);
	drop_last(reader, PLAN_QUEUES);
	return 0;
}

static int read_queue_rest(struct plan_reader *reader, const json_t *object,
			   struct plan_queue *queue)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	int r = plan_get_bool(reader, object, "durable", true, &queue->durable);

	if (r == 0)
		r = plan_get_bool(reader, object, "auto_delete", true, &queue->auto_delete);
	if (r == 0)
		r = plan_get_arguments(reader, object, type, &queue->arguments);
	return r != 0 ? r : check_queue(reader, object, queue);
}

int plan_read_queue(struct plan_reader *reader, json_t *object)
{
	struct plan_queue *queue = plan_reader_add(reader, PLAN_QUEUES);
	int r;

	if (!queue)
		return plan_fail_memory(reader);
	r = plan_get_vhost(reader, object, &queue->vhost);
	if (r == 0)
		r = plan_get_name(reader, object, "name", &queue->name);
	if (r == 0 && is_reserved(queue->name))
		return skip_reserved(reader, PLAN_QUEUES, queue->name);
	if (r == 0)
		r = remember(reader, 'q', "queue", queue->vhost, queue->name);
	return r != 0 ? r : read_queue_rest(reader, object, queue);
}

/* ---- Bindings ---- */

static int read_destination(struct plan_reader *reader, const json_t *object,
			    struct plan_binding *binding)
{
	struct slice type;
	int r = plan_get_name(reader, object, "destination", &binding->destination);

	if (r == 0)
		r = plan_get_name(reader, object, "destination_type", &type);
	if (r != 0)
		return r;
	binding->destination_is_exchange = slice_equal(type, SLICE_LITERAL("exchange"));
	if (!binding->destination_is_exchange && !slice_equal(type, SLICE_LITERAL("queue")))
		r = plan_fail(reader, "destination_type", "expected queue or exchange");
	return r;
}

/* The default exchange's bindings are there without being made. */
static int skip_default(struct plan_reader *reader)
{
	drop_last(reader, PLAN_BINDINGS);
	return 0;
}

int plan_read_binding(struct plan_reader *reader, json_t *object)
{
	struct plan_binding *binding = plan_reader_add(reader, PLAN_BINDINGS);
	int r;

	if (!binding)
		return plan_fail_memory(reader);
	r = plan_get_vhost(reader, object, &binding->vhost);
	if (r == 0)
		r = plan_get_text(reader, object, "source", 255, true, &binding->source);
	if (r == 0 && binding->source.size == 0)
		return skip_default(reader);
	if (r == 0)
		r = read_destination(reader, object, binding);
	if (r == 0)
		r = plan_get_text(reader, object, "routing_key", 255, true, &binding->routing_key);
	return r != 0 ? r : plan_get_arguments(reader, object, NULL, &binding->arguments);
}
