/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "../unit.h"
#include "broker/vhost/vhost.h"
#include "vhost_fixture.h"

static void put_things(void)
{
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 0);
	CU_ASSERT_EQUAL(exchange_declare("passing", "fanout", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("durable", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("transient", AUTO_DELETE), 0);
	CU_ASSERT_EQUAL(queue_declare("exclusive", EXCLUSIVE), 0);
	CU_ASSERT_EQUAL(queue_bind("durable", "e", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("durable", "amq.direct", "k"), 0);
	CU_ASSERT_EQUAL(queue_bind("transient", "passing", "k"), 0);
	CU_ASSERT_EQUAL(exchange_bind("passing", "amq.fanout", ""), 0);
	CU_ASSERT_EQUAL(publish("e", "k", "one"), 0);
	CU_ASSERT_EQUAL(publish("amq.direct", "k", "two"), 0);
}

static void add_v(void)
{
	CU_ASSERT_EQUAL(change(VHOST_ADD, "v"), 0);
	CU_ASSERT_TRUE_FATAL(enter("v"));
}

/* Only "/" is left, without anything in it. */
static void assert_nothing_left(void)
{
	CU_ASSERT_EQUAL(count_stored(""), 1);
	CU_ASSERT_EQUAL(count_stored("vhost/"), 1);
	CU_ASSERT_EQUAL(topology_vhost_count(broker->topology), 1);
	CU_ASSERT_TRUE(enter("/"));
	CU_ASSERT_EQUAL(count_bindings(), 0);
}

static void all_of_it_goes(void)
{
	for (unsigned loops = 1; loops <= 3; loops++) {
		begin(loops);
		int before = fake_instances;
		add_v();
		put_things();
		CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0);
		CU_ASSERT_FALSE(enter("v"));
		turn();
		CU_ASSERT_EQUAL(fake_instances, before);
		assert_nothing_left();
		CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), -ENOENT);
		/* A new one of the name has nothing of it. */
		add_v();
		CU_ASSERT_FALSE(has_queue("durable"));
		CU_ASSERT_FALSE(has_exchange("e"));
		CU_ASSERT_EQUAL(queue_declare("durable", DURABLE), 0);
		ASSERT_DRAINED("durable", "");
		restart();
		CU_ASSERT_TRUE_FATAL(enter("v"));
		ASSERT_DRAINED("durable", "");
		end();
	}
}

static void other_vhosts_stay(void)
{
	begin(2);
	CU_ASSERT_TRUE(enter("/"));
	put_things();
	add_v();
	put_things();
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0);
	CU_ASSERT_TRUE(enter("/"));
	ASSERT_DRAINED("durable", "one two");
	CU_ASSERT_EQUAL(count_bindings(), 4);
	CU_ASSERT_EQUAL(publish("e", "k", "three"), 0);
	restart();
	ASSERT_DRAINED("durable", "three");
	end();
}

/* While its connections are there: nobody finds it, nothing new comes, and what they hold stays. */
static void connections_go_first(void)
{
	struct changing c, again;
	struct ask ask;

	begin(2);
	watch_closing();
	add_v();
	put_things();
	vhost_hold(vhost);
	change_begin(&c, VHOST_DELETE, "v");
	CU_ASSERT_PTR_NULL(topology_vhost(broker->topology, SLICE_LITERAL("v")));
	CU_ASSERT_TRUE(vhost_is_doomed(vhost));
	CU_ASSERT_EQUAL(n_closings, 0); /* the store has not got it yet */
	turn();
	CU_ASSERT_EQUAL_FATAL(n_closings, 1);
	CU_ASSERT_PTR_EQUAL(closing->vhost, vhost);
	CU_ASSERT_EQUAL(queue_declare("new", 0), 404);
	ASSERT_SAID("NOT_FOUND - vhost 'v' is deleted");
	CU_ASSERT_EQUAL(queue_declare("new", DURABLE), 404);
	CU_ASSERT_EQUAL(exchange_declare("new", "direct", 0), 404);
	CU_ASSERT_EQUAL(queue_bind("durable", "amq.fanout", ""), 404);
	CU_ASSERT_EQUAL(queue_declare("durable", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_unbind("durable", "e", "k"), 0);
	CU_ASSERT_EQUAL(publish("amq.direct", "k", "three"), 0);
	CU_ASSERT_EQUAL(change(VHOST_ADD, "v"), -EBUSY);
	CU_ASSERT_EQUAL(change(VHOST_SET, "v"), -ENOENT);
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), -ENOENT);
	CU_ASSERT_FALSE(c.is_done);
	queue_ask(&ask, "late", 0, SLICE_EMPTY);
	closing->done(closing);
	CU_ASSERT_EQUAL(change_wait(&c), 0);
	/* Who comes later yet is told the same. */
	CU_ASSERT_EQUAL(ask_now(&ask), 404);
	CU_ASSERT_STRING_EQUAL(vhost->name, "v");
	vhost_release(vhost);
	vhost = NULL;
	change_begin(&again, VHOST_ADD, "v");
	CU_ASSERT_EQUAL(change_wait(&again), 0);
	end();
}

/* Declares and binds whose definitions are on their way to the store end first. */
static void what_is_under_way_goes_too(void)
{
	struct ask queue, exchange, binding, deletion;
	struct ask *all[] = {&queue, &exchange, &binding, &deletion};
	struct changing c;

	begin(1);
	add_v();
	CU_ASSERT_EQUAL(queue_declare("q", DURABLE), 0);
	CU_ASSERT_EQUAL(queue_declare("r", DURABLE), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", DURABLE), 0);
	store_holds = true;
	queue_ask(&queue, "late", DURABLE, SLICE_EMPTY);
	ask_begin(&exchange, DECLARE_EXCHANGE, "late");
	exchange.request.exchange.type = SLICE_LITERAL("fanout");
	exchange.request.exchange.durable = true;
	bind_ask(&binding, DECLARE_BIND, "q", "e", "k", false);
	ask_begin(&deletion, DECLARE_QUEUE_DELETE, "r");
	for (size_t i = 0; i < 4; i++) {
		declare_submit(&all[i]->request);
		turn();
	}
	store_holds = false; /* only those */
	change_begin(&c, VHOST_DELETE, "v");
	turn();
	CU_ASSERT_FALSE(c.is_done);
	CU_ASSERT_FALSE(queue.is_done);
	store_release();
	CU_ASSERT_EQUAL(change_wait(&c), 0);
	CU_ASSERT_EQUAL(ask_wait(&queue), 0);
	CU_ASSERT_EQUAL(ask_wait(&exchange), 0);
	CU_ASSERT_EQUAL(ask_wait(&binding), 404);
	CU_ASSERT_EQUAL(ask_wait(&deletion), 0);
	assert_nothing_left();
	end();
}

/* ---- When the store fails ---- */

static void mark_is_not_stored(void)
{
	begin(2);
	add_v();
	put_things();
	store_fails = true;
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), -EIO);
	store_fails = false;
	CU_ASSERT_TRUE_FATAL(enter("v"));
	CU_ASSERT_FALSE(vhost_is_doomed(vhost));
	CU_ASSERT_EQUAL(queue_declare("new", DURABLE), 0);
	ASSERT_DRAINED("durable", "one two");
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0);
	assert_nothing_left();
	end();
}

/* After the mark: 0: the queues are not deleted. Else so many commits are let through before. */
static void fail_later(void (*go_on)(void))
{
	struct changing c;

	begin(2);
	watch_closing();
	add_v();
	put_things();
	change_begin(&c, VHOST_DELETE, "v");
	turn();
	CU_ASSERT_EQUAL_FATAL(n_closings, 1);
	store_fails = true;
	closing->done(closing);
	CU_ASSERT_EQUAL(change_wait(&c), -EIO);
	store_fails = false;
	CU_ASSERT_FALSE(enter("v"));
	CU_ASSERT_EQUAL(change(VHOST_ADD, "v"), -EBUSY);
	go_on();
	assert_nothing_left();
	CU_ASSERT_EQUAL(change(VHOST_ADD, "v"), 0);
	end();
}

static void delete_again(void)
{
	broker->vhost_closing = NULL;
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0);
}

static void stuck_and_deleted_again(void)
{
	fail_later(delete_again);
}

static void stuck_and_restarted(void)
{
	fail_later(restart);
}

/* The broker ends while connections are being closed: the asker is told, and the start goes on. */
static void the_next_start_goes_on(void)
{
	struct changing c;

	for (unsigned loops = 1; loops <= 2; loops++) {
		begin(loops);
		watch_closing();
		CU_ASSERT_TRUE(enter("/"));
		CU_ASSERT_EQUAL(queue_declare("stays", DURABLE), 0);
		CU_ASSERT_EQUAL(publish("", "stays", "here"), 0);
		add_v();
		put_things();
		change_begin(&c, VHOST_DELETE, "v");
		turn();
		CU_ASSERT_EQUAL_FATAL(n_closings, 1);
		CU_ASSERT_EQUAL(count_stored("vhost/"), 2);
		stop();
		CU_ASSERT_TRUE_FATAL(c.is_done);
		CU_ASSERT_EQUAL(c.change.result, -EIO);
		is_unclean = true;
		CU_ASSERT_EQUAL_FATAL(start("/"), 0);
		CU_ASSERT_FALSE(enter("v"));
		CU_ASSERT_EQUAL(count_stored(""), 2);
		CU_ASSERT_TRUE_FATAL(enter("/"));
		ASSERT_DRAINED("stays", "here'");
		add_v();
		CU_ASSERT_EQUAL(queue_declare("durable", DURABLE), 0);
		ASSERT_DRAINED("durable", "");
		is_unclean = false;
		end();
	}
}

static void the_broker_ends_at_once(void)
{
	struct changing c[4];

	begin(2);
	add_v();
	put_things();
	change_begin(&c[0], VHOST_DELETE, "v");
	change_begin(&c[1], VHOST_ADD, "w");
	change_begin(&c[2], VHOST_ADD, "/");
	change_begin(&c[3], VHOST_SET, "w");
	stop();
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_TRUE(c[i].is_done);
	CU_ASSERT_EQUAL(c[1].change.result, 0);
	CU_ASSERT_EQUAL(c[2].change.result, -EEXIST);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_FALSE(enter("v"));
	CU_ASSERT_TRUE(enter("w"));
	end();
}

/* ---- Many ---- */

static void many_queues(void)
{
	char name[32];

	begin(3);
	CU_ASSERT_TRUE(enter("/"));
	for (int i = 0; i < 3000; i++) { /* so that v's are far between */
		(void)snprintf(name, sizeof(name), "other%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, 0), 0);
	}
	add_v();
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, i % 2 ? DURABLE : 0), 0);
		CU_ASSERT_EQUAL_FATAL(queue_bind(name, "amq.direct", name), 0);
	}
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0);
	assert_nothing_left();
	CU_ASSERT_EQUAL(map_count(&vhost->queues), 3000);
	end();
}

UNIT_MAIN("vhost_delete", UNIT_TEST(all_of_it_goes), UNIT_TEST(other_vhosts_stay),
	  UNIT_TEST(connections_go_first), UNIT_TEST(what_is_under_way_goes_too),
	  UNIT_TEST(mark_is_not_stored), UNIT_TEST(stuck_and_deleted_again),
	  UNIT_TEST(stuck_and_restarted), UNIT_TEST(the_next_start_goes_on),
	  UNIT_TEST(the_broker_ends_at_once), UNIT_TEST(many_queues))
