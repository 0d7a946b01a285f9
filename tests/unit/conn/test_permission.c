/* SPDX-License-Identifier: MIT */
/* How often access is asked, what a changed permission does to connections that are open, and that what limits count is
 * given back once. Texts and rules: tests/interop/behaviour/test_18_permissions.py. */
#include "conversation.h"

#include "access/accounts.h"

static struct client a, b; /* on loop 0 and on loop 1 */
static unsigned n_questions, n_topics;

static struct access_reply answer; /* of the policy that counts; it passes on, or refuses */
static bool refuses;

static enum access_verdict count(struct access_policy *policy, const struct access_question *question,
				 struct access_reply *reply)
{
	(void)policy;
	*reply = answer;
	n_questions++;
	n_topics += question->operation == ACCESS_WRITE_TOPIC;
	return refuses ? ACCESS_DENY : ACCESS_PASS;
}

static struct access_policy counter = { .name = "counter", .rank = 1, .index = 1, .authorize = count };

static void count_questions(void)
{
	struct access_policy *policies[] = { &counter };

	access_change(door, (struct access_policies){0}, (struct access_policies){policies, 1});
	n_questions = n_topics = 0;
	answer = (struct access_reply){ .remember_ms = ACCESS_REMEMBER_ALWAYS };
	refuses = false;
}

static void start(void)
{
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	settle(&a, &b);
}

static void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	access_end_edits(door);
	world_destroy();
}

static bool is_done;

static void edit_is_done(struct access_edits *edits)
{
	CU_ASSERT_EQUAL(edits->result, 0);
	is_done = true;
}

static void edit(struct access_edit item)
{
	struct access_edits edits = { .items = &item, .n = 1, .done = edit_is_done };

	is_done = false;
	access_edit(door, &edits);
	for (unsigned i = 0; i < 100 && !is_done; i++)
		settle(&a, &b);
	CU_ASSERT_TRUE_FATAL(is_done);
	settle(&a, &b);
}

static void permit(const char *configure, const char *write, const char *read)
{
	edit((struct access_edit){
		.kind = ACCESS_SET_PERMISSION,
		.permission = {
			.vhost = SLICE_LITERAL("/"),
			.user = SLICE_LITERAL("guest"),
			.configure = slice_cstr(configure),
			.write = slice_cstr(write),
			.read = slice_cstr(read),
		},
	});
}

static void limit(int64_t max_connections, int64_t max_channels)
{
	edit((struct access_edit){
		.kind = ACCESS_SET_USER_LIMITS,
		.account = {
			.name = SLICE_LITERAL("guest"),
			.max_connections = max_connections,
			.max_channels = max_channels,
		},
	});
}

static void publish_to(struct client *client, struct slice exchange, struct slice key)
{
	static const uint8_t header[] = { 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	PUT(client, 1, AMQP_BASIC_PUBLISH, basic_publish, .exchange = exchange, .routing_key = key);
	put_frame(client, AMQP_FRAME_HEADER, 1, slice_make(header, sizeof(header)));
}

/* ---- How often it is asked ---- */

static void one_exchange_once(void)
{
	start();
	count_questions();
	for (unsigned i = 0; i < 100; i++)
		publish(&a, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	CU_ASSERT_EQUAL(n_questions, 1);
	access_has_changed(door);
	publish(&a, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_questions, 2);
	stop();
}

/* Before the batch is routed, which finds that the exchanges are not there. */
static void several_exchanges_once_or_twice(void)
{
	static const char *const names[] = { "x", "y", "amq.topic", "z" };

	start();
	count_questions();
	for (unsigned i = 0; i < 40; i++)
		publish_to(&a, slice_cstr(names[i % 4]), SLICE_LITERAL("key"));
	settle(&a, &b);
	CU_ASSERT_TRUE(n_questions - n_topics >= 4 && n_questions - n_topics <= 5);
	CU_ASSERT_EQUAL(n_topics, 1);
	stop();
}

static void each_topic_once(void)
{
	static const char *const keys[] = { "a", "b", "c" };

	start();
	count_questions();
	for (unsigned i = 0; i < 30; i++)
		publish_to(&a, SLICE_LITERAL("amq.topic"), slice_cstr(keys[i % 3]));
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_topics, 3);
	CU_ASSERT_EQUAL(n_questions, 4);
	stop();
}

static void gets_once(void)
{
	start();
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("q"));
	settle(&a, &b);
	count_questions();
	for (unsigned i = 0; i < 10; i++)
		PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = SLICE_LITERAL("q"), .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	CU_ASSERT_EQUAL(n_questions, 1);
	stop();
}

static const struct connection *first_of_loop_0(void)
{
	return container_of(list_first(&service->loops[0].connections), struct connection, link);
}

static void nothing_is_kept_for_who_needs_nothing(void)
{
	start();
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("q"));
	PUT(&a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = SLICE_LITERAL("q"), .no_ack = true);
	for (unsigned i = 0; i < 10; i++)
		publish(&a, 1, SLICE_LITERAL("q"), SLICE_LITERAL("\0\0"), 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_deliveries, 10);
	CU_ASSERT_PTR_NULL(first_of_loop_0()->decisions);
	stop();
}

/* ---- What changes ---- */

static void publish_is_refused_at_once(void)
{
	start();
	publish(&a, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	publish(&b, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	permit(".*", "", ".*");
	publish(&a, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	publish(&b, 1, SLICE_LITERAL("nowhere"), SLICE_LITERAL("\0\0"), 0);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, AMQP_ACCESS_REFUSED);
	CU_ASSERT_EQUAL(b.close_code, AMQP_ACCESS_REFUSED);
	stop();
}

static void gets_are_refused_at_once(void)
{
	start();
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = SLICE_LITERAL("q"));
	for (unsigned i = 0; i < 2; i++)
		PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = SLICE_LITERAL("q"), .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	permit(".*", ".*", "^p");
	PUT(&a, 1, AMQP_BASIC_GET, basic_get, .queue = SLICE_LITERAL("q"), .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, AMQP_ACCESS_REFUSED);
	stop();
}

/* ---- Limits ---- */

/* Then with a limit of one there is room for one, with three channels. */
static void no_connection_is_left(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	limit(1, 3);
	client_connect(&a, 0);
	begin(&a); /* with three channels */
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	client_connect(&b, 1);
	begin(&b);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.close_code, AMQP_NOT_ALLOWED);
}

static void given_back_when_cut(void)
{
	start();
	no_connection_is_left();
	stop();
}

static void given_back_when_it_says_so(void)
{
	start();
	PUT(&a, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_code = 200);
	PUT(&b, 1, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200);
	settle(&a, &b);
	limit(2, 5); /* one connection, two channels are there */
	client_end(&a);
	client_connect(&a, 0);
	begin(&a);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
	no_connection_is_left();
	stop();
}

static void given_back_after_errors(void)
{
	start();
	PUT(&a, 1, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY); /* it is open: the connection ends */
	PUT(&b, 1, AMQP_BASIC_GET, basic_get, .queue = SLICE_LITERAL("missing")); /* a channel does */
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, AMQP_CHANNEL_ERROR);
	CU_ASSERT_EQUAL(b.close_code, AMQP_NOT_FOUND);
	no_connection_is_left();
	stop();
}

static void one_channel_too_many(void)
{
	start();
	limit(ACCESS_NO_LIMIT, 6);
	PUT(&a, 4, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, AMQP_NOT_ALLOWED);
	for (uint16_t channel = 4; channel <= 6; channel++) /* those of a are free */
		PUT(&b, channel, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.close_code, 0);
	PUT(&b, 7, AMQP_CHANNEL_OPEN, channel_open, .reserved_1 = SLICE_EMPTY);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.close_code, AMQP_NOT_ALLOWED);
	no_connection_is_left();
	stop();
}

/* What was taken of a user that is gone by now. */
static void given_back_without_the_user(void)
{
	start();
	edit((struct access_edit){ .kind = ACCESS_DELETE_USER, .account = { .name = SLICE_LITERAL("guest") } });
	PUT(&a, 0, AMQP_CONNECTION_CLOSE, connection_close, .reply_code = 200);
	settle(&a, &b);
	client_end(&b);
	settle(&a, &b);
	stop();
}

/* ---- For how long ---- */

static void publish_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		publish_to(&a, SLICE_EMPTY, SLICE_LITERAL("nowhere"));
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, 0);
}

static void what_must_not_be_remembered(void)
{
	start();
	count_questions();
	answer.remember_ms = 0;
	publish_some(5);
	CU_ASSERT_EQUAL(n_questions, 5);
	answer.remember_ms = ACCESS_REMEMBER_ALWAYS;
	publish_some(5);
	CU_ASSERT_EQUAL(n_questions, 6);
	answer.remember_ms = 0;
	publish_some(5);
	CU_ASSERT_EQUAL(n_questions, 6);
	access_has_changed(door);
	publish_some(5);
	CU_ASSERT_EQUAL(n_questions, 11);
	stop();
}

/* A key that was right must not stand for an exchange that is to be asked about. */
static void topics_that_must_not_be_remembered(void)
{
	start();
	count_questions();
	answer.remember_ms = 0;
	for (unsigned i = 0; i < 5; i++)
		publish_to(&a, SLICE_LITERAL("amq.topic"), SLICE_LITERAL("key"));
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_topics, 5);
	CU_ASSERT_EQUAL(n_questions, 10);
	stop();
}

/* Until the time is over; it begins anew with the next question. */
static void what_is_remembered_for_a_time(void)
{
	start();
	count_questions();
	answer.remember_ms = 1;
	publish_some(3);
	CU_ASSERT_EQUAL(n_questions, 1);
	for (unsigned i = 0; i < 100000 && n_questions == 1; i++)
		publish_some(1);
	CU_ASSERT_EQUAL(n_questions, 2);
	answer.remember_ms = 3600000;
	for (unsigned i = 0; i < 100000 && n_questions == 2; i++)
		publish_some(1);
	publish_some(20);
	CU_ASSERT_EQUAL(n_questions, 3);
	access_has_changed(door);
	publish_some(20);
	CU_ASSERT_EQUAL(n_questions, 4);
	stop();
}

static void a_reason_follows_the_refusal(void)
{
	start();
	count_questions();
	refuses = true;
	snprintf(answer.reason, sizeof(answer.reason), "closed at night");
	publish_to(&a, SLICE_LITERAL("amq.fanout"), SLICE_LITERAL("key"));
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.close_code, AMQP_ACCESS_REFUSED);
	CU_ASSERT_STRING_EQUAL(a.close_text, "ACCESS_REFUSED - write access to exchange 'amq.fanout' in vhost '/' "
					     "refused for user 'guest': closed at night");
	stop();
}

UNIT_MAIN("conn/permission", UNIT_TEST(what_must_not_be_remembered), UNIT_TEST(topics_that_must_not_be_remembered), UNIT_TEST(what_is_remembered_for_a_time),
	  UNIT_TEST(a_reason_follows_the_refusal), UNIT_TEST(one_exchange_once), UNIT_TEST(several_exchanges_once_or_twice),
	  UNIT_TEST(each_topic_once), UNIT_TEST(gets_once), UNIT_TEST(nothing_is_kept_for_who_needs_nothing),
	  UNIT_TEST(publish_is_refused_at_once), UNIT_TEST(gets_are_refused_at_once), UNIT_TEST(given_back_when_cut),
	  UNIT_TEST(given_back_when_it_says_so), UNIT_TEST(given_back_after_errors), UNIT_TEST(one_channel_too_many),
	  UNIT_TEST(given_back_without_the_user))
