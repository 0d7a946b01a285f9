/* SPDX-License-Identifier: MIT */
#include "broker/upgrade/upgrade.h"

#include "../unit.h"
#include "broker/upgrade/state.h"
#include "upgrade_fixture.h"

static const struct exchange *find(const char *name)
{
	topology_read_begin(broker->topology);
	const struct exchange *exchange = topology_exchange(vhost, slice_cstr(name));
	topology_read_end(broker->topology);
	return exchange;
}

static void begin(void)
{
	router_begin(1);
	reset_upgrade();
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
}

/* So many that building takes many slices. */
static void bind_many(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%u", i);
		CU_ASSERT_EQUAL(queue_bind("q", "e", key), 0);
	}
}

static size_t known_to(const char *name)
{
	const struct fake_exchange *state = find(name)->instance;

	return state->n_bound;
}

/* One turn of a build that is slow: it must not be over. */
static void some_turns(unsigned n)
{
	next_bind_us = 30;
	for (unsigned i = 0; i < n; i++)
		loop_run_once(false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(upgrade);
	next_bind_us = 0;
}

/* ---- Well ---- */

static void swaps_all(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("r", "amq.direct", "k"), 0);
	CU_ASSERT_EQUAL(exchange_declare("other", "fanout", 0), 0);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	CU_ASSERT_EQUAL(n_told, 1);
	CU_ASSERT_PTR_EQUAL(find("e")->type, new_type);
	CU_ASSERT_PTR_EQUAL(find("amq.direct")->type, new_type);
	CU_ASSERT_PTR_NOT_EQUAL(find("other")->type, new_type);
	CU_ASSERT_PTR_EQUAL(exchange_type_find(broker->topology, SLICE_LITERAL("direct")),
			    new_type);
	CU_ASSERT_EQUAL(n_adopted, 2);
	ASSERT_SWAPPED();
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_TRUE(publish("amq.direct", "k"));
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_EQUAL(exchange_declare("new", "direct", 0), 0);
	CU_ASSERT_PTR_EQUAL(find("new")->type, new_type);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(known_to("e"), 0);
	router_end();
}

static void swaps_again_and_again(void)
{
	begin();
	for (unsigned i = 0; i < 20; i++) {
		begin_upgrade(&next_direct, "direct", 0);
		upgrade_swap(upgrade);
		turn();
		ASSERT_SWAPPED();
		CU_ASSERT_TRUE(publish("e", "k"));
	}
	CU_ASSERT_STRING_EQUAL(adopted_from, "2");
	CU_ASSERT_EQUAL(ready("q"), 20);
	CU_ASSERT_EQUAL(find("e")->last_serial, 21);
	router_end();
}

static void waits_until_told(void)
{
	begin();
	begin_upgrade(&next_direct, "direct", 0);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
	CU_ASSERT_PTR_EQUAL(find("e")->type, old_type);
	CU_ASSERT_EQUAL(queue_bind("r", "e", "k"), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(exchange_declare("late", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "late", "k"), 0);
	turn();
	CU_ASSERT_EQUAL(upgrade_shadow_count(upgrade), 3);
	upgrade_swap(upgrade);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
	ASSERT_SWAPPED();
	CU_ASSERT_EQUAL(known_to("e"), 1);
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_TRUE(publish("late", "k"));
	CU_ASSERT_EQUAL(ready("r"), 2);
	CU_ASSERT_EQUAL(ready("q"), 0);
	router_end();
}

static void dropped(void)
{
	begin();
	begin_upgrade(&next_direct, "direct", 0);
	turn();
	upgrade_drop(upgrade);
	turn();
	CU_ASSERT_EQUAL(told, UPGRADE_DROPPED);
	free_when_unused(new_type);
	CU_ASSERT_PTR_EQUAL(find("e")->type, old_type);
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "k"), 0);
	CU_ASSERT_EQUAL(known_to("e"), 0);
	router_end();
}

static void broker_ends_meanwhile(void)
{
	begin();
	bind_many(100);
	begin_upgrade(&next_direct, "direct", 50);
	some_turns(2);
	broker->loops[0].n_commits = 0;
	slots_remove(publisher.ref);
	struct exchange_type *type = new_type;
	loop_run_once(false);
	broker_end();
	CU_ASSERT_EQUAL(type->n_instances, 0);
	exchange_type_free(type);
}

/* ---- What comes and goes between slices ---- */

static void bindings_come_and_go(void)
{
	begin();
	bind_many(200);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	some_turns(3);
	/* Behind and before where it is, and the one where it is. */
	const struct binding *at =
		container_of(find("e")->shadow->told, struct binding, from_source);
	char key[16];

	(void)snprintf(key, sizeof(key), "%.*s", (int)at->view.routing_key.size,
		       (const char *)at->view.routing_key.data);
	CU_ASSERT_TRUE(find("e")->shadow->told != &find("e")->outgoing);
	bind_ask(&asked, DECLARE_UNBIND, "q", "e", key, false);
	declare_submit(&asked.request);
	CU_ASSERT_TRUE(asked.is_done);
	bind_ask(&asked, DECLARE_UNBIND, "q", "e", "k199", false);
	declare_submit(&asked.request);
	bind_ask(&asked, DECLARE_UNBIND, "q", "e", "k0", false);
	declare_submit(&asked.request);
	bind_ask(&asked, DECLARE_BIND, "r", "e", "k0", false);
	declare_submit(&asked.request);
	CU_ASSERT_PTR_NOT_NULL_FATAL(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_EQUAL(known_to("e"), 201 - 3 + 1);
	CU_ASSERT_EQUAL(find("e")->n_outgoing, 199);
	CU_ASSERT_TRUE(publish("e", key));
	CU_ASSERT_TRUE(publication.unroutable);
	CU_ASSERT_TRUE(publish("e", "k0"));
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_EQUAL(ready("q"), 0);
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(known_to("e"), 1);
	router_end();
}

static void exchanges_come_and_go(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_declare("f", "direct", 0), 0);
	bind_many(200);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	some_turns(3);
	ask_begin(&asked, DECLARE_EXCHANGE_DELETE, "f");
	declare_submit(&asked.request);
	ask_begin(&asked, DECLARE_EXCHANGE, "g");
	asked.request.exchange.type = SLICE_LITERAL("direct");
	declare_submit(&asked.request);
	ask_begin(&asked, DECLARE_EXCHANGE_DELETE, "e");
	declare_submit(&asked.request);
	CU_ASSERT_PTR_NOT_NULL_FATAL(upgrade);
	CU_ASSERT_PTR_EQUAL(find("g")->type, old_type);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_PTR_EQUAL(find("g")->type, new_type);
	CU_ASSERT_FALSE(has_exchange("e"));
	CU_ASSERT_FALSE(has_exchange("f"));
	router_end();
}

/* A binding that is away for a deletion which the store does not take is in no list; it comes back
 * to an instance that has never heard of it. */
static void doomed_binding_comes_back(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_declare("d", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_bind("d", "amq.direct", "k"), 0);
	store_fails = store_holds = true;
	bind_ask(&asked, DECLARE_UNBIND, "d", "amq.direct", "k", false);
	declare_submit(&asked.request);
	turn();
	CU_ASSERT_FALSE(asked.is_done);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_EQUAL(known_to("amq.direct"), 0);
	store_fails = false;
	store_release();
	CU_ASSERT_TRUE(asked.is_done);
	CU_ASSERT_EQUAL(asked.request.error.code, 541);
	CU_ASSERT_EQUAL(known_to("amq.direct"), 1);
	CU_ASSERT_TRUE(publish("amq.direct", "k"));
	CU_ASSERT_EQUAL(ready("d"), 1);
	CU_ASSERT_EQUAL(queue_unbind("d", "amq.direct", "k"), 0);
	CU_ASSERT_EQUAL(known_to("amq.direct"), 0);
	router_end();
}

static void pending_binding(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_declare("d", DURABLE), 0);
	store_holds = true;
	bind_ask(&asked, DECLARE_BIND, "d", "amq.direct", "k", false);
	declare_submit(&asked.request);
	turn();
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	store_release();
	CU_ASSERT_EQUAL(asked.request.error.code, 0);
	CU_ASSERT_TRUE(publish("amq.direct", "k"));
	CU_ASSERT_EQUAL(ready("d"), 1);
	router_end();
}

/* The old instance may look at its bindings until it has been destroyed. */
static void bindings_outlive_old_instances(void)
{
	begin();
	bind_many(20);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	destroy_waits = true;
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	CU_ASSERT_EQUAL(told, UPGRADE_SWAPPED);
	while (!destroy_has_begun)
		(void)sched_yield();
	CU_ASSERT_EQUAL(queue_delete("q", false, false), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "e", "k"), 0);
	CU_ASSERT_EQUAL(exchange_delete("e", false), 0);
	turn();
	destroy_waits = false;
	ASSERT_SWAPPED();
	router_end();
}

/* ---- Badly: nothing has changed ---- */

static void assert_old_works(void)
{
	CU_ASSERT_PTR_EQUAL(find("e")->type, old_type);
	CU_ASSERT_PTR_EQUAL(exchange_type_find(broker->topology, SLICE_LITERAL("direct")),
			    old_type);
	CU_ASSERT_EQUAL(exchange_declare("more", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "more", "k"), 0);
	CU_ASSERT_TRUE(publish("e", "k"));
	CU_ASSERT_TRUE(publish("more", "k"));
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_PTR_NULL(find("e")->shadow);
}

static void create_fails(void)
{
	begin();
	next_create_fails = true;
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange 'amq.direct' in vhost '/': INTERNAL_ERROR - not today");
	assert_old_works();
	router_end();
}

static void bind_fails(void)
{
	begin();
	bind_many(30);
	next_binds_left = 20;
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange 'e' in vhost '/', binding to queue 'q' with key 'k19': "
		      "RESOURCE_ERROR - out of memory");
	assert_old_works();
	router_end();
}

static void binding_is_refused(void)
{
	begin();
	bind_many(30);
	CU_ASSERT_EQUAL(exchange_bind("amq.fanout", "e", "old!"), 0);
	begin_upgrade(&next_direct, "direct", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED(
		"exchange 'e' in vhost '/', binding to exchange 'amq.fanout' with key 'old!': "
		"PRECONDITION_FAILED - keys like that are over");
	assert_old_works();
	router_end();
}

/* The client's binding stands; the upgrade has failed by it. */
static void late_binding_is_refused(void)
{
	begin();
	begin_upgrade(&next_direct, "direct", 0);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
	CU_ASSERT_EQUAL(queue_bind("r", "e", "old!"), 0);
	turn();
	ASSERT_FAILED("exchange 'e' in vhost '/', binding to queue 'r' with key 'old!': "
		      "PRECONDITION_FAILED - keys like that are over");
	CU_ASSERT_TRUE(publish("e", "old!"));
	CU_ASSERT_EQUAL(ready("r"), 1);
	CU_ASSERT_EQUAL(queue_delete("r", false, false), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	assert_old_works();
	router_end();
}

static void late_create_fails(void)
{
	begin();
	begin_upgrade(&next_direct, "direct", 0);
	turn();
	next_create_fails = true;
	CU_ASSERT_EQUAL(exchange_declare("late", "direct", 0), 0);
	turn();
	ASSERT_FAILED("exchange 'late' in vhost '/': INTERNAL_ERROR - not today");
	assert_old_works();
	router_end();
}

/* ---- Types that come, and that go ---- */

static const struct shunt_exchange_type next_topic = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "topic",
	.create = next_create,
	.destroy = slow_destroy,
	.bind = next_bind,
	.unbind = fake_unbind,
	.route = fake_route,
};

static void not_loaded_comes_to_life(void)
{
	begin();
	CU_ASSERT_EQUAL(queue_bind("q", "amq.topic", "k"), 406);
	ASSERT_SAID(
		"PRECONDITION_FAILED - the type 'topic' of exchange 'amq.topic' in vhost '/' is "
		"not loaded");
	CU_ASSERT_EQUAL(exchange_declare("t", "topic", 0), 406);
	ASSERT_SAID("PRECONDITION_FAILED - unknown exchange type 'topic'");
	begin_upgrade(&next_topic, NULL, 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_EQUAL(n_adopted, 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.topic", "k"), 0);
	CU_ASSERT_TRUE(publish("amq.topic", "k"));
	CU_ASSERT_EQUAL(ready("q"), 1);
	CU_ASSERT_EQUAL(exchange_declare("t", "topic", 0), 0);
	CU_ASSERT_PTR_NULL(find("amq.headers")->type);
	router_end();
}

/* Two plugins bring the same type: one is being tried, the other is loaded meanwhile. */
static void comes_to_life_once(void)
{
	struct upgrade *first;
	struct exchange_type *first_type;

	begin();
	begin_upgrade(&next_topic, NULL, 50);
	turn();
	CU_ASSERT_EQUAL(n_ready, 1);
	first = upgrade;
	first_type = new_type;
	begin_upgrade(&next_topic, NULL, 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange 'amq.topic' in vhost '/': it is being brought to life by another "
		      "plugin");
	upgrade_swap(first);
	turn();
	CU_ASSERT_EQUAL(told, UPGRADE_SWAPPED);
	CU_ASSERT_PTR_EQUAL(find("amq.topic")->type, first_type);
	router_end();
}

/* One has made its instance, and another is faster. */
static void comes_to_life_by_the_faster(void)
{
	begin();
	begin_upgrade(&next_topic, NULL, 50);

	struct upgrade *slow = upgrade;
	struct exchange_type *slow_type = new_type, *fast_type;

	while (!slow->building)
		slow->task.run(&slow->task);
	loop_cancel(&slow->task);
	begin_upgrade(&next_topic, NULL, 0);
	fast_type = new_type;
	upgrade_swap(upgrade);
	turn();
	CU_ASSERT_EQUAL(told, UPGRADE_SWAPPED);
	CU_ASSERT_PTR_EQUAL(find("amq.topic")->type, fast_type);
	loop_defer_background(&slow->task);
	turn();
	new_type = slow_type;
	ASSERT_FAILED("exchange 'amq.topic' in vhost '/': it is being brought to life by another "
		      "plugin");
	CU_ASSERT_PTR_NULL(find("amq.topic")->shadow);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.topic", "k"), 0);
	CU_ASSERT_TRUE(publish("amq.topic", "k"));
	router_end();
}

static void name_is_taken(void)
{
	begin();
	begin_upgrade(&next_direct, NULL, 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange type 'direct' is there already, by plugin 'fake'");
	router_end();
}

static void type_goes(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_declare("p", "picky", AUTO_DELETE), 0);
	begin_upgrade(NULL, "picky", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange 'p' in vhost '/' is of its type 'picky'");
	CU_ASSERT_EQUAL(exchange_declare("p2", "picky", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(exchange_delete("p", false), 0);
	CU_ASSERT_EQUAL(exchange_delete("p2", false), 0);
	begin_upgrade(NULL, "picky", 0);
	upgrade_swap(upgrade);
	turn();
	ASSERT_SWAPPED();
	CU_ASSERT_EQUAL(exchange_declare("p", "picky", AUTO_DELETE), 406);
	ASSERT_SAID("PRECONDITION_FAILED - unknown exchange type 'picky'");
	router_end();
}

/* One of two types does not want: neither changes. */
static void all_or_nothing(void)
{
	struct upgrade_part parts[2];

	begin();
	CU_ASSERT_EQUAL(queue_bind("r", "e", "old!"), 0);
	new_type = exchange_type_create(&next_direct, NULL, "next", "2");
	struct exchange_type *topic = exchange_type_create(&next_topic, NULL, "next", "2");
	old_type = exchange_type_find(broker->topology, SLICE_LITERAL("direct"));
	parts[0] = (struct upgrade_part){NULL, topic};
	parts[1] = (struct upgrade_part){old_type, new_type};
	upgrade = upgrade_create(broker, parts, 2, 0, tell, &told);
	upgrade_swap(upgrade);
	turn();
	ASSERT_FAILED("exchange 'e' in vhost '/', binding to queue 'r' with key 'old!': "
		      "PRECONDITION_FAILED - keys like that are over");
	free_when_unused(topic);
	CU_ASSERT_EQUAL(exchange_declare("t", "topic", 0), 406);
	CU_ASSERT_PTR_NULL(find("amq.topic")->type);
	router_end();
}

UNIT_MAIN("upgrade", UNIT_TEST(swaps_all), UNIT_TEST(swaps_again_and_again),
	  UNIT_TEST(waits_until_told), UNIT_TEST(dropped), UNIT_TEST(broker_ends_meanwhile),
	  UNIT_TEST(bindings_come_and_go), UNIT_TEST(exchanges_come_and_go),
	  UNIT_TEST(doomed_binding_comes_back), UNIT_TEST(pending_binding),
	  UNIT_TEST(bindings_outlive_old_instances), UNIT_TEST(create_fails), UNIT_TEST(bind_fails),
	  UNIT_TEST(binding_is_refused), UNIT_TEST(late_binding_is_refused),
	  UNIT_TEST(late_create_fails), UNIT_TEST(not_loaded_comes_to_life),
	  UNIT_TEST(comes_to_life_once), UNIT_TEST(comes_to_life_by_the_faster),
	  UNIT_TEST(name_is_taken), UNIT_TEST(type_goes), UNIT_TEST(all_or_nothing))
