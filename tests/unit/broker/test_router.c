/* SPDX-License-Identifier: MIT */
#include "broker/router/router.h"

#include "../unit.h"
#include "arguments_fixture.h"
#include "router_fixture.h"

/* ---- The default exchange ---- */

static void by_queue_name(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_TRUE(publish("", "q"));
	CU_ASSERT_FALSE(publication.unroutable);
	CU_ASSERT_EQUAL(publication.n_pending, 0);
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_TRUE(publish("", "r"));
	CU_ASSERT_TRUE(publication.unroutable);
	router_end();
}

static void extra_keys(void)
{
	const struct slice extra[] = {SLICE_LITERAL("r"), SLICE_LITERAL("q"),
				      SLICE_LITERAL("nope")};

	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_TRUE(publish_keys("", "q", 0, extra, 3));
	CU_ASSERT_EQUAL(ready("q"), 1); /* once */
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "k"), 0);
	CU_ASSERT_TRUE(publish_keys("amq.direct", "x", 0, (struct slice[]){SLICE_LITERAL("k")}, 1));
	CU_ASSERT_FALSE(publication.unroutable);
	CU_ASSERT_EQUAL(ready("r"), 2);
	router_end();
}

/* A type that routes by the first key is not asked for the others. */
static void extra_keys_of_a_type_that_routes_by_the_first(void)
{
	struct shunt_exchange_type first = fake_direct;
	const struct slice extra[] = {SLICE_LITERAL("k"), SLICE_LITERAL("l")};

	router_begin(1);
	first.name = "first";
	first.routes_by_first_key = true;
	register_type(&first);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "first", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "e", "l"), 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 0, extra, 2));
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(ready("r"), 0);
	CU_ASSERT_TRUE(publish_keys("e", "x", 0, extra, 2));
	CU_ASSERT_TRUE(publication.unroutable);
	router_end();
}

/* ---- Refused ---- */

static void refused(void)
{
	router_begin(1);
	CU_ASSERT_FALSE(publish("nope", "q"));
	CU_ASSERT_EQUAL(error.code, 404);
	CU_ASSERT_STRING_EQUAL(error.text, "NOT_FOUND - no exchange 'nope' in vhost '/'");
	CU_ASSERT_EQUAL(exchange_declare("i", "direct", INTERNAL), 0);
	CU_ASSERT_FALSE(publish("i", "q"));
	CU_ASSERT_EQUAL(error.code, 403);
	CU_ASSERT_STRING_EQUAL(
		error.text,
		"ACCESS_REFUSED - cannot publish to internal exchange 'i' in vhost '/'");
	CU_ASSERT_FALSE(publish("amq.topic", "q"));
	CU_ASSERT_EQUAL(error.code, 406);
	CU_ASSERT_STRING_EQUAL(error.text, "PRECONDITION_FAILED - the type 'topic' of exchange "
					   "'amq.topic' in vhost '/' is not loaded");
	router_end();
}

/* Those before the one that fails are handled, those behind it are not. */
static void batch_with_a_bad_one(void)
{
	struct publication publications[3];
	struct publish_batch batch = {.publications = publications, .count = 3};

	router_begin(1);
	batch.vhost = vhost;
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	for (int i = 0; i < 3; i++)
		publications[i] =
			(struct publication){.message = make_message(i == 1 ? "nope" : "", "q")};
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	CU_ASSERT_PTR_NULL(publications[0].message);
	message_unref(publications[1].message);
	message_unref(publications[2].message);
	CU_ASSERT_EQUAL(ready("q"), 1);
	router_end();
}

/* ---- Exchanges ---- */

static void by_type(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.fanout", "x"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "amq.fanout", "y"), 0);
	CU_ASSERT_TRUE(publish("amq.direct", "a"));
	CU_ASSERT_TRUE(publish("amq.direct", "b"));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_TRUE(publish("amq.fanout", ""));
	CU_ASSERT_EQUAL(ready("r"), 1); /* two bindings, one copy */
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);
	CU_ASSERT_TRUE(publish("amq.direct", "a"));
	CU_ASSERT_TRUE(publication.unroutable);
	router_end();
}

static void exchanges_in_a_circle(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "fanout", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", INTERNAL), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", ""), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "f", ""), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "e", ""), 0);
	CU_ASSERT_TRUE(publish("e", ""));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_EQUAL(queue_bind("q", "e", ""), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "f", ""), 0);
	CU_ASSERT_TRUE(publish("e", ""));
	CU_ASSERT_EQUAL(ready("q"), 1);
	/* Where the type is not loaded the message just does not go on. */
	CU_ASSERT_EQUAL(exchange_bind("amq.topic", "e", ""), 0);
	CU_ASSERT_TRUE(publish("e", ""));
	CU_ASSERT_EQUAL(ready("q"), 2);
	router_end();
}

static void alternate_exchange(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("a", "fanout", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare_with("e", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "a")),
			0);
	CU_ASSERT_EQUAL(exchange_declare_with("f", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "nope")),
			0);
	CU_ASSERT_EQUAL(exchange_declare_with("g", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "e")),
			0);
	arguments_fini();
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("rest", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("rest", "a", ""), 0);
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(ready("rest"), 0);
	CU_ASSERT_TRUE(publish("e", "other"));
	CU_ASSERT_EQUAL(ready("rest"), 1);
	CU_ASSERT_TRUE(publish("g", "other")); /* g, e, a */
	CU_ASSERT_EQUAL(ready("rest"), 2);
	CU_ASSERT_TRUE(publish("f", "other"));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_EQUAL(queue_delete("rest", false, false), 0);
	CU_ASSERT_TRUE(publish("e", "other"));
	CU_ASSERT_TRUE(publication.unroutable);
	router_end();
}

/* ---- Confirms ---- */

static void persistent_is_pending(void)
{
	router_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("t", 0), 0);

	struct publish_batch batch = {.vhost = vhost,
				      .publisher = publisher.ref,
				      .publications = &publication,
				      .count = 1};
	const struct slice t = SLICE_LITERAL("t");
	const uint32_t n_extra = 1;

	batch.extra_keys = &t;
	batch.n_extra_keys = &n_extra;
	publication = (struct publication){.message = make_message("", "q"), .seq = 9};
	publication.message->persistent = true;
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	CU_ASSERT_EQUAL(publication.n_pending, 1);
	CU_ASSERT_EQUAL(publication.inflight_bytes, 0);
	CU_ASSERT_EQUAL(n_outcomes, 0);
	turn();
	CU_ASSERT_EQUAL(n_outcomes, 1);
	CU_ASSERT_EQUAL(outcomes[0].seq, 9);
	CU_ASSERT_FALSE(outcomes[0].rejected);
	router_end();
}

/* ---- Other loops ---- */

static struct ask there;

static void submit_there(void *arg)
{
	(void)arg;
	declare_submit(&there.request);
}

static void declare_on_1(const char *name, unsigned flags)
{
	queue_ask(&there, name, flags, SLICE_EMPTY);
	loop_pool_visit(1, submit_there, NULL);
	CU_ASSERT_EQUAL_FATAL(ask_wait(&there), 0);
	CU_ASSERT_EQUAL_FATAL(there.request.queue.loop, 1);
}

static void to_another_loop(void)
{
	/* As many as are routed before the router first looks at the clock: so it is one letter. */
	enum { COUNT = 8 };
	struct publication publications[COUNT];
	struct publish_batch batch = {.publications = publications, .count = COUNT};
	uint64_t bytes = 0;

	router_begin(2);
	batch.vhost = vhost;
	batch.publisher = publisher.ref;
	CU_ASSERT_EQUAL(queue_declare("here", 0), 0);
	declare_on_1("there1", 0);
	declare_on_1("there2", 0);
	CU_ASSERT_EQUAL(queue_bind("here", "amq.fanout", ""), 0);
	CU_ASSERT_EQUAL(queue_bind("there1", "amq.fanout", ""), 0);
	CU_ASSERT_EQUAL(queue_bind("there2", "amq.fanout", ""), 0);
	for (size_t i = 0; i < COUNT; i++)
		publications[i] = (struct publication){.message = make_message("amq.fanout", ""),
						       .seq = i + 1};
	uint64_t each = publications[0].message->alloc_size;

	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		CU_ASSERT_FALSE(publications[i].unroutable);
		CU_ASSERT_EQUAL(publications[i].n_pending, 2);
		CU_ASSERT_TRUE(publications[i].inflight_bytes >= each);
		bytes += publications[i].inflight_bytes;
	}
	CU_ASSERT_EQUAL(n_outcomes, 0);
	turn();
	CU_ASSERT_EQUAL(n_outcomes, 2 * COUNT);
	CU_ASSERT_EQUAL(n_published_calls, 1); /* one letter there, one back */
	CU_ASSERT_EQUAL(taken_bytes, bytes);
	for (size_t i = 0; i < 2 * COUNT; i++)
		CU_ASSERT_EQUAL(outcomes[i].seq, i / 2 + 1);
	CU_ASSERT_EQUAL(ready("here"), COUNT);
	CU_ASSERT_EQUAL(ready("there1"), COUNT);
	CU_ASSERT_EQUAL(ready("there2"), COUNT);
	router_end();
}

static void without_confirms(void)
{
	router_begin(2);
	declare_on_1("q", 0);
	CU_ASSERT_TRUE(publish("", "q"));
	CU_ASSERT_EQUAL(publication.n_pending, 0);
	CU_ASSERT_TRUE(publication.inflight_bytes > 0);
	turn();
	CU_ASSERT_EQUAL(taken_bytes, publication.inflight_bytes);
	CU_ASSERT_EQUAL(n_outcomes, 0);
	CU_ASSERT_EQUAL(ready("q"), 1);
	router_end();
}

static void delete_there(void *arg)
{
	(void)arg;
	ask_begin(&there, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&there.request);
}

static void queue_goes_meanwhile(void)
{
	router_begin(2);
	declare_on_1("q", 0);
	CU_ASSERT_TRUE(publish_keys("", "q", 5, NULL, 0));
	CU_ASSERT_EQUAL(publication.n_pending, 1);
	loop_pool_visit(1, delete_there, NULL);
	turn();
	CU_ASSERT_EQUAL(n_outcomes, 1);
	CU_ASSERT_FALSE(outcomes[0].rejected); /* confirmed, as RabbitMQ does */
	router_end();
}

static void publisher_goes_meanwhile(void)
{
	router_begin(2);
	declare_on_1("q", 0);
	CU_ASSERT_TRUE(publish_keys("", "q", 5, NULL, 0));
	slots_remove(publisher.ref);
	turn();
	CU_ASSERT_EQUAL(n_published_calls, 0);
	CU_ASSERT_EQUAL(ready("q"), 1);
	router_end();
}

/* ---- Direct reply-to ---- */

static void replies(void)
{
	char name[256], forged[256];
	size_t size;

	router_begin(2);
	publisher.reply_key = 0x1234;
	size = router_reply_name(&publisher, name, sizeof(name));
	CU_ASSERT_EQUAL(size, strlen(name));
	CU_ASSERT_TRUE(strncmp(name, ROUTER_REPLY_PREFIX ".", strlen(ROUTER_REPLY_PREFIX) + 1) ==
		       0);
	CU_ASSERT_TRUE(router_reply_name_is_valid(slice_cstr(name)));
	CU_ASSERT_TRUE(publish("", name));
	CU_ASSERT_FALSE(publication.unroutable);
	CU_ASSERT_EQUAL(n_replies, 1);
	CU_ASSERT_EQUAL(last_reply_key, 0x1234);

	/* No digit of it can be another. */
	for (size_t i = 0; i < size; i++) {
		memcpy(forged, name, sizeof(forged));
		forged[i] = (char)(forged[i] == '0' ? '1' : '0');
		CU_ASSERT_FALSE(router_reply_name_is_valid(slice_cstr(forged)));
		CU_ASSERT_TRUE(publish("", forged));
		CU_ASSERT_TRUE(publication.unroutable);
	}
	for (size_t i = 0; i < size; i++)
		CU_ASSERT_FALSE(router_reply_name_is_valid(slice_make(name, i)));
	CU_ASSERT_EQUAL(n_replies, 1);

	/* Whoever has another key by now, or none, gets nothing; but the message has been routed.
	 */
	publisher.reply_key = 0x1235;
	CU_ASSERT_FALSE(router_reply_name_is_valid(slice_cstr(name)));
	CU_ASSERT_TRUE(publish("", name));
	CU_ASSERT_FALSE(publication.unroutable);
	CU_ASSERT_EQUAL(n_replies, 1);
	router_end();
}

static struct endpoint far;
static char far_name[256];

static void far_begin(void *arg)
{
	(void)arg;
	far = (struct endpoint){.ops = &ops, .reply_key = 77};
	far.ref = slots_add(&far);
	router_reply_name(&far, far_name, sizeof(far_name));
}

static void far_end(void *arg)
{
	(void)arg;
	slots_remove(far.ref);
}

static void replies_to_another_loop(void)
{
	router_begin(2);
	loop_pool_visit(1, far_begin, NULL);
	CU_ASSERT_TRUE(router_reply_name_is_valid(slice_cstr(far_name)));
	CU_ASSERT_TRUE(publish_keys("", far_name, 3, NULL, 0));
	CU_ASSERT_EQUAL(publication.n_pending, 1);
	turn();
	CU_ASSERT_EQUAL(n_replies, 1);
	CU_ASSERT_EQUAL(n_outcomes, 1);
	loop_pool_visit(1, far_end, NULL);
	CU_ASSERT_TRUE(publish("", far_name));
	turn();
	CU_ASSERT_EQUAL(n_replies, 1);
	router_end();
}

/* ---- All or nothing ---- */

enum { ATOMIC_COUNT = 1000 };

static struct publication atomic[ATOMIC_COUNT];
static struct publish_batch atomic_batch = {.publications = atomic, .is_atomic = true};

/* Persistent ones to the fanout exchange, and the durable queues that it goes to on two loops. */
static void atomic_begin(void)
{
	router_begin(2);
	CU_ASSERT_EQUAL_FATAL(queue_declare("here1", DURABLE), 0);
	CU_ASSERT_EQUAL_FATAL(queue_declare("here2", DURABLE), 0);
	CU_ASSERT_EQUAL_FATAL(queue_bind("here1", "amq.fanout", ""), 0);
	CU_ASSERT_EQUAL_FATAL(queue_bind("here2", "amq.fanout", ""), 0);
	declare_on_1("there1", DURABLE);
	declare_on_1("there2", DURABLE);
	CU_ASSERT_EQUAL_FATAL(queue_bind("there1", "amq.fanout", ""), 0);
	CU_ASSERT_EQUAL_FATAL(queue_bind("there2", "amq.fanout", ""), 0);
	for (size_t i = 0; i < ATOMIC_COUNT; i++) {
		atomic[i] = (struct publication){.message = make_message("amq.fanout", ""),
						 .seq = i + 1};
		atomic[i].message->persistent = true;
	}
	atomic_batch.count = ATOMIC_COUNT;
	atomic_batch.vhost = vhost;
	atomic_batch.publisher = publisher.ref;
	atomic_batch.extra_keys = NULL;
	atomic_batch.n_extra_keys = NULL;
	n_atomic_appends = n_appends = 0;
}

static void atomic_is_one_letter_and_one_append(void)
{
	atomic_begin();
	CU_ASSERT_EQUAL(router_publish(broker, &atomic_batch, &error), ATOMIC_COUNT);
	for (size_t i = 0; i < ATOMIC_COUNT; i++)
		CU_ASSERT_EQUAL(atomic[i].n_pending, 4);
	for (int i = 0; i < 20; i++)
		turn();
	CU_ASSERT_EQUAL(n_outcomes, 4 * ATOMIC_COUNT);
	CU_ASSERT_EQUAL(n_letters_back, 1);
	CU_ASSERT_EQUAL(n_appends, 2); /* one in each log */
	CU_ASSERT_EQUAL(n_atomic_appends, 2);
	CU_ASSERT_EQUAL(ready("here2"), ATOMIC_COUNT);
	CU_ASSERT_EQUAL(ready("there2"), ATOMIC_COUNT);

	/* What comes next is for itself. */
	publication = (struct publication){.message = make_message("", "here1"), .seq = 1};
	publication.message->persistent = true;
	struct publish_batch batch = {
		.vhost = vhost,
		.publisher = publisher.ref,
		.publications = &publication,
		.count = 1,
	};
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	turn();
	CU_ASSERT_EQUAL(n_appends, 3);
	CU_ASSERT_EQUAL(n_atomic_appends, 2);
	router_end();
}

static void nothing_is_there(uint16_t code)
{
	CU_ASSERT_EQUAL(error.code, code);
	mem_fault_after(-1);
	turn();
	CU_ASSERT_EQUAL(n_outcomes, 0);
	CU_ASSERT_EQUAL(n_appends, 0);
	CU_ASSERT_EQUAL(ready("here1"), 0);
	CU_ASSERT_EQUAL(ready("there1"), 0);
}

static void atomic_with_a_bad_one_is_nothing(void)
{
	atomic_begin();
	message_unref(atomic[ATOMIC_COUNT - 1].message);
	atomic[ATOMIC_COUNT - 1].message = make_message("nope", "");
	CU_ASSERT_EQUAL(router_publish(broker, &atomic_batch, &error), 0);
	nothing_is_there(404);
	for (size_t i = 0; i < ATOMIC_COUNT; i++)
		message_unref(atomic[i].message);
	router_end();
}

/* For the messages' places, for their targets, for the letter. */
static void atomic_without_memory_is_nothing(void)
{
	int fault = 1;

	atomic_begin();
	for (mem_fault_after(fault); router_publish(broker, &atomic_batch, &error) == 0;
	     mem_fault_after(++fault)) {
		CU_ASSERT_FATAL(fault < 100);
		nothing_is_there(506);
	}
	mem_fault_after(-1);
	CU_ASSERT(fault > 3);
	for (int i = 0; i < 20; i++)
		turn();
	CU_ASSERT_EQUAL(n_outcomes, 4 * ATOMIC_COUNT);
	CU_ASSERT_EQUAL(ready("there1"), ATOMIC_COUNT);
	router_end();
}

/* Each has its own. */
static void atomic_with_extra_keys(void)
{
	const struct slice keys[] = {SLICE_LITERAL("here2"), SLICE_LITERAL("there1"),
				     SLICE_LITERAL("there2")};
	const uint32_t n_keys[] = {0, 1, 2, 0};

	atomic_begin();
	for (size_t i = 0; i < ATOMIC_COUNT; i++)
		message_unref(atomic[i].message);
	for (size_t i = 0; i < 4; i++)
		atomic[i] = (struct publication){.message = make_message("", "here1")};
	atomic_batch.count = 4;
	atomic_batch.extra_keys = keys;
	atomic_batch.n_extra_keys = n_keys;
	CU_ASSERT_EQUAL(router_publish(broker, &atomic_batch, &error), 4);
	turn();
	CU_ASSERT_EQUAL(ready("here1"), 4);
	CU_ASSERT_EQUAL(ready("here2"), 1);
	CU_ASSERT_EQUAL(ready("there1"), 1);
	CU_ASSERT_EQUAL(ready("there2"), 1);
	CU_ASSERT_EQUAL(n_appends, 0);
	router_end();
}

/* ---- Many ---- */

static void many_queues(void)
{
	router_begin(2);
	for (int i = 0; i < 3000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL_FATAL(queue_bind(name, "amq.fanout", ""), 0);
	}

	/* The targets, then (as one target on the other loop is enough for it) the letter, have no
	 * memory. */
	struct publish_batch batch = {.vhost = vhost,
				      .publisher = publisher.ref,
				      .publications = &publication,
				      .count = 1};

	publication = (struct publication){.message = make_message("amq.fanout", "")};
	mem_fault_after(1);
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 0);
	CU_ASSERT_EQUAL(error.code, 506);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	CU_ASSERT_FALSE(publication.rejected);
	turn();
	CU_ASSERT_EQUAL(ready("q0"), 1);
	CU_ASSERT_EQUAL(ready("q2999"), 1);

	publication = (struct publication){.message = make_message("amq.fanout", ""), .seq = 1};
	mem_fault_after(1);
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 1);
	mem_fault_after(-1);
	CU_ASSERT_TRUE(publication.rejected);
	CU_ASSERT_EQUAL(publication.n_pending, 0);
	turn();
	router_end();
}

UNIT_MAIN("router", UNIT_TEST(by_queue_name), UNIT_TEST(extra_keys),
	  UNIT_TEST(extra_keys_of_a_type_that_routes_by_the_first), UNIT_TEST(refused),
	  UNIT_TEST(batch_with_a_bad_one), UNIT_TEST(by_type), UNIT_TEST(exchanges_in_a_circle),
	  UNIT_TEST(alternate_exchange), UNIT_TEST(persistent_is_pending),
	  UNIT_TEST(to_another_loop), UNIT_TEST(without_confirms), UNIT_TEST(queue_goes_meanwhile),
	  UNIT_TEST(publisher_goes_meanwhile), UNIT_TEST(replies),
	  UNIT_TEST(replies_to_another_loop), UNIT_TEST(atomic_is_one_letter_and_one_append),
	  UNIT_TEST(atomic_with_a_bad_one_is_nothing), UNIT_TEST(atomic_without_memory_is_nothing),
	  UNIT_TEST(atomic_with_extra_keys), UNIT_TEST(many_queues))
