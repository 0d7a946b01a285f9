/* SPDX-License-Identifier: MIT */
/* hook.publish and hook.deliver. */
#include "part_case.h"

#include "../unit.h"

#include <string.h>

static struct part part;

static const char *publish(const char *user)
{
	const struct fake_message message = part_message();

	return part_publish(&part, &message, user, false);
}

static const char *deliver(const char *consumer_tag)
{
	const struct fake_message message = part_message();

	return part_deliver(&part, &message, consumer_tag);
}

static void only_what_is_defined(void)
{
	part_run(&part, "function hook.publish() end", NULL);
	CU_ASSERT_PTR_NULL(part.host.hook->deliver);
	CU_ASSERT_STRING_EQUAL(part.host.hook->name, "part");
	CU_ASSERT_STRING_EQUAL(publish("bob"), "pass");
	part_close(&part);
	part_run(&part, "function hook.deliver() end", NULL);
	CU_ASSERT_PTR_NULL(part.host.hook->publish);
	CU_ASSERT_STRING_EQUAL(deliver("c"), "pass");
	part_close(&part);
}

static void decisions_on_publish(void)
{
	part_run(&part,
		 "function hook.publish(message, context)\n"
		 "  if context.user == 'p' then return 'pass' end\n"
		 "  if context.user == 'd' then return 'drop' end\n"
		 "  if context.user == 'n' then return 'nack', 'quota' end\n"
		 "  if context.user == 'r' then return 'refuse', 'not at night' end\n"
		 "  if context.user == 'x' then return 'refuse' end\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(publish("p"), "pass");
	CU_ASSERT_STRING_EQUAL(publish("d"), "drop");
	CU_ASSERT_STRING_EQUAL(publish("n"), "nack: quota");
	CU_ASSERT_STRING_EQUAL(publish("r"), "reject: 403 not at night");
	CU_ASSERT_STRING_EQUAL(publish("x"), "reject: 403 refused by 'part'");
	CU_ASSERT_STRING_EQUAL(publish("other"), "pass");
	part_close(&part);
}

static void decisions_on_deliver(void)
{
	part_run(&part,
		 "local decisions = { p = 'pass', d = 'drop', r = 'reject' }\n"
		 "function hook.deliver(message, context) return decisions[context.consumer_tag] end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(deliver("p"), "pass");
	CU_ASSERT_STRING_EQUAL(deliver("d"), "drop");
	CU_ASSERT_STRING_EQUAL(deliver("r"), "reject");
	CU_ASSERT_STRING_EQUAL(deliver("other"), "pass");
	part_close(&part);
}

static void the_message_may_be_changed(void)
{
	part_run(&part,
		 "function hook.publish(message)\n"
		 "  message.routing_key = message.routing_key .. '.eu'\n"
		 "  message.exchange = 'audit'\n"
		 "  message.headers.seen = 7\n"
		 "  message.content_type = 'text/plain'\n"
		 "  message:set_body(message:body():upper())\n"
		 "end",
		 NULL);
	{
		const char *got = publish("bob");

		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; key=key.eu"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; exchange=audit"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.seen=l:7"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; property0=S:text/plain"));
		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; body=BODY"));
	}
	part_close(&part);
}

static void what_is_not_passed_is_not_changed(void)
{
	part_run(&part,
		 "function hook.publish(message, context)\n"
		 "  message.headers.seen = 1\n"
		 "  return 'nack'\n"
		 "end\n"
		 "function hook.deliver(message, context)\n"
		 "  message.headers.seen = 1\n"
		 "  return 'reject'\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "nack");
	CU_ASSERT_STRING_EQUAL(deliver("c"), "reject");
	part_close(&part);
}

static void redaction_on_deliver(void)
{
	part_run(&part,
		 "function hook.deliver(message, context)\n"
		 "  message.headers.card = nil\n"
		 "  message.headers.to = context.user .. '@' .. context.queue\n"
		 "end",
		 NULL);
	{
		const char *got = deliver("c");

		CU_ASSERT_PTR_NOT_NULL(strstr(got, "; headers.to=S:bob@q"));
	}
	part_close(&part);
}

static void routing_stays_on_deliver(void)
{
	part_run(&part,
		 "function hook.deliver(message, context)\n"
		 "  if context.consumer_tag == 'k' then message.routing_key = 'x' end\n"
		 "  if context.consumer_tag == 'e' then message.exchange = 'x' end\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(deliver("k"), "pass");
	CU_ASSERT(part_has_logged(&part, "part.lua:2: "));
	CU_ASSERT_STRING_EQUAL(deliver("e"), "pass");
	CU_ASSERT(part_has_logged(&part, "part.lua:3: "));
	part_close(&part);
}

static void what_hooks_are_told(void)
{
	const struct fake_message message = part_message();

	part_run(&part,
		 "function hook.publish(m, c)\n"
		 "  return 'refuse', table.concat({ tostring(c.user), tostring(c.mandatory),\n"
		 "    tostring(c.dry_run), c.peer and c.peer.host or 'nobody' }, ' ')\n"
		 "end\n"
		 "function hook.deliver(m, c)\n"
		 "  m.type = table.concat({ c.queue, c.user, tostring(c.consumer_tag),\n"
		 "    tostring(c.redelivered), c.peer.host }, ' ')\n"
		 "end",
		 NULL);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "reject: 403 bob true false 10.0.0.7");
	CU_ASSERT_STRING_EQUAL(part_publish(&part, &message, "", true),
			       "reject: 403 nil true true nobody");
	CU_ASSERT_STRING_EQUAL(deliver("c"), "pass; property9=S:q bob c true 10.0.0.7");
	CU_ASSERT_STRING_EQUAL(deliver(""), "pass; property9=S:q bob nil true 10.0.0.7");
	part_close(&part);
}

/* A mistake in a script is no reason to close the channel of who publishes; nothing is changed. */
static void failing(void)
{
	static const char *const pass[] = {"on_error.publish", "pass", "on_error.deliver", "deny",
					   NULL};
	static const char source[] = "function hook.publish(m) m.headers.a = 1 error('p') end\n"
				     "function hook.deliver(m) m.headers.a = 1 error('d') end";

	part_run(&part, source, NULL);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "nack: the script has failed");
	CU_ASSERT_STRING_EQUAL(deliver("c"), "pass");
	CU_ASSERT(part_has_logged(&part, "part.lua:1: p"));
	CU_ASSERT(part_has_logged(&part, "part.lua:2: d"));
	part_close(&part);
	part_run(&part, source, pass);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "pass");
	CU_ASSERT_STRING_EQUAL(deliver("c"), "reject");
	part_close(&part);
}

/* What comes into the draft only by half is no message that anybody has wanted. */
static void changed_by_half(void)
{
	static const char *const pass[] = {"on_error.publish", "pass", NULL};

	part_run(&part,
		 "function hook.publish(m) m.headers.a = 1 m.headers['no room'] = 2 m.headers.b = 3 end",
		 pass);
	CU_ASSERT_EQUAL(strncmp(publish("bob"), "nack", 4), 0);
	part_close(&part);
	part_run(&part,
		 "function hook.deliver(m) m.headers.a = 1 m.headers['no room'] = 2 m.headers.b = 3 end",
		 NULL);
	CU_ASSERT_EQUAL(strncmp(deliver("c"), "reject", 6), 0);
	part_close(&part);
}

static void wrong_answers_are_failures(void)
{
	static const char *const answers[] = {"true",	   "403",	    "'reject'", "'acknowledge'",
					      "{}",	   "'refuse', 7",   "'nack', {}", "''"};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char source[200];

		(void)snprintf(source, sizeof(source), "function hook.publish() return %s end",
			       answers[i]);
		part_run(&part, source, NULL);
		CU_ASSERT_STRING_EQUAL(publish("bob"), "nack: the script has failed");
		CU_ASSERT(part_has_logged(&part, "part.lua:1: hook.publish returned "));
		part_close(&part);
	}
	part_run(&part, "function hook.deliver() return 'nack' end", NULL);
	CU_ASSERT_STRING_EQUAL(deliver("c"), "pass");
	CU_ASSERT(part_has_logged(&part, "part.lua:1: hook.deliver returned \"nack\""));
	part_close(&part);
}

static void used_afterwards(void)
{
	part_run(&part,
		 "local m, c\n"
		 "function hook.publish(message, context) m, c = message, context end\n"
		 "timer.after(1, function() log.info(pcall(function() return c.user end)) end)\n"
		 "timer.after(1, function() log.info(pcall(function() return m.routing_key end)) end)\n"
		 "timer.after(1, function() log.info(pcall(function() m.type = 'x' end)) end)\n",
		 NULL);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "pass");
	fake_services_run(&part.host);
	CU_ASSERT(part_has_logged(&part, "false part.lua:3: the context is used after the call"));
	CU_ASSERT(part_has_logged(&part, "false part.lua:4: "));
	CU_ASSERT(part_has_logged(&part, "false part.lua:5: "));
	part_close(&part);
}

/* An endless loop costs the message, and only for so long. */
static void never_ending(void)
{
	part_run(&part, "function hook.publish() while true do pcall(error) end end", NULL);
	CU_ASSERT_STRING_EQUAL(publish("bob"), "nack: the script has failed");
	part_close(&part);
}

UNIT_MAIN("lua hook", UNIT_TEST(only_what_is_defined), UNIT_TEST(decisions_on_publish),
	  UNIT_TEST(decisions_on_deliver), UNIT_TEST(the_message_may_be_changed),
	  UNIT_TEST(what_is_not_passed_is_not_changed), UNIT_TEST(redaction_on_deliver),
	  UNIT_TEST(routing_stays_on_deliver), UNIT_TEST(what_hooks_are_told), UNIT_TEST(failing), UNIT_TEST(changed_by_half),
	  UNIT_TEST(wrong_answers_are_failures), UNIT_TEST(used_afterwards), UNIT_TEST(never_ending))
