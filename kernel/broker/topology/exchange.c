/* SPDX-License-Identifier: MIT */
#include "broker/topology/exchange.h"

#include <errno.h>

#include "amqp/argument_schema.h"
#include "amqp/table.h"
#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/change/arguments.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"
#include "broker/vhost/vhost.h"

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
		.type = bytes_of(slice_cstr(exchange->type_name)),
	};
}

struct exchange *exchange_create(struct vhost *vhost, const struct exchange_options *options)
{
	size_t size = options->name.size + options->type.size + 1 + options->arguments.size;
	struct exchange *exchange = mem_try_zalloc(sizeof(*exchange) + size);

	if (!exchange)
		return NULL;

	uint8_t *at = (uint8_t *)(exchange + 1);

	exchange->vhost = vhost_hold(vhost);
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
	list_init(&exchange->of_type);
	list_init(&exchange->limbo);
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

int exchange_error_not_loaded(const struct exchange *exchange, struct amqp_error *error)
{
	return amqp_error_set(
		error, AMQP_PRECONDITION_FAILED,
		"the type '%s' of exchange '" SLICE_FMT "' in vhost '%s' is not loaded",
		exchange->type_name, SLICE_ARG(exchange->node.key), exchange->vhost->name);
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

	if (check_arguments(exchange, functions->declare_arguments, exchange->view.arguments,
			    "exchange", error) != 0)
		return -EPROTO;
	if (functions->validate && functions->validate(type->plugin, &exchange->view, &said) != 0)
		return exchange_plugin_error(type, &said, error);
	return 0;
}

int exchange_validate_binding(const struct exchange *exchange,
			      const struct exchange_instance *instance,
			      const struct shunt_binding *binding, struct amqp_error *error)
{
	const struct shunt_exchange_type *functions = instance->type->functions;
	struct shunt_error said = {0};

	if (check_arguments(exchange, functions->bind_arguments, binding->arguments,
			    "binding of exchange", error) != 0)
		return -EPROTO;
	if (functions->validate_binding &&
	    functions->validate_binding(instance->state, binding, &said) != 0)
		return exchange_plugin_error(instance->type, &said, error);
	return 0;
}

int exchange_make_instance(const struct exchange *exchange, struct exchange_type *type,
			   struct exchange_instance *ret_instance, struct amqp_error *error)
{
	const struct shunt_exchange_type *functions = type->functions;
	struct shunt_error said = {0};
	void *state = NULL;

	if (exchange_validate(exchange, type, error) != 0)
		return -EPROTO;
	if (functions->create(type->plugin, &exchange->view, &state, &said) != 0)
		return exchange_plugin_error(type, &said, error);
	exchange_type_hold(type);
	*ret_instance = (struct exchange_instance){.type = type, .state = state};
	return 0;
}

void exchange_instance_destroy(struct exchange_instance *instance)
{
	struct exchange_type *type = instance->type;

	if (!type)
		return;
	type->functions->destroy(instance->state);
	*instance = (struct exchange_instance){0};
	exchange_type_release(type);
}

void exchange_put_instance(struct exchange *exchange, unsigned slot,
			   const struct exchange_instance *instance)
{
	bug_on(exchange->instances[slot].type);
	exchange->instances[slot] = *instance;
	exchange->instances[slot].serial = ++exchange->last_serial;
}

struct exchange_instance exchange_take_instance(struct exchange *exchange, unsigned slot)
{
	struct exchange_instance instance = exchange->instances[slot];

	exchange->instances[slot] = (struct exchange_instance){0};
	return instance;
}

void exchange_activate(struct exchange *exchange, unsigned slot)
{
	exchange->active = slot;
	exchange->knowledge++;
	exchange->type = exchange->instances[slot].type;
	exchange->instance = exchange->instances[slot].state;
}

int exchange_bring_to_life(struct exchange *exchange, struct exchange_type *type,
			   struct amqp_error *error)
{
	struct exchange_instance instance;

	bug_on(exchange->type);
	if (exchange_make_instance(exchange, type, &instance, error) != 0)
		return -EPROTO;
	exchange_put_instance(exchange, exchange->active, &instance);
	exchange_activate(exchange, exchange->active);
	return 0;
}

void exchange_insert(struct topology *topology, struct exchange *exchange)
{
	bug_on(exchange->type && !exchange->type->is_current);
	exchange->number = ++topology->last_exchange_number;
	map_insert(&exchange->vhost->exchanges, &exchange->node, exchange->node.key);
	exchange->index = dense_add(&topology->exchanges, exchange);
	if (!exchange_is_default(exchange))
		list_add_tail(exchange->type ? &exchange->type->exchanges : &topology->typeless,
			      &exchange->of_type);
	if (UNLIKELY(!list_is_empty(&topology->upgrades)))
		topology->must_nudge = true;
}

void exchange_remove(struct topology *topology, struct exchange *exchange)
{
	if (UNLIKELY(!list_is_empty(&topology->upgrades)))
		upgrades_forget_exchange(topology, exchange);
	list_remove(&exchange->of_type);
	map_remove(&exchange->vhost->exchanges, &exchange->node);
	dense_remove(&topology->exchanges, exchange->index);
}

void exchange_unref(struct exchange *exchange)
{
	if (!exchange || atomic_fetch_sub(&exchange->refs, 1) != 1)
		return;
	bug_on(exchange->shadow || exchange->n_dying > 0);
	exchange_instance_destroy(&exchange->instances[exchange->active]);
	turns_fini(&exchange->turns);
	vhost_release(exchange->vhost);
	mem_free(exchange);
}
