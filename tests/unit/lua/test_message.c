/* SPDX-License-Identifier: MIT */

/* What a script sees of a message, and what it writes into one. */

#include <string.h>

#include "lua_exchange.h"
#include "message/message.h"
#include "unit.h"

static struct lua_exchange x;

static struct shunt_bytes bytes_of(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

/* One of each type. */
static struct fake_table all_types(void)
{
	struct fake_table table = {0}, inner = {0}, array = {0};

	fake_table_put_text(&inner, "k", "v");
	fake_table_put_text(&array, NULL, "one");
	fake_table_put(&array, NULL, 'I', 2);
	fake_table_put_text(&table, "S", "text");
	fake_table_put_bytes(&table, "x", 'x', "\0\1", 2);
	fake_table_put(&table, "t", 't', 1);
	fake_table_put(&table, "b", 'b', -1);
	fake_table_put(&table, "l", 'l', INT64_MIN);
	fake_table_put(&table, "T", 'T', 1700000000);
	fake_table_put_real(&table, "d", 'd', 0.5);
	fake_table_put_decimal(&table, "D", 2, 250);
	fake_table_put(&table, "V", 'V', 0);
	fake_table_put_bytes(&table, "F", 'F', inner.data, inner.size);
	fake_table_put_bytes(&table, "A", 'A', array.data, array.size);
	fake_table_fini(&inner);
	fake_table_fini(&array);
	return table;
}

/* What `expression` is as text, of the message. */
static const char *value_of(const char *expression, struct fake_message *message)
{
	static char source[2048];

	(void)snprintf(source, sizeof(source),
		       "exchange.register{ name = 'x', route = function(message)\n"
		       "local h = message.headers value = tostring(%s) end }\n"
		       "function f() return value end",
		       expression);
	lua_exchange_open(&x, source, 1);
	(void)lua_exchange_route_message(&x, message);
	(void)snprintf(source, sizeof(source), "%s", x.c.log);
	if (!*source) {
		CU_ASSERT_EQUAL(lua_case_call(&x.c, CALL_PUBLISH, "f"), CALL_OK);
		(void)snprintf(source, sizeof(source), "%s", x.c.result);
	}
	lua_exchange_close(&x);
	return source;
}

#define ASSERT_VALUE(expression, message, expected)                                                \
	CU_ASSERT_STRING_EQUAL(value_of(expression, message), expected)

static void headers_of_all_types(void)
{
	struct fake_table table = all_types();
	struct fake_message message = {.headers = fake_table_bytes(&table)};

	ASSERT_VALUE("h.S", &message, "text");
	ASSERT_VALUE("#h.x .. h.x:byte(2)", &message, "21");
	ASSERT_VALUE("h.t", &message, "true");
	ASSERT_VALUE("h.b", &message, "-1");
	ASSERT_VALUE("h.l == math.mininteger", &message, "true");
	ASSERT_VALUE("h.T", &message, "1700000000");
	ASSERT_VALUE("h.d", &message, "0.5");
	ASSERT_VALUE("h.D", &message, "2.5");
	ASSERT_VALUE("h.V", &message, "nil");
	ASSERT_VALUE("h.F.k", &message, "v");
	ASSERT_VALUE("h.A[1] .. h.A[2] .. #h.A", &message, "one22");
	ASSERT_VALUE("h.none", &message, "nil");
	ASSERT_VALUE("h[1]", &message, "nil");
	ASSERT_VALUE("h['S\\0']", &message, "nil");
	fake_table_fini(&table);
}

static void headers_one_after_the_other(void)
{
	struct fake_table table = all_types();
	struct fake_message message = {.headers = fake_table_bytes(&table)}, none = {0};
	const char *names = "(function() local n = {} for k in pairs(h) do n[#n + 1] = k end\n"
			    "table.sort(n) return table.concat(n) end)()";

	ASSERT_VALUE(names, &message, "ADFSTbdltx");
	ASSERT_VALUE(names, &none, "");
	fake_table_fini(&table);
}

static void first_of_a_name_counts(void)
{
	struct fake_table table = {0};
	struct fake_message message = {0};

	fake_table_put_text(&table, "a", "1");
	fake_table_put_text(&table, "a", "2");
	message.headers = fake_table_bytes(&table);
	ASSERT_VALUE("h.a", &message, "1");
	ASSERT_VALUE("(function() for k, v in pairs(h) do return v end end)()", &message, "1");
	fake_table_fini(&table);
}

/* The deepest that the broker lets in. */
static void tables_in_tables(void)
{
	struct fake_table table = {0};
	struct fake_message message = {0};

	for (unsigned i = 0; i < 64; i++) {
		struct fake_table outer = {0};

		fake_table_put_bytes(&outer, "t", 'F', table.data, table.size);
		fake_table_fini(&table);
		table = outer;
	}
	message.headers = fake_table_bytes(&table);
	ASSERT_VALUE("(function() local n = 0 h = h.t while h do n, h = n + 1, h.t end return n end)()",
		     &message, "64");
	fake_table_fini(&table);
}

static void types_of_headers(void)
{
	static char many[200000];
	struct fake_table table = all_types();
	struct fake_message message = {.headers = fake_table_bytes(&table)};
	const char *type = "(function() local s = '' for _, n in ipairs{ 'S', 'x', 't', 'b', 'l', 'T', "
			   "'d', 'D', 'V', 'F', 'A', 'none', 'S\\0' } do local t, b = "
			   "message:header_type(n) s = s .. ' ' .. (t and t:sub(1, 2) or '-') .. "
			   "(b or '') end return s end)()";

	ASSERT_VALUE(type, &message, " st4 st2 bo nu nu nu nu nu - ta8 ta13 - -");
	ASSERT_VALUE("message:header_type()", &message,
		     "route failed: case.lua:2: bad argument #1 to 'header_type' "
		     "(string expected, got no value)");
	fake_table_fini(&table);
	memset(many, 'V', sizeof(many));
	fake_table_put_bytes(&table, "a", 'A', many, sizeof(many));
	message.headers = fake_table_bytes(&table);
	ASSERT_VALUE("table.concat({ message:header_type('a') }, ' ')", &message, "table 200000");
	ASSERT_VALUE("h.a", &message, "route failed: case.lua:2: it ran for more than `instructions`");
	fake_table_fini(&table);
}

static void properties(void)
{
	struct fake_message message = {.has_property = true,
				       .property = SHUNT_CONTENT_TYPE,
				       .value = {.type = 'S', .bytes = bytes_of("text/plain")}};

	message.message.user = bytes_of("bob");
	message.message.routing_key = bytes_of("key");
	ASSERT_VALUE("message.content_type", &message, "text/plain");
	ASSERT_VALUE("message.priority", &message, "nil");
	ASSERT_VALUE("message.user .. message.routing_key .. message.exchange .. message.vhost",
		     &message, "bobkeythe-exchange/");
	message.property = SHUNT_DELIVERY_MODE;
	message.value = (struct shunt_value){.type = 'B', .integer = 2};
	message.message.user = bytes_of("");
	ASSERT_VALUE("message.delivery_mode == 2", &message, "true");
	ASSERT_VALUE("message.user", &message, "nil");
	ASSERT_VALUE("message.colour", &message,
		     "route failed: case.lua:2: a message has no field 'colour'");
}

static void body(void)
{
	struct fake_message message = {0};

	message.message.body = bytes_of("{\"a\": [1, 2]}");
	ASSERT_VALUE("message.body_size", &message, "13");
	ASSERT_VALUE("message:body()", &message, "{\"a\": [1, 2]}");
	ASSERT_VALUE("message:body(3, 3)", &message, "a");
	ASSERT_VALUE("message:body(-1)", &message, "}");
	ASSERT_VALUE("message:body(-100, 2)", &message, "{\"");
	ASSERT_VALUE("#message:body(5, 4) .. #message:body(100) .. #message:body(0, 0)", &message,
		     "000");
	ASSERT_VALUE("message:body(math.mininteger, math.maxinteger)", &message, "{\"a\": [1, 2]}");
	ASSERT_VALUE("message:json('a.2')", &message, "2");
	ASSERT_VALUE("message:json().a[1]", &message, "1");
	ASSERT_VALUE("message.body(1)", &message,
		     "route failed: case.lua:2: a message is wanted, not a number: "
		     "write message:body(), with a colon");
}

/* ---- Writing ---- */

/* A draft that writes down what is set. */
struct noted_draft {
	struct shunt_draft draft; /* first */
	char text[1024];
	bool refuses;
};

static void note(struct shunt_draft *draft, const char *what, struct shunt_bytes bytes)
{
	struct noted_draft *noted = (struct noted_draft *)draft;
	size_t size = strlen(noted->text);

	(void)snprintf(noted->text + size, sizeof(noted->text) - size, "%s=%.*s;", what,
		       (int)bytes.size, (const char *)bytes.data);
}

static int set_key(struct shunt_draft *draft, struct shunt_bytes key)
{
	note(draft, "key", key);
	return 0;
}

static int set_exchange(struct shunt_draft *draft, struct shunt_bytes exchange)
{
	note(draft, "exchange", exchange);
	return 0;
}

static int set_body(struct shunt_draft *draft, struct shunt_bytes bytes)
{
	note(draft, "body", bytes);
	return 0;
}

static void note_value(struct shunt_draft *draft, const char *what, const struct shunt_value *value)
{
	char text[300], number[32];

	(void)snprintf(text, sizeof(text), "%s:%c", what, value ? value->type : '-');
	(void)snprintf(number, sizeof(number), "%lld/%g", value ? (long long)value->integer : 0,
		       value ? value->real : 0);
	note(draft, text,
	     value && value->type == 'S'
		     ? value->bytes
		     : bytes_of(value && value->type != 'A' && value->type != 'F' ? number : ""));
}

static int set_header(struct shunt_draft *draft, struct shunt_bytes name,
		      const struct shunt_value *value)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "h.%.*s", (int)name.size, (const char *)name.data);
	note_value(draft, text, value);
	return ((struct noted_draft *)draft)->refuses ? -1 : 0;
}

static int set_property(struct shunt_draft *draft, enum shunt_property property,
			const struct shunt_value *value)
{
	note_value(draft, message_property_name(property), value);
	return 0;
}

struct hooked {
	struct fake_message message;
	struct noted_draft draft;
	enum message_use use;
};

static void hook_body(lua_State *L, void *context)
{
	struct hooked *hooked = context;

	lua_getglobal(L, "f");
	message_open(L, &hooked->message.message, hooked->use);
	lua_call(L, 1, 1);
	(void)snprintf(x.c.result, sizeof(x.c.result), "%s", luaL_tolstring(L, -1, NULL));
	message_apply(L, &hooked->draft.draft);
}

static void hooked_init(struct hooked *hooked, enum message_use use)
{
	*hooked = (struct hooked){.use = use,
				  .draft.draft = {.size = sizeof(struct shunt_draft),
						  .set_routing_key = set_key,
						  .set_body = set_body,
						  .set_header = set_header,
						  .set_property = set_property,
						  .set_exchange = set_exchange}};
	hooked->message.message.size = sizeof(struct shunt_message);
	hooked->message.message.routing_key = bytes_of("key");
	hooked->message.message.body = bytes_of("body");
}

/* The body of a hook, run twice: what was set in the draft the second time, "> " and what it
 * returned; or the error. */
static const char *hooked_use(const char *body, enum message_use use,
			      const struct fake_table *headers)
{
	static char text[2048];
	struct hooked hooked;
	enum call_result result = CALL_OK;

	(void)snprintf(text, sizeof(text), "function f(message) %s end", body);
	lua_case_open(&x.c, text, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x.c.script);
	for (unsigned i = 0; i < 2; i++) {
		hooked_init(&hooked, use);
		if (headers)
			hooked.message.headers = fake_table_bytes(headers);
		result = call_run(lua_case_state(&x.c), CALL_PUBLISH, hook_body, &hooked,
				  &x.c.error);
		message_close(lua_case_state(&x.c));
	}
	if (result == CALL_OK)
		(void)snprintf(text, sizeof(text), "%s> %s", hooked.draft.text, x.c.result);
	else
		(void)snprintf(text, sizeof(text), "%s%s", hooked.draft.text, x.c.error.text);
	lua_case_close(&x.c);
	return text;
}

#define ASSERT_HOOKED(body, expected)                                                              \
	CU_ASSERT_STRING_EQUAL(hooked_use(body, MESSAGE_PUBLISH, NULL), expected)

static void writes_go_into_the_draft(void)
{
	ASSERT_HOOKED("return message.routing_key", "> key");
	ASSERT_HOOKED("message.routing_key = 'other' return message.routing_key",
		      "key=other;> other");
	ASSERT_HOOKED("message.exchange = 'e' return message.exchange", "exchange=e;> e");
	ASSERT_HOOKED("message:set_body('b') return message:body() .. message.body_size",
		      "body=b;> b1");
	ASSERT_HOOKED("message.priority = 5 return message.priority", "priority:B=5/0;> 5");
	ASSERT_HOOKED("message.timestamp = 7 return 1", "timestamp:T=7/0;> 1");
	ASSERT_HOOKED("message.expiration = 1000 return 1", "expiration:S=1000;> 1");
	ASSERT_HOOKED("message.app_id = nil return message.app_id", "app_id:-=;> nil");
}

static void headers_go_into_the_draft(void)
{
	ASSERT_HOOKED("message.headers.a = 'x' return message.headers.a", "h.a:S=x;> x");
	ASSERT_HOOKED("message.headers.a = 3 return 1", "h.a:l=3/3;> 1");
	ASSERT_HOOKED("message.headers.a = 0.5 return 1", "h.a:d=0/0.5;> 1");
	ASSERT_HOOKED("message.headers.a = false return message.headers.a", "h.a:t=0/0;> false");
	ASSERT_HOOKED("message.headers.a = {1, 2} return #message.headers.a", "h.a:A=;> 2");
	ASSERT_HOOKED("message.headers.a = {b = 2} return message.headers.a.b", "h.a:F=;> 2");
	ASSERT_HOOKED("message.headers.a = nil return message.headers.a", "h.a:-=;> nil");
}

static void what_is_written_is_read(void)
{
	struct fake_table headers = {0};
	const char *body = "local h = message.headers h.a = nil h.b = 2 h.c = 3\n"
			   "local s = '' for k, v in pairs(h) do s = s .. k .. v end\n"
			   "h.b = nil h.c = nil return s .. tostring(h.a) .. tostring(h.d)";

	fake_table_put_text(&headers, "a", "1");
	fake_table_put_text(&headers, "d", "4");
	CU_ASSERT_PTR_NOT_NULL(strstr(hooked_use(body, MESSAGE_PUBLISH, &headers), "d4"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hooked_use(body, MESSAGE_PUBLISH, &headers), "b2"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hooked_use(body, MESSAGE_PUBLISH, &headers), "c3"));
	CU_ASSERT_PTR_NULL(strstr(hooked_use(body, MESSAGE_PUBLISH, &headers), "a1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(hooked_use(body, MESSAGE_PUBLISH, &headers), "nil4"));
	fake_table_fini(&headers);
}

static void types_of_written_headers(void)
{
	struct fake_table headers = all_types();

	CU_ASSERT_PTR_NOT_NULL(strstr(
		hooked_use("local h = message.headers h.S = nil h.t = 5 h.new = {} h.V = json.null "
			   "local s = '' for _, n in ipairs{ 'S', 't', 'new', 'V', 'F' } do "
			   "s = s .. tostring((message:header_type(n))) .. ' ' end error(s, 0)",
			   MESSAGE_PUBLISH, &headers),
		"nil number table nil table "));
	fake_table_fini(&headers);
}

static void failing_hook_changes_nothing(void)
{
	ASSERT_HOOKED("message.routing_key = 'other' error('no')", "case.lua:1: no");
}

static void wrong_values_raise(void)
{
	ASSERT_HOOKED("message.priority = 'x'",
		      "case.lua:1: message.priority: 0 to 255 is wanted, not x");
	ASSERT_HOOKED("message.priority = 256",
		      "case.lua:1: message.priority: 0 to 255 is wanted, not 256");
	ASSERT_HOOKED("message.delivery_mode = 3",
		      "case.lua:1: message.delivery_mode: 1 or 2 is wanted, not 3");
	ASSERT_HOOKED("message.timestamp = 'now'",
		      "case.lua:1: message.timestamp: an integer is wanted, not now");
	ASSERT_HOOKED("message.expiration = 'many'",
		      "case.lua:1: message.expiration: milliseconds are wanted, not many");
	ASSERT_HOOKED("message.expiration = 1.5",
		      "case.lua:1: message.expiration: milliseconds are wanted, not 1.5");
	ASSERT_HOOKED("message.expiration = ''",
		      "case.lua:1: message.expiration: milliseconds are wanted, not ");
	ASSERT_HOOKED("message.type = ('x'):rep(256)",
		      "case.lua:1: message.type: longer than 255 bytes");
	ASSERT_HOOKED("message.routing_key = nil",
		      "case.lua:1: message.routing_key: a string is wanted, not nil");
	ASSERT_HOOKED("message.user = 'x'", "case.lua:1: message.user can not be written here");
	ASSERT_HOOKED("message.body = 'x'", "case.lua:1: a message has no field 'body' to write");
	ASSERT_HOOKED("message.headers.f = print", "case.lua:1: f: a function can not be sent");
	ASSERT_HOOKED("message.headers.f = { {}, print }",
		      "case.lua:1: f: a function can not be sent");
	ASSERT_HOOKED("message.headers.f = { a = 1, [2] = 2 }",
		      "case.lua:1: f: a table's names must be strings, not a number");
	ASSERT_HOOKED("local t = {} t.t = t message.headers.f = t",
		      "case.lua:1: tables in tables are too deep");
	ASSERT_HOOKED("message.headers[('x'):rep(256)] = 1",
		      "case.lua:1: a header's name is longer than 255 bytes");
	ASSERT_HOOKED("local t = {} for i = 1, 200 do t[i] = ('x'):rep(1000) end "
		      "message.headers.f = t",
		      "case.lua:1: f: the table is too large");
}

static void deliver_writes_less(void)
{
	CU_ASSERT_STRING_EQUAL(hooked_use("message.type = 't' return 1", MESSAGE_DELIVER, NULL),
			       "type:S=t;> 1");
	CU_ASSERT_STRING_EQUAL(hooked_use("message.routing_key = 't'", MESSAGE_DELIVER, NULL),
			       "case.lua:1: message.routing_key can not be written here");
	CU_ASSERT_STRING_EQUAL(hooked_use("message.type = 't'", MESSAGE_READ, NULL),
			       "case.lua:1: a message can not be changed here: only hooks may");
	CU_ASSERT_STRING_EQUAL(hooked_use("message:set_body('')", MESSAGE_READ, NULL),
			       "case.lua:1: a message can not be changed here: only hooks may");
}

UNIT_MAIN("lua_message", UNIT_TEST(headers_of_all_types), UNIT_TEST(headers_one_after_the_other),
	  UNIT_TEST(first_of_a_name_counts), UNIT_TEST(tables_in_tables), UNIT_TEST(types_of_headers),
	  UNIT_TEST(types_of_written_headers),
	  UNIT_TEST(properties), UNIT_TEST(body), UNIT_TEST(writes_go_into_the_draft),
	  UNIT_TEST(headers_go_into_the_draft), UNIT_TEST(what_is_written_is_read),
	  UNIT_TEST(failing_hook_changes_nothing), UNIT_TEST(wrong_values_raise),
	  UNIT_TEST(deliver_writes_less))
