/* SPDX-License-Identifier: MIT */
#include "broker/exchange.h"

#include <errno.h>

#include "amqp/table.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/argument_schema.h"
#include "broker/arguments.h"
#include "broker/exchange_type.h"
#include "broker/topology_write.h"

static struct shunt_bytes bytes_of(struct slice s)
{
	return (struct shunt_bytes){s.data, s.size};
}

/* Where the bytes that an exchange owns lie: behind the struct, in this order. */
static struct slice take(uint8_t **at, struct slice from)
{
	struct slice copy = slice_make(*at, from.size);

	if (from.size > 0)
		memcpy(*at, from.data, from.size);
	*at += from.size;
	return copy;
}

static void fill_view(struct exchange *exchange)
{
	exchange->view = (struct shunt_exchange){
		.size = sizeof(struct shunt_exchange),
		.vhost = bytes_of(slice_cstr(exchange->vhost->name)),
		.name = bytes_of(exchange->node.key),
		.arguments = bytes_of(exchange->arguments),
		.durable = exchange->durable,
		.auto_delete = exchange->auto_delete,
		.internal = exchange->internal,
	};
}

struct exchange *exchange_create(struct vhost *vhost, const struct exchange_options *options)
{
	size_t size = options->name.size + options->type.size + 1 + options->arguments.size;
	struct exchange *exchange = mem_try_zalloc(sizeof(*exchange) + size);

	if (!exchange)
		return NULL;

	uint8_t *at = (uint8_t *)(exchange + 1);

	exchange->vhost = vhost;
	exchange->node.key = take(&at, options->name);
	exchange->type_name = (char *)at;
	(void)take(&at, options->type);
	at++; /* the type's NUL */
	exchange->arguments = take(&at, options->arguments);
	exchange->alternate = arguments_alternate_exchange(exchange->arguments);
	exchange->durable = options->durable;
	exchange->auto_delete = options->auto_delete;
	exchange->internal = options->internal;
	fill_view(exchange);
	list_init(&exchange->outgoing);
	list_init(&exchange->incoming);
	list_init(&exchange->removed);
	turns_init(&exchange->turns);
	atomic_init(&exchange->refs, 1);
	return exchange;
}

int exchange_plugin_error(const struct exchange_type *type, const struct shunt_error *said,
			  struct amqp_error *error)
{
	if (said->code != 0 && strcmp(amqp_code_name(said->code), "UNKNOWN") != 0)
		return amqp_error_set(error, said->code, "%.*s", (int)sizeof(said->text),
				      said->text);

	static struct log_limit limit = LOG_LIMIT(5);

	log_limited(&limit, LOG_LEVEL_WARNING, "exchange",
		    "plugin gave no usable reply code: plugin=%s type=%s code=%u",
		    type->plugin_name, type->functions->name, said->code);
	return amqp_error_set(error, AMQP_INTERNAL_ERROR, "exchange type '%s' failed",
			      type->functions->name);
}

static int check_arguments(const struct exchange *exchange, const struct shunt_argument *list,
			   struct shunt_bytes arguments, const char *what, struct amqp_error *error)
{
	const struct argument_place place = {
		.what = what,
		.name = exchange->node.key,
		.vhost = exchange->vhost->node.key,
	};

	return argument_schema_check(list, slice_make(arguments.data, arguments.size), &place,
				     error);
}

int exchange_validate(const struct exchange *exchange, const struct exchange_type *type,
		      struct amqp_error *error)
{
	const struct shunt_exchange_type *functions = type->functions;
	struct shunt_error said = {0};

	if (check_arguments(exchange, type->own.declare_arguments, exchange->view.arguments,
			    "exchange", error) != 0)
		return -EPROTO;
	if (functions->validate && functions->validate(type->plugin, &exchange->view, &said) != 0)
		return exchange_plugin_error(type, &said, error);
	return 0;
}

int exchange_validate_binding(const struct exchange *exchange, const struct exchange_type *type,
			      const void *instance, const struct shunt_binding *binding,
			      struct amqp_error *error)
{
	const struct shunt_exchange_type *functions = type->functions;
	struct shunt_error said = {0};

	if (check_arguments(exchange, type->own.bind_arguments, binding->arguments,
			    "binding of exchange", error) != 0)
		return -EPROTO;
	if (functions->validate_binding &&
	    functions->validate_binding(instance, binding, &said) != 0)
		return exchange_plugin_error(type, &said, error);
	return 0;
}

int exchange_bring_to_life(struct exchange *exchange, struct exchange_type *type,
			   struct amqp_error *error)
{
	const struct shunt_exchange_type *functions = type->functions;
	struct shunt_error said = {0};
	void *instance = NULL;

	bug_on(exchange->type);
	if (exchange_validate(exchange, type, error) != 0)
		return -EPROTO;
	if (functions->create(type->plugin, &exchange->view, &instance, &said) != 0)
		return exchange_plugin_error(type, &said, error);
	if (type->owner != NULL)
		type->owner->hold(type->owner);
	exchange->instance = instance;
	exchange->type = type;
	return 0;
}

void exchange_insert(struct topology *topology, struct exchange *exchange)
{
	map_insert(&exchange->vhost->exchanges, &exchange->node, exchange->node.key);
	exchange->index = dense_add(&topology->exchanges, exchange);
}

void exchange_remove(struct topology *topology, struct exchange *exchange)
{
	map_remove(&exchange->vhost->exchanges, &exchange->node);
	dense_remove(&topology->exchanges, exchange->index);
}

void exchange_unref(struct exchange *exchange)
{
	if (!exchange || atomic_fetch_sub(&exchange->refs, 1) != 1)
		return;
	if (exchange->type) {
		exchange->type->functions->destroy(exchange->instance);
		if (exchange->type->owner != NULL)
			exchange->type->owner->release(exchange->type->owner);
	}
	turns_fini(&exchange->turns);
	mem_free(exchange);
}
