/* SPDX-License-Identifier: MIT */
/* Exchange types that plugins register. */
#include "fixture.h"

static void begin(const char *how)
{
	settings[0] = (struct plugin_setting){"probe", "register", how, "shunt.conf:5", false};
	plugins_begin(1);
}

static void refused(const char *how, const char *why)
{
	char expected[512];

	begin(how);
	CU_ASSERT_EQUAL(load("probe"), -1);
	(void)snprintf(expected, sizeof(expected),
		       "cannot load plugin 'probe': it does not start: %s", why);
	ASSERT_TEXT(reason, expected);
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
	CU_ASSERT_FALSE(has_type(how));
	ASSERT_TEXT(plugins_end(), "");
}

static void registered(void)
{
	const struct exchange_type *type;

	begin("good");
	CU_ASSERT_FALSE(has_type("good"));
	ASSERT_LOADS("probe");
	type = exchange_type_find(topology, SLICE_LITERAL("good"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(type);
	CU_ASSERT_STRING_EQUAL(type->plugin_name, "probe");
	CU_ASSERT_PTR_EQUAL(type->plugin, probe_get());
	CU_ASSERT_EQUAL(probe_get()->n_created, 0);
	(void)plugins_end();
}

static void of_another_size(void)
{
	refused("smaller", "struct shunt_exchange_type has another size");
	refused("sizeless", "struct shunt_exchange_type has another size");
}

static void of_abi_1_0(void)
{
	begin("older");
	ASSERT_LOADS("probe");
	CU_ASSERT_TRUE(has_type("older"));
	(void)plugins_end();
}

/* What an older minor has behind its structure is not looked at. */
static void with_arguments_that_make_no_sense(void)
{
	refused("bad-arguments", "an argument's minimum is above its maximum");
	refused("bad-bind", "an argument's minimum is above its maximum");
	begin("of-1.1");
	ASSERT_LOADS("probe");
	CU_ASSERT_TRUE(has_type("of-1.1"));
	(void)plugins_end();
}

static void what_answers_depend_on(void)
{
	refused("depends-badly", "exchange type 'depends-badly' depends on 'colour', which is no "
				 "field that can be named");
	begin("depends");
	ASSERT_LOADS("probe");
	CU_ASSERT_EQUAL(exchange_type_find(topology, SLICE_LITERAL("depends"))->depends.n_fields,
			2);
	(void)plugins_end();
	begin("of-1.2");
	ASSERT_LOADS("probe");
	CU_ASSERT_FALSE(exchange_type_find(topology, SLICE_LITERAL("of-1.2"))->depends.is_declared);
	(void)plugins_end();
}

static void without_a_name(void)
{
	refused("nameless", "an exchange type has no name");
	refused("empty-name", "an exchange type has no name");
}

static void name_of_127_bytes_and_of_more(void)
{
	refused("too-long", "an exchange type has a name of more than 127 bytes");
	begin("longest");
	ASSERT_LOADS("probe");
	(void)plugins_end();
}

static void without_its_functions(void)
{
	refused("no-create", "an exchange type lacks create, route or destroy");
	refused("no-destroy", "an exchange type lacks create, route or destroy");
	refused("no-route", "an exchange type lacks create, route or destroy");
}

static void registered_twice(void)
{
	refused("good twice", "exchange type 'good' is there already, by plugin 'probe'");
	begin("good twice, and goes on");
	ASSERT_LOADS("probe");
	CU_ASSERT_TRUE(has_type("good"));
	(void)plugins_end();
}

static void name_taken_by_another_plugin(void)
{
	begin("good");
	ASSERT_LOADS("rival");
	ASSERT_REFUSED("probe", "it does not start: exchange type 'good' is there already, by "
				"plugin 'rival'");
	CU_ASSERT_STRING_EQUAL(exchange_type_find(topology, SLICE_LITERAL("good"))->plugin_name,
			       "rival");
	(void)plugins_end();
}

static void after_the_start(void)
{
	struct shunt_error error = {0};
	const struct probe *probe;

	plugins_begin(0);
	ASSERT_LOADS("probe");
	probe = probe_get();
	CU_ASSERT_EQUAL(probe->host->register_exchange_type(probe->host, probe->late, &error), -1);
	CU_ASSERT_EQUAL(error.code, SHUNT_NOT_ALLOWED);
	ASSERT_TEXT(error.text, "exchange type 'good' comes too late: it is registered while "
				"starting");
	CU_ASSERT_FALSE(has_type("good"));
	(void)plugins_end();
}

/* amq.topic and amq.rabbitmq.trace are there before the type is. */
static void predeclared_exchanges_come_to_life(void)
{
	void *object = dlopen(MODULE("probe"), RTLD_NOW);
	struct probe *probe;

	CU_ASSERT_PTR_NOT_NULL_FATAL(object);
	begin("topic");
	ASSERT_LOADS("probe");
	probe = probe_get();
	CU_ASSERT_EQUAL(probe->n_created, 2);
	CU_ASSERT_PTR_EQUAL(probe->seen_plugin, probe);
	CU_ASSERT_TRUE(strcmp(probe->seen_name, "amq.topic") == 0 ||
		       strcmp(probe->seen_name, "amq.rabbitmq.trace") == 0);
	CU_ASSERT_EQUAL(probe->n_destroyed, 0);
	(void)plugins_end();
	CU_ASSERT_EQUAL(probe->n_destroyed, 2);
	(void)dlclose(object);
}

/* It has started, so it stays till the end, and is stopped. */
static void predeclared_exchange_that_cannot_be_made(void)
{
	begin("broken-topic");
	ASSERT_REFUSED("probe", "exchange type 'topic' cannot be registered: Invalid argument");
	CU_ASSERT_TRUE(is_open(MODULE("probe")));
	CU_ASSERT_PTR_NOT_NULL(strstr(plugins_end(), " I plugin: probe: stopped\n"));
	CU_ASSERT_FALSE(is_open(MODULE("probe")));
}

UNIT_MAIN("types", UNIT_TEST(registered), UNIT_TEST(of_another_size), UNIT_TEST(of_abi_1_0),
	  UNIT_TEST(with_arguments_that_make_no_sense), UNIT_TEST(what_answers_depend_on),
	  UNIT_TEST(without_a_name), UNIT_TEST(name_of_127_bytes_and_of_more),
	  UNIT_TEST(without_its_functions), UNIT_TEST(registered_twice),
	  UNIT_TEST(name_taken_by_another_plugin), UNIT_TEST(after_the_start),
	  UNIT_TEST(predeclared_exchanges_come_to_life),
	  UNIT_TEST(predeclared_exchange_that_cannot_be_made))
