/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_UPGRADE_FIXTURE_H
#define TESTS_UNIT_BROKER_UPGRADE_FIXTURE_H

/* Another version of the fixture's direct, which can be told to fail, to be slow, and to be wrong.
 */

#include <sched.h>

#include "base/clock.h"
#include "broker/topology/write.h"
#include "broker/upgrade/upgrade.h"
#include "router_fixture.h"

static _Atomic bool next_create_fails, next_is_wrong;
static _Atomic bool destroy_waits, destroy_has_begun; /* of what the old version made */
static unsigned next_bind_us, next_binds_left;
static unsigned n_adopted;
static char adopted_from[16];

static inline int next_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			      struct shunt_error *said)
{
	(void)plugin;
	(void)exchange;
	if (!next_create_fails)
		return fake_create(!next_is_wrong, ret_state);
	fake_say(said, SHUNT_INTERNAL_ERROR, "not today");
	return -1;
}

static inline int next_bind(void *state, const struct shunt_binding *binding, void **ret_cookie,
			    struct shunt_error *said)
{
	uint64_t end_us = clock_monotonic_us() + next_bind_us;

	while (next_bind_us > 0 && clock_monotonic_us() < end_us)
		;
	if (next_binds_left > 0 && next_binds_left-- > 0)
		return fake_bind(state, binding, ret_cookie, said);
	fake_say(said, SHUNT_RESOURCE_ERROR, "out of memory");
	return -1;
}

static inline int next_validate_binding(const void *state, const struct shunt_binding *binding,
					struct shunt_error *said)
{
	(void)state;
	if (binding->routing_key.size != 4 || memcmp(binding->routing_key.data, "old!", 4) != 0)
		return 0;
	fake_say(said, SHUNT_PRECONDITION_FAILED, "keys like that are over");
	return -1;
}

static inline void next_adopt(void *state, void *old_state, const char *old_version)
{
	(void)state;
	CU_ASSERT_PTR_NOT_NULL(old_state);
	n_adopted++;
	(void)snprintf(adopted_from, sizeof(adopted_from), "%s", old_version);
}

/* Looks at every binding that it was not told to forget: they must be there. */
static inline void slow_destroy(void *state)
{
	struct fake_exchange *exchange = state;
	struct list *pos;
	unsigned sum = 0;

	destroy_has_begun = true;
	while (destroy_waits)
		(void)sched_yield();
	list_for_each(pos, &exchange->bound) {
		const struct shunt_binding *binding =
			container_of(pos, struct fake_bound, link)->binding;

		for (size_t i = 0; i < binding->routing_key.size; i++)
			sum += binding->routing_key.data[i];
		sum += binding->destination.data[0];
	}
	bug_on(sum == 1);
	fake_destroy(state);
}

static const struct shunt_exchange_type next_direct = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "direct",
	.create = next_create,
	.destroy = slow_destroy,
	.validate_binding = next_validate_binding,
	.bind = next_bind,
	.unbind = fake_unbind,
	.route = fake_route,
	.routes_by_key = true,
	.adopt = next_adopt,
};

/* ---- An upgrade, and what it says ---- */

static struct upgrade *upgrade;
static unsigned n_told, n_ready;
static enum upgrade_event told;
static char told_error[UPGRADE_ERROR_SIZE];
static struct exchange_type *old_type, *new_type;

static inline void tell(void *context, enum upgrade_event event, const char *text)
{
	CU_ASSERT_PTR_EQUAL(context, &told);
	CU_ASSERT_EQUAL(event == UPGRADE_FAILED, text != NULL);
	n_told++;
	n_ready += event == UPGRADE_READY;
	told = event;
	(void)snprintf(told_error, sizeof(told_error), "%s", text ? text : "");
	if (event != UPGRADE_READY)
		upgrade = NULL;
}

static upgrade_tell_fn tell_upgrade = tell;

static inline void begin_upgrade(const struct shunt_exchange_type *functions, const char *old,
				 unsigned percent)
{
	struct upgrade_part part;

	n_told = n_ready = 0;
	old_type = old ? exchange_type_find(broker->topology, slice_cstr(old)) : NULL;
	new_type = functions ? exchange_type_create(functions, NULL, "next", "2") : NULL;
	part = (struct upgrade_part){old_type, new_type};
	upgrade = upgrade_create(broker, &part, 1, percent, tell_upgrade, &told);
}

static inline void reset_upgrade(void)
{
	next_create_fails = next_is_wrong = destroy_waits = destroy_has_begun = false;
	next_bind_us = 0;
	next_binds_left = 1000000;
	n_adopted = 0;
}

/* Until nothing of the type is left; its instances are destroyed on another thread, whose letters
 * wake the loop. */
static inline void free_when_unused(struct exchange_type *type)
{
	if (!type)
		return;
	while (type->n_instances > 0)
		loop_run_once(true);
	turn();
	exchange_type_free(type);
}

#define ASSERT_FAILED(text_)                                                                       \
	do {                                                                                       \
		CU_ASSERT_EQUAL(told, UPGRADE_FAILED);                                             \
		CU_ASSERT_PTR_NULL(upgrade);                                                       \
		CU_ASSERT_STRING_EQUAL(told_error, (text_));                                       \
		if (strcmp(told_error, (text_)) != 0)                                              \
			(void)printf("\n    said: %s\n", told_error);                              \
		free_when_unused(new_type);                                                        \
	} while (0)

#define ASSERT_SWAPPED()                                                                           \
	do {                                                                                       \
		CU_ASSERT_EQUAL(told, UPGRADE_SWAPPED);                                            \
		CU_ASSERT_PTR_NULL(upgrade);                                                       \
		free_when_unused(old_type);                                                        \
	} while (0)

#endif
