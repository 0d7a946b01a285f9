/* SPDX-License-Identifier: MIT */
#include "exchange/instance.h"

#include <string.h>

#include "run/call.h"
#include "exchange/exchanges.h"
#include "message/message.h"
#include "exchange/verdicts.h"
#include "exchange/views.h"

#define CHANGES_MIN 1024u /* that are kept for states that lag behind */

/* ---- Coming and going ---- */

static struct seats *seats_create(const struct shunt_host *host, unsigned count)
{
	struct seats *seats =
		host->allocate(host, sizeof(*seats) + count * sizeof(seats->of_state[0]));

	if (!seats)
		return NULL;
	seats->host = host;
	atomic_init(&seats->holders, 1);
	for (unsigned i = 0; i < count; i++)
		seats->of_state[i] = (struct seat){.seats = seats, .object = LUA_NOREF};
	return seats;
}

void seats_release(struct seats *seats)
{
	if (atomic_fetch_sub_explicit(&seats->holders, 1, memory_order_acq_rel) == 1)
		seats->host->free(seats->host, seats);
}

static const struct type *find_type(const struct script *script,
				    const struct shunt_exchange *exchange)
{
	const struct type *type = exchanges_of(script->states[0])->types;

	while (type &&
	       (strlen(type->functions.name) != exchange->type.size ||
		memcmp(type->functions.name, exchange->type.data, exchange->type.size) != 0))
		type = type->next;
	return type;
}

static int instance_validate(void *plugin, const struct shunt_exchange *exchange,
			     struct shunt_error *error)
{
	const struct type *type = find_type(plugin, exchange);

	if (!type)
		return verdict_no_type(error);
	return verdict_on_exchange(type, exchange, error);
}

static int instance_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			   struct shunt_error *error)
{
	const struct script *script = plugin;
	const struct shunt_host *host = script->host;
	const struct type *type = find_type(script, exchange);
	struct instance *instance;

	if (!type)
		return verdict_no_type(error);
	instance = host->allocate(host, sizeof(*instance));
	if (!instance)
		return verdict_no_memory(error);
	memset(instance, 0, sizeof(*instance));
	instance->type = type;
	instance->exchange = exchange;
	bindings_init(&instance->bindings, host);
	changes_init(&instance->changes, host);
	instance->seats = seats_create(host, script->n_states);
	if (!instance->seats) {
		host->free(host, instance);
		return verdict_no_memory(error);
	}
	*ret_state = instance;
	return 0;
}

/* On any thread: the states let go of what they have of it on their own loops, later. */
static void leave_seat(const struct script *script, unsigned i, struct seat *seat)
{
	struct exchanges *exchanges = exchanges_of(script->states[i]);

	seat->next_gone = atomic_load_explicit(&exchanges->gone, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&exchanges->gone, &seat->next_gone, seat,
						      memory_order_release, memory_order_relaxed))
		;
}

static void instance_destroy(void *state)
{
	struct instance *instance = state;
	const struct script *script = instance->type->script;
	struct seats *seats = instance->seats;

	for (uint32_t i = 0; i < instance->bindings.count; i++)
		record_unref(script->host, instance->bindings.entries[i]->record);
	changes_fini(&instance->changes);
	bindings_fini(&instance->bindings);
	for (unsigned i = 0; i < script->n_states; i++)
		if (seats->of_state[i].object != LUA_NOREF)
			leave_seat(script, i, &seats->of_state[i]);
	seats_release(seats);
	script->host->free(script->host, instance);
}

/* ---- Bindings ---- */

/* Nobody is told any more of what all that follow have been told of. */
static void trim(struct instance *instance)
{
	struct changes *changes = &instance->changes;
	uint64_t first = changes->end;

	for (unsigned i = 0; i < instance->type->script->n_states; i++) {
		const struct seat *seat = &instance->seats->of_state[i];

		if (seat->follows && seat->told >= changes->first && seat->told < first)
			first = seat->told;
	}
	changes_trim(changes, first);
}

static bool has_followers(const struct instance *instance)
{
	for (unsigned i = 0; i < instance->type->script->n_states; i++)
		if (instance->seats->of_state[i].follows)
			return true;
	return false;
}

static void note_change(struct instance *instance, struct record *record, bool is_unbind)
{
	size_t most =
		instance->bindings.count > CHANGES_MIN ? instance->bindings.count : CHANGES_MIN;

	if (!has_followers(instance))
		return;
	trim(instance);
	changes_add(&instance->changes, record, is_unbind, most);
}

static int instance_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			 struct shunt_error *error)
{
	struct instance *instance = state;
	const struct shunt_host *host = instance->type->script->host;
	struct entry *entry = bindings_add(&instance->bindings, binding);

	if (!entry)
		return verdict_no_memory(error);
	*ret_cookie = entry;
	if (!instance->type->is_told)
		return 0;
	entry->record = record_create(host, binding);
	if (!entry->record) {
		bindings_remove(&instance->bindings, entry);
		return verdict_no_memory(error);
	}
	entry->record->slot = entry->slot;
	note_change(instance, entry->record, false);
	instance_tell_all(instance);
	return 0;
}

static void instance_unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct instance *instance = state;
	struct entry *entry = cookie;
	struct record *record = entry->record;

	(void)binding;
	bindings_remove(&instance->bindings, entry);
	if (!record)
		return;
	note_change(instance, record, true);
	record_unref(instance->type->script->host, record);
}

static int instance_validate_binding(const void *state, const struct shunt_binding *binding,
				     struct shunt_error *error)
{
	return verdict_on_binding(state, binding, error);
}

/* ---- Routing ---- */

struct routing {
	struct present present;
	const struct shunt_message *message;
};

static void route_body(lua_State *L, void *context)
{
	static void (*const push[])(lua_State * L) = {views_push_bindings, views_push_emit,
						      views_push_exchange};
	struct routing *routing = context;
	const struct type *type = routing->present.type;
	int top = lua_gettop(L);

	exchanges_begin(L, &routing->present);
	answer_begin(&exchanges_of(state_of(L))->answer, routing->present.instance->bindings.count);
	exchanges_push_function(L, type, TYPE_ROUTE);
	if (type->route_arguments > 0)
		message_open(L, routing->message, MESSAGE_READ);
	for (int i = 1; i < type->route_arguments; i++)
		push[i - 1](L);
	lua_call(L, type->route_arguments, 1);
	if (!lua_isnil(L, top + 1))
		views_emit_returned(L, top + 1);
	exchanges_end(L);
}

/* Nothing goes, and the next message is asked for anew: the script may be well again. */
static void give_no_answer(const struct instance *instance)
{
	const struct shunt_host *host = instance->type->script->host;

	if (instance->type->functions.depends && SHUNT_HAS(host, struct shunt_host, answer_varies))
		host->answer_varies(host);
}

static void instance_route(const void *routed, const struct shunt_message *message,
			   struct shunt_sink *sink)
{
	/* what changes in it is of this loop alone, or atomic */
	struct instance *instance = (struct instance *)(uintptr_t)routed;
	struct state *state = script_state_here(instance->type->script);
	struct routing routing = {
		.present = {.type = instance->type,
			    .exchange = instance->exchange,
			    .instance = instance,
			    .seat = instance_seat(instance, state),
			    .may_emit = true},
		.message = message,
	};
	enum call_result result;

	if (instance->type->is_told) {
		if (!atomic_load_explicit(&instance->was_routed, memory_order_relaxed))
			atomic_store_explicit(&instance->was_routed, true, memory_order_relaxed);
		if (!instance_tell(instance, state, false)) {
			give_no_answer(instance);
			return;
		}
	}
	result = call_run(state, CALL_ROUTE, route_body, &routing, NULL);
	if (result == CALL_FAILED)
		exchanges_abandon(state, &routing.present);
	if (result == CALL_OK)
		answer_give(&exchanges_of(state)->answer, sink);
	else
		give_no_answer(instance);
}

void instance_set_functions(struct type *type)
{
	type->functions.size = sizeof(type->functions);
	if (type_has(type, TYPE_VALIDATE))
		type->functions.validate = instance_validate;
	if (type_has(type, TYPE_VALIDATE_BINDING))
		type->functions.validate_binding = instance_validate_binding;
	type->functions.create = instance_create;
	type->functions.destroy = instance_destroy;
	type->functions.bind = instance_bind;
	type->functions.unbind = instance_unbind;
	type->functions.route = instance_route;
}
