/* SPDX-License-Identifier: MIT */

/* Exchange types of scripts: what they register, validate, and where their messages go. */

#include <string.h>

#include "lua_exchange.h"
#include "unit.h"

#define BY_COUNTRY                                                                                 \
	"exchange.register{ name = 'x-country',\n"                                                 \
	"  route = function(message, bindings, emit)\n"                                            \
	"    local country = message.headers.country\n"                                            \
	"    if country then emit(bindings:match(country)) end\n"                                  \
	"  end }\n"

static struct lua_exchange x;

/* One entry, text; the test's until fake_table_fini(). */
static struct fake_table table_of(const char *name, const char *text)
{
	struct fake_table table = {0};

	fake_table_put_text(&table, name, text);
	return table;
}

static const char *refusal_of(const char *source)
{
	static struct lua_case c;

	lua_case_open(&c, source, NULL);
	CU_ASSERT_PTR_NULL(c.script);
	lua_case_close(&c);
	return c.error.text;
}

#define ASSERT_REFUSED(source, text) CU_ASSERT_STRING_EQUAL(refusal_of(source), text)
#define REGISTER(rest)		     "exchange.register{ route = print, " rest " }"

/* ---- Registering ---- */

static void route_and_name_must_be_there(void)
{
	ASSERT_REFUSED("exchange.register{ name = 'x' }",
		       "case.lua:1: exchange.register: route is missing");
	ASSERT_REFUSED("exchange.register{ route = print }",
		       "case.lua:1: exchange.register: name is missing");
	ASSERT_REFUSED("exchange.register{ name = 1, route = print }",
		       "case.lua:1: exchange.register: name must be a string, not a number");
	ASSERT_REFUSED("exchange.register{ name = '', route = print }",
		       "case.lua:1: exchange.register: name must have 1 to 127 bytes, none of them "
		       "zero");
	ASSERT_REFUSED("exchange.register(1)",
		       "case.lua:1: bad argument #1 to 'register' (table expected, got number)");
}

static void unknown_keys_are_refused(void)
{
	ASSERT_REFUSED(REGISTER("name = 'x', rout = 1"),
		       "case.lua:1: exchange.register: there is no key 'rout'");
	ASSERT_REFUSED(REGISTER("name = 'x', bind = 1"),
		       "case.lua:1: exchange.register: bind must be a function, not a number");
}

static void names_are_used_once(void)
{
	ASSERT_REFUSED(REGISTER("name = 'x'") REGISTER("name = 'x'"),
		       "case.lua:1: exchange.register: 'x' is registered already");
}

static void arguments_are_checked(void)
{
#define ARGUMENT(text) REGISTER("name = 'x', arguments = { { " text " } }")
#define WRONG	       "case.lua:1: exchange.register: arguments[1]: "
	ASSERT_REFUSED(ARGUMENT("type = 'string'"),
		       WRONG "name must be a string of 1 to 255 bytes");
	ASSERT_REFUSED(ARGUMENT("name = 'a', type = 'text'"),
		       WRONG "type must be any, boolean, integer, number, string, table or array");
	ASSERT_REFUSED(ARGUMENT("name = 'a', min = 1"), WRONG "there is no key 'min'");
	ASSERT_REFUSED(ARGUMENT("name = 'a', type = 'integer', minimum = 2, maximum = 1"),
		       WRONG "minimum is more than maximum");
	ASSERT_REFUSED(ARGUMENT("name = 'a', type = 'integer', default = 'x'"),
		       WRONG "default does not fit its type");
	ASSERT_REFUSED(ARGUMENT("name = 'a', type = 'string', choices = {}"),
		       WRONG "choices must be 1 to 64 strings");
	ASSERT_REFUSED(ARGUMENT("name = 'a' }, { name = 'a'"),
		       "case.lua:1: exchange.register: arguments[2]: the name is there twice");
	ASSERT_REFUSED(REGISTER("name = 'x', arguments = { a = {} }"),
		       "case.lua:1: exchange.register: arguments must be an array");
}

static void arguments_are_described(void)
{
	const struct shunt_argument *a;

	lua_exchange_open(&x,
			  REGISTER("name = 'x', description = 'why', "
				   "arguments = { { name = 'a', type = 'integer', minimum = 1, "
				   "help = 'help', default = 7 }, { name = 'b', type = 'string', "
				   "choices = { 'p', 'q' }, required = true } }, "
				   "depends = { 'headers.a', 'property.type' }, "
				   "cache_seconds = 0.5"),
			  2);
	a = x.type->declare_arguments;
	CU_ASSERT_STRING_EQUAL(x.type->description, "why");
	CU_ASSERT_STRING_EQUAL(a[0].name, "a");
	CU_ASSERT_EQUAL(a[0].type, SHUNT_ARGUMENT_INTEGER);
	CU_ASSERT_EQUAL(a[0].minimum, 1);
	CU_ASSERT_EQUAL(a[0].maximum, INT64_MAX);
	CU_ASSERT_STRING_EQUAL(a[0].default_value, "7");
	CU_ASSERT_STRING_EQUAL(a[0].help, "help");
	CU_ASSERT_TRUE(a[1].required);
	CU_ASSERT_STRING_EQUAL(a[1].choices[1], "q");
	CU_ASSERT_PTR_NULL(a[1].choices[2]);
	CU_ASSERT_PTR_NULL(a[2].name);
	CU_ASSERT_PTR_NULL(x.type->bind_arguments);
	CU_ASSERT_STRING_EQUAL(x.type->depends[0], "headers.a");
	CU_ASSERT_STRING_EQUAL(x.type->depends[1], "property.type");
	CU_ASSERT_PTR_NULL(x.type->depends[2]);
	CU_ASSERT_EQUAL(x.type->depends_ms, 500);
	lua_exchange_close(&x);
}

static void dependencies_are_checked(void)
{
	ASSERT_REFUSED(REGISTER("name = 'x', depends = { 'property.colour' }"),
		       "case.lua:1: exchange.register: depends: 'property.colour' is none of "
		       "routing_key, exchange, user, headers.NAME, property.NAME");
	ASSERT_REFUSED(REGISTER("name = 'x', cache_seconds = 1"),
		       "case.lua:1: exchange.register: cache_seconds needs depends");
}

static void loops_must_agree(void)
{
	static struct lua_case c;

	lua_case_open_loops(&c, "exchange.register{ name = 'x' .. script.loop, route = print }",
			    NULL, 2);
	CU_ASSERT_PTR_NULL(c.script);
	CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua: loop 1 has registered other exchange types "
					     "than loop 0: name of x0");
	lua_case_close(&c);
	lua_case_open_loops(
		&c, "if script.loop == 1 then exchange.register{ name = 'x', route = print } end",
		NULL, 2);
	CU_ASSERT_PTR_NULL(c.script);
	CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua: loop 1 has registered other exchange types "
					     "than loop 0: their number");
	lua_case_close(&c);
}

static void only_at_top_level(void)
{
	static struct lua_case c;

	lua_case_open(&c, "function f() exchange.register{ name = 'x', route = print } end", NULL);
	CU_ASSERT_EQUAL(lua_case_call(&c, CALL_PUBLISH, "f"), CALL_FAILED);
	CU_ASSERT_STRING_EQUAL(c.error.text, "case.lua:1: exchange.register: only at top level, "
					     "while the script is loaded");
	lua_case_close(&c);
}

/* ---- Routing ---- */

static void routes_by_header(void)
{
	struct fake_table de = table_of("country", "de"), fr = table_of("country", "fr");

	lua_exchange_open(&x, BY_COUNTRY, 1);
	(void)lua_exchange_bind(&x, "de", "q1", NULL);
	(void)lua_exchange_bind(&x, "de", "q2", NULL);
	(void)lua_exchange_bind(&x, "fr", "q3", NULL);
	ASSERT_ROUTES(&x, "", &de, "q1 q2");
	ASSERT_ROUTES(&x, "", &fr, "q3");
	ASSERT_ROUTES(&x, "de", NULL, "");
	lua_exchange_unbind(&x, &x.bindings[0]);
	ASSERT_ROUTES(&x, "", &de, "q2");
	lua_exchange_unbind(&x, &x.bindings[1]);
	ASSERT_ROUTES(&x, "", &de, "");
	fake_table_fini(&de);
	fake_table_fini(&fr);
	lua_exchange_close(&x);
}

/* The whole of route's body for three bindings a b c with these keys. */
static const char *routed_by(const char *body)
{
	static char source[2048];

	(void)snprintf(source, sizeof(source),
		       "exchange.register{ name = 'x', route = function(message, bindings, emit, "
		       "exchange)\n%s\nend }",
		       body);
	lua_exchange_open(&x, source, 1);
	(void)lua_exchange_bind(&x, "1", "a", NULL);
	(void)lua_exchange_bind(&x, "2", "b", NULL);
	(void)lua_exchange_bind(&x, "2", "c", NULL);
	(void)lua_exchange_route(&x, "2", NULL);
	(void)snprintf(source, sizeof(source), "%s%s%s", x.routed, *x.c.log ? "!" : "", x.c.log);
	lua_exchange_close(&x);
	return source;
}

#define ASSERT_BODY(body, expected) CU_ASSERT_STRING_EQUAL(routed_by(body), expected)
#define RETURNED		    "!route failed: case.lua:1: route has returned "
#define FAILS			    "!route failed: case.lua:2: "

static void what_is_returned_is_emitted(void)
{
	ASSERT_BODY("return bindings", "a b c");
	ASSERT_BODY("return bindings:match(message.routing_key)", "b c");
	ASSERT_BODY("return bindings[1]", "a");
	ASSERT_BODY("return { bindings[3], bindings:match('1') }", "c a");
	ASSERT_BODY("return nil", "");
	ASSERT_BODY("return {}", "");
	ASSERT_BODY("emit(bindings[2]) return bindings[1]", "b a");
	ASSERT_BODY("emit(bindings[2], bindings[3])", "b c");
	ASSERT_BODY("emit(bindings:match(nil))", "");
	ASSERT_BODY("emit(bindings:match('9'))", "");
	ASSERT_BODY("emit(nil)", "");
}

static void wrong_answers_fail(void)
{
	ASSERT_BODY("emit(bindings) return 1", RETURNED "a number, which is no binding");
	ASSERT_BODY("return true", RETURNED "a boolean, which is no binding");
	ASSERT_BODY("return { 'q' }", RETURNED "an array with a string, which is no binding");
	ASSERT_BODY("return { q = 1 }", RETURNED "a table that is no array");
	ASSERT_BODY("return message", RETURNED "a userdata, which is no binding");
	ASSERT_BODY("emit(exchange)", FAILS "emit: a userdata, which is no binding");
	ASSERT_BODY("emit({ emit })", FAILS "emit: an array with a function, which is no binding");
}

static void nothing_goes_when_it_fails(void)
{
	ASSERT_BODY("emit(bindings) error('no')", FAILS "no");
	ASSERT_BODY("emit(bindings) while true do end",
		    FAILS "it ran for more than `instructions`");
}

static void bindings_can_be_looked_at(void)
{
	ASSERT_BODY("if #bindings == 3 and #bindings:match('2') == 2 then return bindings end",
		    "a b c");
	ASSERT_BODY("for b in bindings:each() do if b.destination ~= 'b' then emit(b) end end",
		    "a c");
	ASSERT_BODY("for b in bindings:match('2'):each() do if b.destination == 'c' then emit(b) "
		    "end end",
		    "c");
	ASSERT_BODY("local b = bindings[1] if b.routing_key == '1' and b.id > 0 and "
		    "b.destination_kind == 'queue' and b.arguments.x == nil then return b end",
		    "a");
	ASSERT_BODY(
		"if bindings[4] == nil and bindings[0] == nil and bindings:match('2')[3] == nil "
		"then return bindings[1] end",
		"a");
	ASSERT_BODY("if bindings[1] == bindings[1] and bindings[1] ~= bindings[2] then return "
		    "bindings[1] end",
		    "a");
	ASSERT_BODY("return bindings.count", FAILS "bindings has no 'count'");
	ASSERT_BODY("return bindings[1].key", FAILS "a binding has no field 'key'");
}

static void exchange_can_be_looked_at(void)
{
	ASSERT_BODY(
		"if exchange.name == 'the-exchange' and exchange.vhost == '/' and exchange.type "
		"== 'x' and exchange.durable and not exchange.internal and not "
		"exchange.auto_delete then return bindings[1] end",
		"a");
	ASSERT_BODY("exchange.state.n = 1 if exchange.state.n == 1 then return bindings[1] end",
		    "a");
	ASSERT_BODY("exchange.state = {}",
		    FAILS "attempt to index a exchange value (local 'exchange')");
	ASSERT_BODY("exchange.arguments.a = 1", FAILS "these are read-only");
	ASSERT_BODY("message.type = 'a'",
		    FAILS "a message can not be changed here: only hooks may");
	ASSERT_BODY("message.headers.a = 1",
		    FAILS "a message can not be changed here: only hooks may");
}

/* Scripts keep what they are passed, and use it when it is gone. */
static void nothing_outlives_its_call(void)
{
	lua_exchange_open(&x,
			  "exchange.register{ name = 'x', route = function(m, b, e, x)\n"
			  "  if not kept then kept = { m, b, x, b:match('1'), b[1], e, m.headers, "
			  "x.arguments } end end }\n"
			  "function f() local r = {} "
			  "r[1] = pcall(function() return kept[1].routing_key end)\n"
			  "r[2] = pcall(function() return #kept[2] end)\n"
			  "r[3] = pcall(function() return kept[3].name end)\n"
			  "r[4] = pcall(function() return #kept[4] end)\n"
			  "r[5] = pcall(function() return kept[5].id end)\n"
			  "r[6] = pcall(function() kept[6](nil) end)\n"
			  "r[7] = pcall(function() return kept[7].a end)\n"
			  "r[8] = pcall(function() return kept[8].a end)\n"
			  "r[9] = pcall(function() for _ in pairs(kept[7]) do end end)\n"
			  "local s = '' for i = 1, 9 do s = s .. (r[i] and 'y' or 'n') end\n"
			  "return s end",
			  1);
	(void)lua_exchange_bind(&x, "1", "a", NULL);
	(void)lua_exchange_route(&x, "1", NULL);
	CU_ASSERT_EQUAL(lua_case_call(&x.c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(x.c.result, "nnnnnnnnn");
	lua_exchange_destroy(&x);
	CU_ASSERT_EQUAL(lua_case_call(&x.c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(x.c.result, "nnnnnnnnn");
	/* another one of the type, which lets go of what the first has left */
	CU_ASSERT_EQUAL(lua_exchange_declare(&x, NULL), 0);
	(void)lua_exchange_route(&x, "1", NULL);
	CU_ASSERT_EQUAL(lua_case_call(&x.c, CALL_PUBLISH, "f"), CALL_OK);
	CU_ASSERT_STRING_EQUAL(x.c.result, "nnnnnnnnn");
	lua_exchange_close(&x);
}

static void unbound_binding_is_gone(void)
{
	lua_exchange_open(&x,
			  "exchange.register{ name = 'x', route = function(m, b, e)\n"
			  "  kept = kept or b[1]\n  return kept end }",
			  1);
	(void)lua_exchange_bind(&x, "1", "a", NULL);
	ASSERT_ROUTES(&x, "", NULL, "a");
	ASSERT_ROUTES(&x, "", NULL, "a");
	lua_exchange_unbind(&x, &x.bindings[0]);
	(void)lua_exchange_bind(&x, "1", "b", NULL); /* has its slot */
	ASSERT_ROUTES(&x, "", NULL, "");
	CU_ASSERT_STRING_EQUAL(x.c.log, "route failed: case.lua:1: route has "
					"returned a binding that is not there (any more)");
	lua_exchange_close(&x);
}

/* ---- Validating ---- */

#define VALIDATES(body)                                                                            \
	"exchange.register{ name = 'x', route = print, validate = function(exchange)\n" body       \
	"\nend }"

static const char *verdict(const char *source, const struct fake_table *arguments)
{
	static char text[300];

	lua_exchange_open_with(&x, source, NULL, 1);
	(void)snprintf(text, sizeof(text), "ok");
	if (lua_exchange_declare(&x, arguments) != 0)
		(void)snprintf(text, sizeof(text), "%u %s", x.c.error.code, x.c.error.text);
	lua_exchange_close(&x);
	return text;
}

static void validate_refuses(void)
{
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES(""), NULL), "ok");
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("return true"), NULL), "ok");
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("return false, 'why'"), NULL), "406 why");
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("return false"), NULL),
			       "406 the script refuses it");
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("error('why', 0)"), NULL), "406 why");
}

static void validate_that_fails_refuses(void)
{
	const char *failed =
		"406 the script of exchange type 'x' has failed: the broker's log says how";

	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("error('why')"), NULL), failed);
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("return 'no'"), NULL), failed);
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("while true do end"), NULL), failed);
	CU_ASSERT_STRING_EQUAL(verdict(VALIDATES("local x = nil + 1"), NULL), failed);
}

static void validate_sees_arguments(void)
{
	struct fake_table arguments = table_of("a", "1");
	const char *source = "exchange.register{ name = 'x', route = print,\n"
			     "arguments = { { name = 'b', type = 'integer', default = 5 } },\n"
			     "validate = function(x) local s = ''\n"
			     "for k, v in pairs(x.arguments) do s = s .. k .. tostring(v) end\n"
			     "return false, x.arguments.a .. x.arguments.b .. #s .. x.type .. "
			     "tostring(x.arguments.c) .. tostring(x.state) end }";

	CU_ASSERT_STRING_EQUAL(verdict(source, &arguments), "406 154xnilnil");
	fake_table_fini(&arguments);
}

static void validate_binding_refuses(void)
{
	struct fake_table good = table_of("a", "yes"), bad = table_of("a", "no");

	lua_exchange_open(&x,
			  "exchange.register{ name = 'x', route = function(m, b) return b end,\n"
			  "bind_arguments = { { name = 'd', type = 'string', default = 'D' } },\n"
			  "validate_binding = function(x, b) if b.arguments.a == 'no' then\n"
			  "return false, x.name .. b.routing_key .. b.arguments.d end end }",
			  1);
	CU_ASSERT_PTR_NOT_NULL(lua_exchange_bind(&x, "k", "q", &good));
	CU_ASSERT_PTR_NULL(lua_exchange_bind(&x, "k", "q", &bad));
	CU_ASSERT_EQUAL(x.c.error.code, 406);
	CU_ASSERT_STRING_EQUAL(x.c.error.text, "the-exchangekD");
	ASSERT_ROUTES(&x, "", NULL, "q");
	fake_table_fini(&good);
	fake_table_fini(&bad);
	lua_exchange_close(&x);
}

UNIT_MAIN("lua_exchange", UNIT_TEST(route_and_name_must_be_there),
	  UNIT_TEST(unknown_keys_are_refused), UNIT_TEST(names_are_used_once),
	  UNIT_TEST(arguments_are_checked), UNIT_TEST(arguments_are_described),
	  UNIT_TEST(dependencies_are_checked), UNIT_TEST(loops_must_agree),
	  UNIT_TEST(only_at_top_level), UNIT_TEST(routes_by_header),
	  UNIT_TEST(what_is_returned_is_emitted), UNIT_TEST(wrong_answers_fail),
	  UNIT_TEST(nothing_goes_when_it_fails), UNIT_TEST(bindings_can_be_looked_at),
	  UNIT_TEST(exchange_can_be_looked_at), UNIT_TEST(nothing_outlives_its_call),
	  UNIT_TEST(unbound_binding_is_gone), UNIT_TEST(validate_refuses),
	  UNIT_TEST(validate_that_fails_refuses), UNIT_TEST(validate_sees_arguments),
	  UNIT_TEST(validate_binding_refuses))
