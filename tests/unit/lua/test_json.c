/* SPDX-License-Identifier: MIT */

/* plugins/lua/library/json.h */

#include "library/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library/json_text.h"
#include "lua_case.h"
#include "unit.h"

static const char *result(const char *expression)
{
	char source[512];

	(void)snprintf(source, sizeof(source), "function f() return tostring(%s) end", expression);
	return lua_case_of(source);
}

static bool fails(const char *expression, const char *with)
{
	const char *said = result(expression);

	return strncmp(said, "failed: ", 8) == 0 && strstr(said, with) != NULL;
}

static void texts_become_values(void)
{
	CU_ASSERT_STRING_EQUAL(result("json.decode('1')"), "1");
	CU_ASSERT_STRING_EQUAL(result("json.decode('1.0')"), "1.0");
	CU_ASSERT_STRING_EQUAL(result("json.decode('\"a\\\\u0000b\"') == 'a\\0b'"), "true");
	CU_ASSERT_STRING_EQUAL(result("json.decode('true')"), "true");
	CU_ASSERT_STRING_EQUAL(result("json.decode('null')"), "nil");
	CU_ASSERT_STRING_EQUAL(result("json.decode('{\"a\": [1, {\"b\": 7}]}').a[2].b"), "7");
	CU_ASSERT_STRING_EQUAL(result("json.decode('{\"a\": null}').a"), "nil");
	CU_ASSERT_STRING_EQUAL(result("json.decode('[null, 2]')[1] == json.null"), "true");
	CU_ASSERT_STRING_EQUAL(result("json.decode('[null, 2]')[1]"), "null");
	CU_ASSERT_STRING_EQUAL(result("#json.decode('[null, 2]')"), "2");
}

static void what_is_no_json_is_told(void)
{
	CU_ASSERT_STRING_EQUAL(result("select(1, json.decode('{'))"), "nil");
	CU_ASSERT_PTR_NOT_NULL(strstr(result("select(2, json.decode('{\\n1'))"), "line 2, column"));
	CU_ASSERT_STRING_EQUAL(result("select('#', json.decode(''))"), "2");
	CU_ASSERT_STRING_EQUAL(result("(json.decode('\"' .. ('x'):rep(65600) .. '\"'))"), "nil");
	CU_ASSERT_STRING_EQUAL(result("select(2, json.decode('\"' .. ('x'):rep(65600) .. '\"'))"),
			       "longer than 65536 bytes");
	CU_ASSERT_STRING_EQUAL(result("(json.decode(('['):rep(65) .. (']'):rep(65)))"), "nil");
	CU_ASSERT_STRING_EQUAL(result("select(2, json.decode(('['):rep(65) .. (']'):rep(65)))"),
			       "line 1, column 65: too many objects and arrays in each other");
	CU_ASSERT_STRING_EQUAL(result("type(json.decode(('['):rep(64) .. (']'):rep(64)))"),
			       "table");
	CU_ASSERT_STRING_EQUAL(result("(json.decode(('['):rep(30000)))"), "nil");
	CU_ASSERT(fails("json.decode({})", "string expected"));
}

static void values_become_texts(void)
{
	CU_ASSERT_STRING_EQUAL(result("json.encode(1)"), "1");
	CU_ASSERT_STRING_EQUAL(result("json.encode(1.5)"), "1.5");
	CU_ASSERT_STRING_EQUAL(result("json.encode('a\"b')"), "\"a\\\"b\"");
	CU_ASSERT_STRING_EQUAL(result("json.encode(nil)"), "null");
	CU_ASSERT_STRING_EQUAL(result("json.encode(json.null)"), "null");
	CU_ASSERT_STRING_EQUAL(result("json.encode{}"), "{}");
	CU_ASSERT_STRING_EQUAL(result("json.encode(json.array())"), "[]");
	CU_ASSERT_STRING_EQUAL(result("json.encode(json.array{})"), "[]");
	CU_ASSERT_STRING_EQUAL(result("json.encode(json.decode('[]'))"), "[]");
	CU_ASSERT_STRING_EQUAL(result("json.encode{ 1, { a = true }, json.null }"),
			       "[1,{\"a\":true},null]");
	CU_ASSERT_STRING_EQUAL(result("json.encode{ c = 1, a = 2, b = { 3 } }"),
			       "{\"a\":2,\"b\":[3],\"c\":1}");
}

static void what_cannot_be_json_raises(void)
{
	CU_ASSERT(fails("json.encode(print)", "a function cannot be JSON"));
	CU_ASSERT(fails("json.encode(0/0)", "cannot be JSON"));
	CU_ASSERT(fails("json.encode{ 1/0 }", "cannot be JSON"));
	CU_ASSERT(fails("json.encode{ 1, a = 2 }", "places and names"));
	CU_ASSERT(fails("json.encode{ 1, nil, 3 }", "holes"));
	CU_ASSERT(fails("json.encode{ [true] = 1 }", "a key that is a boolean"));
	CU_ASSERT(fails("json.encode{ ['a\\0'] = 1 }", "zero byte"));
	CU_ASSERT(fails("json.encode{ ['\\xff'] = 1 }", "UTF-8"));
	CU_ASSERT(fails("json.encode('\\xff')", "UTF-8"));
	CU_ASSERT(fails("json.encode(('x'):rep(65600))", "more than 65536 bytes"));
	CU_ASSERT(fails("json.encode(settings)", "only plain tables"));
	CU_ASSERT(fails("(function() local t = {} t[1] = t return json.encode(t) end)()",
			"more than 64 tables"));
}

/* jansson's values must not be left when the call is over in between: the sanitizer looks. */
static void budgets_end_it(void)
{
	CU_ASSERT(fails("(function() local s = '[' .. ('1,'):rep(20000) .. '1]' "
			"while true do json.decode(s) end end)()",
			""));
	CU_ASSERT(fails("(function() local t = {} for i = 1, 3000 do t[i] = i end "
			"while true do json.encode(t) end end)()",
			""));
	/* memory */
	CU_ASSERT(fails("(function() local t = {} while true do "
			"t[#t + 1] = json.decode('[\"' .. ('x'):rep(30000) .. '\", 1]') end end)()",
			""));
}

/* ---- As jansson reads it ---- */

/* What grammar and bytes make of it at random: most is nearly JSON. */
static size_t make_text(uint64_t *random, char *out, size_t room, int depth)
{
	static const char *const pieces[] = {
		"1",	   "-0",	  "12.5e-3",	  "true",
		"false",   "null",	  "\"a\"",	  "\"\"",
		"\"\\n\"", "\"\\u00e9\"", "\"\xc3\xa9\"", "\"\\ud83d\\ude00\"",
		"[]",	   "{}",	  " 7 ",	  "\"a long text of nothing special\"",
		"01",	   "1.",	  "\"\\ud800\"",  "\"\xc0\x80\"",
		"\"\\x\"", "tru",	  "\"\x01\"",	  "-"};
	size_t size = 0;
	unsigned count;

	*random = *random * 6364136223846793005u + 1442695040888963407u;
	count = (unsigned)(*random >> 60) % 4;
	if (depth == 0 || *random >> 62 == 0) {
		/* those that are wrong are rare */
		size_t kinds = *random >> 40 & 15 ? 16 : sizeof(pieces) / sizeof(pieces[0]);

		return (size_t)snprintf(out, room, "%s", pieces[(*random >> 33) % kinds]);
	}
	bool is_object = *random >> 50 & 1;

	out[size++] = is_object ? '{' : '[';
	for (unsigned i = 0; i < count && size + 600 < room; i++) {
		if (i > 0)
			out[size++] = ',';
		if (is_object)
			size += (size_t)snprintf(out + size, room - size,
						 "%s:", i % 2 ? "\"a\" " : "\"b\\u0063\"");
		size += make_text(random, out + size, room - size, depth - 1);
	}
	out[size++] = is_object ? '}' : ']';
	out[size] = '\0';
	return size;
}

static int reencode(lua_State *L, const char *text, size_t size)
{
	lua_getglobal(L, "json");
	lua_getfield(L, -1, "decode");
	lua_pushlstring(L, text, size);
	lua_call(L, 1, 1);
	lua_getfield(L, -2, "encode");
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	return 1;
}

/* Null members are left out by us. */
static void drop_nulls(json_t *value)
{
	const char *name;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, member) drop_nulls(member);
	}
	json_object_foreach_safe(value, next, name, member)
	{
		if (json_is_null(member))
			json_object_del(value, name);
		else
			drop_nulls(member);
	}
}

static void compare_one(lua_State *L, const char *text, size_t size)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error), *ours;
	struct shunt_bytes bytes = {(const uint8_t *)text, size};
	const char *wrong;
	size_t at;

	if (json_text_check(bytes, 2000, &wrong, &at) != (root != NULL))
		(void)fprintf(stderr, "not read alike: %.*s\n", (int)size, text);
	CU_ASSERT_EQUAL(json_text_check(bytes, 2000, &wrong, &at), root != NULL);
	if (root && (json_is_object(root) || json_is_array(root))) {
		drop_nulls(root);
		(void)reencode(L, text, size);
		ours = json_loads(lua_tostring(L, -1), JSON_DECODE_ANY, &error);
		/* an empty object has nothing that says so */
		if (!json_equal(root, ours))
			(void)fprintf(stderr, "%.*s\nbecame %s\n", (int)size, text,
				      lua_tostring(L, -1));
		CU_ASSERT_TRUE(json_equal(root, ours));
		json_decref(ours);
	}
	json_decref(root);
	lua_settop(L, 0);
}

static void compare_some(lua_State *L, void *context)
{
	static char text[8192];
	uint64_t *random = context;

	for (unsigned i = 0; i < 20; i++) {
		size_t size = make_text(random, text, sizeof(text), 4);
		char *end = malloc(size + 1);

		/* in memory of its own, so that a byte too far is seen; whole, cut, and bent */
		memcpy(end, text, size);
		compare_one(L, end, size);
		size = (size_t)(*random >> 33) % (size + 1);
		end = realloc(end, size + 1);
		compare_one(L, end, size);
		if (size > 0) {
			end[(*random >> 20) % size] = (char)(*random >> 10);
			compare_one(L, end, size);
		}
		free(end);
	}
}

static void all_is_read_as_by_jansson(void)
{
	static const char *const settings[] = {"instructions", "1000000000", "cpu_time", "10000000",
					       NULL};
	uint64_t random = 1;
	struct lua_case c;

	lua_case_open(&c, "", settings);
	for (unsigned i = 0; i < 500; i++)
		CU_ASSERT_EQUAL(
			call_run(lua_case_state(&c), CALL_LOAD, compare_some, &random, NULL),
			CALL_OK);
	lua_case_close(&c);
}

/* ---- json_push() ---- */

struct looking {
	const char *text, *path;
	bool is_plain;
	char found[64];
};

static void look(lua_State *L, void *context)
{
	struct looking *looking = context;
	int top = lua_gettop(L);

	json_push(L, (struct shunt_bytes){(const uint8_t *)looking->text, strlen(looking->text)},
		  (struct shunt_bytes){(const uint8_t *)looking->path, strlen(looking->path)},
		  looking->is_plain);
	CU_ASSERT_EQUAL(lua_gettop(L), top + 1);
	(void)snprintf(looking->found, sizeof(looking->found), "%s", luaL_tolstring(L, -1, NULL));
}

static const char *look_at(const char *text, const char *path, bool is_plain)
{
	/* only instructions are to count: a machine may be slow */
	static const char *const settings[] = {"cpu_time", "10000000", NULL};
	static struct looking looking;
	struct lua_case c;

	looking = (struct looking){.text = text, .path = path, .is_plain = is_plain};
	lua_case_open(&c, "", settings);
	CU_ASSERT_EQUAL(call_run(lua_case_state(&c), CALL_ROUTE, look, &looking, NULL), CALL_OK);
	lua_case_close(&c);
	return looking.found;
}

static const char *at(const char *text, const char *path)
{
	return look_at(text, path, false);
}

static const char *plain_at(const char *text, const char *path)
{
	return look_at(text, path, true);
}

static void paths_are_followed(void)
{
	static const char text[] =
		"{\"a\": {\"b\": [10, {\"c\": \"x\"}], \"7\": 8}, \"n\": null, \"\": 5}";

	CU_ASSERT_STRING_EQUAL(at(text, "a.b.1"), "10");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.2.c"), "x");
	CU_ASSERT_STRING_EQUAL(at(text, "a.7"), "8");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.0"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.3"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.-1"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.99999999999999999999"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "a.b.c"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "n"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "n.x"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "x"), "nil");
	CU_ASSERT_STRING_EQUAL(at(text, "."), "nil");
	CU_ASSERT_STRING_EQUAL(at("{\"\\u0061b\": 1}", "ab"), "1");
	CU_ASSERT_STRING_EQUAL(at("{\"a\": 1, \"a\" : 2}", "a"), "2");
	CU_ASSERT_STRING_EQUAL(at("[ [1, 2] , {\"a\":[ 3 ,4]}]", "2.a.2"), "4");
	CU_ASSERT_STRING_EQUAL(at("12", ""), "12");
	CU_ASSERT_STRING_EQUAL(at("123456789012345678901", ""), "1.2345678901235e+20");
	CU_ASSERT_STRING_EQUAL(at("{", "a"), "nil");
	CU_ASSERT_STRING_EQUAL(at("", ""), "nil");
}

static void long_and_deep_texts_are_none(void)
{
	char *text = malloc(JSON_TEXT_MAX + 2);

	memset(text, ' ', JSON_TEXT_MAX + 1);
	text[0] = '1';
	text[JSON_TEXT_MAX] = '\0';
	CU_ASSERT_STRING_EQUAL(at(text, ""), "1");
	text[JSON_TEXT_MAX] = ' ';
	text[JSON_TEXT_MAX + 1] = '\0';
	CU_ASSERT_STRING_EQUAL(at(text, ""), "nil");
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	text[130] = '\0';
	CU_ASSERT_STRING_EQUAL(at(text, ""), "nil");
	free(text);
}

static void objects_and_arrays_are_not_plain(void)
{
	CU_ASSERT_STRING_EQUAL(plain_at("{\"a\": {\"b\": [1]}}", "a"), "nil");
	CU_ASSERT_STRING_EQUAL(plain_at("{\"a\": {\"b\": [1]}}", "a.b"), "nil");
	CU_ASSERT_STRING_EQUAL(plain_at("{\"a\": {\"b\": [1]}}", "a.b.1"), "1");
	CU_ASSERT_STRING_EQUAL(plain_at("[]", ""), "nil");
	CU_ASSERT_STRING_EQUAL(plain_at("true", ""), "true");
	CU_ASSERT_STRING_EQUAL(plain_at("{\"a\": \"x\"}", "a"), "x");
}

/* A text of JSON_TEXT_MAX bytes: this, then this as often as it fits, then this. The caller's. */
static char *long_text(const char *first, const char *more, const char *last)
{
	char *text = malloc(JSON_TEXT_MAX + 1);
	size_t size = strlen(first), step = strlen(more), end = strlen(last);

	memcpy(text, first, size);
	for (; size + step + end <= JSON_TEXT_MAX; size += step)
		memcpy(text + size, more, step);
	memcpy(text + size, last, end + 1);
	return text;
}

/* Whoever sends a message cannot bring a script that asks for one value to its limits. */
static void no_text_is_too_much(void)
{
	static const struct {
		const char *first, *more, *last, *path;
	} texts[] = {
		{"[1", ",1", "]", "1"},
		{"[1", ",1", "]", ""},
		{"{\"a\":{\"b\":{\"c\":{\"d\":[1", ",[]", "]}}}}", "a.b.c.d.2"},
		{"{\"a\":{\"b\":{\"c\":{\"d\":[1", ",[]", "]}}}}", "a.b.c.d"},
		{"{\"a\":1", ",\"a\":1", "}", "a"},
		{"{\"a\":{}", ",\"a\":{\"a\":{\"a\":1}}", "}", "a.a.a.a.a"},
		{"{\"\\u0061\":1", ",\"\\u0061\":1", "}", "a"},
		{"", "1", "", ""},
		{"{\"a\":", "1", "}", "a"},
		{"{\"a\":0.", "1", "}", "a"},
		{"{\"a\":\"", "\\n", "\"}", "a"},
		{"{\"a\":\"", "\\u00e9", "\"}", "a"},
		{"{\"", "\\n", "\":1}", "a"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *text = long_text(texts[i].first, texts[i].more, texts[i].last);

		(void)plain_at(text, texts[i].path);
		free(text);
	}
}

UNIT_MAIN("lua/json", UNIT_TEST(objects_and_arrays_are_not_plain), UNIT_TEST(no_text_is_too_much),
	  UNIT_TEST(texts_become_values), UNIT_TEST(what_is_no_json_is_told),
	  UNIT_TEST(values_become_texts), UNIT_TEST(what_cannot_be_json_raises),
	  UNIT_TEST(budgets_end_it), UNIT_TEST(all_is_read_as_by_jansson),
	  UNIT_TEST(paths_are_followed), UNIT_TEST(long_and_deep_texts_are_none))
