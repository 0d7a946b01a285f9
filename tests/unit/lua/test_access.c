/* SPDX-License-Identifier: MIT */
/* access.authorize and what of it the broker may remember; what a policy may bring. */
#include "part_case.h"

#include "../unit.h"

#include <string.h>

static struct part part;

static const char *ask(enum shunt_operation operation, const char *user, const char *name)
{
	const struct shunt_question question = part_question(operation, user, name);

	return part_ask(&part, &question);
}

static void verdicts_and_reasons(void)
{
	part_run(&part,
		 "function access.authorize(q)\n"
		 "  if q.user == 'alice' then return 'allow' end\n"
		 "  if q.user == 'bob' then return 'deny', 'closed until 08:00' end\n"
		 "  if q.user == 'carol' then return 'deny' end\n"
		 "  if q.user == 'dave' then return 'next' end\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(part.host.policy->name, "part");
	CU_ASSERT_PTR_NULL(part.host.policy->authenticate);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_WRITE, "alice", "x"), "allow:  (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_WRITE, "bob", "x"), "deny: closed until 08:00 (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_WRITE, "carol", "x"), "deny:  (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_WRITE, "dave", "x"), "next:  (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_WRITE, "erin", "x"), "next:  (0)");
	part_close(&part);
}

/* The reason is everything that the script can see. */
static void all_that_is_asked(void)
{
	static const uint8_t arguments[] = "\1as\0\1" /* 16 bits */;
	struct shunt_question question;

	part_run(&part,
		 "function access.authorize(q)\n"
		 "  return 'deny', table.concat({ q.operation, q.resource, q.user, q.vhost, q.name,\n"
		 "    q.routing_key, #q.tags, q.tags[1], q.tags[2], q.peer.host, q.peer.port,\n"
		 "    tostring(q.peer.is_tls), tostring(q.peer.is_loopback), tostring(q.arguments.a) }, ' ')\n"
		 "end",
		 NULL);
	question = part_question(SHUNT_WRITE_TOPIC, "bob", "orders");
	question.routing_key = part_bytes("a.b");
	question.arguments = (struct shunt_bytes){arguments, sizeof(arguments) - 1};
	CU_ASSERT_STRING_EQUAL(part_ask(&part, &question),
			       "deny: write_topic exchange bob / orders a.b 2 monitoring "
			       "policymaker 10.0.0.7 51022 true false 1 (0)");
	question.operation = SHUNT_CONNECT;
	question.resource = SHUNT_VHOST;
	question.tags = part_bytes("");
	question.arguments = question.routing_key = part_bytes("");
	CU_ASSERT_STRING_EQUAL(part_ask(&part, &question), "deny:  (0)");
	part_close(&part);
}

static void every_operation_has_a_name(void)
{
	static const char *const names[] = {"connect", "configure", "write", "read", "write_topic",
					    "read_topic"};

	part_run(&part, "function access.authorize(q) return 'deny', q.operation end", NULL);
	for (unsigned i = 0; i < 6; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(ask((enum shunt_operation)i, "u", "n"), names[i]));
	part_close(&part);
}

static void what_may_be_remembered(void)
{
	part_run(&part,
		 "access.cache_seconds = 2.5\n"
		 "local seconds = { half = 0.5, none = 0, ever = math.huge, year = 31536000 }\n"
		 "function access.authorize(q) return 'allow', nil, seconds[q.user] end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "other", "q"), "allow:  (2500)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "half", "q"), "allow:  (500)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "none", "q"), "allow:  (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "ever", "q"), "allow:  (4294967295)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "year", "q"), "allow:  (4294967295)");
	part_close(&part);
}

static void what_is_declared_is_remembered(void)
{
	part_run(&part,
		 "access.depends = { 'user', 'name' }\n"
		 "function access.authorize(q) return 'allow' end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "other", "q"), "allow:  (4294967295)");
	part_close(&part);
	part_run(&part,
		 "access.depends = { 'user', 'name' }\n"
		 "access.cache_seconds = 60\n"
		 "function access.authorize(q) return 'allow' end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "other", "q"), "allow:  (60000)");
	part_close(&part);
}

static void answers_that_have_changed(void)
{
	part_run(&part,
		 "local closed = false\n"
		 "access.depends = {}\n"
		 "function access.authorize() return closed and 'deny' or 'allow' end\n"
		 "timer.after(1, function() closed = true access.changed() end)\n",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "allow:  (4294967295)");
	CU_ASSERT_EQUAL(part.n_access_changed, 0);
	fake_services_run(&part.host);
	CU_ASSERT_EQUAL(part.n_access_changed, 1);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "deny:  (4294967295)");
	part_close(&part);
	CU_ASSERT(!part_open(&part, "access.changed()", NULL));
	CU_ASSERT_STRING_EQUAL(part.error.text, "part.lua:1: access.changed: not in load");
	part_close(&part);
}

/* The client is told nothing, and nothing is remembered. */
static void failing_denies(void)
{
	part_run(&part,
		 "access.cache_seconds = 60\n"
		 "function access.authorize(q) error('the secret is 42') end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "bob", "q"), "deny:  (0)");
	CU_ASSERT(part_has_logged(&part, "part.lua:2: the secret is 42"));
	part_close(&part);
}

static void failing_may_ask_the_next(void)
{
	static const char *const settings[] = {"on_error.authorize", "pass", NULL};

	part_run(&part, "function access.authorize(q) error('x') end", settings);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "bob", "q"), "next:  (0)");
	part_close(&part);
}

static void wrong_answers_are_failures(void)
{
	static const char *const answers[] = {
		"true", "1", "{}", "'Allow'", "''", "'deny', 7", "'deny', {}", "'allow', nil, 'x'",
		"'allow', nil, -1", "'allow', nil, 0/0", "'allow\\0'", "function() end",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char source[200];

		(void)snprintf(source, sizeof(source),
			       "\nfunction access.authorize(q) return %s end", answers[i]);
		part_run(&part, source, NULL);
		CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "bob", "q"), "deny:  (0)");
		CU_ASSERT(part_has_logged(&part, "part.lua:2: access.authorize returned "));
		part_close(&part);
	}
}

/* Longer than what fits, and with what has no place in a log or a reply. */
static void reasons_are_cut(void)
{
	const char *got;

	part_run(&part,
		 "function access.authorize(q)\n"
		 "  if q.user == 'a' then return 'deny', 'one\\ntwo\\0three\\127' end\n"
		 "  return 'deny', ('x'):rep(158) .. '\\u{20ac}'\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "deny: one two three  (0)");
	got = ask(SHUNT_READ, "b", "q");
	CU_ASSERT_EQUAL(strlen(got), strlen("deny: ") + 158 + strlen(" (0)"));
	part_close(&part);
}

/* What was asked is over with the answer. */
static void used_afterwards(void)
{
	part_run(&part,
		 "local kept, peer\n"
		 "function access.authorize(q)\n"
		 "  if kept == nil then kept, peer = q, q.peer return 'allow' end\n"
		 "  return 'deny', kept.user .. peer.host\n"
		 "end\n"
		 "timer.after(1, function() log.info(pcall(function() return kept.user end)) end)\n"
		 "timer.after(1, function() log.info(pcall(function() return peer.host end)) end)\n",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "allow:  (0)");
	/* one object for all questions */
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "b", "q"), "deny: b10.0.0.7 (0)");
	fake_services_run(&part.host);
	CU_ASSERT(part_has_logged(&part, "the question is used after the call"));
	CU_ASSERT(part_has_logged(&part, "the peer is used after the call"));
	part_close(&part);
}

static void fields_that_are_not(void)
{
	part_run(&part,
		 "function access.authorize(q)\n"
		 "  if q.user == 'read' then return q.vhots end\n"
		 "  if q.user == 'write' then q.user = 'root' end\n"
		 "  if q.user == 'meta' then return 'deny', tostring(getmetatable(q)) end\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "read", "q"), "deny:  (0)");
	CU_ASSERT(part_has_logged(&part, "part.lua:2: a question has no such field"));
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "write", "q"), "deny:  (0)");
	CU_ASSERT(part_has_logged(&part, "part.lua:3: a question cannot be changed"));
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "meta", "q"), "deny: false (0)");
	part_close(&part);
}

/* Each loop has a state of its own. */
static void on_another_loop(void)
{
	part_run(&part,
		 "local n = 0\n"
		 "function access.authorize(q) n = n + 1 return 'deny', n .. ' ' .. script.loop end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "deny: 1 0 (0)");
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "deny: 2 0 (0)");
	fake_loop_index = 1;
	CU_ASSERT_STRING_EQUAL(ask(SHUNT_READ, "a", "q"), "deny: 1 1 (0)");
	fake_loop_index = 0;
	part_close(&part);
}

static void nothing_of_it(void)
{
	part_run(&part, "local x = 1", NULL);
	CU_ASSERT_PTR_NULL(part.host.policy);
	CU_ASSERT_PTR_NULL(part.host.hook);
	part_close(&part);
}

static void what_a_script_brings(void)
{
	CU_ASSERT_STRING_EQUAL(part_check(&part,
					  "function access.authorize() end\n"
					  "function hook.publish() end function hook.deliver() end\n"
					  "function startup() end timer.every(1, print)\n"),
			       "access policy: authorize\nmessage hook: publish, deliver\nstartup\n"
			       "timers: 1\n");
	part_close(&part);
	CU_ASSERT_STRING_EQUAL(part_check(&part, "local x = 1"), "");
	part_close(&part);
}

static void scripts_that_cannot_be(void)
{
	static const char *const sources[][2] = {
		{"access.authorize = 1", "access.authorize is a number"},
		{"function access.authorise() end", "access.authorise means nothing"},
		{"access[1] = true", "access.1 means nothing"},
		{"access = nil", "access must stay a table"},
		{"access.cache_seconds = 'long'", "access.cache_seconds must be a number"},
		{"access.cache_seconds = -1", "access.cache_seconds must be a number"},
		{"access.depends = 'user'", "access.depends must be a list"},
		{"access.depends = { 'user', 'weather' }", "cannot depend on 'weather'"},
		{"if script.loop == 1 then function access.authorize() end end",
		 "not the same ones on all loops"},
		{"hook.deliver = 'x'", "hook.deliver is a string"},
		{"function hook.on_publish() end", "hook.on_publish means nothing"},
		{"if script.loop == 0 then function hook.publish() end end",
		 "not the same ones on all loops"},
		{"startup = 1", "startup is a number"},
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		CU_ASSERT(!part_open(&part, sources[i][0], NULL));
		if (strstr(part.error.text, sources[i][1]) == NULL)
			printf("\n%s: %s\n", sources[i][0], part.error.text);
		CU_ASSERT_PTR_NOT_NULL(strstr(part.error.text, sources[i][1]));
		part_close(&part);
	}
}

UNIT_MAIN("lua access", UNIT_TEST(verdicts_and_reasons), UNIT_TEST(all_that_is_asked),
	  UNIT_TEST(every_operation_has_a_name), UNIT_TEST(what_may_be_remembered),
	  UNIT_TEST(what_is_declared_is_remembered), UNIT_TEST(answers_that_have_changed), UNIT_TEST(failing_denies),
	  UNIT_TEST(failing_may_ask_the_next), UNIT_TEST(wrong_answers_are_failures),
	  UNIT_TEST(reasons_are_cut), UNIT_TEST(used_afterwards), UNIT_TEST(fields_that_are_not),
	  UNIT_TEST(on_another_loop), UNIT_TEST(nothing_of_it), UNIT_TEST(what_a_script_brings), UNIT_TEST(scripts_that_cannot_be))
