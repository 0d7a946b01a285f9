/* SPDX-License-Identifier: MIT */
#include "broker/vhost/vhost.h"

#include <errno.h>
#include <string.h>

#include "base/bug.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/write.h"
#include "broker/vhost/state.h"

/* RabbitMQ: deps/rabbit/src/rabbit_vhost.erl. The first is the queue directory: it has no type that
 * could be missing. */
static const struct {
	const char *name, *type;
	bool internal;
} predeclared[] = {
	// clang-format off
	{ "",                   "direct",  false },
	{ "amq.direct",         "direct",  false },
	{ "amq.fanout",         "fanout",  false },
	{ "amq.topic",          "topic",   false },
	{ "amq.headers",        "headers", false },
	{ "amq.match",          "headers", false },
	{ "amq.rabbitmq.trace", "topic",   true  },
	// clang-format on
};
#define N_PREDECLARED (sizeof(predeclared) / sizeof(predeclared[0]))

/* ---- Settings ---- */

static struct slice take_text(char **at, struct slice text)
{
	struct slice copy = slice_make(*at, text.size);

	if (text.size > 0)
		memcpy(*at, text.data, text.size);
	*at += text.size;
	return copy;
}

struct vhost_settings vhost_copy_settings(const struct vhost_settings *settings, char **ret_texts)
{
	struct vhost_settings copy = *settings;
	size_t size = settings->description.size + settings->tags.size +
		      settings->default_queue_type.size;
	char *at = mem_alloc(size + 1);

	*ret_texts = at;
	copy.description = take_text(&at, settings->description);
	copy.tags = take_text(&at, settings->tags);
	copy.default_queue_type = take_text(&at, settings->default_queue_type);
	return copy;
}

void vhost_take_settings(struct vhost *vhost, const struct vhost_settings *settings, char *texts)
{
	struct vhost_home *home = vhost->home;

	mem_free(home->texts);
	home->texts = texts;
	home->settings = *settings;
	vhost->max_queues = settings->max_queues;
	atomic_store(&vhost->max_connections, settings->max_connections);
}

/* ---- Making ---- */

struct vhost *vhost_make(struct topology *topology, struct slice name,
			 const struct vhost_settings *settings)
{
	static const struct vhost_settings none = VHOST_SETTINGS_NONE;
	struct vhost *vhost = mem_zalloc(sizeof(*vhost));
	struct vhost_home *home = mem_zalloc(sizeof(*home));
	struct vhost_settings copy;
	char *texts;

	vhost->name = mem_zalloc(name.size + 1);
	if (name.size > 0)
		memcpy(vhost->name, name.data, name.size);
	vhost->node.key = slice_cstr(vhost->name);
	map_init(&vhost->exchanges);
	map_init(&vhost->queues);
	map_init(&vhost->bindings);
	atomic_init(&vhost->refs, 1);
	vhost->home = home;
	home->vhost = vhost;
	home->state = VHOST_ADDING;
	list_init(&home->waiting);
	home->number = ++topology->last_vhost_number;
	list_add_tail(&topology->vhosts_in_order, &home->in_order);
	map_insert(&topology->vhost_homes, &home->node, slice_cstr(vhost->name));
	copy = vhost_copy_settings(settings ? settings : &none, &texts);
	vhost_take_settings(vhost, &copy, texts);
	return vhost;
}

static struct exchange *make_exchange(struct vhost *vhost, size_t i)
{
	struct exchange_options options = {
		.name = slice_cstr(predeclared[i].name),
		.type = slice_cstr(predeclared[i].type),
		.durable = true,
		.internal = predeclared[i].internal,
	};
	struct exchange *exchange = exchange_create(vhost, &options);

	bug_on(!exchange);
	return exchange;
}

struct vhost *vhost_create(struct topology *topology, struct slice name,
			   const struct vhost_settings *settings)
{
	struct vhost *vhost = vhost_make(topology, name, settings);

	vhost->home->state = VHOST_THERE;
	topology_write_begin(topology);
	map_insert(&topology->vhosts, &vhost->node, slice_cstr(vhost->name));
	for (size_t i = 0; i < N_PREDECLARED; i++)
		exchange_insert(topology, make_exchange(vhost, i));
	topology_write_end(topology);
	return vhost;
}

/* Types come and go on this loop only, so what is found stays until they are inserted. */
static int make_alive(struct topology *topology, struct exchange *exchange,
		      struct amqp_error *error)
{
	struct exchange_type *type = exchange_type_find(topology, slice_cstr(exchange->type_name));

	if (!type || exchange_is_default(exchange))
		return 0;
	return exchange_bring_to_life(exchange, type, error);
}

int vhost_predeclare(struct topology *topology, struct vhost *vhost, struct amqp_error *error)
{
	struct exchange *made[N_PREDECLARED];
	size_t n = 0;
	int r = 0;

	while (r == 0 && n < N_PREDECLARED) {
		made[n] = make_exchange(vhost, n);
		r = make_alive(topology, made[n++], error);
	}
	if (r != 0) {
		while (n > 0)
			exchange_unref(made[--n]);
		return r;
	}
	topology_write_begin(topology);
	for (n = 0; n < N_PREDECLARED; n++) {
		made[n]->pending = true;
		exchange_insert(topology, made[n]);
	}
	topology_write_end(topology);
	return 0;
}

/* ---- Ending ---- */

struct vhost *vhost_hold(struct vhost *vhost)
{
	atomic_fetch_add_explicit(&vhost->refs, 1, memory_order_relaxed);
	return vhost;
}

void vhost_release(struct vhost *vhost)
{
	if (!vhost || atomic_fetch_sub(&vhost->refs, 1) != 1)
		return;
	bug_on(map_count(&vhost->exchanges) + map_count(&vhost->queues) +
		       map_count(&vhost->bindings) >
	       0);
	map_fini(&vhost->exchanges);
	map_fini(&vhost->queues);
	map_fini(&vhost->bindings);
	mem_free(vhost->name);
	mem_free(vhost);
}

static void end_home(struct topology *topology, struct vhost_home *home)
{
	bug_on(!list_is_empty(&home->waiting));
	map_remove(&topology->vhost_homes, &home->node);
	list_remove(&home->in_order);
	home->vhost->home = NULL;
	mem_free(home->texts);
	mem_free(home);
}

void vhost_unmake(struct topology *topology, struct vhost *vhost)
{
	struct exchange *removed[N_PREDECLARED];
	struct map_cursor cursor;
	struct map_node *node;
	size_t n = 0;

	topology_write_begin(topology);
	map_for_each(node, &vhost->exchanges, &cursor) {
		removed[n] = container_of(node, struct exchange, node);
		exchange_remove(topology, removed[n++]);
	}
	topology_write_end(topology);
	while (n > 0)
		exchange_unref(removed[--n]);
	end_home(topology, vhost->home);
	vhost_release(vhost);
}

static void nobody_finds_it(struct loop_grace *grace)
{
	vhost_release(container_of(grace, struct vhost, grace));
}

void vhost_part(struct topology *topology, struct vhost *vhost)
{
	end_home(topology, vhost->home);
	loop_grace_begin(&vhost->grace, nobody_finds_it);
}

/* Bindings go first, as they hold on to their ends. */
void vhost_destroy(struct topology *topology, struct vhost *vhost)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &vhost->bindings, &cursor) {
		struct binding *binding = container_of(node, struct binding, node);

		binding_detach(topology, binding);
		binding_release(binding);
	}
	map_for_each(node, &vhost->exchanges, &cursor) {
		map_remove(&vhost->exchanges, node);
		exchange_unref(container_of(node, struct exchange, node));
	}
	map_for_each(node, &vhost->queues, &cursor) {
		map_remove(&vhost->queues, node);
		queue_entry_unref(container_of(node, struct queue_entry, node));
	}
	end_home(topology, vhost->home);
	vhost_release(vhost);
}

/* ---- Doom and limits ---- */

bool vhost_is_doomed(const struct vhost *vhost)
{
	return atomic_load_explicit(&vhost->is_doomed, memory_order_relaxed);
}

bool vhost_take_connection(struct vhost *vhost, int64_t *ret_limit)
{
	int64_t limit = atomic_load(&vhost->max_connections);
	int64_t n = atomic_load(&vhost->n_connections);

	do {
		if (limit >= 0 && n >= limit) {
			*ret_limit = limit;
			return false;
		}
	} while (!atomic_compare_exchange_weak(&vhost->n_connections, &n, n + 1));
	return true;
}

void vhost_give_connection(struct vhost *vhost)
{
	int64_t before = atomic_fetch_sub(&vhost->n_connections, 1);

	bug_on(before <= 0);
}

int vhost_check_open(const struct vhost *vhost, struct amqp_error *error)
{
	if (LIKELY(!vhost_is_doomed(vhost)))
		return 0;
	return amqp_error_set(error, AMQP_NOT_FOUND, "vhost '%s' is deleted", vhost->name);
}

/* As rabbit_vhost_limit:is_over_queue_limit. */
int vhost_check_queue(const struct vhost *vhost, struct slice name, struct amqp_error *error)
{
	if (vhost_check_open(vhost, error) != 0)
		return -EPROTO;
	if (vhost->max_queues < 0 || map_count(&vhost->queues) < (uint64_t)vhost->max_queues)
		return 0;
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "cannot declare queue '" SLICE_FMT
			      "': queue limit in vhost '%s' (%lld) is reached",
			      SLICE_ARG(name), vhost->name, (long long)vhost->max_queues);
}
