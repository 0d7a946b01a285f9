/* SPDX-License-Identifier: MIT */
#include "broker/change/declare.h"

#include "../unit.h"
#include "base/log.h"
#include "broker/queue/queue.h"
#include "topology_fixture.h"

/* ---- Durable ---- */

static void durable_is_stored_first(void)
{
	struct ask declare, other;

	broker_begin(1);
	store_holds = true;
	queue_ask(&declare, "q", DURABLE, SLICE_EMPTY);
	declare_submit(&declare.request);
	turn();
	CU_ASSERT_FALSE(declare.is_done);
	CU_ASSERT_FALSE(has_queue("q"));
	CU_ASSERT_EQUAL(count_stored("queue/"), 1);

	/* The same name waits for its turn, another does not. */
	queue_ask(&other, "q", DURABLE, SLICE_EMPTY);
	declare_submit(&other.request);
	turn();
	CU_ASSERT_FALSE(other.is_done);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("q", PASSIVE), 404);

	store_release();
	CU_ASSERT_EQUAL(ask_wait(&declare), 0);
	CU_ASSERT_TRUE(declare.request.created);
	CU_ASSERT_EQUAL(ask_wait(&other), 0);
	CU_ASSERT_FALSE(other.request.created);
	CU_ASSERT_TRUE(has_queue("q"));
	CU_ASSERT_EQUAL(n_store_commits, 1);
	broker_end();
}

static void durable_all_kinds(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 0);
	CU_ASSERT_EQUAL(exchange_declare("t", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(exchange_bind("amq.fanout", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "t", "a"), 0); /* one end is not: neither is the binding */
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0); /* again: no commit */
	CU_ASSERT_EQUAL(count_stored("exchange/"), 1);
	CU_ASSERT_EQUAL(count_stored("queue/"), 1);
	CU_ASSERT_EQUAL(count_stored("binding/"), 2);
	CU_ASSERT_EQUAL(n_store_commits, 4);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(count_stored("binding/"), 1);
	CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
	CU_ASSERT_EQUAL(n_store_commits, 6); /* its binding went in the same */
	CU_ASSERT_EQUAL(count_stored("binding/"), 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(count_stored(""), 0);
	broker_end();
}

static void delete_with_bindings(int n)
{
	struct ask delete;

	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE | AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	for (int i = 0; i < n; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		CU_ASSERT_EQUAL(queue_bind("q", "e", key), 0);
	}
	n_store_commits = 0;
	n_store_changes = 0;
	ask_begin(&delete, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&delete.request);
	for (int i = 0; i < 10000 && !delete.is_done; i++)
		turn();
	CU_ASSERT_EQUAL(ask_wait(&delete), 0);
	CU_ASSERT_EQUAL(n_store_commits, 1);
	CU_ASSERT_EQUAL(n_store_changes, (unsigned)n + 2);
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_EQUAL(count_stored(""), 0);
	broker_end();
}

/* Also if it takes many slices to gather it. */
static void deletion_is_one_commit(void)
{
	delete_with_bindings(20);
	delete_with_bindings(5000);
}

/* Doomed first, and only then stored and answered. */
static void deletion_is_invisible_first(void)
{
	struct ask delete, declare;

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_holds = true;
	ask_begin(&delete, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&delete.request);
	CU_ASSERT_FALSE(has_queue("q"));
	turn();
	CU_ASSERT_FALSE(delete.is_done);
	queue_ask(&declare, "q", 0,
		  SLICE_EMPTY); /* not durable now: would be unequal to what goes */
	declare_submit(&declare.request);
	turn();
	CU_ASSERT_FALSE(declare.is_done);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&delete), 0);
	CU_ASSERT_EQUAL(ask_wait(&declare), 0);
	CU_ASSERT_TRUE(declare.request.created);
	broker_end();
}

static void store_fails_to_declare(void)
{
	broker_begin(1);
	log_set_level(LOG_LEVEL_ERROR);
	store_fails = true;
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 541);
	ASSERT_SAID("INTERNAL_ERROR - the definition could not be stored");
	CU_ASSERT_FALSE(has_queue("q"));
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 541);
	CU_ASSERT_FALSE(has_exchange("e"));
	store_fails = false;
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_fails = true;
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 541);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	store_fails = false;
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	broker_end();
}

static void store_fails_to_delete(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE | AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
	publish_to("q");
	store_fails = true;
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 541);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "a"), 541);
	CU_ASSERT_EQUAL(exchange_delete("e", false), 541);
	store_fails = false;
	/* All is as it was. */
	CU_ASSERT_TRUE(has_queue("q"));
	CU_ASSERT_TRUE(has_exchange("e"));
	CU_ASSERT_EQUAL(count_bindings(), 2);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 1);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(asked.request.message_count, 1);
	CU_ASSERT_FALSE(has_exchange("e"));
	broker_end();
}

/* While a binding is on its way to the store, its queue is deleted. */
static void end_goes_while_binding(void)
{
	struct ask bind, again;

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_holds = true;
	bind_ask(&bind, DECLARE_BIND, "q", "amq.direct", "a", false);
	declare_submit(&bind.request);
	turn();
	bind_ask(&again, DECLARE_BIND, "q", "amq.direct", "a", false);
	declare_submit(&again.request);
	CU_ASSERT_FALSE(bind.is_done || again.is_done);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	store_holds = false;
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(count_stored("queue/"), 0);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&bind), 404);
	CU_ASSERT_STRING_EQUAL(bind.request.error.text, "NOT_FOUND - no queue 'q' in vhost '/'");
	CU_ASSERT_EQUAL(ask_wait(&again), 404);
	CU_ASSERT_EQUAL(count_stored(""), 0);
	broker_end();
}

/* The name is used again meanwhile: what is taken out of the store is not what is put there. */
static void end_goes_and_comes_while_binding(void)
{
	struct ask bind, again;
	struct store_commit *held;

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_holds = true;
	bind_ask(&bind, DECLARE_BIND, "q", "amq.direct", "a", false);
	declare_submit(&bind.request);
	turn();
	store_holds = false;
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL_FATAL(n_store_held, 1);
	held = store_held[0];
	n_store_held = 0;
	store_holds = true; /* the deletion of the binding */
	held_done[0](held, held->result, held->revision);
	turn();
	CU_ASSERT_EQUAL(n_store_held, 1);
	CU_ASSERT_FALSE(bind.is_done);
	store_holds = false;
	bind_ask(&again, DECLARE_BIND, "q", "amq.direct", "a", false);
	declare_submit(&again.request);
	turn();
	CU_ASSERT_FALSE(again.is_done);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&bind), 404);
	CU_ASSERT_EQUAL(ask_wait(&again), 0);
	CU_ASSERT_EQUAL(count_bindings(), 1);
	CU_ASSERT_EQUAL(count_stored("binding/"), 1);
	broker_end();
}

static void unbind_waits_for_bind(void)
{
	struct ask bind, unbind;

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	store_holds = true;
	bind_ask(&bind, DECLARE_BIND, "q", "amq.direct", "a", false);
	declare_submit(&bind.request);
	bind_ask(&unbind, DECLARE_UNBIND, "q", "amq.direct", "a", false);
	declare_submit(&unbind.request);
	turn();
	CU_ASSERT_FALSE(unbind.is_done);
	store_release();
	CU_ASSERT_EQUAL(ask_wait(&bind), 0);
	CU_ASSERT_EQUAL(ask_wait(&unbind), 0);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(count_stored("binding/"), 0);
	broker_end();
}

/* ---- Ending for a reason of its own ---- */

static void expire(const char *name)
{
	struct amqp_error error;
	struct actor_ref ref;

	CU_ASSERT_EQUAL_FATAL(declare_find_queue(broker, vhost, slice_cstr(name), 0, &ref, &error),
			      0);
	declare_queue_expire(broker, queue_entry_of(slots_get(ref)));
}

/* More bindings than fit in one slice of the write side; exclusive, so all is over on return. */
static void expire_exclusive(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", EXCLUSIVE), 0);
	struct actor_ref ref = asked.request.queue;

	CU_ASSERT_EQUAL(exchange_declare("e", "direct", AUTO_DELETE), 0);
	for (int i = 0; i < 20000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_bind("q", i % 2 ? "amq.fanout" : "e", key), 0);
	}
	expire("q");
	CU_ASSERT_PTR_NULL(slots_get(ref));
	CU_ASSERT_FALSE(has_queue("q"));
	for (int i = 0; i < 10000 && fake_instances > 2; i++)
		turn();
	CU_ASSERT_EQUAL(count_bindings(), 0);
	turn();
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_EQUAL(queue_declare("q", EXCLUSIVE), 0);
	broker_end();
}

/* Deleted by its owner, in slices; meanwhile the connection ends. */
static void expire_what_is_being_deleted(void)
{
	struct ask delete;

	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", EXCLUSIVE), 0);
	struct actor_ref ref = asked.request.queue;

	for (int i = 0; i < 20000; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_bind("q", "amq.fanout", key), 0);
	}
	ask_begin(&delete, DECLARE_QUEUE_DELETE, "q");
	declare_submit(&delete.request);
	if (slots_get(ref))
		declare_queue_expire(broker, queue_entry_of(slots_get(ref)));
	CU_ASSERT_PTR_NULL(slots_get(ref));
	for (int i = 0; i < 2000 && !delete.is_done; i++)
		turn();
	CU_ASSERT_EQUAL(ask_wait(&delete), 0);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	broker_end();
}

static void expire_durable(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE | AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("x", EXCLUSIVE), 0);
	CU_ASSERT_EQUAL(queue_bind("x", "e", "a"), 0);
	expire("q");
	CU_ASSERT_FALSE(has_queue("q"));
	turn();
	CU_ASSERT_EQUAL(count_stored("queue/"), 0);

	/* A queue that is not durable does not wait for what goes with it. */
	struct amqp_error error;
	struct actor_ref ref;

	store_holds = true;
	CU_ASSERT_EQUAL_FATAL(
		declare_find_queue(broker, vhost, SLICE_LITERAL("x"), 0, &ref, &error), 0);
	expire("x");
	CU_ASSERT_PTR_NULL(slots_get(ref));
	CU_ASSERT_FALSE(has_exchange("e"));
	store_release();
	CU_ASSERT_EQUAL(count_stored(""), 0);
	broker_end();
}

/* ---- Memory ---- */

/* Each allocation that a declare makes by sizes of the client's fails once; nothing stays behind.
 */
static void memory_is_out(void)
{
	broker_begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	for (int n = 1; n <= 3; n++) {
		mem_fault_after(n);
		int code = exchange_declare("e", "direct", DURABLE);

		mem_fault_after(-1);
		CU_ASSERT_TRUE(code == 506 || code == 541 || code == 0);
		CU_ASSERT_EQUAL(has_exchange("e"), code == 0);
		CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
		mem_fault_after(n);
		code = queue_bind("q", "amq.direct", "a");
		mem_fault_after(-1);
		CU_ASSERT_TRUE(code == 506 || code == 541 || code == 0);
		CU_ASSERT_EQUAL(count_bindings(), code == 0);
		CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "a"), 0);
		mem_fault_after(n);
		code = queue_unbind("q", "amq.direct", "a");
		mem_fault_after(-1);
		CU_ASSERT_EQUAL(count_bindings(), code != 0);
		CU_ASSERT_EQUAL(queue_unbind("q", "amq.direct", "a"), 0);
	}
	mem_fault_after(1);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 506);
	mem_fault_after(-1);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	broker_end();
}

UNIT_MAIN("declare_durable", UNIT_TEST(durable_is_stored_first), UNIT_TEST(durable_all_kinds),
	  UNIT_TEST(deletion_is_one_commit), UNIT_TEST(deletion_is_invisible_first),
	  UNIT_TEST(store_fails_to_declare), UNIT_TEST(store_fails_to_delete),
	  UNIT_TEST(end_goes_while_binding), UNIT_TEST(end_goes_and_comes_while_binding),
	  UNIT_TEST(unbind_waits_for_bind), UNIT_TEST(expire_exclusive),
	  UNIT_TEST(expire_what_is_being_deleted), UNIT_TEST(expire_durable),
	  UNIT_TEST(memory_is_out))
