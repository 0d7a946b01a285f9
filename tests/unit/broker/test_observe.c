/* SPDX-License-Identifier: MIT */
/* Messages that are shown to exchanges whose type observes: kernel/broker/router/observe.c. */
#include "../unit.h"
#include "arguments_fixture.h"
#include "history_fixture.h"

/* ---- One message ---- */

static void unroutable_is_observed(void)
{
	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "history", 0), 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 1, NULL, 0));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_EQUAL(publication.n_pending, 0);
	CU_ASSERT_EQUAL(n_observed, 1);
	router_end();
}

static void routed_is_observed(void)
{
	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "history", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_FALSE(publication.unroutable);
	CU_ASSERT_TRUE(publish("e", "k")); /* the same names: observed all the same */
	CU_ASSERT_EQUAL(n_observed, 2);
	CU_ASSERT_EQUAL(ready("q"), 2);
	router_end();
}

/* Of the first message that it has held. */
static const char *held_user(size_t index)
{
	static char user[64];
	const struct history *history;
	struct slice name = index == 0 ? SLICE_LITERAL("here") : SLICE_LITERAL("there");

	topology_read_begin(broker->topology);
	history = topology_exchange(vhost, name)->instance;
	topology_read_end(broker->topology);
	(void)snprintf(user, sizeof(user), "%.*s", (int)history->held[0]->view.user.size,
		       (const char *)history->held[0]->view.user.data);
	return user;
}

/* Also where the letter comes after the client has gone. Not what was published by nobody. */
static void who_published_is_known(void)
{
	history_begin(2);
	history_declare_on("here", 0, 0);
	history_declare_on("there", 1, 0);
	CU_ASSERT_STRING_EQUAL(history_type, "history");
	for (size_t i = 0; i < 2; i++) {
		char name[] = "alice";

		published_by = slice_cstr(name);
		CU_ASSERT_TRUE(publish(i == 0 ? "here" : "there", "k"));
		memset(name, 'x', sizeof(name) - 1);
		turn();
		CU_ASSERT_STRING_EQUAL(observed_user, "alice");
		CU_ASSERT_STRING_EQUAL(held_user(i), "alice");
		published_by = SLICE_EMPTY;
		CU_ASSERT_TRUE(publish(i == 0 ? "here" : "there", "k"));
		turn();
		CU_ASSERT_STRING_EQUAL(observed_user, "");
	}
	CU_ASSERT_EQUAL(n_observed, 4);
	router_end();
}

static void extra_keys_are_observed_once(void)
{
	const struct slice extra[] = {SLICE_LITERAL("l"), SLICE_LITERAL("m")};

	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "history", 0), 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 0, extra, 2));
	CU_ASSERT_EQUAL(n_observed, 1);
	router_end();
}

/* Each exchange that the message comes by, once, in whatever way it comes there. */
static void behind_bindings_and_as_alternate(void)
{
	history_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("h", "history", INTERNAL), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "fanout", 0), 0);
	CU_ASSERT_EQUAL(exchange_bind("h", "e", ""), 0);
	CU_ASSERT_EQUAL(exchange_bind("h", "h", "k"), 0);
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_EQUAL(n_observed, 1);
	CU_ASSERT_EQUAL(exchange_declare_with("f", "direct", 0,
					      ARGUMENTS_STRING("alternate-exchange", "h")),
			0);
	arguments_fini();
	CU_ASSERT_TRUE(publish("f", "k"));
	CU_ASSERT_EQUAL(n_observed, 2);
	router_end();
}

/* ---- On another loop ---- */

static void publisher_waits_for_the_other_loop(void)
{
	history_begin(2);
	history_declare_on("e", 1, 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 5, NULL, 0));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_EQUAL(publication.n_pending, 1);
	CU_ASSERT_TRUE(publication.inflight_bytes > 0);
	CU_ASSERT_EQUAL(n_observed, 0);
	turn();
	CU_ASSERT_EQUAL(n_observed, 1);
	CU_ASSERT_EQUAL(observed_on, 2);
	CU_ASSERT_EQUAL(n_outcomes, 1);
	CU_ASSERT_EQUAL(outcomes[0].seq, 5);
	CU_ASSERT_FALSE(outcomes[0].rejected);
	CU_ASSERT_EQUAL(taken_bytes, publication.inflight_bytes);
	router_end();
}

static void exchange_goes_meanwhile(void)
{
	history_begin(2);
	history_declare_on("e", 1, 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 5, NULL, 0));

	int instances = fake_instances;

	ask_begin(&asked, DECLARE_EXCHANGE_DELETE, "e");
	declare_submit(&asked.request);
	CU_ASSERT_TRUE(asked.is_done);
	CU_ASSERT_EQUAL(asked.request.error.code, 0);
	CU_ASSERT_EQUAL(fake_instances, instances); /* the message still holds it */
	turn();
	CU_ASSERT_EQUAL(fake_instances, instances - 1);
	CU_ASSERT_EQUAL(n_observed, 0);
	CU_ASSERT_EQUAL(n_outcomes, 1);
	router_end();
}

/* ---- Batches ---- */

enum { COUNT = 8 };
static struct publication publications[COUNT];

static struct publish_batch batch_of(size_t bad)
{
	for (size_t i = 0; i < COUNT; i++)
		publications[i] = (struct publication){
			.message = make_message(i == bad ? "nope" : "e",
						(char[]){(char)('0' + i), '\0'}),
			.seq = i + 1,
		};
	return (struct publish_batch){.vhost = vhost,
				      .publisher = publisher.ref,
				      .publications = publications,
				      .count = COUNT};
}

static void batch_is_observed_in_order(void)
{
	history_begin(2);
	history_declare_on("e", 1, 0);
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);

	struct publish_batch batch = batch_of(COUNT);

	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		message_unref(publications[i].message);
	turn();
	CU_ASSERT_EQUAL(n_observed, COUNT);
	CU_ASSERT_EQUAL(n_outcomes, COUNT);
	CU_ASSERT_EQUAL(n_letters_back, 1);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(ready("q"), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		ASSERT_NEXT("q", (char[]){(char)('0' + i), '\0'});
	router_end();
}

static void those_before_a_bad_one_are_observed(void)
{
	history_begin(2);
	history_declare_on("e", 1, 0);

	struct publish_batch batch = batch_of(5);

	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 5);
	for (size_t i = 0; i < COUNT; i++)
		message_unref(publications[i].message);
	turn();
	CU_ASSERT_EQUAL(n_observed, 5);
	router_end();
}

static void atomic_is_observed_as_a_whole(void)
{
	history_begin(2);
	history_declare_on("e", 1, 0);

	struct publish_batch batch = batch_of(COUNT - 1);

	batch.is_atomic = true;
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 0);
	for (size_t i = 0; i < COUNT; i++)
		message_unref(publications[i].message);
	turn();
	CU_ASSERT_EQUAL(n_observed, 0);

	batch = batch_of(COUNT);
	batch.is_atomic = true;
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		message_unref(publications[i].message);
	turn();
	CU_ASSERT_EQUAL(n_observed, COUNT);
	router_end();
}

/* At each point: all or nothing, and nothing is leaked. */
static void atomic_without_memory(void)
{
	int fault = 0;
	size_t done = 0;

	history_begin(2);
	history_declare_on("e", 1, 0);
	while (done == 0) {
		struct publish_batch batch = batch_of(COUNT);

		batch.is_atomic = true;
		mem_fault_after(fault++);
		done = router_publish(broker, &batch, &error);
		mem_fault_after(-1);
		for (size_t i = 0; i < COUNT; i++)
			message_unref(publications[i].message);
		CU_ASSERT_FATAL(fault < 20);
		turn();
		CU_ASSERT_EQUAL(n_observed, done);
	}
	CU_ASSERT_TRUE(fault > 1);
	router_end();
}

/* One that gets no letter is rejected, and the exchange's reference is given back. */
static void without_memory_for_the_letter(void)
{
	bool was_rejected = false;

	history_begin(2);
	history_declare_on("e", 1, 0);
	CU_ASSERT_TRUE(publish_keys("e", "k", 1, NULL, 0)); /* makes room for targets */
	turn();
	for (int fault = 0; fault < 3; fault++) {
		struct publish_batch batch = batch_of(COUNT);

		mem_fault_after(fault);
		CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), COUNT);
		mem_fault_after(-1);
		for (size_t i = 0; i < COUNT; i++) {
			was_rejected |= publications[i].rejected;
			message_unref(publications[i].message);
		}
		turn();
	}
	CU_ASSERT_TRUE(was_rejected);

	int instances = fake_instances;

	CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
	CU_ASSERT_EQUAL(fake_instances, instances - 1);
	router_end();
}

UNIT_MAIN("observe", UNIT_TEST(unroutable_is_observed), UNIT_TEST(routed_is_observed),
	  UNIT_TEST(who_published_is_known), UNIT_TEST(extra_keys_are_observed_once),
	  UNIT_TEST(behind_bindings_and_as_alternate),
	  UNIT_TEST(publisher_waits_for_the_other_loop), UNIT_TEST(exchange_goes_meanwhile),
	  UNIT_TEST(batch_is_observed_in_order), UNIT_TEST(those_before_a_bad_one_are_observed),
	  UNIT_TEST(atomic_is_observed_as_a_whole), UNIT_TEST(atomic_without_memory),
	  UNIT_TEST(without_memory_for_the_letter))
