/* SPDX-License-Identifier: MIT */
/* A login that is not decided in the call: what the client has sent behind it waits, and the connection may go meanwhile. */
#include "conversation.h"

static struct client a, b; /* on loop 0 and loop 1 */
static struct access_login *pending;

static unsigned n_abandoned;

static void abandoned(struct access_login *login)
{
	CU_ASSERT_PTR_EQUAL(login, pending);
	pending = NULL;
	n_abandoned++;
}

static void decide_later(struct access_policy *policy, struct access_login *login)
{
	(void)policy;
	CU_ASSERT_PTR_NULL_FATAL(pending);
	pending = login;
	login->abandoned = abandoned;
}

static struct access_policy later = { .name = "later", .rank = 1, .index = 1, .authenticate = decide_later };
static struct access_policy *policies[] = { &later };

/* Client a has said everything up to its channels, and its login is being looked at. */
static void start(void)
{
	pending = NULL;
	world_create();
	n_abandoned = 0;
	access_change(door, (struct access_policies){ NULL, 0 }, (struct access_policies){ policies, 1 });
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	settle(&a, &b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(pending);
}

static void stop(void)
{
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	world_destroy();
}

static const struct connection *connection_a(void)
{
	CU_ASSERT_FATAL(!list_is_empty(&service->loops[0].connections));
	return container_of(service->loops[0].connections.next, struct connection, link);
}

static void answer(void *user)
{
	struct access_login *login = pending;

	pending = NULL;
	login->result = user;
	access_answer(login, user != NULL ? ACCESS_ALLOW : ACCESS_DENY);
}

static void decide(struct access_user *user)
{
	loop_pool_visit(0, answer, user);
	settle(&a, &b);
}

static void what_follows_waits(void)
{
	start();
	CU_ASSERT_EQUAL(connection_a()->state, CONNECTION_LOGIN);
	CU_ASSERT_TRUE(transport_is_paused(connection_a()->transport));
	CU_ASSERT_EQUAL(a.close_code, 0);
	decide(access_user_create(SLICE_LITERAL("guest"), "", "PLAIN"));
	CU_ASSERT_EQUAL(connection_a()->state, CONNECTION_RUNNING);
	CU_ASSERT_EQUAL(connection_a()->n_open, 3);
	stop();
}

static void cut(void *unused)
{
	(void)unused;
	conn_service_cut(service);
}

static void nothing_follows_a_refusal(void)
{
	start();
	decide(NULL);
	CU_ASSERT_EQUAL(connection_a()->state, CONNECTION_CLOSING);
	CU_ASSERT_EQUAL(connection_a()->n_open, 0);
	loop_pool_visit(0, cut, NULL); /* it is kept waiting for seconds */
	stop();
}

static void passed_on_to_the_configuration(void *unused)
{
	struct access_login *login = pending;

	(void)unused;
	pending = NULL;
	access_answer(login, ACCESS_PASS);
}

static void passed_on(void)
{
	start();
	loop_pool_visit(0, passed_on_to_the_configuration, NULL);
	settle(&a, &b);
	CU_ASSERT_EQUAL(connection_a()->state, CONNECTION_RUNNING);
	CU_ASSERT_STRING_EQUAL(connection_a()->user->name, "guest");
	CU_ASSERT_EQUAL(connection_a()->n_open, 3);
	stop();
}

static void the_connection_goes_before_the_answer(void)
{
	start();
	CU_ASSERT_EQUAL(pending->peer->host.size, 4); /* "unix" */
	loop_pool_visit(0, cut, NULL);
	settle(&a, &b);
	CU_ASSERT_TRUE(list_is_empty(&service->loops[0].connections));
	CU_ASSERT_EQUAL(n_abandoned, 1);
	stop();
}

static void shut_down(void *unused)
{
	(void)unused;
	conn_service_shutdown(service, 1000);
}

static void the_connection_closes_before_the_answer(void)
{
	start();
	loop_pool_visit(0, shut_down, NULL);
	settle(&a, &b);
	CU_ASSERT_EQUAL(n_abandoned, 1);
	loop_pool_visit(0, cut, NULL);
	stop();
}

/* What is refused is held, but for those that are too many: the socket is closed behind what it is told. */
static void refused_connections_are_held_but_not_all(void)
{
	for (unsigned n = CONNECTION_HELD_MAX - 1; n <= CONNECTION_HELD_MAX; n++) {
		start();
		atomic_store(&service->n_held, n);
		decide(NULL);
		CU_ASSERT_EQUAL(list_is_empty(&service->loops[0].connections), n == CONNECTION_HELD_MAX);
		CU_ASSERT_EQUAL(atomic_load(&service->n_held), CONNECTION_HELD_MAX);
		stop();
	}
}

static void who_was_held_counts_no_more_when_it_is_gone(void)
{
	start();
	decide(NULL);
	CU_ASSERT_EQUAL(atomic_load(&service->n_held), 1);
	loop_pool_visit(0, cut, NULL);
	settle(&a, &b);
	CU_ASSERT_EQUAL(atomic_load(&service->n_held), 0);
	stop();
}

UNIT_MAIN("conn/login", UNIT_TEST(what_follows_waits), UNIT_TEST(nothing_follows_a_refusal), UNIT_TEST(passed_on),
	  UNIT_TEST(refused_connections_are_held_but_not_all), UNIT_TEST(who_was_held_counts_no_more_when_it_is_gone),
	  UNIT_TEST(the_connection_goes_before_the_answer), UNIT_TEST(the_connection_closes_before_the_answer))
