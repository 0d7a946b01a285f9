/* SPDX-License-Identifier: MIT */
#include "instance.h"

#include <string.h>

#include "arena.h"
#include "base/mem.h"
#include "trace.h"

/* ---- The exchange ---- */

static struct shunt_bytes pass(enum arena_kind kind, const void *data, size_t size, unsigned owner,
			       unsigned number)
{
	return (struct shunt_bytes){arena_copy(kind, data, size, owner, number), size};
}

static const struct shunt_exchange *make_exchange(const struct scene *scene)
{
	const struct shunt_exchange exchange = {
		.size = sizeof(exchange),
		.vhost = pass(ARENA_EXCHANGE, "/", 1, 0, 0),
		.name = pass(ARENA_EXCHANGE, "tested", 6, 0, 0),
		.arguments =
			pass(ARENA_EXCHANGE, scene->arguments.data, scene->arguments.size, 0, 0),
		.durable = scene->durable,
		.auto_delete = scene->auto_delete,
		.internal = scene->internal,
		.type = pass(ARENA_EXCHANGE, scene->s->type->name, strlen(scene->s->type->name), 0,
			     0),
	};

	return arena_copy(ARENA_EXCHANGE, &exchange, sizeof(exchange), 0, 0);
}

static void revoke_exchange(const struct shunt_exchange *exchange)
{
	arena_free(exchange->vhost.data);
	arena_free(exchange->name.data);
	arena_free(exchange->arguments.data);
	arena_free(exchange->type.data);
	arena_free(exchange);
}

static void check_result(const char *call, int result, const struct shunt_error *error,
			 bool memory_is_out)
{
	if (result != 0 && result != -1)
		trace_fail("%s returned %d, neither 0 nor -1", call, result);
	if (result != 0)
		error_check(call, error, memory_is_out);
}

/* 0 or -1. With an exchange of its own: it is valid during the call only. */
static int validate(struct subject *s, const struct scene *scene)
{
	const struct shunt_exchange *exchange;
	struct shunt_error error;
	int result;

	if (s->type->validate == NULL)
		return 0;
	exchange = make_exchange(scene);
	error_blank(&error);
	trace_begin("validate()");
	result = s->type->validate(s->world->state, exchange, &error);
	trace_end();
	/* an error of memory is the only one that it can have because of it, but it may find
	 * others, too */
	check_result("validate()", result, &error, false);
	revoke_exchange(exchange);
	return result;
}

enum instance_result instance_create(struct instance *i, struct scene *scene, unsigned number)
{
	struct subject *s = scene->s;
	struct shunt_error error;
	int result;

	*i = (struct instance){.s = s, .scene = scene, .number = number};
	if (validate(s, scene) != 0)
		return atomic_load(&s->world->failed) ? INSTANCE_NO_MEMORY : INSTANCE_REFUSED;
	i->exchange = make_exchange(scene);
	error_blank(&error);
	trace_begin("create()");
	result = s->type->create(s->world->state, i->exchange, &i->state, &error);
	trace_end();
	check_result("create()", result, &error, atomic_load(&s->world->failed));
	if (result != 0) {
		revoke_exchange(i->exchange);
		return atomic_load(&s->world->failed) ? INSTANCE_NO_MEMORY : INSTANCE_REFUSED;
	}
	i->bindings = mem_zalloc((scene->n + 1) * sizeof(struct shunt_binding *));
	i->cookies = mem_zalloc((scene->n + 1) * sizeof(*i->cookies));
	return INSTANCE_DONE;
}

static void revoke_binding(const struct shunt_binding *binding)
{
	arena_free(binding->routing_key.data);
	arena_free(binding->arguments.data);
	arena_free(binding->destination.data);
	arena_free(binding);
}

void instance_destroy(struct instance *i)
{
	trace_begin("destroy()");
	i->s->type->destroy(i->state);
	trace_end();
	for (size_t k = 0; k < i->scene->n; k++)
		if (i->bindings[k] != NULL)
			revoke_binding(i->bindings[k]);
	revoke_exchange(i->exchange);
	mem_free(i->bindings);
	mem_free(i->cookies);
}

/* ---- Bindings ---- */

static const struct shunt_binding *make_binding(const struct instance *i, size_t k)
{
	const struct recipe *r = &i->scene->recipes[k];
	unsigned number = (unsigned)k;
	const struct shunt_binding binding = {
		.size = sizeof(binding),
		.id = r->id,
		.routing_key = pass(ARENA_BINDING, r->key.data, r->key.size, i->number, number),
		.arguments = pass(ARENA_BINDING, r->arguments.data, r->arguments.size, i->number,
				  number),
		.destination = pass(ARENA_BINDING, r->destination.data, r->destination.size,
				    i->number, number),
		.destination_is_exchange = r->is_exchange,
	};

	return arena_copy(ARENA_BINDING, &binding, sizeof(binding), i->number, number);
}

/* A binding of its own: it is valid during the call only. */
static int validate_binding(const struct instance *i, size_t k)
{
	const struct shunt_exchange_type *type = i->s->type;
	const struct shunt_binding *binding;
	struct shunt_error error;
	int result;

	if (type->validate_binding == NULL)
		return 0;
	binding = make_binding(i, k);
	error_blank(&error);
	trace_begin("validate_binding()");
	result = type->validate_binding(i->state, binding, &error);
	trace_end();
	check_result("validate_binding()", result, &error, false);
	revoke_binding(binding);
	return result;
}

static void describe(const struct instance *i, size_t k)
{
	const struct recipe *r = &i->scene->recipes[k];

	trace_with("a binding with the key %s and arguments of %zu bytes",
		   trace_quote(r->key.data, r->key.size), r->arguments.size);
}

enum instance_result instance_bind(struct instance *i, size_t k)
{
	struct world *w = i->s->world;
	const struct shunt_binding *binding;
	struct shunt_error error;
	int result = 0;

	describe(i, k);
	if (validate_binding(i, k) != 0)
		return atomic_load(&w->failed) ? INSTANCE_NO_MEMORY : INSTANCE_REFUSED;
	binding = make_binding(i, k);
	i->cookies[k] = NULL;
	if (i->s->type->bind != NULL) {
		error_blank(&error);
		trace_begin("bind()");
		result = i->s->type->bind(i->state, binding, &i->cookies[k], &error);
		trace_end();
		check_result("bind()", result, &error, atomic_load(&w->failed));
	}
	if (result != 0) {
		if (!atomic_load(&w->failed))
			trace_fail("bind() failed, but memory is not out: %s", error.text);
		revoke_binding(binding);
		return INSTANCE_NO_MEMORY;
	}
	i->bindings[k] = binding;
	i->n_bound++;
	return INSTANCE_DONE;
}

void instance_unbind(struct instance *i, size_t k)
{
	describe(i, k);
	if (i->s->type->unbind != NULL) {
		trace_begin("unbind()");
		i->s->type->unbind(i->state, i->bindings[k], i->cookies[k]);
		trace_end();
	}
	revoke_binding(i->bindings[k]);
	i->bindings[k] = NULL;
	i->n_bound--;
}

void instance_unbind_all(struct instance *i)
{
	for (size_t k = 0; k < i->scene->n; k++)
		if (i->bindings[k] != NULL)
			instance_unbind(i, k);
}

void instance_bind_same(const struct instance *from, struct instance *to)
{
	size_t n = from->scene->n, start = rng_below(&from->s->rng, n), step_size = n - 1;

	/* backwards from anywhere: no two neighbours keep their order but at the seam */
	for (size_t k = 0, at = start; k < n; k++, at = (at + step_size) % n)
		if (from->bindings[at] != NULL && instance_bind(to, at) != INSTANCE_DONE)
			trace_fail("validate_binding() refuses for a fresh instance what it took "
				   "for another");
}

void instance_stir(struct instance *i, size_t steps)
{
	while (steps-- > 0) {
		size_t k = rng_below(&i->s->rng, i->scene->n);

		if (i->bindings[k] == NULL)
			(void)instance_bind(i, k);
		else if (rng_one_in(&i->s->rng, 3))
			instance_unbind(i, k);
	}
}

/* ---- Routing ---- */

struct test_sink {
	struct shunt_sink sink; /* first */
	const struct instance *instance;
	uint8_t *answer;
};

static size_t emitted(const struct instance *i, const struct shunt_binding *binding)
{
	const struct arena_piece *piece = arena_find(binding);

	if (piece == NULL || piece->kind != ARENA_BINDING || piece->size != sizeof(*binding))
		trace_fail("route() emitted something that is no binding");
	if (piece->owner != i->number)
		trace_fail("route() emitted a binding of another exchange");
	if (!piece->is_live || i->bindings[piece->number] != binding)
		trace_fail("route() emitted a binding that is not bound (any more): number %u",
			   piece->number);
	return piece->number;
}

static void emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
{
	struct test_sink *test = (struct test_sink *)sink;

	for (size_t k = 0; k < count; k++)
		test->answer[emitted(test->instance, bindings[k])] = 1;
}

void instance_route(const struct instance *i, const struct test_message *message, uint8_t *answer)
{
	struct test_sink sink = {.sink = {.emit = emit}, .instance = i, .answer = answer};

	memset(answer, 0, i->scene->n);
	trace_begin("route()");
	trace_frame.in_route = true;
	trace_frame.asked_loop = false;
	trace_frame.answer_varies = false;
	i->s->type->route(i->state, &message->view, &sink.sink);
	trace_frame.in_route = false;
	trace_end();
	arena_route_ended();
}
