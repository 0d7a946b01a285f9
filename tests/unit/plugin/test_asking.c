/* SPDX-License-Identifier: MIT */
/* What plugins are asked, and answer from any thread: logins, questions, commands; and the numbers that they keep. */
#include "living.h"

#include <pthread.h>

#include "base/buffer.h"

/* Calls run(argument) on a thread that has no loop, and waits for it. */
static void elsewhere(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run, argument), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_join(thread, NULL), 0);
}

/* ---- Logins ---- */

static const struct shunt_peer peer = {
	.size = sizeof(peer),
	.host = { (const uint8_t *)"10.0.0.7", 8 },
	.port = 51022,
};
static unsigned n_done;

static void done(struct access_login *login)
{
	(void)login;
	n_done++;
}

static struct access_login login;

static void begin_login(void *unused)
{
	(void)unused;
	n_done = 0;
	login = (struct access_login){
		.user = SLICE_LITERAL("guest"),
		.password = SLICE_LITERAL("guest"),
		.mechanism = "PLAIN",
		.peer = &peer,
		.done = done,
	};
	access_authenticate(door, &login);
}

/* On loop 1. */
static void login_world_begin(void)
{
	world_begin();
	(void)active();
	loop_pool_visit(1, begin_login, NULL);
	CU_ASSERT_EQUAL_FATAL(notes.n_logins, 1);
	CU_ASSERT_EQUAL_FATAL(n_done, 0);
}

static void login_world_end(void)
{
	access_user_unref(login.result);
	world_end();
}

struct answer {
	enum shunt_verdict verdict;
	const char *user, *tags, *reason;
	int result;
};

static void *give_answer(void *argument)
{
	struct answer *answer = argument;

	answer->result = notes.host->login_done(notes.host, notes.login, answer->verdict, answer->user, answer->tags,
						answer->reason);
	return NULL;
}

static void login_is_described(void)
{
	login_world_begin();
	ASSERT_TEXT(notes.user, "guest");
	ASSERT_TEXT(notes.password, "guest");
	ASSERT_TEXT(notes.mechanism, "PLAIN");
	ASSERT_TEXT(notes.peer, "10.0.0.7");
	CU_ASSERT_FALSE(notes.peer_is_loopback);
	access_abandon(&login);
	login_world_end();
}

static void login_allowed(void)
{
	struct answer answer = { SHUNT_ALLOW, "someone", "monitoring,policymaker", NULL, 1 };

	login_world_begin();
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, 0);
	CU_ASSERT_EQUAL(n_done, 0);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(login.result);
	ASSERT_TEXT(login.result->name, "someone");
	ASSERT_TEXT(login.result->tags, "monitoring,policymaker");
	login_world_end();
}

static void login_allowed_as_it_is(void)
{
	struct answer answer = { SHUNT_ALLOW, NULL, NULL, NULL, 1 };

	login_world_begin();
	(void)give_answer(&answer); /* on loop 0 */
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(login.result);
	ASSERT_TEXT(login.result->name, "guest");
	ASSERT_TEXT(login.result->tags, "");
	login_world_end();
}

static void login_denied(void)
{
	struct answer answers[] = {
		{ SHUNT_DENY, "someone", NULL, "not on Sundays", 1 },
		{ SHUNT_DENY, NULL, NULL, NULL, 1 },
		{ (enum shunt_verdict)77, NULL, NULL, "neither", 1 },
	};
	static const char *const reasons[] = { "not on Sundays", "refused by an access policy", "neither" };

	for (size_t i = 0; i < 3; i++) {
		login_world_begin();
		elsewhere(give_answer, &answers[i]);
		loop_pool_drain();
		CU_ASSERT_EQUAL(n_done, 1);
		CU_ASSERT_PTR_NULL(login.result);
		ASSERT_TEXT(login.reason, reasons[i]);
		login_world_end();
	}
}

static void login_passed_on(void)
{
	struct answer answer = { SHUNT_NEXT, "someone", "tags", NULL, 1 };

	login_world_begin();
	elsewhere(give_answer, &answer);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(login.result);
	ASSERT_TEXT(login.result->name, "guest");
	login_world_end();
}

static void login_answered_twice(void)
{
	struct answer answer = { SHUNT_DENY, NULL, NULL, NULL, 1 };

	login_world_begin();
	elsewhere(give_answer, &answer);
	answer.verdict = SHUNT_ALLOW;
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, -1);
	loop_pool_drain();
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, -1);
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_PTR_NULL(login.result);
	login_world_end();
}

static void login_that_never_was(void)
{
	struct answer answer = { SHUNT_ALLOW, NULL, NULL, NULL, 1 };

	login_world_begin();
	notes.login++;
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, -1);
	notes.login = 0;
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, -1);
	access_abandon(&login);
	login_world_end();
}

static void abandon(void *unused)
{
	(void)unused;
	access_abandon(&login);
}

static void client_gone_before_the_answer(void)
{
	struct answer answer = { SHUNT_ALLOW, NULL, NULL, NULL, 1 };

	login_world_begin();
	loop_pool_visit(1, abandon, NULL);
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, -1);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 0);
	login_world_end();
}

static void client_gone_while_the_answer_is_under_way(void)
{
	struct answer answer = { SHUNT_ALLOW, "someone", "tags", NULL, 1 };

	login_world_begin();
	elsewhere(give_answer, &answer);
	CU_ASSERT_EQUAL(answer.result, 0);
	loop_pool_visit(1, abandon, NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 0);
	login_world_end();
}

/* A plugin is not closed while it is to answer. */
static void login_holds_its_plugin(void)
{
	struct answer answer = { SHUNT_NEXT, NULL, NULL, NULL, 1 };
	struct plugin *plugin;

	login_world_begin();
	plugin = plugins_find(plugins, "actor");
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	elsewhere(give_answer, &answer);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(n_done, 1);
	login_world_end();
}

/* ---- Questions ---- */

static struct access_reply reply;

static bool may_declare(const char *tags)
{
	struct access_user *user = access_user_create(SLICE_LITERAL("someone"), tags, "PLAIN");
	const struct access_question question = {
		.user = user,
		.operation = ACCESS_CONFIGURE,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.vhost = SLICE_LITERAL("/"),
		.name = SLICE_LITERAL("e"),
		.arguments = SLICE_LITERAL("\1at\0"),
		.peer = &peer,
	};
	bool result = access_authorize(door, &question, &reply);

	access_user_unref(user);
	return result;
}

static void questions(void)
{
	world_begin();
	CU_ASSERT_FALSE(may_declare(""));
	(void)active();
	notes.verdict = SHUNT_ALLOW;
	CU_ASSERT_TRUE(may_declare("a,b"));
	ASSERT_TEXT(notes.question, "1 1 someone a,b / e 4");
	notes.verdict = SHUNT_DENY;
	CU_ASSERT_FALSE(may_declare(""));
	notes.verdict = SHUNT_NEXT; /* the user is none of the configuration's */
	CU_ASSERT_FALSE(may_declare(""));
	notes.verdict = (enum shunt_verdict)99;
	CU_ASSERT_FALSE(may_declare(""));
	CU_ASSERT_EQUAL(notes.n_questions, 4);
	world_end();
}

/* What a policy has to say beside its verdict. */
static void answers_with_a_reason(void)
{
	world_begin();
	(void)active();
	notes.verdict = SHUNT_DENY;
	CU_ASSERT_FALSE(may_declare(""));
	CU_ASSERT_EQUAL(reply.remember_ms, ACCESS_REMEMBER_ALWAYS);
	ASSERT_TEXT(reply.reason, "");
	notes.remember_ms = 1500;
	notes.reason = "closed";
	CU_ASSERT_FALSE(may_declare(""));
	CU_ASSERT_EQUAL(reply.remember_ms, 1500);
	ASSERT_TEXT(reply.reason, "closed");
	notes.verdict = SHUNT_NEXT; /* the built-in policy denies, without this one's reason */
	CU_ASSERT_FALSE(may_declare(""));
	CU_ASSERT_EQUAL(reply.remember_ms, 1500);
	ASSERT_TEXT(reply.reason, "");
	notes.fills_reason = true; /* without an end */
	notes.verdict = SHUNT_DENY;
	CU_ASSERT_FALSE(may_declare(""));
	CU_ASSERT_EQUAL(strlen(reply.reason), sizeof(reply.reason) - 1);
	world_end();
}

static void answers_that_have_changed(void)
{
	uint64_t before;

	world_begin();
	(void)active();
	before = access_generation(door);
	notes.host->access_changed(notes.host);
	CU_ASSERT_TRUE(access_generation(door) > before);
	world_end();
}

/* ---- Commands ---- */

static struct buffer printed;
static char ended[64];
static unsigned n_ended;

static void print(void *context, struct slice text)
{
	CU_ASSERT_PTR_EQUAL(context, &printed);
	buffer_append_slice(&printed, text);
}

static void end(void *context, const char *error)
{
	CU_ASSERT_PTR_EQUAL(context, &printed);
	(void)snprintf(ended, sizeof(ended), "%s", error != NULL ? error : "well");
	n_ended++;
}

static const struct plugin_caller caller = { print, end, &printed };

static struct plugin_call *call(const char *plugin, const char *command, size_t n_arguments)
{
	static const struct shunt_bytes arguments[] = { { (const uint8_t *)"one", 3 }, { NULL, 0 } };
	const struct plugin_call_request request = { plugin, command, arguments, n_arguments };

	n_ended = 0;
	buffer_init(&printed);
	return plugins_call(plugins, &request, &caller, reason, sizeof(reason));
}

static struct plugin_call *call_world_begin(void)
{
	struct plugin_call *made;

	world_begin();
	(void)active();
	made = call("actor", "act", 2);
	CU_ASSERT_PTR_NOT_NULL_FATAL(made);
	CU_ASSERT_EQUAL(notes.n_calls, 1);
	ASSERT_TEXT(notes.arguments, "[one][]");
	return made;
}

static void say(const char *text)
{
	notes.host->call_print(notes.host, notes.call,
			       (struct shunt_bytes){ (const uint8_t *)text, strlen(text) });
}

static void *say_two(void *unused)
{
	(void)unused;
	say("two\n");
	return NULL;
}

static void *finish_well(void *unused)
{
	(void)unused;
	notes.host->call_done(notes.host, notes.call, NULL);
	return NULL;
}

static void assert_printed(const char *expected)
{
	CU_ASSERT_TRUE(slice_equal(buffer_slice(&printed), slice_cstr(expected)));
	buffer_fini(&printed);
	buffer_init(&printed);
}

static void say_one(void *unused)
{
	(void)unused;
	say("one\n");
}

/* In the order in which it was printed, whichever threads that was on. */
static void command_prints_and_ends(void)
{
	(void)call_world_begin();
	loop_pool_visit(1, say_one, NULL);
	elsewhere(say_two, NULL);
	say("three\n");
	CU_ASSERT_EQUAL(printed.size, 0);
	loop_pool_drain();
	assert_printed("one\ntwo\nthree\n");
	CU_ASSERT_EQUAL(n_ended, 0);
	say("four\n");
	elsewhere(finish_well, NULL);
	say("too late\n");
	loop_pool_drain();
	assert_printed("four\n");
	CU_ASSERT_EQUAL(n_ended, 1);
	ASSERT_TEXT(ended, "well");
	notes.host->call_done(notes.host, notes.call, "again");
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_ended, 1);
	world_end();
}

static void command_fails(void)
{
	(void)call_world_begin();
	notes.host->call_done(notes.host, notes.call, "no oracle at hand");
	CU_ASSERT_EQUAL(n_ended, 0);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_ended, 1);
	ASSERT_TEXT(ended, "no oracle at hand");
	world_end();
}

/* More than there is room for, at once: what came before is printed, and it is said that something is missing. */
static void command_that_prints_without_end(void)
{
	static const uint8_t letters[1 << 20];
	const struct shunt_bytes much = { letters, sizeof(letters) };

	(void)call_world_begin();
	for (int i = 0; i < 40; i++)
		notes.host->call_print(notes.host, notes.call, much);
	say("and no hole before this");
	loop_pool_drain();
	CU_ASSERT_EQUAL(printed.size, 16 << 20);
	finish_well(NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(printed.size, 16 << 20);
	CU_ASSERT_EQUAL(n_ended, 1);
	ASSERT_TEXT(ended, "it has printed more than there is room for");
	buffer_fini(&printed);
	world_end();
}

static void unknown_commands(void)
{
	world_begin();
	CU_ASSERT_PTR_NULL(call("actor", "act", 0));
	ASSERT_TEXT(reason, "no plugin 'actor' is loaded");
	(void)active();
	CU_ASSERT_PTR_NULL(call("actor", "rest", 0));
	ASSERT_TEXT(reason, "plugin 'actor' has no command 'rest'");
	CU_ASSERT_EQUAL(notes.n_calls, 0);
	world_end();
}

static void caller_gone(void)
{
	plugin_call_abandon(call_world_begin());
	say("to nobody\n");
	notes.host->call_done(notes.host, notes.call, NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(printed.size, 0);
	CU_ASSERT_EQUAL(n_ended, 0);
	world_end();
}

static void caller_gone_while_text_is_under_way(void)
{
	struct plugin_call *made = call_world_begin();

	say("to nobody\n");
	plugin_call_abandon(made);
	loop_pool_drain();
	CU_ASSERT_EQUAL(printed.size, 0);
	made = call("actor", "act", 0);
	notes.host->call_done(notes.host, notes.call, NULL);
	plugin_call_abandon(made);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_ended, 0);
	world_end();
}

static void command_holds_its_plugin(void)
{
	struct plugin *plugin;

	(void)call_world_begin();
	plugin = plugins_find(plugins, "actor");
	plugin_deactivate(plugin);
	plugin_close_later(plugin, closed, NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(notes.n_stopped, 0);
	elsewhere(finish_well, NULL);
	UNTIL(n_closed == 1);
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
	CU_ASSERT_EQUAL(n_ended, 1);
	world_end();
}

static void command_that_never_ends(void)
{
	(void)call_world_begin();
	world_end();
	CU_ASSERT_EQUAL(n_ended, 1);
	ASSERT_TEXT(ended, "the broker has stopped");
	CU_ASSERT_EQUAL(notes.n_stopped, 1);
}

/* ---- Metrics ---- */

static void *count_once(void *unused)
{
	(void)unused;
	notes.host->counter_add(notes.host, notes.events, 1);
	return NULL;
}

static void count_ten(void *unused)
{
	(void)unused;
	notes.host->counter_add(notes.host, notes.events, 10);
}

static void list_metric(void *context, const struct plugin_metric_value *metric)
{
	char *out = context;
	size_t n = strlen(out);

	(void)snprintf(out + n, 256 - n, "%s %s '%s' %s %lld;", metric->plugin, metric->name, metric->help,
		       metric->is_gauge ? "gauge" : "counter", (long long)metric->value);
}

static void metrics(void)
{
	char list[256] = "";

	world_begin();
	(void)active();
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, count_ten, NULL);
	elsewhere(count_once, NULL);
	elsewhere(count_once, NULL);
	CU_ASSERT_EQUAL(notes.host->counter_read(notes.host, notes.events), 22);
	plugins_for_each_metric(plugins, list_metric, list);
	ASSERT_TEXT(list, "actor events 'what has happened' counter 22;actor level '' gauge -1;");
	world_end();
}

/* ---- Posts ---- */

static void posted(void *n)
{
	CU_ASSERT_EQUAL(loop_index(loop_self()), 0);
	(*(unsigned *)n)++;
}

static unsigned n_posted;

static void *post(void *unused)
{
	(void)unused;
	CU_ASSERT_EQUAL(notes.host->post(notes.host, posted, &n_posted), 0);
	return NULL;
}

static void post_here(void *unused)
{
	(void)post(unused);
}

static void posted_from_everywhere(void)
{
	world_begin();
	(void)active();
	n_posted = 0;
	loop_pool_visit(0, post_here, NULL);
	loop_pool_visit(1, post_here, NULL);
	elsewhere(post, NULL);
	CU_ASSERT_EQUAL(n_posted, 0);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_posted, 3);
	world_end();
}

UNIT_MAIN("asking", UNIT_TEST(login_is_described), UNIT_TEST(login_allowed), UNIT_TEST(login_allowed_as_it_is),
	  UNIT_TEST(login_denied), UNIT_TEST(login_passed_on), UNIT_TEST(login_answered_twice),
	  UNIT_TEST(login_that_never_was), UNIT_TEST(client_gone_before_the_answer),
	  UNIT_TEST(client_gone_while_the_answer_is_under_way), UNIT_TEST(login_holds_its_plugin), UNIT_TEST(questions), UNIT_TEST(answers_with_a_reason),
	  UNIT_TEST(answers_that_have_changed), UNIT_TEST(command_prints_and_ends),
	  UNIT_TEST(command_that_prints_without_end), UNIT_TEST(command_fails),
	  UNIT_TEST(unknown_commands), UNIT_TEST(caller_gone), UNIT_TEST(caller_gone_while_text_is_under_way),
	  UNIT_TEST(command_holds_its_plugin), UNIT_TEST(command_that_never_ends), UNIT_TEST(metrics),
	  UNIT_TEST(posted_from_everywhere))
