/* SPDX-License-Identifier: MIT */
#include <shunt/plugin.h>

#include <assert.h>
#include <stddef.h>

#include "fixture.h"
#include "plugin/plugin.h"

/*
 * Plugins that were built against released headers run in the broker of today; and the present
 * header's structures lie in memory as they are written down, so that no change of them lands
 * unseen (tests/check-abi compares with the released ones).
 */

#ifdef __LP64__
#define SIZE(type, size_) static_assert(sizeof(struct type) == (size_), "another size");
#define LAYOUT(type, member, offset_, size_)                                                       \
	static_assert(offsetof(struct type, member) == (offset_), "another place");                \
	static_assert(sizeof(((struct type *)0)->member) == (size_), "another size");
#include "abi_layout.h"
#endif

/* ---- Released headers ---- */

static size_t n_emitted;

static void count(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t n)
{
	(void)sink;
	(void)bindings;
	n_emitted += n;
}

/* An instance, a binding, a message. */
static void route_once(const struct exchange_type *type)
{
	const struct shunt_exchange exchange = {.size = sizeof(exchange)};
	const struct shunt_binding binding = {.size = sizeof(binding)};
	const struct shunt_message message = {.size = sizeof(message)};
	struct shunt_sink sink = {.emit = count};
	struct shunt_error error;
	void *state = NULL, *cookie = NULL;

	n_emitted = 0;
	CU_ASSERT_EQUAL_FATAL(type->functions->validate(type->plugin, &exchange, &error), 0);
	CU_ASSERT_EQUAL_FATAL(type->functions->create(type->plugin, &exchange, &state, &error), 0);
	CU_ASSERT_EQUAL(type->functions->validate_binding(state, &binding, &error), 0);
	CU_ASSERT_EQUAL(type->functions->bind(state, &binding, &cookie, &error), 0);
	type->functions->route(state, &message, &sink);
	CU_ASSERT_EQUAL(n_emitted, 1);
	type->functions->unbind(state, &binding, cookie);
	type->functions->route(state, &message, &sink);
	CU_ASSERT_EQUAL(n_emitted, 1);
	type->functions->destroy(state);
}

static void runs(const char *module, const char *type_name)
{
	const struct exchange_type *type;

	plugins_begin(0);
	CU_ASSERT_EQUAL_FATAL(load(module), 0);
	type = exchange_type_find(topology, slice_cstr(type_name));
	CU_ASSERT_PTR_NOT_NULL_FATAL(type);
	/* what came later is not there, whatever lies behind its structure */
	CU_ASSERT_FALSE(type->functions->routes_by_key);
	CU_ASSERT_PTR_NULL(type->functions->declare_arguments);
	CU_ASSERT_PTR_NULL(type->functions->bind_arguments);
	CU_ASSERT_PTR_NULL(type->functions->observe);
	CU_ASSERT_PTR_NULL(type->functions->bound);
	CU_ASSERT_PTR_NULL(type->functions->adopt);
	CU_ASSERT_PTR_NULL(type->functions->depends);
	route_once(type);
	(void)plugins_end();
}

static void built_against_1_0(void)
{
	runs("released_1_0", "x-released-0");
}

static void built_against_1_1(void)
{
	runs("released_1_1", "x-released-1");
}

static void built_against_1_2(void)
{
	const struct plugin *plugin;

	runs("released_1_2", "x-released-2");
	plugins_begin(0);
	CU_ASSERT_EQUAL_FATAL(load("released_1_2"), 0);
	plugin = plugins_find(plugins, "released-2");
	CU_ASSERT_PTR_NOT_NULL_FATAL(plugin);
	CU_ASSERT_EQUAL_FATAL(plugin->staged.n_policies, 1);
	CU_ASSERT_PTR_NOT_NULL(plugin->staged.policies[0]->own.authorize);
	CU_ASSERT_PTR_NULL(plugin->staged.policies[0]->own.decide);
	CU_ASSERT_EQUAL_FATAL(plugin->staged.n_hooks, 1);
	CU_ASSERT_PTR_NOT_NULL(plugin->staged.hooks[0]->own.deliver);
	CU_ASSERT_PTR_NULL(plugin->self.activate);
	(void)plugins_end();
}

UNIT_MAIN("abi", UNIT_TEST(built_against_1_0), UNIT_TEST(built_against_1_1), UNIT_TEST(built_against_1_2))
