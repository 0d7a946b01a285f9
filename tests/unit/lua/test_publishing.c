/* SPDX-License-Identifier: MIT */
/* broker.publish(), and who is told what became of it. */
#include "part_case.h"

#include "../unit.h"

#include <string.h>

static struct part part;

static void publish_one(void)
{
	const struct fake_message message = part_message();

	CU_ASSERT_STRING_EQUAL(part_publish(&part, &message, "bob", false), "pass");
}

static void the_whole_message(void)
{
	const char *got;

	part_run(&part,
		 "function startup()\n"
		 "  broker.publish{ exchange = 'x', routing_key = 'k', body = 'b', vhost = 'v',\n"
		 "    headers = { n = 1, f = 1.5, s = 'text', t = true, list = { 1, 2 } },\n"
		 "    content_type = 'text/plain', delivery_mode = 2, priority = 3, timestamp = 1700000000 }\n"
		 "end",
		 NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part.published);
	got = part.published->text;
	CU_ASSERT_EQUAL(strncmp(got, "v|x|k|b;", 8), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.n=l:1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.f=d:1.5"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.s=S:text"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.t=t:true"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.list=A:18"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; property0=S:text/plain"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; property2=B:2"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; property3=B:3"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "; property8=T:1700000000"));
	CU_ASSERT_PTR_NULL(part.published->done);
	part_close(&part);
}

static void defaults(void)
{
	part_run(&part, "function startup() broker.publish{} end", NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part.published);
	CU_ASSERT_STRING_EQUAL(part.published->text, "/|||");
	part_close(&part);
}

static void outcomes(void)
{
	static const char *const words[] = {"routed", "unroutable", "refused"};
	char line[40];

	part_run(&part,
		 "local n = 0\n"
		 "function hook.publish()\n"
		 "  n = n + 1\n"
		 "  local mine = n\n"
		 "  broker.publish{ done = function(outcome) log.info('done', mine, outcome) end }\n"
		 "end",
		 NULL);
	for (unsigned i = 0; i < 3; i++) {
		publish_one();
		part_tell(&part, (enum shunt_outcome)i);
		(void)snprintf(line, sizeof(line), "done %u %s\n", i + 1, words[i]);
		CU_ASSERT(part_has_logged(&part, line));
	}
	part_close(&part);
}

/* Each loop's state is told of what it published itself. */
static void told_where_it_was_published(void)
{
	part_run(&part,
		 "local n = 0\n"
		 "function hook.publish()\n"
		 "  n = n + 1\n"
		 "  broker.publish{ done = function() log.info('loop', script.loop, n) end }\n"
		 "end",
		 NULL);
	publish_one();
	fake_loop_index = 1;
	publish_one();
	publish_one();
	fake_loop_index = 0;
	/* one that came to the wrong place would touch a state that another thread may be in */
	part_tell(&part, SHUNT_ROUTED);
	CU_ASSERT(part_has_logged(&part, "loop 0 1\n"));
	CU_ASSERT(!part_has_logged(&part, "loop 1 "));
	CU_ASSERT(part_has_logged(&part, "told elsewhere"));
	fake_loop_index = 1;
	publish_one();
	part_tell(&part, SHUNT_ROUTED);
	CU_ASSERT(part_has_logged(&part, "loop 1 3\n"));
	fake_loop_index = 0;
	part_close(&part);
}

static void done_may_publish_and_fail(void)
{
	part_run(&part,
		 "local function again(outcome)\n"
		 "  broker.publish{ body = outcome, done = again }\n"
		 "  error('so what')\n"
		 "end\n"
		 "function startup() broker.publish{ done = again } end",
		 NULL);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_PTR_NOT_NULL(part.published);
		part_tell(&part, SHUNT_ROUTED);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(part.published);
	CU_ASSERT_STRING_EQUAL(part.published->text, "/|||routed");
	part_close(&part);
}

/* Else it would go on when another version has come, and nobody could end it. */
static void no_chain_without_end(void)
{
	unsigned n = 0;

	part_run(&part,
		 "local function again() broker.publish{ done = again } end\n"
		 "function startup() again() end",
		 NULL);
	for (; part.published != NULL && n < 1000; n++)
		part_tell(&part, SHUNT_ROUTED);
	CU_ASSERT_EQUAL(n, 100);
	CU_ASSERT(part_has_logged(&part, "part.lua:1: broker.publish: 100 messages in a chain"));
	part_close(&part);
}

/* The broker drops what is under way while it stops: nobody is told, nothing is left. */
static void nobody_is_told(void)
{
	part_run(&part,
		 "function startup()\n"
		 "  for i = 1, 100 do broker.publish{ done = function() error('told') end } end\n"
		 "end",
		 NULL);
	CU_ASSERT_PTR_NOT_NULL(part.published);
	part_close(&part);
}

/* The reference to who is told goes with it: memory stays as it is. */
static void nothing_grows(void)
{
	long before;

	part_run(&part,
		 "function hook.publish()\n"
		 "  broker.publish{ body = 'x', done = function(outcome) assert(outcome == 'routed') end }\n"
		 "end",
		 NULL);
	for (int i = 0; i < 2000; i++) {
		publish_one();
		part_tell(&part, SHUNT_ROUTED);
	}
	before = atomic_load(&part.host.bytes);
	for (int i = 0; i < 20000; i++) {
		publish_one();
		part_tell(&part, SHUNT_ROUTED);
	}
	CU_ASSERT(atomic_load(&part.host.bytes) < before + 100000);
	part_close(&part);
}

static void wrong_messages(void)
{
	static const char *const messages[] = {
		"1",
		"nil",
		"{ body = 1 }",
		"{ exchange = {} }",
		"{ routing_key = ('x'):rep(256) }",
		"{ exchange = ('x'):rep(256) }",
		"{ vhost = ('x'):rep(256) }",
		"{ rooting_key = 'x' }",
		"{ 'x' }",
		"{ headers = 'x' }",
		"{ headers = { 'x' } }",
		"{ headers = { f = print } }",
		"{ content_type = {} }",
		"{ content_type = ('x'):rep(256) }",
		"{ delivery_mode = 'persistent' }",
		"{ done = 'x' }",
	};

	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		char source[200];

		(void)snprintf(source, sizeof(source),
			       "function startup() broker.publish{} broker.publish(%s) end", messages[i]);
		part_run(&part, source, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(part.published);
		if (part.published->next != NULL)
			printf("\n%s\n", messages[i]);
		CU_ASSERT_PTR_NULL(part.published->next);
		CU_ASSERT(part_has_logged(&part, "part.lua:1: "));
		part_close(&part);
	}
}

static void not_at_top_level(void)
{
	CU_ASSERT(!part_open(&part, "broker.publish{}", NULL));
	CU_ASSERT_PTR_NOT_NULL(strstr(part.error.text, "part.lua:1: broker.publish: not in load"));
	part_close(&part);
}

/* A body is copied: the budget pays for it. */
static void many_large_ones(void)
{
	unsigned n = 0;

	part_run(&part,
		 "function startup()\n"
		 "  local body = ('x'):rep(60000)\n"
		 "  while true do broker.publish{ body = body } end\n"
		 "end",
		 NULL);
	for (const struct part_published *p = part.published; p != NULL; p = p->next)
		n++;
	CU_ASSERT(n > 5 && n < 120);
	part_close(&part);
}

/* Memory of the host ends: the script sees an error, and nothing is lost or left. */
static void no_memory_for_a_draft(void)
{
	const struct fake_message message = part_message();
	bool passed = false;

	part_run(&part,
		 "function hook.publish()\n"
		 "  broker.publish{ headers = { a = 1 }, done = function() end }\n"
		 "end",
		 NULL);
	for (long n = 1; !passed && n < 100; n++) {
		fake_host_fail(&part.host, n, false);
		passed = strcmp(part_publish(&part, &message, "bob", false), "pass") == 0 &&
			 !atomic_load(&part.host.failed);
		fake_host_fail_off(&part.host);
	}
	CU_ASSERT(passed);
	part_close(&part);
}

UNIT_MAIN("lua publishing", UNIT_TEST(the_whole_message), UNIT_TEST(defaults), UNIT_TEST(outcomes),
	  UNIT_TEST(told_where_it_was_published), UNIT_TEST(done_may_publish_and_fail),
	  UNIT_TEST(no_chain_without_end), UNIT_TEST(nobody_is_told), UNIT_TEST(nothing_grows), UNIT_TEST(wrong_messages),
	  UNIT_TEST(not_at_top_level), UNIT_TEST(many_large_ones), UNIT_TEST(no_memory_for_a_draft))
