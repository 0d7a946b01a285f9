/* SPDX-License-Identifier: MIT */
/*
 * Who goes to which loop: by what it does, and by how busy the loops are, which is set here. The
 * moves themselves are test_move.c's.
 */
#define WORLD_PLACEMENT world_placement
#include "conn/service.h"

static enum placement world_placement;

#include "base/clock.h"
#include "broker/topology/write.h"
#include "conn/placement/placement.h"
#include "loop/counters.h"
#include "moving.h"

static void start_with(enum placement placement)
{
	world_placement = placement;
	start();
}

static void stop_well(void)
{
	CU_ASSERT_EQUAL(b.close_code, 0);
	stop();
}

static uint64_t handled_of_1; /* by others, at each publish of b */

static void handle_here(void *unused)
{
	(void)unused;
	counter_add(COUNTER_MESSAGES_DELIVERED, handled_of_1);
}

/* As if loop 1 had just looked; it does not look again. */
static void set_load(uint32_t of_0, uint32_t of_1)
{
	struct loop_load *load = &service->loops[1].load;

	load->sampled_ms = clock_monotonic_ms() + 3600000;
	load->is_known = true;
	load->has_sent = false;
	load->permille[0] = of_0;
	load->permille[1] = of_1;
}

/*
 * b publishes until it has been decided about it; by turns to queues of both loops, if it `varies`.
 * Returns the loop that it is on then.
 */
static unsigned publish_until_decided(struct slice queue, bool varies, uint32_t load_of_0,
				      uint32_t load_of_1)
{
	uint64_t end_ms = clock_monotonic_ms() + 60000, votes = 0;
	struct connection *c;

	for (unsigned n = 0; (c = find_on(1)) != NULL && c->vote.total >= votes; n++) {
		CU_ASSERT_FATAL(clock_monotonic_ms() < end_ms);
		votes = c->vote.total;
		set_load(load_of_0, load_of_1);
		loop_pool_visit(1, handle_here, NULL);
		publish(&b, 1, varies && n % 2 == 0 ? ON_1 : queue, PLAIN, 10);
		settle(&a, &b);
	}
	return c != NULL ? 1 : 0;
}

static void a_publisher_goes_where_there_is_time(void)
{
	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, false, 300, 200), 0);
	stop_well();
}

static void it_does_not_go_where_there_is_none(void)
{
	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, false, 500, 200), 1);
	stop_well();
}

/* Other work of its loop makes its share smaller. */
static void it_goes_between_busy_loops(void)
{
	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, false, 950, 1000), 1); /* it is all there is */
	handled_of_1 = 10;
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, false, 1000, 900), 1);
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, false, 950, 1000), 0);
	handled_of_1 = 0;
	stop_well();
}

static void it_stays_if_it_publishes_to_both(void)
{
	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(publish_until_decided(ON_0, true, 0, 0), 1);
	stop_well();
}

static void it_stays_with_its_own_queue(void)
{
	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(publish_until_decided(ON_1, false, 0, 500), 1);
	stop_well();
}

/* a, on the same loop, is given what b publishes: half of the work is b's. */
static void it_leaves_a_full_loop(void)
{
	start_with(PLACEMENT_NEAR);
	client_end(&a);
	client_connect(&a, 1);
	begin(&a);
	PUT(&a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_1, .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(publish_until_decided(ON_1, false, 600, 1000), 1);
	CU_ASSERT_EQUAL(publish_until_decided(ON_1, false, 100, 1000), 0);
	CU_ASSERT_TRUE(find_on(0)->stays_until_ms > clock_monotonic_ms() + 5000);
	stop_well();
}

/* It has been sent away twice; since it came back it could go elsewhere for `free_ms`. For how long it is sent now. */
static uint64_t stays_away(uint64_t free_ms)
{
	struct connection *c;
	uint64_t now_ms;

	start_with(PLACEMENT_NEAR);
	client_end(&a);
	client_connect(&a, 1);
	begin(&a);
	PUT(&a, 1, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_1, .no_ack = true);
	settle(&a, &b);
	now_ms = clock_monotonic_ms();
	CU_ASSERT_FATAL(now_ms > free_ms);
	find_on(1)->n_sent_away = 2;
	find_on(1)->stays_until_ms = now_ms - free_ms;
	CU_ASSERT_EQUAL(publish_until_decided(ON_1, false, 100, 1000), 0);
	c = find_on(0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	now_ms = c->stays_until_ms - clock_monotonic_ms();
	stop_well();
	return now_ms;
}

static void it_stays_away_for_longer_each_time(void)
{
	uint64_t again_ms = stays_away(0), first_ms = stays_away(30000);

	CU_ASSERT_TRUE(again_ms > 30000 && again_ms <= 40000);
	CU_ASSERT_TRUE(first_ms > 1000 && first_ms <= 10000);
}

static void fixed_is_fixed(void)
{
	start_with(PLACEMENT_FIXED);
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	for (int i = 0; i < 100; i++) {
		publish(&b, 1, ON_0, PLAIN, 10);
		settle(&a, &b);
	}
	CU_ASSERT_PTR_NOT_NULL(find_on(1));
	CU_ASSERT_EQUAL(b.n_deliveries, 100);
	stop_well();
}

/* ---- basic.consume and basic.get ---- */

static void consume(uint32_t load_of_0, uint32_t load_of_1, unsigned expected)
{
	start_with(PLACEMENT_NEAR);
	set_load(load_of_0, load_of_1);
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_PTR_NOT_NULL(find_on(expected));
	stop_well();
}

static void a_consumer_looks_whether_there_is_time(void)
{
	consume(500, 0, 0);
	consume(900, 300, 1);
	consume(900, 900, 0);
}

static void it_does_not_go_where_all_are(void)
{
	enum { N = 20 };
	static struct client others[N];

	start_with(PLACEMENT_NEAR);
	for (int i = 0; i < N; i++)
		client_connect(&others[i], 0);
	PUT(&b, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = ON_0, .no_ack = true);
	settle(&a, &b);
	CU_ASSERT_PTR_NOT_NULL(find_on(1));
	CU_ASSERT_EQUAL(placement_accept(service, 0), 1);
	CU_ASSERT_EQUAL(placement_accept(service, 1), 1);
	for (int i = 0; i < N; i++)
		client_end(&others[i]);
	settle(&a, &b);
	CU_ASSERT_EQUAL(placement_accept(service, 0), 0);
	stop_well();
}

static void many_gets_move_it(void)
{
	uint64_t end_ms = clock_monotonic_ms() + 60000, n = 0;

	start_with(PLACEMENT_NEAR);
	for (; find_on(1) != NULL; n++) {
		CU_ASSERT_FATAL(clock_monotonic_ms() < end_ms);
		publish(&a, 1, ON_0, PLAIN, 10);
		settle(&a, &b);
		PUT(&b, 2, AMQP_BASIC_GET, basic_get, .queue = ON_0);
		settle(&a, &b);
		PUT(&b, 2, AMQP_BASIC_ACK, basic_ack, .delivery_tag = n + 1);
		settle(&a, &b);
	}
	CU_ASSERT_TRUE(n > 10);
	CU_ASSERT_EQUAL(b.n_gets, n);
	stop_well();
}

/* ---- Queues ---- */

static void queues_are_spread_where_connections_follow(void)
{
	char name[3] = "q0";

	start_with(PLACEMENT_NEAR);
	CU_ASSERT_EQUAL(topology_place_queue(broker->topology, 0, true), 0);
	broker->connections_follow = true;
	for (name[1] = '0'; name[1] < '8'; name[1]++)
		PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = slice_cstr(name));
	settle(&a, &b);
	CU_ASSERT_EQUAL(broker->loops[0].n_queues, 5);
	CU_ASSERT_EQUAL(broker->loops[1].n_queues, 5);
	stop_well();

	start_with(PLACEMENT_FIXED);
	for (name[1] = '0'; name[1] < '8'; name[1]++)
		PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = slice_cstr(name));
	settle(&a, &b);
	CU_ASSERT_EQUAL(broker->loops[0].n_queues, 9);
	stop_well();
}

UNIT_MAIN("conn/placement", UNIT_TEST(a_publisher_goes_where_there_is_time),
	  UNIT_TEST(it_does_not_go_where_there_is_none), UNIT_TEST(it_goes_between_busy_loops),
	  UNIT_TEST(it_stays_if_it_publishes_to_both), UNIT_TEST(it_stays_with_its_own_queue),
	  UNIT_TEST(it_leaves_a_full_loop),
	  UNIT_TEST(it_stays_away_for_longer_each_time), UNIT_TEST(fixed_is_fixed),
	  UNIT_TEST(a_consumer_looks_whether_there_is_time),
	  UNIT_TEST(it_does_not_go_where_all_are), UNIT_TEST(many_gets_move_it),
	  UNIT_TEST(queues_are_spread_where_connections_follow))
