/* SPDX-License-Identifier: MIT */
/* Connections that are closed by the server's own will: the right ones, all of them, wherever they go meanwhile. */
#include "moving.h"
#include "conn/closing.h"

enum { N = 6 };
static struct client clients[N];
static unsigned n_done;

static void closing_is_done(struct conn_closing *closing)
{
	(void)closing;
	n_done++;
}

static void connect_all(void)
{
	world_create();
	for (unsigned i = 0; i < N; i++) {
		client_connect(&clients[i], i % LOOPS);
		begin(&clients[i]);
	}
	for (unsigned i = 0; i < N; i += 2)
		settle(&clients[i], &clients[i + 1]);
}

static void settle_all(void)
{
	for (unsigned i = 0; i < N; i += 2)
		settle(&clients[i], &clients[i + 1]);
}

static void end_all(void)
{
	for (unsigned i = 0; i < N; i++)
		client_end(&clients[i]);
	settle(&clients[0], &clients[1]);
	world_destroy();
}

static unsigned n_closed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++)
		n += clients[i].close_code == AMQP_CONNECTION_FORCED;
	return n;
}

static struct conn_closing closing_of(void)
{
	return (struct conn_closing){
		.service = service,
		.reason = "somebody said so",
		.done = closing_is_done,
	};
}

/* How many it closes. */
static uint64_t closes(struct conn_closing *closing)
{
	n_done = 0;
	conn_close_matching(closing);
	CU_ASSERT_EQUAL(n_done, 0);
	settle_all();
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_EQUAL(n_closed(), closing->n_closed);
	return closing->n_closed;
}

static void all_of_them(void)
{
	struct conn_closing closing;

	connect_all();
	closing = closing_of();
	CU_ASSERT_EQUAL(closes(&closing), N);
	end_all();
}

static void of_a_user(void)
{
	struct conn_closing closing;

	connect_all();
	closing = closing_of();
	closing.user = SLICE_LITERAL("gues");
	CU_ASSERT_EQUAL(closes(&closing), 0);
	closing.user = SLICE_LITERAL("guest");
	CU_ASSERT_EQUAL(closes(&closing), N);
	end_all();
}

static void of_a_vhost(void)
{
	struct conn_closing closing;

	connect_all();
	closing = closing_of();
	closing.vhost = SLICE_LITERAL("");
	CU_ASSERT_EQUAL(closes(&closing), 0);
	closing.vhost = SLICE_LITERAL("//");
	CU_ASSERT_EQUAL(closes(&closing), 0);
	closing.vhost = SLICE_LITERAL("/");
	closing.user = SLICE_LITERAL("nobody");
	CU_ASSERT_EQUAL(closes(&closing), 0);
	closing.user = SLICE_LITERAL("guest");
	CU_ASSERT_EQUAL(closes(&closing), N);
	end_all();
}

static void note_name(void *name, const struct connection *c)
{
	connection_print_name(c, name);
}

static void one_by_number_or_name(void)
{
	struct conn_closing closing;
	char name[CONNECTION_NAME_MAX];

	connect_all();
	closing = closing_of();
	closing.number = N + 1;
	CU_ASSERT_EQUAL(closes(&closing), 0);
	closing.number = 4;
	CU_ASSERT_EQUAL(closes(&closing), 1);
	CU_ASSERT_EQUAL(clients[3].close_code, AMQP_CONNECTION_FORCED);
	CU_ASSERT_EQUAL(clients[1].close_code, 0);
	closing.number = 0;
	(void)conn_service_list(service, 0, 1, note_name, name);
	closing.name = slice_make(name, strlen(name) - 1);
	n_done = 0;
	conn_close_matching(&closing);
	settle_all();
	CU_ASSERT_EQUAL(closing.n_closed, 0);
	closing.name = slice_cstr(name);
	closing.limit = 1; /* over a socket pair they are all called the same */
	conn_close_matching(&closing);
	settle_all();
	CU_ASSERT_EQUAL(closing.n_closed, 1);
	CU_ASSERT_EQUAL(n_done, 2);
	end_all();
}

static void so_many_at_most(void)
{
	struct conn_closing closing;

	connect_all();
	closing = closing_of();
	closing.limit = 4;
	CU_ASSERT_EQUAL(closes(&closing), 4);
	end_all();
}

/* With a rest after each, while another goes through the same connections. */
static void one_after_the_other(void)
{
	struct conn_closing closing, other;
	uint64_t began, ended;
	bool has_other = false;

	connect_all();
	closing = other = closing_of();
	closing.delay_ms = 20;
	other.user = SLICE_LITERAL("nobody");
	n_done = 0;
	began = ended = loop_now_ms();
	conn_close_matching(&closing);
	while (n_done != 2 && ended - began < 20000) {
		if (!has_other && n_closed() == 2) {
			conn_close_matching(&other);
			has_other = true;
		}
		settle_all();
		ended = loop_now_ms();
	}
	CU_ASSERT_EQUAL(closing.n_closed, N);
	CU_ASSERT_EQUAL(other.n_closed, 0);
	CU_ASSERT_TRUE(ended - began >= 4 * 20); /* none behind the last of each loop */
	end_all();
}

static void cut_here(void *unused)
{
	(void)unused;
	conn_service_cut(service);
}

/* The broker ends meanwhile: so does the closing. */
static void ends_with_the_broker(void)
{
	struct conn_closing closing;

	connect_all();
	closing = closing_of();
	closing.delay_ms = 3600000;
	n_done = 0;
	conn_close_matching(&closing);
	settle_all();
	CU_ASSERT_EQUAL(n_closed(), 1);
	CU_ASSERT_EQUAL(n_done, 0);
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, cut_here, NULL);
	loop_pool_drain();
	CU_ASSERT_EQUAL(n_done, 1);
	end_all();
}

static void set_gone(void *gone)
{
	*(bool *)gone = true;
}

static void as_it_is_deleted(void)
{
	bool is_gone = false;

	connect_all();
	conn_close_vhost(service, SLICE_LITERAL("other"), set_gone, &is_gone);
	settle_all();
	CU_ASSERT_TRUE(is_gone);
	CU_ASSERT_EQUAL(n_closed(), 0);
	is_gone = false;
	conn_close_vhost(service, SLICE_LITERAL("/"), set_gone, &is_gone);
	CU_ASSERT_FALSE(is_gone);
	settle_all();
	CU_ASSERT_TRUE(is_gone);
	CU_ASSERT_EQUAL(n_closed(), N);
	conn_close_user(service, SLICE_LITERAL("guest"));
	end_all();
}

/* Those of a vhost that is deleted are in nobody's way. */
static void exclusive_queues_are_gone(void)
{
	enum { QUEUES = 1000 };
	bool is_gone = false;
	char name[32];

	start();
	for (unsigned i = 0; i < QUEUES; i++) {
		snprintf(name, sizeof(name), "exclusive-%u", i);
		PUT(&b, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = slice_cstr(name), .exclusive = true);
		if (i % 100 == 99)
			settle(&a, &b);
	}
	settle(&a, &b);
	CU_ASSERT_EQUAL(broker->loops[1].n_queues, QUEUES + 1);
	conn_close_vhost(service, SLICE_LITERAL("/"), set_gone, &is_gone);
	for (unsigned i = 0; i < 100 && !is_gone; i++) {
		turn(0);
		turn(1);
	}
	CU_ASSERT_TRUE(is_gone);
	CU_ASSERT_EQUAL(broker->loops[1].n_queues, 1);
	stop();
}

static void move_b(void *unused)
{
	(void)unused;
	CU_ASSERT_TRUE(move_begin(find_on(1), 0));
}

/*
 * The connection goes from loop 1 to loop 0, at each point of the closing, and the loops turn one more often than the
 * other. With a delay loop 1 goes through its connections when loop 0 has done so: in between it is missed by both.
 */
static void it_moves_at_point(unsigned point, unsigned n_turns_0, unsigned n_turns_1, unsigned delay_ms)
{
	struct conn_closing closing;

	start();
	closing = closing_of();
	closing.number = 2;
	closing.delay_ms = delay_ms;
	n_done = 0;
	conn_close_matching(&closing);
	for (unsigned i = 0; i < 16; i++) {
		if (i == point && find_on(1) != NULL && find_on(1)->state == CONNECTION_RUNNING)
			loop_pool_visit(1, move_b, NULL);
		for (unsigned k = 0; k < n_turns_0; k++)
			turn(0);
		for (unsigned k = 0; k < n_turns_1; k++)
			turn(1);
	}
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_EQUAL(closing.n_closed, 1);
	CU_ASSERT_EQUAL(b.close_code, AMQP_CONNECTION_FORCED);
	stop();
}

static void it_moves_meanwhile(void)
{
	for (unsigned point = 0; point < 8; point++)
		for (unsigned n_0 = 1; n_0 <= 3; n_0++)
			for (unsigned n_1 = 1; n_1 <= 3; n_1++)
				for (unsigned delay_ms = 0; delay_ms <= 1; delay_ms++)
					it_moves_at_point(point, n_0, n_1, delay_ms);
}

UNIT_MAIN("conn/closing", UNIT_TEST(all_of_them), UNIT_TEST(of_a_user), UNIT_TEST(of_a_vhost),
	  UNIT_TEST(one_by_number_or_name), UNIT_TEST(so_many_at_most), UNIT_TEST(one_after_the_other),
	  UNIT_TEST(ends_with_the_broker), UNIT_TEST(as_it_is_deleted),
	  UNIT_TEST(exclusive_queues_are_gone), UNIT_TEST(it_moves_meanwhile))
