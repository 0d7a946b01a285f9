/* SPDX-License-Identifier: MIT */
#include "broker/change/declare.h"

#include "../unit.h"
#include "arguments_fixture.h"
#include "broker/queue/queue.h"
#include "topology_fixture.h"

#define REFUSED_LOCKED                                                                             \
	"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It "   \
	"could be originally "                                                                     \
	"declared on another connection or the exclusive property value does not match that of "   \
	"the original "                                                                            \
	"declaration."

/* The codes and texts were tried against RabbitMQ 3.10.8; where 4.x words an answer otherwise, it
 * is 4.x's. */

/* ---- Exchanges ---- */

static void exchange_comes_and_goes(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", PASSIVE), 404);
	ASSERT_SAID("NOT_FOUND - no exchange 'e' in vhost '/'");
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(n_store_commits, 0); /* nothing durable, nothing stored */
	CU_ASSERT_EQUAL(exchange_declare("e", "nonsense", PASSIVE), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_EQUAL(exchange_delete("e", false), 0); /* idempotent */
	broker_end();
}

static void exchange_of_unknown_type(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "topic", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - unknown exchange type 'topic'");
	CU_ASSERT_EQUAL(exchange_declare("amq.topic", "topic", DURABLE), 406);
	CU_ASSERT_EQUAL(exchange_declare("amq.topic", "", PASSIVE),
			0); /* it is defined all the same */
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.topic", "a"), 406);
	ASSERT_SAID("PRECONDITION_FAILED - the type 'topic' of exchange 'amq.topic' in vhost '/' is "
		    "not loaded");
	CU_ASSERT_EQUAL(exchange_bind("amq.topic", "amq.direct", "a"),
			0); /* as a destination it is good */
	broker_end();
}

static void exchange_the_type_refuses(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "picky", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - picky");
	CU_ASSERT_EQUAL(exchange_declare("e", "picky", AUTO_DELETE), 0);
	broker_end();
}

static void exchange_equivalence(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare_with("e", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "b")),
			0);
	CU_ASSERT_EQUAL(exchange_declare("e", "fanout", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': "
		    "received 'fanout' but "
		    "current is 'direct'");
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'e' in vhost "
		    "'/': received 'true' but "
		    "current is 'false'");
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", AUTO_DELETE), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'e' in "
		    "vhost '/': received 'true' "
		    "but current is 'false'");
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", INTERNAL), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'e' in vhost "
		    "'/': received 'true' but "
		    "current is 'false'");
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'e' "
		    "in vhost '/': received "
		    "none but current is the value 'b' of type 'longstr'");
	CU_ASSERT_EQUAL(exchange_declare_with("e", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "b")),
			0);
	CU_ASSERT_EQUAL(
		exchange_declare_with("f", "direct", 0, ARGUMENTS_INT("alternate-exchange", 3)),
		406);
	arguments_fini();
	broker_end();
}

static void system_exchanges(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("amq.foo", "direct", 0), 403);
	ASSERT_SAID("ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'");
	CU_ASSERT_EQUAL(exchange_declare("amq.direct", "direct", DURABLE), 0);
	CU_ASSERT_EQUAL(exchange_declare("amq.direct", "direct", 0), 406);
	CU_ASSERT_EQUAL(exchange_delete("amq.direct", false), 403);
	ASSERT_SAID("ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not "
		    "allowed");
	CU_ASSERT_EQUAL(exchange_delete("amq.foo", false), 403);
	broker_end();
}

static void default_exchange(void)
{
	static const char text[] =
		"ACCESS_REFUSED - operation not permitted on the default exchange";

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("", "direct", 0), 403);
	ASSERT_SAID(text);
	CU_ASSERT_EQUAL(exchange_declare("", "direct", PASSIVE), 403);
	CU_ASSERT_EQUAL(exchange_delete("", false), 403);
	ASSERT_SAID(text);
	CU_ASSERT_EQUAL(queue_bind("q", "", "a"), 403);
	ASSERT_SAID(text);
	CU_ASSERT_EQUAL(queue_unbind("q", "", "a"), 403);
	CU_ASSERT_EQUAL(exchange_bind("", "amq.direct", "a"), 403);
	CU_ASSERT_EQUAL(exchange_bind("amq.direct", "", "a"), 403);
	CU_ASSERT_EQUAL(exchange_unbind("amq.direct", "", "a"), 403);
	broker_end();
}

static void exchange_in_use(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "direct", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", "a"), 0);
	CU_ASSERT_EQUAL(exchange_delete("e", true), 406);
	ASSERT_SAID("PRECONDITION_FAILED - exchange 'e' in vhost '/' in use");
	CU_ASSERT_EQUAL(exchange_delete("f", true), 0); /* being a destination is no use */
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(exchange_delete("e", true), 0);
	broker_end();
}

/* ---- Queues ---- */

static void queue_comes_and_goes(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", PASSIVE), 404);
	ASSERT_SAID("NOT_FOUND - no queue 'q' in vhost '/'");
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_TRUE(asked.request.created);
	CU_ASSERT_PTR_NOT_NULL(slots_get(asked.request.queue));
	CU_ASSERT_EQUAL(asked.request.owner, 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_FALSE(asked.request.created);
	CU_ASSERT_EQUAL(queue_declare("q", PASSIVE), 0);
	CU_ASSERT_EQUAL(n_store_commits, 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 0);
	CU_ASSERT_FALSE(has_queue("q"));
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	broker_end();
}

static void queue_equivalence(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", AUTO_DELETE), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
		    "received 'false' but "
		    "current is 'true'");
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE | AUTO_DELETE), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost "
		    "'/': received 'true' but "
		    "current is 'false'");
	/* What would be refused for a new queue is only unequal for one that is there. */
	CU_ASSERT_EQUAL(queue_declare_with("q", DURABLE, ARGUMENTS_INT("x-expires", 0)), 406);
	ASSERT_SAID("PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost "
		    "'/': received the value '0' "
		    "of type 'signedint' but current is none");
	CU_ASSERT_EQUAL(queue_declare_with("r", 0, ARGUMENTS_INT("x-expires", 0)), 406);
	CU_ASSERT_EQUAL(queue_declare_with("r", 0, ARGUMENTS_INT("x-max-length", 1)), 540);
	CU_ASSERT_FALSE(has_queue("r"));
	arguments_fini();
	broker_end();
}

static int declare_as(uint64_t connection, unsigned flags)
{
	queue_ask(&asked, "q", flags, SLICE_EMPTY);
	asked.request.connection = connection;
	return ask_now(&asked);
}

static void exclusive(void)
{
	struct amqp_error error;
	struct actor_ref ref;

	broker_begin(1);
	CU_ASSERT_EQUAL(declare_as(1, EXCLUSIVE | DURABLE), 0);
	CU_ASSERT_EQUAL(asked.request.owner, 1);
	CU_ASSERT_EQUAL(n_store_commits, 0); /* exclusive ones are never durable */
	CU_ASSERT_EQUAL(declare_as(1, EXCLUSIVE | DURABLE), 0);
	CU_ASSERT_EQUAL(declare_as(1, EXCLUSIVE), 0);
	CU_ASSERT_EQUAL(declare_as(1, 0), 405);
	CU_ASSERT_EQUAL(declare_as(2, EXCLUSIVE), 405);
	ASSERT_SAID(REFUSED_LOCKED);
	CU_ASSERT_EQUAL(declare_as(2, PASSIVE), 405);
	CU_ASSERT_EQUAL(declare_as(1, PASSIVE), 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 405);
	ASSERT_SAID(REFUSED_LOCKED);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 405);
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);

	CU_ASSERT_EQUAL(declare_find_queue(broker, vhost, SLICE_LITERAL("q"), 1, &ref, &error), 0);
	CU_ASSERT_EQUAL(declare_find_queue(broker, vhost, SLICE_LITERAL("q"), 0, &ref, &error), 0);
	CU_ASSERT_NOT_EQUAL(declare_find_queue(broker, vhost, SLICE_LITERAL("q"), 2, &ref, &error),
			    0);
	CU_ASSERT_EQUAL(error.code, 405);
	CU_ASSERT_NOT_EQUAL(declare_find_queue(broker, vhost, SLICE_LITERAL("r"), 2, &ref, &error),
			    0);
	CU_ASSERT_STRING_EQUAL(error.text, "NOT_FOUND - no queue 'r' in vhost '/'");
	broker_end();
}

static void nobodys_queue_asked_for_exclusively(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(declare_as(1, 0), 0);
	CU_ASSERT_EQUAL(declare_as(1, EXCLUSIVE), 405);
	broker_end();
}

static void reserved_queue_names(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("amq.x", 0), 403);
	ASSERT_SAID("ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'");
	CU_ASSERT_EQUAL(queue_declare("amq.x", PASSIVE), 404);
	CU_ASSERT_EQUAL(queue_declare("amq.gen-1", EXCLUSIVE | SERVER_NAMED), 0);
	CU_ASSERT_EQUAL(queue_declare("amq.gen-1", EXCLUSIVE), 403);
	CU_ASSERT_EQUAL(queue_declare("amqx", 0), 0);
	CU_ASSERT_EQUAL(queue_delete("amq.y", false, false), 0);
	broker_end();
}

static void carriage_returns(void)
{
	broker_begin(1);
	queue_ask(&asked, "a\r\nb\n", 0, SLICE_EMPTY);
	CU_ASSERT_EQUAL(ask_now(&asked), 0);
	CU_ASSERT_TRUE(has_queue("ab"));
	CU_ASSERT_EQUAL(exchange_declare("e\n", "direct", 0), 0);
	CU_ASSERT_TRUE(has_exchange("e"));
	CU_ASSERT_EQUAL(queue_bind("a\rb", "\re", "k"), 0);
	CU_ASSERT_EQUAL(exchange_delete("\n", false), 403); /* nothing is left of the name */
	broker_end();
}

/* ---- Bindings ---- */

static void binding_comes_and_goes(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "b"), 0);
	CU_ASSERT_EQUAL(exchange_bind("amq.fanout", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(count_bindings(), 3);
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(count_bindings(), 2);
	CU_ASSERT_EQUAL(exchange_unbind("amq.fanout", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(n_store_commits, 2); /* the one between two durable exchanges */
	broker_end();
}

static void binding_needs_its_ends(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_bind("nope", "amq.direct", "a"), 404);
	ASSERT_SAID("NOT_FOUND - no queue 'nope' in vhost '/'");
	CU_ASSERT_EQUAL(queue_bind("nope", "nope2", "a"), 404);
	ASSERT_SAID("NOT_FOUND - no exchange 'nope2' in vhost '/'");
	CU_ASSERT_EQUAL(exchange_bind("nope", "amq.direct", "a"), 404);
	ASSERT_SAID("NOT_FOUND - no exchange 'nope' in vhost '/'");
	CU_ASSERT_EQUAL(exchange_bind("amq.direct", "nope", "a"), 404);
	CU_ASSERT_EQUAL(queue_unbind("nope", "nope2", "a"), 0);
	CU_ASSERT_EQUAL(exchange_unbind("nope", "amq.direct", "a"), 0);
	broker_end();
}

static void binding_the_type_refuses(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "bad"), 406);
	ASSERT_SAID("PRECONDITION_FAILED - bad key");
	CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "bad"), 0);
	fake_bind_fails = true;
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 506);
	fake_bind_fails = false;
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	broker_end();
}

static int bind_with(enum declare_operation operation, struct slice arguments)
{
	bind_ask(&asked, operation, "q", "amq.direct", "a", false);
	asked.request.arguments = arguments;
	return ask_now(&asked);
}

static void binding_arguments_tell_bindings_apart(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(bind_with(DECLARE_BIND, SLICE_EMPTY), 0);
	arguments_none();
	arguments_add_int("b", 1);
	CU_ASSERT_EQUAL(bind_with(DECLARE_BIND, arguments_add_string("a", "x")), 0);
	CU_ASSERT_EQUAL(count_bindings(), 2);
	arguments_none();
	arguments_add_string("a", "x");
	CU_ASSERT_EQUAL(bind_with(DECLARE_BIND, arguments_add_int("b", 1)),
			0); /* the order makes no difference */
	CU_ASSERT_EQUAL(count_bindings(), 2);
	CU_ASSERT_EQUAL(bind_with(DECLARE_UNBIND, arguments_add_int("c", 1)), 0);
	CU_ASSERT_EQUAL(count_bindings(), 2);
	arguments_none();
	arguments_add_string("a", "x");
	CU_ASSERT_EQUAL(bind_with(DECLARE_UNBIND, arguments_add_int("b", 1)), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	arguments_fini();
	broker_end();
}

/* ---- Auto-delete ---- */

static void auto_delete_exchange(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "a"), 0);
	CU_ASSERT_TRUE(has_exchange("e")); /* it never had one */
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "b"), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "a"), 0);
	CU_ASSERT_TRUE(has_exchange("e"));
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "b"), 0);
	CU_ASSERT_FALSE(has_exchange("e"));
	broker_end();
}

/* f -> e -> q: when q goes, so does e, and with e's incoming binding f. */
static void auto_delete_goes_up(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "direct", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "f", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_FALSE(has_exchange("f"));
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(fake_instances, 2);
	broker_end();
}

/* Two that are bound to each other, and one to itself. */
static void auto_delete_in_circles(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "direct", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "f", "a"), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", "a"), 0);
	CU_ASSERT_EQUAL(exchange_bind("e", "e", "a"), 0);
	CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_FALSE(has_exchange("f"));
	CU_ASSERT_EQUAL(count_bindings(), 0);
	broker_end();
}

/* ---- Deleting queues ---- */

static void queue_not_empty(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	publish_to("q");
	publish_to("q");
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 2);
	CU_ASSERT_EQUAL(queue_delete("q", false, true), 406);
	ASSERT_SAID("PRECONDITION_FAILED - queue 'q' in vhost '/' not empty");
	CU_ASSERT_EQUAL(queue_delete("q", true, false), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 2);
	broker_end();
}

static void consumed(struct queue_request *request)
{
	CU_ASSERT_EQUAL(request->error.code, 0);
}

static unsigned n_cancelled;

static void cancelled(struct endpoint *endpoint, uint32_t consumer)
{
	(void)endpoint;
	(void)consumer;
	n_cancelled++;
}

static void queue_in_use(void)
{
	static const struct endpoint_ops ops = {.cancelled = cancelled};
	static struct queue_request request;
	struct endpoint endpoint = {.ops = &ops};

	broker_begin(1);
	endpoint.ref = slots_add(&endpoint);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	request = (struct queue_request){.operation = QUEUE_CONSUME,
					 .queue = asked.request.queue,
					 .asker = endpoint.ref,
					 .done = consumed};
	request.consume.consumer = 1;
	queue_request_submit(&request);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(asked.request.consumer_count, 1);
	CU_ASSERT_EQUAL(queue_delete("q", true, true), 406);
	ASSERT_SAID("PRECONDITION_FAILED - queue 'q' in vhost '/' in use");
	n_cancelled = 0;
	CU_ASSERT_EQUAL(queue_delete("q", false, true), 0);
	CU_ASSERT_EQUAL(n_cancelled, 1);
	slots_remove(endpoint.ref);
	broker_end();
}

/* ---- On other loops ---- */

static struct ask there;

static void submit_there(void *arg)
{
	(void)arg;
	declare_submit(&there.request);
}

static unsigned done_on;

static void done_there(struct declare_request *request)
{
	done_on = loop_index(loop_self());
	ask_done(request);
}

static int ask_from_1(void)
{
	there.request.done = done_there;
	loop_pool_visit(1, submit_there, NULL);
	int code = ask_wait(&there);

	CU_ASSERT_EQUAL(done_on, 1);
	return code;
}

static void queue_of_another_loop(void)
{
	broker_begin(2);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(asked.request.queue.loop, 0);
	publish_to("q");

	queue_ask(&there, "q", 0, SLICE_EMPTY);
	CU_ASSERT_EQUAL(ask_from_1(), 0);
	CU_ASSERT_FALSE(there.request.created);
	CU_ASSERT_EQUAL(there.request.message_count, 1);
	CU_ASSERT_EQUAL(there.request.queue.loop, 0);

	queue_ask(&there, "r", EXCLUSIVE, SLICE_EMPTY);
	CU_ASSERT_EQUAL(ask_from_1(), 0);
	CU_ASSERT_EQUAL(there.request.queue.loop, 1);

	bind_ask(&there, DECLARE_BIND, "q", "amq.direct", "k", false);
	CU_ASSERT_EQUAL(ask_from_1(), 0);

	ask_begin(&there, DECLARE_QUEUE_DELETE, "q");
	there.request.queue_delete.if_empty = true;
	CU_ASSERT_EQUAL(ask_from_1(), 406);
	ask_begin(&there, DECLARE_QUEUE_DELETE, "q");
	CU_ASSERT_EQUAL(ask_from_1(), 0);
	CU_ASSERT_EQUAL(there.request.message_count, 1);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	broker_end();
}

UNIT_MAIN("declare", UNIT_TEST(exchange_comes_and_goes), UNIT_TEST(exchange_of_unknown_type),
	  UNIT_TEST(exchange_the_type_refuses), UNIT_TEST(exchange_equivalence),
	  UNIT_TEST(system_exchanges), UNIT_TEST(default_exchange), UNIT_TEST(exchange_in_use),
	  UNIT_TEST(queue_comes_and_goes), UNIT_TEST(queue_equivalence), UNIT_TEST(exclusive),
	  UNIT_TEST(nobodys_queue_asked_for_exclusively), UNIT_TEST(reserved_queue_names),
	  UNIT_TEST(carriage_returns), UNIT_TEST(binding_comes_and_goes),
	  UNIT_TEST(binding_needs_its_ends), UNIT_TEST(binding_the_type_refuses),
	  UNIT_TEST(binding_arguments_tell_bindings_apart), UNIT_TEST(auto_delete_exchange),
	  UNIT_TEST(auto_delete_goes_up), UNIT_TEST(auto_delete_in_circles),
	  UNIT_TEST(queue_not_empty), UNIT_TEST(queue_in_use), UNIT_TEST(queue_of_another_loop))
