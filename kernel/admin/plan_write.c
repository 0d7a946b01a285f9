/* SPDX-License-Identifier: MIT */
/* The items of a plan as lines of JSON, for RabbitMQ to import. On a worker. */
#include <string.h>

#include "access/password.h"
#include "admin/plan.h"
#include "amqp/json.h"
#include "amqp/table.h"
#include "base/log.h"
#include "base/mem.h"

struct plan_writer {
	struct plan *plan;
	struct buffer *lines;
};

/* ---- Values: NULL if something in them is no UTF-8 ---- */

static json_t *text(struct slice bytes)
{
	return json_stringn(bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

static json_t *table(struct slice entries);
static json_t *array(struct slice elements);

static json_t *decimal(const struct amqp_value *value)
{
	double number = value->decimal.value;

	for (unsigned i = 0; i < value->decimal.scale; i++)
		number /= 10;
	return json_real(number);
}

static const struct amqp_json_style style = {text, decimal, table, array};

static json_t *array(struct slice elements)
{
	struct amqp_array_iter iter;
	struct amqp_value value;
	json_t *items = json_array();

	amqp_array_iter_init(&iter, elements);
	while (items && amqp_array_iter_next(&iter, &value) == 1) {
		if (json_array_append_new(items, amqp_json(&style, &value)) == 0)
			continue;
		json_decref(items);
		items = NULL;
	}
	return items;
}

static bool set(json_t *object, struct slice key, const struct amqp_value *value)
{
	char name[256];

	if (memchr(key.data, '\0', key.size))
		return false;
	memcpy(name, key.data, key.size);
	name[key.size] = '\0';
	return json_object_set_new(object, name, amqp_json(&style, value)) == 0;
}

static json_t *table(struct slice entries)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	json_t *object = json_object();
	struct slice key;

	amqp_table_iter_init(&iter, entries);
	while (object && amqp_table_iter_next(&iter, &key, &value) == 1) {
		if (key.size > 0 && set(object, key, &value))
			continue;
		json_decref(object);
		object = NULL;
	}
	return object;
}

/* Comma separated, as an array. */
static json_t *tags(struct slice list)
{
	json_t *items = json_array();

	for (size_t begin = 0; items && begin < list.size;) {
		const uint8_t *at = list.data + begin, *comma = memchr(at, ',', list.size - begin);
		size_t size = comma ? (size_t)(comma - at) : list.size - begin;

		if (json_array_append_new(items, text(slice_make(at, size))) != 0) {
			json_decref(items);
			return NULL;
		}
		begin += size + 1;
	}
	return items;
}

static json_t *json_of(struct slice value)
{
	return json_loadb((const char *)value.data, value.size, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			  NULL);
}

/* ---- Lines ---- */

/* Takes the object's reference; NULL: it could not be made. */
static void put_line(struct plan_writer *writer, const char *section, json_t *object,
		     const char *what, struct slice name)
{
	char quoted[600], *line = NULL;
	json_t *row = object ? json_pack("[s, o]", section, object) : NULL;

	if (row)
		line = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
	if (line) {
		buffer_append_cstr(writer->lines, line);
		buffer_append_byte(writer->lines, '\n');
	} else {
		plan_warn(writer->plan,
			  "%s %s is not exported: its names or arguments are not UTF-8", what,
			  log_quote(quoted, sizeof(quoted), name));
	}
	mem_free(line);
	json_decref(row);
}

static void write_vhost(struct plan_writer *writer, const void *item)
{
	const struct plan_vhost *vhost = item;
	const struct vhost_settings *settings = &vhost->settings;
	json_t *metadata = json_pack("{s:o, s:o}", "description", text(settings->description),
				     "tags", tags(settings->tags));

	if (metadata && settings->default_queue_type.size > 0)
		json_object_set_new(metadata, "default_queue_type",
				    text(settings->default_queue_type));
	put_line(writer, "vhosts",
		 json_pack("{s:o, s:[], s:o}", "name", text(vhost->name), "limits", "metadata",
			   metadata),
		 "virtual host", vhost->name);
}

/* As RabbitMQ imports them: a parameter. */
static void write_vhost_limits(struct plan_writer *writer, const void *item)
{
	const struct plan_vhost *vhost = item;
	const struct vhost_settings *settings = &vhost->settings;
	json_t *limits = json_object();

	if (settings->max_connections >= 0)
		json_object_set_new(limits, "max-connections",
				    json_integer(settings->max_connections));
	if (settings->max_queues >= 0)
		json_object_set_new(limits, "max-queues", json_integer(settings->max_queues));
	if (json_object_size(limits) == 0) {
		json_decref(limits);
		return;
	}
	put_line(writer, "parameters",
		 json_pack("{s:o, s:s, s:s, s:o}", "vhost", text(vhost->name), "component",
			   "vhost-limits", "name", "limits", "value", limits),
		 "limits of virtual host", vhost->name);
}

static json_t *user_limits(const struct account_view *account)
{
	json_t *limits = json_object();

	if (account->max_connections >= 0)
		json_object_set_new(limits, "max-connections",
				    json_integer(account->max_connections));
	if (account->max_channels >= 0)
		json_object_set_new(limits, "max-channels", json_integer(account->max_channels));
	return limits;
}

/* RabbitMQ skips members that it does not know, so Shunt's own hash is there for Shunt. */
static void write_user(struct plan_writer *writer, const void *item)
{
	const struct account_view *account = &((const struct plan_user *)item)->account;
	bool is_own = account->algorithm == PASSWORD_ARGON2ID && account->password_hash.size > 0;
	json_t *user =
		json_pack("{s:o, s:o, s:s, s:o, s:o}", "name", text(account->name), "password_hash",
			  text(is_own ? SLICE_EMPTY : account->password_hash), "hashing_algorithm",
			  password_algorithm_name(account->algorithm == PASSWORD_ARGON2ID
							  ? PASSWORD_SHA256
							  : account->algorithm),
			  "tags", tags(account->tags), "limits", user_limits(account));
	char quoted[600];

	if (user && is_own) {
		json_object_set_new(user, "shunt_password_hash", text(account->password_hash));
		plan_warn(writer->plan,
			  "user %s is exported without its password for RabbitMQ, which cannot "
			  "read its hash (Argon2id): set it there with change_password",
			  log_quote(quoted, sizeof(quoted), account->name));
	}
	put_line(writer, "users", user, "user", account->name);
}

static void write_permission(struct plan_writer *writer, const void *item)
{
	const struct permission_view *view = &((const struct plan_permission *)item)->view;

	put_line(writer, "permissions",
		 json_pack("{s:o, s:o, s:o, s:o, s:o}", "user", text(view->user), "vhost",
			   text(view->vhost), "configure", text(view->configure), "write",
			   text(view->write), "read", text(view->read)),
		 "a permission of user", view->user);
}

static void write_topic_permission(struct plan_writer *writer, const void *item)
{
	const struct topic_permission_view *view =
		&((const struct plan_topic_permission *)item)->view;

	put_line(writer, "topic_permissions",
		 json_pack("{s:o, s:o, s:o, s:o, s:o}", "user", text(view->user), "vhost",
			   text(view->vhost), "exchange", text(view->exchange), "write",
			   text(view->write), "read", text(view->read)),
		 "a topic permission of user", view->user);
}

static void write_policy(struct plan_writer *writer, const struct parameter_view *view)
{
	json_t *policy = json_of(view->value);

	if (policy)
		json_object_set_new(policy, "name", text(view->name));
	if (policy)
		json_object_set_new(policy, "vhost", text(view->vhost));
	put_line(writer, "policies", policy, "policy", view->name);
}

static bool is_policy(const struct parameter_view *view)
{
	return view->vhost.data && slice_equal(view->component, PARAMETER_POLICY);
}

static void write_parameter(struct plan_writer *writer, const struct parameter_view *view)
{
	put_line(writer, "parameters",
		 json_pack("{s:o, s:o, s:o, s:o}", "vhost", text(view->vhost), "component",
			   text(view->component), "name", text(view->name), "value",
			   json_of(view->value)),
		 "parameter", view->name);
}

static void write_global_parameter(struct plan_writer *writer, const struct parameter_view *view)
{
	put_line(writer, "global_parameters",
		 json_pack("{s:o, s:o}", "name", text(view->name), "value", json_of(view->value)),
		 "global parameter", view->name);
}

static void write_exchange(struct plan_writer *writer, const void *item)
{
	const struct plan_exchange *exchange = item;

	put_line(writer, "exchanges",
		 json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:o}", "name", text(exchange->name),
			   "vhost", text(exchange->vhost), "type", text(exchange->type), "durable",
			   exchange->durable, "auto_delete", exchange->auto_delete, "internal",
			   exchange->internal, "arguments", table(exchange->arguments)),
		 "exchange", exchange->name);
}

static bool is_quorum(struct slice arguments)
{
	struct amqp_value type;

	return amqp_table_find(arguments, "x-queue-type", &type) &&
	       type.type == AMQP_VALUE_STRING && slice_equal(type.bytes, SLICE_LITERAL("quorum"));
}

static void write_queue(struct plan_writer *writer, const void *item)
{
	const struct plan_queue *queue = item;

	put_line(writer, "queues",
		 json_pack("{s:o, s:o, s:s, s:b, s:b, s:o}", "name", text(queue->name), "vhost",
			   text(queue->vhost), "type",
			   is_quorum(queue->arguments) ? "quorum" : "classic", "durable",
			   queue->durable, "auto_delete", queue->auto_delete, "arguments",
			   table(queue->arguments)),
		 "queue", queue->name);
}

static void write_binding(struct plan_writer *writer, const void *item)
{
	const struct plan_binding *binding = item;

	put_line(writer, "bindings",
		 json_pack("{s:o, s:o, s:o, s:s, s:o, s:o}", "vhost", text(binding->vhost),
			   "source", text(binding->source), "destination",
			   text(binding->destination), "destination_type",
			   binding->destination_is_exchange ? "exchange" : "queue", "routing_key",
			   text(binding->routing_key), "arguments", table(binding->arguments)),
		 "a binding of exchange", binding->source);
}

/* ---- All of it, in RabbitMQ's order ---- */

static void write_all(struct plan_writer *writer, enum plan_kind kind,
		      void (*write)(struct plan_writer *writer, const void *item))
{
	for (size_t i = 0; i < plan_count(writer->plan, kind); i++)
		write(writer, plan_item(writer->plan, kind, i));
}

enum parameter_section { OF_VHOST, GLOBAL, POLICY };

static void write_parameters(struct plan_writer *writer, enum parameter_section section)
{
	for (size_t i = 0; i < plan_count(writer->plan, PLAN_PARAMETERS); i++) {
		const struct plan_parameter *item = plan_item(writer->plan, PLAN_PARAMETERS, i);
		const struct parameter_view *view = &item->view;

		if (section == POLICY && is_policy(view))
			write_policy(writer, view);
		else if (section == GLOBAL && !view->vhost.data)
			write_global_parameter(writer, view);
		else if (section == OF_VHOST && view->vhost.data && !is_policy(view))
			write_parameter(writer, view);
	}
}

void plan_write(struct plan *plan, struct buffer *ret_lines)
{
	struct plan_writer writer = {plan, ret_lines};

	write_all(&writer, PLAN_USERS, write_user);
	write_all(&writer, PLAN_VHOSTS, write_vhost);
	write_all(&writer, PLAN_PERMISSIONS, write_permission);
	write_all(&writer, PLAN_TOPIC_PERMISSIONS, write_topic_permission);
	write_all(&writer, PLAN_VHOSTS, write_vhost_limits);
	write_parameters(&writer, OF_VHOST);
	write_parameters(&writer, GLOBAL);
	write_parameters(&writer, POLICY);
	write_all(&writer, PLAN_QUEUES, write_queue);
	write_all(&writer, PLAN_EXCHANGES, write_exchange);
	write_all(&writer, PLAN_BINDINGS, write_binding);
}
