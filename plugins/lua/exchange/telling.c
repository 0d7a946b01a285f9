/* SPDX-License-Identifier: MIT */

/* States are told of bindings that came and went: instance.h says when. */

#include "run/call.h"
#include "exchange/exchanges.h"
#include "exchange/views.h"

#define TOLD_AT_ONCE	 64u /* by a bind(), of a state that could not be told before */
#define SLOW_BIND_NS	 500000u
#define SLOW_BINDS_TAKEN 16u /* and one of 16 besides: the machine may be busy */

struct telling {
	struct present present;
	enum type_function function;
	uint32_t slot;
	bool begins; /* exchange.state is to be empty */
};

static void tell_body(lua_State *L, void *context)
{
	struct telling *telling = context;

	exchanges_begin(L, &telling->present);
	if (telling->begins)
		views_reset_state(L);
	if (telling->present.subject) {
		exchanges_push_function(L, telling->present.type, telling->function);
		views_push_exchange(L);
		views_push_subject(L, telling->slot);
		lua_call(L, 2, 0);
	}
	exchanges_end(L);
}

/* False: it was not called at all. */
static bool tell(struct instance *instance, struct state *state, struct telling *telling, bool try)
{
	enum call_result result;

	telling->present.type = instance->type;
	telling->present.exchange = instance->exchange;
	telling->present.instance = instance;
	telling->present.seat = instance_seat(instance, state);
	result = (try ? call_try_run : call_run)(state, CALL_BIND, tell_body, telling, NULL);
	if (result == CALL_FAILED)
		exchanges_abandon(state, &telling->present);
	if (result == CALL_FAILED && try)
		instance->has_failed = true;
	return result == CALL_OK || result == CALL_FAILED;
}

static bool tell_record(struct instance *instance, struct state *state, const struct record *record,
			bool is_unbind, bool try)
{
	struct telling telling = {
		.present.subject = &record->view,
		.function = is_unbind ? TYPE_UNBIND : TYPE_BIND,
		.slot = record->slot,
	};

	return !type_has(instance->type, telling.function) || tell(instance, state, &telling, try);
}

/* With an empty exchange.state, told of all bindings that there are. When it is interrupted it will
 * begin anew. */
static bool begin_anew(struct instance *instance, struct state *state, bool try)
{
	const struct bindings *bindings = &instance->bindings;
	struct seat *seat = instance_seat(instance, state);
	struct telling telling = {.begins = true};

	seat->follows = false;
	if (!tell(instance, state, &telling, try))
		return false;
	for (uint32_t i = 0; i < bindings->count; i++)
		if (!tell_record(instance, state, bindings->entries[i]->record, false, try))
			return false;
	seat->told = instance->changes.end;
	seat->follows = true;
	return true;
}

bool instance_tell(struct instance *instance, struct state *state, bool try_only)
{
	const struct changes *changes = &instance->changes;
	struct seat *seat = instance_seat(instance, state);
	unsigned told = 0;

	if (!seat->follows || seat->told < changes->first) {
		if (try_only && instance->bindings.count > TOLD_AT_ONCE)
			return false;
		return begin_anew(instance, state, try_only);
	}
	for (; seat->told < changes->end; seat->told++) {
		const struct event *event = changes_at(changes, seat->told);

		if (try_only && told++ == TOLD_AT_ONCE)
			return false;
		if (!tell_record(instance, state, event->record, event->is_unbind, try_only))
			return false;
	}
	return true;
}

static bool tells_all(const struct instance *instance)
{
	return !instance->has_failed &&
	       instance->slow_binds <= SLOW_BINDS_TAKEN + instance->bindings.count / 16 &&
	       !atomic_load_explicit(&instance->was_routed, memory_order_relaxed);
}

void instance_tell_all(struct instance *instance)
{
	const struct script *script = instance->type->script;
	uint64_t start_ns;

	if (!tells_all(instance))
		return;
	start_ns = budget_now_ns();
	for (unsigned i = 0; i < script->n_states && tells_all(instance); i++)
		(void)instance_tell(instance, script->states[i], true);
	if (budget_now_ns() - start_ns > SLOW_BIND_NS)
		instance->slow_binds++;
}
