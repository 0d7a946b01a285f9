/* SPDX-License-Identifier: MIT */
#include "base/bug.h"
#include "broker/topology/binding.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/topology/write.h"
#include "broker/upgrade/state.h"

/*
 * A shadow is told of the bindings in the order of the exchange's list. New ones come to the list's
 * end, so that while it is being built they are met there, and once it is complete it is told of
 * them at once. The list may change between two slices: what is kept is the last one that was met,
 * and who takes that out says so. Doomed bindings are not in the list: should they come back, they
 * come to its end.
 */

#define BINDINGS_A_ROUND 8u

static unsigned slot_of(const struct exchange *exchange)
{
	return 1 - exchange->active;
}

/* ---- Telling it of bindings ---- */

static void refused(struct upgrade *upgrade, const struct binding *binding, const char *text)
{
	const struct exchange *exchange = binding->source;
	const struct shunt_binding *view = &binding->view;

	upgrade_fail(upgrade,
		     "exchange '" SLICE_FMT
		     "' in vhost '%s', binding to %s '%.*s' with key '%.*s': %s",
		     SLICE_ARG(exchange->node.key), exchange->vhost->name,
		     view->destination_is_exchange ? "exchange" : "queue",
		     (int)view->destination.size, (const char *)view->destination.data,
		     (int)view->routing_key.size, (const char *)view->routing_key.data, text);
}

static bool tell(struct shadow *shadow, struct binding *binding)
{
	const struct exchange *exchange = shadow->exchange;
	unsigned slot = slot_of(exchange);
	const struct exchange_instance *instance = &exchange->instances[slot];
	struct amqp_error error;

	if (binding->serials[slot] == instance->serial) /* it was away, and came back */
		return true;
	if (exchange_validate_binding(binding->source, instance, &binding->view, &error) == 0 &&
	    binding_tell(binding, slot, &error) == 0)
		return true;
	refused(shadow->upgrade, binding, error.text);
	return false;
}

void shadow_bind(struct topology *topology, struct shadow *shadow, struct binding *binding)
{
	if (!shadow->is_complete || tell(shadow, binding))
		return;
	shadow->is_complete = false; /* it knows less than it should: it is not asked any more */
	atomic_store(&shadow->exchange->tried, NULL);
	topology->must_nudge = true;
}

void shadow_pass(struct shadow *shadow, const struct binding *binding)
{
	if (shadow->told == &binding->from_source)
		shadow->told = binding->from_source.prev;
}

/* ---- Building ---- */

static void attach(struct shadow *shadow)
{
	struct exchange *exchange = shadow->exchange;

	bug_on(exchange->shadow);
	exchange->shadow = shadow;
	exchange_put_instance(exchange, slot_of(exchange), &shadow->instance);
	shadow->instance = (struct exchange_instance){0};
	shadow->told = &exchange->outgoing;
	shadow->is_attached = true;
	list_add_tail(&shadow->upgrade->shadows, &shadow->link);
	shadow->upgrade->n_shadows++;
}

static void complete(struct shadow *shadow)
{
	shadow->is_complete = true;
	if (shadow->upgrade->trial && shadow->exchange->type)
		atomic_store_explicit(&shadow->exchange->tried, shadow, memory_order_release);
}

/* Two plugins may bring the type of one that is not loaded; one of them may be on trial. */
static bool is_anothers(const struct shadow *shadow)
{
	const struct exchange *exchange = shadow->exchange;

	if (!exchange->shadow && exchange->type == shadow->old)
		return false;
	upgrade_fail(shadow->upgrade,
		     "exchange '" SLICE_FMT
		     "' in vhost '%s': it is being brought to life by another plugin",
		     SLICE_ARG(exchange->node.key), exchange->vhost->name);
	return true;
}

static bool may_attach(const struct shadow *shadow)
{
	return list_is_linked(&shadow->exchange->of_type) && /* else it was deleted meanwhile */
	       !is_anothers(shadow);
}

bool shadow_build(struct shadow *shadow)
{
	struct exchange *exchange = shadow->exchange;

	if (!shadow->is_attached) {
		if (!may_attach(shadow)) {
			exchange->n_dying++;
			list_add_tail(&shadow->upgrade->dead, &shadow->link);
			return false;
		}
		attach(shadow);
	}
	for (unsigned i = 0; i < BINDINGS_A_ROUND; i++) {
		struct list *next = shadow->told->next;

		if (next == &exchange->outgoing) {
			complete(shadow);
			return false;
		}
		if (!tell(shadow, container_of(next, struct binding, from_source)))
			return false;
		shadow->told = next;
	}
	return true;
}

/* ---- Its end ---- */

/* The other slot's instance is nobody's any more, but bindings that it knows stay until it has
 * gone. */
static void bury(struct shadow *shadow)
{
	struct exchange *exchange = shadow->exchange;

	shadow->instance = exchange_take_instance(exchange, slot_of(exchange));
	shadow->is_attached = false;
	atomic_store(&exchange->tried, NULL);
	exchange->shadow = NULL;
	exchange->n_dying++;
	list_remove(&shadow->link);
	list_add_tail(&shadow->upgrade->dead, &shadow->link);
	shadow->upgrade->n_shadows--;
	if (shadow->upgrade->building == shadow)
		shadow->upgrade->building = NULL;
}

void shadow_take_away(struct shadow *shadow)
{
	bury(shadow);
}

void shadow_swap(struct topology *topology, struct shadow *shadow)
{
	struct exchange *exchange = shadow->exchange;
	const struct exchange_instance *old = &exchange->instances[exchange->active],
				       *new = &exchange->instances[slot_of(exchange)];

	bug_on(!shadow->is_complete);
	if (old->type && new->type->functions->adopt)
		new->type->functions->adopt(new->state, old->state, old->type->plugin_version);
	upgrades_pass_exchange(topology, exchange);
	list_remove(&exchange->of_type);
	list_add_tail(&new->type->exchanges, &exchange->of_type);
	exchange_activate(exchange, slot_of(exchange));
	bury(shadow);
}

void shadow_swap_if_due(struct topology *topology, struct exchange *exchange)
{
	if (UNLIKELY(exchange->shadow != NULL) && exchange->shadow->upgrade->is_committed)
		shadow_swap(topology, exchange->shadow);
}
