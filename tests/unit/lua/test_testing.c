/* SPDX-License-Identifier: MIT */

/* Tests that scripts carry: plugins/lua/testing/testing.h. */

#include "testing/testing.h"

#include <stdio.h>
#include <string.h>

#include "fake_services.h"
#include "lua_case.h"
#include "unit.h"

static char printed[8192];

static void print(struct shunt_report *report, struct shunt_bytes text)
{
	size_t size = strlen(printed);

	(void)report;
	if (text.size < sizeof(printed) - size)
		(void)snprintf(printed + size, sizeof(printed) - size, "%.*s", (int)text.size,
			       (const char *)text.data);
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

/* What testing a script of those settings prints; then, if it fails, "error: " and what it said. */
static const char *tested_with(const char *const *settings, const char *source,
			       enum shunt_script_purpose purpose)
{
	struct shunt_script text = {
		.size = sizeof(text),
		.name = "case",
		.path = "case.lua",
		.source = {(const uint8_t *)source, strlen(source)},
	};
	struct shunt_report report = {.size = sizeof(report), .print = print};
	struct language language = {.host = NULL};
	struct shunt_error error = {0};
	struct fake_host fake;
	struct script *script;
	size_t size;

	printed[0] = '\0';
	fake_host_init(&fake, 2);
	fake.host.stable_hash = stable_hash;
	fake.settings = settings;
	fake.options = lua_case_options();
	fake.as_is = true;
	language.host = &fake.host;
	script = script_open(&language, &fake.host, &text, purpose, &report, &error);
	size = strlen(printed);
	if (!script)
		(void)snprintf(printed + size, sizeof(printed) - size, "error: %s", error.text);
	script_close(script);
	fake_services_fini(&fake);
	CU_ASSERT_EQUAL(atomic_load(&fake.live), 0);
	return printed;
}

static const char *tested(const char *source)
{
	return tested_with(NULL, source, SHUNT_SCRIPT_TEST);
}

static bool says(const char *source, const char *text)
{
	const char *said = tested(source);
	bool found = strstr(said, text) != NULL;

	if (!found)
		(void)fprintf(stderr, "%s\ndoes not contain: %s\n", said, text);
	return found;
}

static bool passes(const char *source)
{
	return says(source, ", 0 failed\n") && !strstr(printed, "error: ") &&
	       !strstr(printed, "0 passed");
}

/* ---- Running ---- */

static void tests_are_run_in_their_order(void)
{
	CU_ASSERT(says("function test_z() end function test_a() end local function test_l() end "
		       "test_no = 1 function other() error('called') end",
		       "passed   test_a\npassed   test_z\n2 passed, 0 failed\n"));
	CU_ASSERT(says("function test_z() end\nfunction test_a() end",
		       "passed   test_z\npassed   test_a\n2 passed, 0 failed\n"));
	CU_ASSERT(says("", "0 passed, 0 failed\n"));
}

static void failure_says_where(void)
{
	CU_ASSERT(says("\nfunction test_a()\n\ttest.equal(1, 2)\nend\nfunction test_b() end",
		       "FAILED   case.lua:3: test_a: got 1, expected 2\npassed   test_b\n"
		       "1 passed, 1 failed\nerror: case.lua:3: test_a: got 1, expected 2"));
	CU_ASSERT(
		says("function test_a() error('why', 0) end", "FAILED   case.lua:1: test_a: why"));
	CU_ASSERT(says("function test_a() local x = nil + 1 end",
		       "case.lua:1: test_a: attempt to perform arithmetic"));
	CU_ASSERT(says("function test_a() while true do end end", "FAILED   case.lua:1: test_a: "));
}

/* Lua keeps 60 bytes of a source's name. */
static void long_paths_are_whole(void)
{
	static const char path[] =
		"/a/path/that/is/longer/than/what/lua/keeps/of/it/and/then/some/more/"
		"case.lua";
	struct shunt_script text = {.size = sizeof(text), .name = "case", .path = path};
	static const char *const sources[] = {
		"\nx = = 1", "\nerror('bad')", "\nfunction test_a() error('bad') end",
		"\nfunction test_a() test.equal(test.refused(error, 'bad'), 'good') end"};
	struct language language = {.host = NULL};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct shunt_error error = {0};
		struct fake_host fake;

		fake_host_init(&fake, 1);
		fake.host.stable_hash = stable_hash;
		fake.options = lua_case_options();
		language.host = &fake.host;
		text.source.data = (const uint8_t *)sources[i];
		text.source.size = strlen(sources[i]);
		CU_ASSERT_PTR_NULL(
			script_open(&language, &fake.host, &text, SHUNT_SCRIPT_RUN, NULL, &error));
		CU_ASSERT_EQUAL(strncmp(error.text, path, strlen(path)), 0);
		CU_ASSERT_EQUAL(strncmp(error.text + strlen(path), ":2: ", 4), 0);
		fake_services_fini(&fake);
	}
}

static void each_has_a_state_of_its_own(void)
{
	CU_ASSERT(passes("n = 0 function test_a() n = n + 1 shared.add('x') test.equal(n, 1) "
			 "test.equal(shared.get('x'), 1) end "
			 "function test_b() n = n + 1 shared.add('x') test.equal(n, 1) "
			 "test.equal(shared.get('x'), 1) end"));
}

static void check_does_not_run_them(void)
{
	const char *source = "function test_a() error('no') end";

	CU_ASSERT_PTR_NULL(strstr(tested_with(NULL, source, SHUNT_SCRIPT_CHECK), "test_a"));
	CU_ASSERT_PTR_NOT_NULL(strstr(tested_with(NULL, source, SHUNT_SCRIPT_RUN), "error: "));
}

static void test_is_for_tests(void)
{
	CU_ASSERT(says("if test then test.exchange('x') end function test_a() end",
		       "test is for functions test_*"));
	CU_ASSERT(says("local seen = test ~= nil function test_a() test.equal(seen, true) end",
		       "1 passed"));
	CU_ASSERT(says("function test_a() test.nothing() end", "there is no test.nothing"));
}

static void log_is_shown(void)
{
	CU_ASSERT(says("function test_a() log.warning('careful', 1) end",
		       "warning: careful 1\npassed   test_a\n"));
}

/* ---- test.equal, test.refused ---- */

static void equal_compares(void)
{
	CU_ASSERT(passes("function test_a() test.equal({1, {a = 'b'}}, {1, {a = 'b'}}) "
			 "test.equal(1, 1.0) test.equal(nil, nil) end"));
	CU_ASSERT(says("function test_a() test.equal({1, a = {true}}, {}, 'it') end",
		       "it: got {1, a = {true}}, expected {}"));
	CU_ASSERT(says("function test_a() test.equal('1', 1) end", "got \"1\", expected 1"));
	CU_ASSERT(says("function test_a() test.equal({a = 1}, {a = 1, b = 2}) end", "FAILED"));
	CU_ASSERT(says("function test_a() local t = {} t.t = t local u = {} u.u = u "
		       "test.equal({t, u}, {u, t}) end",
		       "FAILED"));
	CU_ASSERT(says("function test_a() test.equal(('x'):rep(9999), 'y') end", "xxx"));
}

static void refused_wants_an_error(void)
{
	CU_ASSERT(passes("function test_a() test.equal(test.refused(error, 'no'), 'no') "
			 "test.equal(test.refused(function(a) error(a) end, 'why'), 'why') end"));
	CU_ASSERT(says("function test_a() test.refused(function() end) end", "it was not refused"));
	CU_ASSERT(says("function test_a() test.refused(function() while true do end end) "
		       "error('went on') end",
		       "FAILED"));
	CU_ASSERT_PTR_NULL(strstr(printed, "went on"));
}

/* ---- Settings and time ---- */

static void settings_are_the_tests(void)
{
	static const char *const real[] = {"from", "1", "instructions", "90000", NULL};
	const char *source = "local from = settings.from or 0 "
			     "function test_real() test.equal(from, 1) end "
			     "function test_own() test.settings{ from = 5, user = { a = 's' } } "
			     "test.equal(from, 5) test.equal(settings.user.a, 's') end "
			     "function test_none() test.settings{} test.equal(from, 0) end";

	CU_ASSERT_PTR_NOT_NULL(
		strstr(tested_with(real, source, SHUNT_SCRIPT_TEST), "3 passed, 0 failed"));
	CU_ASSERT(says("function test_a() test.settings{ a = 1 } test.settings{ a = 2 } end",
		       "sets its settings once"));
	CU_ASSERT(says("function test_a() test.settings{ on_error = 'pass' } end",
		       "no setting of the script's"));
	CU_ASSERT(says("settings.require{ n = 'integer?' } "
		       "function test_a() test.settings{ n = 'x' } end",
		       "FAILED   case.lua:1: test_a: setting script.case.n: integer expected"));
}

static void time_is_the_tests(void)
{
	CU_ASSERT(passes("function test_a() test.now{ year = 2030, month = 2, day = 3, hour = 4 } "
			 "local d = os.date('*t') test.equal({d.year, d.month, d.day, d.hour}, "
			 "{2030, 2, 3, 4}) "
			 "test.now(1000) test.equal(os.time(), 1000) "
			 "test.advance(1.5) test.equal(os.time(), 1001) end"));
	CU_ASSERT(passes("function test_a() test.equal(shared.take('a', 1), true) "
			 "test.equal(shared.take('a', 1), false) test.advance(1) "
			 "test.equal(shared.take('a', 1), true) end"));
}

static void no_time_is_too_far(void)
{
	CU_ASSERT(
		says("function test_a() test.now{ year = math.mininteger } end", "'year' must be"));
	CU_ASSERT(says("function test_a() test.now{ sec = 1 << 40 } end", "'sec' must be"));
	CU_ASSERT(says("function test_a() test.now(0/0) end", "seconds expected"));
	CU_ASSERT(says("function test_a() for _ = 1, 1000 do test.advance(1e10) end end",
		       "too far in the future"));
	CU_ASSERT(says("function test_a() test.now{ month = -1000000 } end", ""));
}

static void timers_fire(void)
{
	CU_ASSERT(
		passes("n, s = 0, 0 function startup() s = s + 1 end "
		       "timer.every(10, function() n = n + 1 end) "
		       "function test_a() test.advance(100) test.equal(n, 0) "
		       "test.startup() test.equal(s, 1) test.advance(9) test.equal(n, 0) "
		       "test.advance(1) test.equal(n, 1) test.advance(100) test.equal(n, 11) end"));
	CU_ASSERT(says("timer.every(1, function() error('bad') end) "
		       "function test_a() test.startup() test.advance(1) end",
		       "bad"));
}

static void publishing_is_seen(void)
{
	CU_ASSERT(passes(
		"function startup() broker.publish{ routing_key = 'k', body = 'b', "
		"headers = { a = 1, s = 'x' }, message_id = 'm', done = function(o) last = o end } "
		"end "
		"function test_a() test.startup() test.equal(#test.published, 1) "
		"local m = test.published[1] test.equal({m.routing_key, m.body, m.headers.a, "
		"m.headers.s, m.message_id}, {'k', 'b', 1, 'x', 'm'}) test.equal(last, 'routed') "
		"end "
		"function test_b() test.outcome('refused') test.startup() "
		"test.equal(last, 'refused') end"));
}

/* ---- Exchanges ---- */

#define COUNTRY                                                                                    \
	"exchange.register{ name = 'x-country', depends = { 'headers.country' }, "                 \
	"arguments = { { name = 'default', type = 'string', required = true } }, "                 \
	"validate = function(x) if x.arguments.default == '' then "                                \
	"return false, 'default is empty' end end, "                                               \
	"validate_binding = function(x, b) if b.routing_key == '' then "                           \
	"return false, 'no country' end end, "                                                     \
	"route = function(message, bindings, emit, x) "                                            \
	"return bindings:match(message.headers.country or x.arguments.default) end } "

static void exchanges_route(void)
{
	CU_ASSERT(passes(COUNTRY
			 "function test_a() "
			 "local x = test.exchange('x-country', { arguments = { default = 'fr' } }) "
			 "local b = x:bind{ routing_key = 'de', destination = 'd' } "
			 "x:bind{ routing_key = 'fr', destination = 'b' } "
			 "x:bind{ routing_key = 'fr', destination = 'a' } "
			 "x:bind{ routing_key = 'fr', destination = 'a' } "
			 "test.equal(x:route{ headers = { country = 'de' } }, { 'd' }) "
			 "test.equal(x:route{}, { 'a', 'b' }) "
			 "test.equal(x:route{ headers = { country = 'it' } }, {}) "
			 "x:unbind(b) test.equal(x:route{ headers = { country = 'de' } }, {}) "
			 "test.refused(function() x:unbind(b) end) end"));
}

static void refusals_reach_the_test(void)
{
	CU_ASSERT(passes(COUNTRY
			 "function test_a() "
			 "test.equal(test.refused(test.exchange, 'x-country'), "
			 "\"argument 'default' is missing\") "
			 "test.equal(test.refused(test.exchange, 'x-country', "
			 "{ arguments = { default = 1 } }), "
			 "\"argument 'default' is not as it must be\") "
			 "test.equal(test.refused(test.exchange, 'x-country', "
			 "{ arguments = { default = '' } }), 'default is empty') "
			 "test.equal(test.refused(function() local x = test.exchange('x-country', "
			 "{ arguments = { default = 'a' } }) x:bind{} end), 'no country') end"));
	CU_ASSERT(says("function test_a() test.exchange('x-none') end",
		       "has no exchange type 'x-none'"));
	CU_ASSERT(says(COUNTRY "function test_a() local x = test.exchange('x-country', "
			       "{ arguments = { default = 'a' } }) x:route{ header = {} } end",
		       "a message has no field 'header'"));
}

static void error_in_route_fails(void)
{
	CU_ASSERT(says("exchange.register{ name = 'x', route = function() error('oops') end }\n"
		       "function test_a() test.exchange('x'):route{} end",
		       "case.lua:2: test_a: the script failed: case.lua:1: oops"));
	CU_ASSERT(says("exchange.register{ name = 'x', route = function() while true do end end }\n"
		       "function test_a() pcall(function() test.exchange('x'):route{} end) "
		       "test.exchange('x'):route{} end",
		       "FAILED"));
}

static bool depends_on(const char *expression, const char *found)
{
	char source[1024], text[128];

	(void)snprintf(source, sizeof(source),
		       "exchange.register{ name = 'x', depends = { 'headers.a' }, "
		       "route = function(m, bindings) if %s then return bindings end end } "
		       "function test_a() local x = test.exchange('x') x:bind{} "
		       "x:route{ routing_key = 'k', body = 'b', type = 't', user = 'u', "
		       "headers = { a = 1, b = 2 } } end",
		       expression);
	(void)snprintf(text, sizeof(text), "the route depends on '%s', which is not in depends",
		       found);
	return says(source, text);
}

static void wrong_depends_is_found(void)
{
	CU_ASSERT(depends_on("m.routing_key == 'k'", "routing_key"));
	CU_ASSERT(depends_on("m.body_size == 1", "body"));
	CU_ASSERT(depends_on("m:body() == 'b'", "body"));
	CU_ASSERT(depends_on("m.user == 'u'", "user"));
	CU_ASSERT(depends_on("m.headers.b == 2", "headers.b"));
	CU_ASSERT(depends_on("m.headers.b", "headers.b"));
	CU_ASSERT(depends_on("m.headers.c == nil and m.type == 't'", "type"));
	CU_ASSERT(depends_on("m.app_id", "app_id"));
	CU_ASSERT(depends_on("m.exchange == 'exchange'", "exchange"));
	CU_ASSERT(
		says("n = 0 exchange.register{ name = 'x', depends = { 'headers.a' }, "
		     "route = function(m, bindings) n = n + 1 if n == 1 then return bindings end "
		     "end } function test_a() local x = test.exchange('x') x:bind{} x:route{} end",
		     "FAILED"));
	CU_ASSERT(passes("exchange.register{ name = 'x', depends = { 'headers.a', "
			 "'property.app_id', 'routing_key' }, route = function(m, bindings) "
			 "if m.headers.a == 1 and m.app_id == 'p' and m.routing_key == 'k' then "
			 "return bindings end end } function test_a() local x = test.exchange('x') "
			 "x:bind{ destination = 'd' } test.equal(x:route{ routing_key = 'k', "
			 "app_id = 'p', headers = { a = 1, b = 1 } }, { 'd' }) end"));
}

/* ---- Hooks and access ---- */

static void hooks_are_asked(void)
{
	CU_ASSERT(passes(
		"function hook.publish(m, c) "
		"if m.routing_key == 'drop' then return 'drop' end "
		"if m.routing_key == 'nack' then return 'nack', 'full' end "
		"if c.user == 'eve' then return 'refuse', 'not you' end "
		"m.headers.secret = nil m.headers.n = 7 m.routing_key = 'new' m.exchange = 'other' "
		"m.priority = 3 m:set_body('B') end "
		"function hook.deliver(m, c) if c.queue == 'q' and c.redelivered then "
		"return 'reject' end m.headers.seen = c.consumer_tag end "
		"function test_publish() "
		"test.equal(test.publish{ routing_key = 'drop' }, 'drop') "
		"local d, m, why = test.publish{ routing_key = 'nack' } "
		"test.equal({ d, why }, { 'nack', 'full' }) "
		"d, m, why = test.publish{ user = 'eve' } test.equal({ d, why }, "
		"{ 'refuse', 'not you' }) "
		"d, m = test.publish{ routing_key = 'old', exchange = 'e', body = 'b', "
		"headers = { secret = 'x', kept = 1 } } test.equal(d, 'pass') "
		"test.equal(m.headers, { kept = 1, n = 7 }) test.equal({ m.routing_key, "
		"m.exchange, "
		"m.priority, m.body }, { 'new', 'other', 3, 'B' }) end "
		"function test_deliver() test.equal(test.deliver{ queue = 'q', redelivered = true "
		"}, "
		"'reject') local d, m = test.deliver{ queue = 'q', consumer_tag = 't' } "
		"test.equal({ d, m.headers.seen }, { 'pass', 't' }) end"));
	CU_ASSERT(says("function test_a() test.publish{} end", "no function hook.publish"));
	CU_ASSERT(says("function hook.publish() error('bad') end function test_a() "
		       "test.publish{} end",
		       "the script failed: case.lua:1: bad"));
}

static void policies_are_asked(void)
{
	CU_ASSERT(passes(
		"function access.authenticate(user, password, peer, mechanism) "
		"if user == 'a' and password == 's' and peer.is_tls then "
		"return 'allow', { tags = { 'administrator', 'x' } } end "
		"if user == 'b' then return 'deny', 'wrong' end return 'next' end "
		"function access.authorize(q) if q.operation == 'write' and q.user == 'a' and "
		"q.name == 'x' then return 'deny', 'not here', 5 end return 'allow' end "
		"function test_login() "
		"local v, d = test.authenticate('a', 's', { is_tls = true }) "
		"test.equal({ v, d.tags }, { 'allow', { 'administrator', 'x' } }) "
		"test.equal({ test.authenticate('b', '') }, { 'deny', 'wrong' }) "
		"test.equal(test.authenticate('a', 's'), 'next') end "
		"function test_rights() test.equal({ test.authorize{ operation = 'write', "
		"user = 'a', name = 'x' } }, { 'deny', 'not here', 5 }) "
		"test.equal(test.authorize{ operation = 'read', user = 'a', name = 'x', "
		"tags = { 't' } }, 'allow') end"));
	CU_ASSERT(says("access.depends = { 'user' } function access.authorize(q) "
		       "if q.name == 'x' then return 'deny' end return 'allow' end "
		       "function test_a() test.authorize{ name = 'x' } end",
		       "the answer depends on 'name', which is not in access.depends"));
	CU_ASSERT(says("access.depends = { 'user' } function access.authorize(q) "
		       "if q.peer.is_tls then return 'deny' end return 'allow' end "
		       "function test_a() test.authorize{} end",
		       "the answer depends on the peer"));
	CU_ASSERT(
		passes("access.depends = { 'user' } function access.authorize(q) "
		       "return q.user == 'a' and 'allow' or 'deny' end "
		       "function test_a() test.equal(test.authorize{ user = 'a' }, 'allow') end"));
}

UNIT_MAIN("lua/testing", UNIT_TEST(tests_are_run_in_their_order), UNIT_TEST(failure_says_where),
	  UNIT_TEST(long_paths_are_whole), UNIT_TEST(each_has_a_state_of_its_own),
	  UNIT_TEST(check_does_not_run_them), UNIT_TEST(test_is_for_tests), UNIT_TEST(log_is_shown),
	  UNIT_TEST(equal_compares), UNIT_TEST(refused_wants_an_error),
	  UNIT_TEST(settings_are_the_tests), UNIT_TEST(time_is_the_tests),
	  UNIT_TEST(no_time_is_too_far), UNIT_TEST(timers_fire), UNIT_TEST(publishing_is_seen),
	  UNIT_TEST(exchanges_route), UNIT_TEST(refusals_reach_the_test),
	  UNIT_TEST(error_in_route_fails), UNIT_TEST(wrong_depends_is_found),
	  UNIT_TEST(hooks_are_asked), UNIT_TEST(policies_are_asked))
