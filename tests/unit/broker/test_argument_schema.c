/* SPDX-License-Identifier: MIT */
#include "amqp/argument_schema.h"

#include "../unit.h"
#include "arguments_fixture.h"
#include "topology_fixture.h"

/* ---- A list that makes sense, or does not ---- */

#define INTEGER(...)                                                                               \
	{                                                                                          \
		.name = "a", .type = SHUNT_ARGUMENT_INTEGER, __VA_ARGS__                           \
	}
#define STRING(...)                                                                                \
	{                                                                                          \
		.name = "a", .type = SHUNT_ARGUMENT_STRING, __VA_ARGS__                            \
	}
#define LIST(...)  ((const struct shunt_argument[]){__VA_ARGS__, {.name = NULL}})
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void no_fault(void)
{
	CU_ASSERT_PTR_NULL(argument_schema_fault(NULL));
	CU_ASSERT_PTR_NULL(argument_schema_fault((const struct shunt_argument[]){{.name = NULL}}));
	CU_ASSERT_PTR_NULL(argument_schema_fault(
		LIST(INTEGER(.minimum = 1, .maximum = 1, .default_value = "1"))));
	CU_ASSERT_PTR_NULL(argument_schema_fault(
		LIST(STRING(.choices = WORDS("x", "y"), .default_value = "y"), {.name = "b"})));
	CU_ASSERT_PTR_NULL(argument_schema_fault(
		LIST({.name = "a", .type = SHUNT_ARGUMENT_NUMBER, .default_value = "0.5"})));
	CU_ASSERT_PTR_NULL(argument_schema_fault(
		LIST({.name = "a", .type = SHUNT_ARGUMENT_BOOLEAN, .default_value = "false"})));
}

static void assert_fault(const struct shunt_argument *list, const char *part)
{
	const char *fault = argument_schema_fault(list);

	CU_ASSERT_PTR_NOT_NULL_FATAL(fault);
	CU_ASSERT_PTR_NOT_NULL(strstr(fault, part));
}

static void faults(void)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[299] = '\0';
	assert_fault(LIST({.name = ""}), "empty name");
	assert_fault(LIST({.name = name}), "more than 255 bytes");
	assert_fault(LIST({.name = "a", .type = (enum shunt_argument_type)7}), "unknown type");
	assert_fault(LIST({.name = "a", .type = (enum shunt_argument_type) - 1}), "unknown type");
	assert_fault(LIST(INTEGER(.minimum = 2, .maximum = 1)), "minimum");
	assert_fault(LIST(INTEGER(.minimum = 1)), "minimum");
	assert_fault(LIST(STRING(.minimum = -1, .maximum = 1)), "below zero");
	assert_fault(LIST({.name = "a", .type = SHUNT_ARGUMENT_BOOLEAN, .maximum = 1}), "range");
	assert_fault(LIST(INTEGER(.choices = WORDS("1"))), "choices");
	assert_fault(LIST(STRING(.choices = (const char *const[]){NULL})), "no choice");
	assert_fault(LIST(STRING(.required = true, .default_value = "x")), "required");
	assert_fault(LIST({.name = "a"}, {.name = "b"}, {.name = "a"}), "twice");
}

static void defaults_that_do_not_fit(void)
{
	static const char *const integers[] = {"",  "x", "1x", " ", "0x1", "99999999999999999999",
					       "0", "11"};

	for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
		assert_fault(
			LIST(INTEGER(.minimum = 1, .maximum = 10, .default_value = integers[i])),
			"does not fit");
	assert_fault(LIST({.name = "a", .type = SHUNT_ARGUMENT_BOOLEAN, .default_value = "yes"}),
		     "does not fit");
	assert_fault(LIST({.name = "a", .type = SHUNT_ARGUMENT_NUMBER, .default_value = "1.5."}),
		     "does not fit");
	assert_fault(LIST(STRING(.choices = WORDS("x"), .default_value = "y")), "does not fit");
	assert_fault(LIST(STRING(.minimum = 2, .maximum = 3, .default_value = "y")),
		     "does not fit");
	assert_fault(LIST({.name = "a", .type = SHUNT_ARGUMENT_TABLE, .default_value = ""}),
		     "does not fit");
}

/* A list or choices without an end are not read for ever. */
static void too_many(void)
{
	static char names[ARGUMENT_SCHEMA_MAX + 1][4];
	static struct shunt_argument list[ARGUMENT_SCHEMA_MAX + 1];
	static const char *words[ARGUMENT_SCHEMA_CHOICE_MAX + 1];

	for (size_t i = 0; i <= ARGUMENT_SCHEMA_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu", i);
		list[i].name = names[i];
	}
	assert_fault(list, "more than 64");
	list[ARGUMENT_SCHEMA_MAX].name = NULL;
	CU_ASSERT_PTR_NULL(argument_schema_fault(list));
	for (size_t i = 0; i <= ARGUMENT_SCHEMA_CHOICE_MAX; i++)
		words[i] = "w";
	assert_fault(LIST(STRING(.choices = words)), "more than 256");
}

/* ---- Values ---- */

static bool read_value(const struct shunt_argument *argument, struct amqp_value value,
		       struct shunt_value *ret)
{
	return argument_schema_read(argument, &value, ret);
}

#define VALUE(type_, ...) ((struct amqp_value){.type = AMQP_VALUE_##type_, __VA_ARGS__})

static void values_of_each_type(void)
{
	const struct shunt_argument boolean = {.name = "a", .type = SHUNT_ARGUMENT_BOOLEAN};
	const struct shunt_argument integer = INTEGER(.minimum = -5, .maximum = 5);
	const struct shunt_argument number = {
		.name = "a", .type = SHUNT_ARGUMENT_NUMBER, .minimum = 0, .maximum = 1};
	const struct shunt_argument string = STRING(.minimum = 1, .maximum = 2);
	const struct shunt_argument table = {.name = "a", .type = SHUNT_ARGUMENT_TABLE};
	struct shunt_value ret = {0};

	CU_ASSERT_TRUE(read_value(&boolean, VALUE(BOOL, .boolean = true), &ret));
	CU_ASSERT_EQUAL(ret.type, 't');
	CU_ASSERT_TRUE(ret.boolean);
	CU_ASSERT_FALSE(read_value(&boolean, VALUE(INT, .integer = 77), &ret));

	CU_ASSERT_TRUE(read_value(&integer, VALUE(UNSIGNED_BYTE, .integer = 5), &ret));
	CU_ASSERT_EQUAL(ret.type, 'l');
	CU_ASSERT_EQUAL(ret.integer, 5);
	CU_ASSERT_TRUE(read_value(&integer, VALUE(BYTE, .integer = -5), &ret));
	CU_ASSERT_FALSE(read_value(&integer, VALUE(LONG, .integer = 6), &ret));
	CU_ASSERT_FALSE(read_value(&integer, VALUE(DOUBLE, .real = 1), &ret));
	CU_ASSERT_EQUAL(ret.integer, -5); /* untouched on failure */

	CU_ASSERT_TRUE(read_value(&number, VALUE(INT, .integer = 1), &ret));
	CU_ASSERT_EQUAL(ret.type, 'd');
	CU_ASSERT_EQUAL(ret.real, 1.0);
	CU_ASSERT_TRUE(read_value(&number, VALUE(FLOAT, .real = 0.5), &ret));
	CU_ASSERT_FALSE(read_value(&number, VALUE(FLOAT, .real = 1.5), &ret));
	CU_ASSERT_FALSE(read_value(&number, VALUE(DOUBLE, .real = __builtin_nan("")), &ret));
	CU_ASSERT_FALSE(read_value(&number, VALUE(STRING, .bytes = SLICE_LITERAL("1")), &ret));

	CU_ASSERT_TRUE(read_value(&string, VALUE(STRING, .bytes = SLICE_LITERAL("ab")), &ret));
	CU_ASSERT_EQUAL(ret.bytes.size, 2);
	CU_ASSERT_FALSE(read_value(&string, VALUE(STRING, .bytes = SLICE_LITERAL("abc")), &ret));
	CU_ASSERT_FALSE(read_value(&string, VALUE(STRING, .bytes = SLICE_EMPTY), &ret));
	CU_ASSERT_FALSE(read_value(&string, VALUE(BINARY, .bytes = SLICE_LITERAL("ab")), &ret));

	CU_ASSERT_TRUE(read_value(&table, VALUE(TABLE, .bytes = SLICE_EMPTY), &ret));
	CU_ASSERT_FALSE(read_value(&table, VALUE(ARRAY, .bytes = SLICE_EMPTY), &ret));
	CU_ASSERT_FALSE(read_value(&table, VALUE(VOID, .integer = 0), &ret));
}

static void defaults(void)
{
	const struct shunt_argument integer = INTEGER(.default_value = "-7"), none = INTEGER(0);
	const struct shunt_argument any = {.name = "a", .default_value = "x"};
	struct shunt_value ret;

	CU_ASSERT_TRUE(argument_schema_default(&integer, &ret));
	CU_ASSERT_EQUAL(ret.type, 'l');
	CU_ASSERT_EQUAL(ret.integer, -7);
	CU_ASSERT_TRUE(argument_schema_default(&any, &ret));
	CU_ASSERT_EQUAL(ret.type, 'S');
	CU_ASSERT_FALSE(argument_schema_default(&none, &ret));
}

static void shown(void)
{
	const struct shunt_argument integer = INTEGER(.minimum = 1, .maximum = 9, .required = true);
	const struct shunt_argument string =
		STRING(.choices = WORDS("x", "y"), .default_value = "y");
	const struct shunt_argument open_above = INTEGER(.minimum = 1, .maximum = INT64_MAX);
	const struct shunt_argument open_below = INTEGER(.minimum = INT64_MIN, .maximum = 5);
	struct buffer text;

	buffer_init(&text);
	argument_schema_print(&integer, &text);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&text), "integer 1..9; required");
	buffer_clear(&text);
	argument_schema_print(&string, &text);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&text), "string, one of x, y; default y");
	buffer_clear(&text);
	argument_schema_print(&open_above, &text);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&text), "integer from 1");
	buffer_clear(&text);
	argument_schema_print(&open_below, &text);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&text), "integer to 5");
	buffer_fini(&text);
}

/* ---- What a client is told ---- */

static const struct shunt_argument declare_arguments[] = {
	{.name = "x-size", .type = SHUNT_ARGUMENT_INTEGER, .minimum = 1, .maximum = 100},
	{.name = "x-ratio", .type = SHUNT_ARGUMENT_NUMBER, .minimum = 0, .maximum = 1},
	{.name = "x-mode",
	 .type = SHUNT_ARGUMENT_STRING,
	 .choices = (const char *const[]){"soft", "hard", NULL}},
	{.name = "x-name", .type = SHUNT_ARGUMENT_STRING, .minimum = 1, .maximum = 4},
	{.name = "x-flag", .type = SHUNT_ARGUMENT_BOOLEAN},
	{.name = "x-own",
	 .type = SHUNT_ARGUMENT_INTEGER,
	 .required = true,
	 .checked_by_type = true,
	 .minimum = 1,
	 .maximum = 2},
	{.name = NULL},
};

static const struct shunt_argument bind_arguments[] = {
	{.name = "weight", .type = SHUNT_ARGUMENT_INTEGER, .required = true},
	{.name = NULL},
};

static const struct shunt_exchange_type fake_typed =
	FAKE_TYPE("typed", fake_create_fanout, .validate = fake_validate,
		  .declare_arguments = declare_arguments, .bind_arguments = bind_arguments);

static void assert_refused(struct slice arguments, const char *text)
{
	CU_ASSERT_EQUAL(exchange_declare_with("e", "typed", AUTO_DELETE, arguments), 406);
	ASSERT_SAID(text);
}

#define INVALID(argument, why)                                                                     \
	"PRECONDITION_FAILED - invalid arg '" argument "' for exchange 'e' in vhost '/': \"" why   \
	"\""

static void declared(void)
{
	struct amqp_value real = {.type = AMQP_VALUE_DOUBLE, .real = 1.5};

	broker_begin(1);
	register_type(&fake_typed);
	assert_refused(ARGUMENTS_STRING("x-size", "a"),
		       INVALID("x-size", "expected integer, got longstr"));
	assert_refused(ARGUMENTS_INT("x-size", 0), INVALID("x-size", "expected 1..100, got 0"));
	assert_refused(ARGUMENTS_INT("x-flag", 1),
		       INVALID("x-flag", "expected boolean, got signedint"));
	assert_refused(ARGUMENTS_STRING("x-mode", "mild"),
		       INVALID("x-mode", "got mild, expected one of soft, hard"));
	assert_refused(ARGUMENTS_STRING("x-name", "longer"),
		       INVALID("x-name", "expected 1..4 bytes, got 6"));
	arguments_none();
	assert_refused(arguments_add("x-ratio", &real),
		       INVALID("x-ratio", "expected 0..1, got 1.5"));
	/* The type is asked when the arguments fit. */
	CU_ASSERT_EQUAL(exchange_declare_with("e", "typed", 0, ARGUMENTS_INT("x-size", 1)), 406);
	ASSERT_SAID("PRECONDITION_FAILED - picky");
	CU_ASSERT_EQUAL(exchange_declare_with("e", "typed", 0, ARGUMENTS_INT("x-own", 3)), 406);
	ASSERT_SAID("PRECONDITION_FAILED - picky");
	/* Others are none of ours. */
	CU_ASSERT_EQUAL(exchange_declare_with("e", "typed", AUTO_DELETE, ARGUMENTS_INT("other", 1)),
			0);
	arguments_fini();
	broker_end();
}

/* Of arguments that differ RabbitMQ looks at alternate-exchange alone. */
static void declared_again(void)
{
	broker_begin(1);
	register_type(&fake_typed);
	CU_ASSERT_EQUAL(
		exchange_declare_with("e", "typed", AUTO_DELETE, ARGUMENTS_INT("x-size", 1)), 0);
	CU_ASSERT_EQUAL(
		exchange_declare_with("e", "typed", AUTO_DELETE, ARGUMENTS_INT("x-size", 2)), 0);
	CU_ASSERT_EQUAL(exchange_declare_with("e", "typed", AUTO_DELETE,
					      ARGUMENTS_STRING("alternate-exchange", "x")),
			406);
	arguments_fini();
	broker_end();
}

static int bind_with(struct slice arguments)
{
	bind_ask(&asked, DECLARE_BIND, "q", "e", "k", false);
	asked.request.arguments = arguments;
	return ask_now(&asked);
}

static void bound(void)
{
	broker_begin(1);
	register_type(&fake_typed);
	CU_ASSERT_EQUAL(exchange_declare("e", "typed", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(bind_with(SLICE_EMPTY), 406);
	ASSERT_SAID("PRECONDITION_FAILED - invalid arg 'weight' for binding of exchange 'e' in "
		    "vhost '/': \"it is required\"");
	CU_ASSERT_EQUAL(bind_with(ARGUMENTS_STRING("weight", "a")), 406);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(bind_with(ARGUMENTS_INT("weight", 3)), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	arguments_fini();
	broker_end();
}

/* A peer's value of any size makes no long text. */
static void long_values(void)
{
	static char value[100000];

	memset(value, 'v', sizeof(value) - 1);
	broker_begin(1);
	register_type(&fake_typed);
	CU_ASSERT_EQUAL(
		exchange_declare_with("e", "typed", AUTO_DELETE, ARGUMENTS_STRING("x-mode", value)),
		406);
	CU_ASSERT_PTR_NOT_NULL(strstr(asked.request.error.text, "expected one of soft, hard"));
	arguments_fini();
	broker_end();
}

UNIT_MAIN("argument_schema", UNIT_TEST(no_fault), UNIT_TEST(faults),
	  UNIT_TEST(defaults_that_do_not_fit), UNIT_TEST(too_many), UNIT_TEST(values_of_each_type),
	  UNIT_TEST(defaults), UNIT_TEST(shown), UNIT_TEST(declared), UNIT_TEST(declared_again),
	  UNIT_TEST(bound), UNIT_TEST(long_values))
