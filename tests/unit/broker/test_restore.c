/* SPDX-License-Identifier: MIT */
#include "broker/restore/restore.h"

#include "../unit.h"
#include "restore_fixture.h"

/* ---- Vhosts ---- */

static void default_vhost_is_for_an_empty_store(void)
{
	begin(1);
	CU_ASSERT_EQUAL(count_stored("vhost/"), 1);
	CU_ASSERT_TRUE(has_exchange("amq.direct"));
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "k"), 0);
	CU_ASSERT_EQUAL(publish("amq.direct", "k", "a"), 0);
	ASSERT_DRAINED("q", "a");
	stop();
	CU_ASSERT_EQUAL(start("another"), 0);
	CU_ASSERT_PTR_NULL(vhost);
	CU_ASSERT_PTR_NOT_NULL(topology_vhost(broker->topology, SLICE_LITERAL("/")));
	CU_ASSERT_EQUAL(topology_vhost_count(broker->topology), 1);
	CU_ASSERT_EQUAL(count_stored("vhost/"), 1);
	end();
}

static void several_vhosts(void)
{
	begin(1);
	struct vhost_settings none = VHOST_SETTINGS_NONE;
	struct definition other = definition_of_vhost(SLICE_LITERAL("a/b"), &none);

	define(&other);
	define(&(struct definition){.kind = DEFINITION_EXCHANGE,
				    .vhost = SLICE_LITERAL("a/b"),
				    .name = SLICE_LITERAL("e"),
				    .type = SLICE_LITERAL("direct")});
	stop();
	CU_ASSERT_EQUAL(start("a/b"), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(vhost);
	CU_ASSERT_TRUE(has_exchange("e"));
	CU_ASSERT_TRUE(has_exchange("amq.fanout"));
	vhost = topology_vhost(broker->topology, SLICE_LITERAL("/"));
	CU_ASSERT_FALSE(has_exchange("e"));
	end();
}

static void store_takes_no_default_vhost(void)
{
	n_loops = 1;
	store_begin(1);
	log_set_level(LOG_LEVEL_ERROR);
	store_fails = true;
	CU_ASSERT_EQUAL(start("/"), -1);
	CU_ASSERT_STRING_EQUAL(reason, "cannot bring back the vhosts: Input/output error");
	end();
}

/* ---- Topology ---- */

static void declare_all(void)
{
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", DURABLE | INTERNAL), 0);
	CU_ASSERT_EQUAL(exchange_declare("gone", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE | AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("gone", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "f", ""), 0);
	CU_ASSERT_EQUAL(exchange_bind("f", "e", "b"), 0);
	CU_ASSERT_EQUAL(queue_bind("gone", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "amq.direct", "c"), 0);
}

static void topology_comes_back(unsigned loops)
{
	begin(loops);
	declare_all();
	uint64_t id = entry_of("q")->id;
	restart();
	CU_ASSERT_FALSE(has_exchange("gone"));
	CU_ASSERT_FALSE(has_queue("gone"));
	CU_ASSERT_EQUAL(entry_of("q")->id, id);
	CU_ASSERT_EQUAL(entry_of("q")->queue.loop, id % loops);
	CU_ASSERT_EQUAL(count_bindings(), 4);
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", DURABLE | INTERNAL), 0);
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", DURABLE), 406);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE | AUTO_DELETE), 0);
	CU_ASSERT_FALSE(asked.request.created);
	CU_ASSERT_EQUAL(publish("e", "a", "1"), 0);
	CU_ASSERT_EQUAL(publish("e", "b", "2"), 0);
	CU_ASSERT_EQUAL(publish("amq.direct", "c", "3"), 0);
	ASSERT_DRAINED("q", "1 3");
	ASSERT_DRAINED("r", "2");

	/* It can be changed as before, in the store too. */
	CU_ASSERT_EQUAL(queue_unbind("q", "e", "a"), 0);
	CU_ASSERT_EQUAL(queue_delete("r", false, false), 0);
	restart();
	CU_ASSERT_EQUAL(count_bindings(), 2);
	CU_ASSERT_FALSE(has_queue("r"));
	end();
}

static void topology_of_one_loop(void)
{
	topology_comes_back(1);
}

static void topology_of_three_loops(void)
{
	topology_comes_back(3);
}

static void type_is_not_loaded(void)
{
	begin(1);
	declare_all();
	stop();
	CU_ASSERT_EQUAL_FATAL(start_without_fanout("/"), 0);
	CU_ASSERT_TRUE(has_exchange("f"));
	CU_ASSERT_EQUAL(count_bindings(), 4);
	CU_ASSERT_EQUAL(publish("f", "", "1"), 403); /* internal comes first */
	CU_ASSERT_EQUAL(publish("e", "b", "1"), 0);
	ASSERT_DRAINED("r", "");
	CU_ASSERT_EQUAL(queue_bind("q", "f", ""), 406);
	ASSERT_SAID("PRECONDITION_FAILED - the type 'fanout' of exchange 'f' in vhost '/' is not "
		    "loaded");
	CU_ASSERT_EQUAL(exchange_declare("f", "fanout", PASSIVE), 0);

	/* The type comes, with it the bindings. */
	register_type(&fake_fanout);
	CU_ASSERT_EQUAL(publish("e", "b", "2"), 0);
	ASSERT_DRAINED("r", "2");
	stop();
	CU_ASSERT_EQUAL_FATAL(start_without_fanout("/"), 0);
	CU_ASSERT_EQUAL(exchange_delete("f", false), 0);
	CU_ASSERT_EQUAL(count_bindings(), 2);
	restart();
	CU_ASSERT_FALSE(has_exchange("f"));
	CU_ASSERT_EQUAL(count_bindings(), 2);
	end();
}

/* ---- What cannot come back ---- */

static void unreadable_definitions(void)
{
	static const struct {
		const char *key, *reason;
	} cases[] = {
		{"vhost/x", "cannot bring back all of the vhosts: failed=1"},
		{"exchange/%2F/x", "cannot bring back all of the exchanges: failed=1"},
		{"queue/%2F/x", "cannot bring back all of the queues: failed=1"},
		{"binding/%2F/x", "cannot bring back all of the bindings: failed=1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(1);
		declare_all();
		put(slice_cstr(cases[i].key), SLICE_LITERAL("\1"));
		assert_fails(cases[i].reason);
		CU_ASSERT_EQUAL(count_stored(cases[i].key), 1);
		end();
	}
}

/* So no two definitions can be of one thing. */
static void definition_under_another_key(void)
{
	struct definition definition = {.kind = DEFINITION_QUEUE,
					.vhost = SLICE_LITERAL("/"),
					.name = SLICE_LITERAL("q"),
					.id = 77};
	struct buffer value;

	buffer_init(&value);
	begin(1);
	declare_all();
	definition_put_value(&value, &definition);
	put(SLICE_LITERAL("queue/%2F/other"), buffer_slice(&value));
	assert_fails("cannot bring back all of the queues: failed=1");
	end();
	buffer_fini(&value);
}

static void binding_arguments_are_sorted(void)
{
	struct definition definition = {.kind = DEFINITION_BINDING,
					.vhost = SLICE_LITERAL("/"),
					.source = SLICE_LITERAL("e"),
					.name = SLICE_LITERAL("q"),
					.arguments = SLICE_LITERAL("\1aV\1bV")};

	begin(1);
	declare_all();
	definition.id = entry_of("q")->id;
	define(&definition);
	restart();
	CU_ASSERT_EQUAL(count_bindings(), 5);
	definition.arguments = SLICE_LITERAL("\1bV\1aV");
	define(&definition);
	assert_fails("cannot bring back all of the bindings: failed=1");
	end();
}

static void refuse_queue(const struct definition *definition)
{
	begin(1);
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	define(definition);
	assert_fails("cannot bring back all of the queues: failed=1");
	end();
}

static void refused_queues(void)
{
	struct definition queue = {.kind = DEFINITION_QUEUE,
				   .vhost = SLICE_LITERAL("/"),
				   .name = SLICE_LITERAL("x"),
				   .id = 1000};
	struct definition bad = queue;

	bad.id = 0;
	refuse_queue(&bad);
	bad.id = STORE_TRANSIENT_ID;
	refuse_queue(&bad);
	bad.id = 1; /* that of q */
	refuse_queue(&bad);
	bad = queue;
	bad.vhost = SLICE_LITERAL("nowhere");
	refuse_queue(&bad);
	bad = queue;
	bad.arguments = SLICE_LITERAL("\x09x-expiresS\0\0\0\1a"); /* not a number */
	refuse_queue(&bad);
	bad.arguments = SLICE_LITERAL("\x09x-ex"); /* not a table */
	refuse_queue(&bad);
}

static void refused_exchange(void)
{
	begin(1);
	define(&(struct definition){.kind = DEFINITION_EXCHANGE,
				    .vhost = SLICE_LITERAL("/"),
				    .name = SLICE_LITERAL("amq.topic"),
				    .type = SLICE_LITERAL("direct")});
	assert_fails("cannot bring back all of the exchanges: failed=1");
	end();

	begin(1);
	define(&(struct definition){.kind = DEFINITION_EXCHANGE,
				    .vhost = SLICE_LITERAL("/"),
				    .name = SLICE_LITERAL("x"),
				    .type = SLICE_LITERAL("picky")});
	assert_fails("cannot bring back all of the exchanges: failed=1");
	end();
}

static void plugin_takes_no_binding(void)
{
	begin(1);
	declare_all();
	stop();
	fake_bind_fails = true;
	CU_ASSERT_EQUAL(start("/"), -1);
	CU_ASSERT_STRING_EQUAL(reason, "cannot bring back all of the bindings: failed=4");
	end();
}

static void binding_without_an_end_goes(void)
{
	struct definition binding = {.kind = DEFINITION_BINDING,
				     .vhost = SLICE_LITERAL("/"),
				     .source = SLICE_LITERAL("e"),
				     .name = SLICE_LITERAL("q"),
				     .routing_key = SLICE_LITERAL("x")};

	begin(1);
	declare_all();
	binding.id = entry_of("q")->id + 100; /* of another queue of the name */
	define(&binding);
	binding.name = SLICE_LITERAL("nobody");
	define(&binding);
	binding.source = SLICE_LITERAL("nobody");
	define(&binding);
	binding.destination_is_exchange = true;
	binding.name = SLICE_LITERAL("f");
	define(&binding);
	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL(count_stored("binding/"), 8);
	restart();
	CU_ASSERT_EQUAL(count_bindings(), 4);
	CU_ASSERT_EQUAL(count_stored("binding/"), 4);
	end();
}

/* ---- Ids ---- */

static void ids_say_the_loop(void)
{
	begin(3);
	for (int i = 0; i < 60; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL(queue_declare(name, DURABLE), 0);
		const struct queue_entry *entry = entry_of(name);

		CU_ASSERT_EQUAL(entry->id % 3, entry->queue.loop);
		CU_ASSERT(entry->id > 0 && entry->id < STORE_TRANSIENT_ID);
		(void)snprintf(name, sizeof(name), "t%d", i);
		CU_ASSERT_EQUAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL(entry_of(name)->id, STORE_TRANSIENT_ID + (unsigned)i);
	}
	restart();
	for (int i = 0; i < 60; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL(entry_of(name)->id % 3, entry_of(name)->queue.loop);
	}
	end();
}

static void no_ids_left(void)
{
	begin(1);
	ids_are_out = true;
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 541);
	ASSERT_SAID("INTERNAL_ERROR - the definition could not be stored");
	CU_ASSERT_FALSE(has_queue("q"));
	CU_ASSERT_EQUAL(queue_declare("t", 0), 0);
	ids_are_out = false;
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	end();
}

/* ---- The end ---- */

/* Declared by somebody who has gone, and not told by the store yet: the end waits for it. */
static void end_waits_for_the_store(void)
{
	struct ask ask;

	begin(2);
	queue_ask(&ask, "q", DURABLE, SLICE_EMPTY);
	declare_submit(&ask.request);
	CU_ASSERT_FALSE(ask.is_done);
	broker_destroy(broker);
	CU_ASSERT_TRUE(ask.is_done);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_TRUE(has_queue("q"));
	end();
}

UNIT_MAIN("restore", UNIT_TEST(default_vhost_is_for_an_empty_store), UNIT_TEST(several_vhosts),
	  UNIT_TEST(store_takes_no_default_vhost), UNIT_TEST(topology_of_one_loop),
	  UNIT_TEST(topology_of_three_loops), UNIT_TEST(type_is_not_loaded),
	  UNIT_TEST(unreadable_definitions), UNIT_TEST(definition_under_another_key),
	  UNIT_TEST(binding_arguments_are_sorted), UNIT_TEST(refused_queues),
	  UNIT_TEST(refused_exchange), UNIT_TEST(plugin_takes_no_binding),
	  UNIT_TEST(binding_without_an_end_goes), UNIT_TEST(ids_say_the_loop),
	  UNIT_TEST(no_ids_left), UNIT_TEST(end_waits_for_the_store))
