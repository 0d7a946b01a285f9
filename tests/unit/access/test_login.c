/* SPDX-License-Identifier: MIT */
#include "login_fixture.h"

#include <pthread.h>
#include <time.h>

/* ---- Who gets in ---- */

static void the_right_password(void)
{
	for (unsigned n_workers = 0; n_workers < 3; n_workers++) {
		struct attempt attempt;

		begin(1, n_workers);
		start(&attempt, "127.0.0.1", "guest", "secret");
		CU_ASSERT_FALSE(attempt.is_done); /* not inside the call: it is hashed elsewhere */
		wait_for(&attempt);
		CU_ASSERT_TRUE(attempt.is_in);
			end();
	}
}

static void others_are_refused(void)
{
	static const char *const wrong[][2] = {
		{ "guest", "Secret" }, { "guest", "secre" },  { "guest", "secrets" }, { "guest", "secretsecret" },
		{ "guest ", "secret" }, { "gues", "secret" }, { "", "secret" },	      { "root", "secret" },
	};

	begin(1, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CU_ASSERT_FALSE(enters("127.0.0.1", wrong[i][0], wrong[i][1]));
	CU_ASSERT_TRUE(enters("127.0.0.1", "guest", "secret"));
	end();
}

static void a_nul_does_not_end_a_password(void)
{
	struct attempt attempt;

	begin(1, 1);
	CU_ASSERT_TRUE(enters("127.0.0.1", "guest", "secret"));
	start(&attempt, "127.0.0.1", "guest", "");
	for (unsigned size = 7; size < 12; size += 4) {
		attempt.is_done = false;
		attempt.login.password = slice_make("secret\0more", size);
		attempt.login.reason[0] = '\0';
		access_authenticate(access, &attempt.login);
		wait_for(&attempt);
		CU_ASSERT_FALSE(attempt.is_in);
	}
	end();
}

static void reasons_are_rabbitmqs(void)
{
	struct attempt attempt;

	begin(1, 1);
	start(&attempt, "127.0.0.1", "guest", "wrong");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'guest' - invalid credentials");
	start(&attempt, "127.0.0.1", "no\"body\n", "wrong");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'no\\\"body\\n' - invalid credentials");
	start(&attempt, "127.0.0.1", "guest", "");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason,
			       "user 'guest' attempted to log in with a blank password, which is prohibited");
	start(&attempt, "10.0.0.1", "guest", "secret");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'guest' can only connect via localhost");
	/* a wrong password is not told by the other reason */
	start(&attempt, "10.0.0.1", "guest", "wrong");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'guest' - invalid credentials");
	end();
}

static void a_loopback_user_stays_at_home(void)
{
	begin(1, 1);
	set_cheap(ACCESS_ADD_USER, "other");
	set_cheap(ACCESS_ADD_USER, "third");
	CU_ASSERT_FALSE(enters("10.0.0.1", "other", "secret"));
	CU_ASSERT_TRUE(enters("127.0.0.7", "other", "secret"));
	CU_ASSERT_FALSE(enters("10.0.0.1", "other", "secret")); /* also when it is remembered */
	CU_ASSERT_TRUE(enters("10.0.0.1", "third", "secret"));
	end();
}

static void a_user_without_password_cannot(void)
{
	const struct access_edit add = { .kind = ACCESS_ADD_USER,
					 .account = { .name = SLICE_LITERAL("certified"),
						      .tags = SLICE_LITERAL("certified"),
						      .algorithm = PASSWORD_SHA256,
						      .password_hash = SLICE_LITERAL(""),
						      .max_connections = ACCESS_NO_LIMIT,
						      .max_channels = ACCESS_NO_LIMIT } };
	struct attempt attempt;

	begin(1, 1);
	CU_ASSERT_EQUAL(edit(add), 0);
	CU_ASSERT_FALSE(enters("127.0.0.1", "certified", ""));
	CU_ASSERT_FALSE(enters("127.0.0.1", "certified", "x"));
	/* but by what proves who it is */
	for (unsigned i = 0; i < 2; i++) {
		start(&attempt, "127.0.0.1", "", "");
		wait_for(&attempt);
		attempt.is_done = false;
		attempt.login.user = slice_cstr(i == 0 ? "certified" : "unknown");
		attempt.login.is_proven = true;
		attempt.login.reason[0] = '\0';
		attempt.login.result = NULL;
		access_authenticate(access, &attempt.login);
		wait_for(&attempt);
		CU_ASSERT_EQUAL(attempt.is_in, i == 0);
	}
	end();
}

/* ---- Remembering ---- */

static void who_comes_again_is_remembered(void)
{
	begin(1, 1);
	CU_ASSERT_FALSE(enters_at_once("127.0.0.1", "guest", "secret"));
	CU_ASSERT_TRUE(enters_at_once("127.0.0.1", "guest", "secret"));
	CU_ASSERT_TRUE(enters_at_once("127.0.0.2", "guest", "secret"));
	CU_ASSERT_FALSE(enters_at_once("127.0.0.1", "guest", "wrong"));
	CU_ASSERT_FALSE(enters_at_once("127.0.0.1", "guest", "wrong"));
	CU_ASSERT_TRUE(enters_at_once("127.0.0.1", "guest", "secret"));
	end();
}

static void a_changed_user_is_not(void)
{
	begin(1, 1);
	set_user(ACCESS_ADD_USER, "u", "old", PASSWORD_ARGON2ID);
	CU_ASSERT_TRUE(enters("127.0.0.1", "u", "old"));
	set_user(ACCESS_SET_PASSWORD, "u", "new", PASSWORD_ARGON2ID);
	CU_ASSERT_FALSE(enters("127.0.0.1", "u", "old"));
	CU_ASSERT_TRUE(enters("127.0.0.1", "u", "new"));
	CU_ASSERT_TRUE(enters_at_once("127.0.0.1", "u", "new"));
	CU_ASSERT_EQUAL(edit((struct access_edit){ .kind = ACCESS_DELETE_USER, .account = { .name = SLICE_LITERAL("u") } }), 0);
	CU_ASSERT_FALSE(enters("127.0.0.1", "u", "new"));
	set_user(ACCESS_ADD_USER, "u", "newer", PASSWORD_ARGON2ID);
	CU_ASSERT_FALSE(enters("127.0.0.1", "u", "new"));
	CU_ASSERT_TRUE(enters("127.0.0.1", "u", "newer"));
	end();
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void wait_at_gate(struct work *work)
{
	(void)work;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void gone_through(struct work *work)
{
	(void)work;
}

/* What was found of the old password holds no longer. */
static void a_user_that_is_changed_while_its_password_is_hashed(void)
{
	struct work before = { .run = wait_at_gate, .done = gone_through };
	struct attempt old, new;

	begin(1, 1);
	pthread_mutex_lock(&gate);
	access_work(access, &before);
	start(&old, "127.0.0.1", "guest", "secret");
	start(&new, "127.0.0.1", "guest", "new");
	set_user(ACCESS_SET_PASSWORD, "guest", "new", PASSWORD_SHA256);
	CU_ASSERT_FALSE(old.is_done);
	pthread_mutex_unlock(&gate);
	wait_for(&old);
	wait_for(&new);
	CU_ASSERT_FALSE(old.is_in);
	CU_ASSERT_TRUE(new.is_in);
	end();
}

/* A restart, and all clients come again at once. */
static void many_with_the_same_password_are_hashed_once(void)
{
	enum { N = 1000 };
	static struct attempt attempts[N];
	clock_t before, one, all;

	begin(1, 2);
	set_user(ACCESS_SET_PASSWORD, "guest", "secret", PASSWORD_ARGON2ID);
	before = clock();
	CU_ASSERT_FALSE(enters("127.0.0.1", "guest", "wrong"));
	one = clock() - before;
	before = clock();
	for (unsigned i = 0; i < N; i++)
		start(&attempts[i], "127.0.0.1", "guest", "secret");
	for (unsigned i = 0; i < N; i++) {
		wait_for(&attempts[i]);
		CU_ASSERT_TRUE(attempts[i].is_in);
	}
	all = clock() - before;
	CU_ASSERT(all < 100 * one); /* and not 1000 times */
	end();
}

/* Their answers come some at a time: the user may be changed between two of them. */
static void a_user_that_is_changed_while_its_twins_are_answered(void)
{
	enum { N = 1000 };
	static struct attempt attempts[N];
	struct work before[2] = { { .run = wait_at_gate, .done = gone_through },
				  { .run = wait_at_gate, .done = gone_through } };
	unsigned n_late = 0;

	begin(1, 2);
	pthread_mutex_lock(&gate);
	access_work(access, &before[0]);
	access_work(access, &before[1]);
	for (unsigned i = 0; i < N; i++)
		start(&attempts[i], "127.0.0.1", "guest", "secret");
	pthread_mutex_unlock(&gate);
	wait_for(&attempts[0]);
	CU_ASSERT_TRUE(attempts[0].is_in);
	set_user(ACCESS_SET_PASSWORD, "guest", "new", PASSWORD_SHA256);
	for (unsigned i = 0; i < N; i++) {
		if (attempts[i].is_done)
			continue;
		n_late++;
		wait_for(&attempts[i]);
		CU_ASSERT_FALSE(attempts[i].is_in);
	}
	CU_ASSERT_NOT_EQUAL(n_late, 0);
	end();
}

static void wrong_ones_of_the_same_count_each(void)
{
	enum { N = THROTTLE_BURST + 1 };
	static struct attempt attempts[N];

	begin(1, 2);
	for (unsigned i = 0; i < N; i++)
		start(&attempts[i], "10.0.0.1", "guest", "wrong");
	for (unsigned i = 0; i < N; i++)
		wait_for(&attempts[i]);
	start(&attempts[0], "10.0.0.1", "guest", "wrong");
	wait_for(&attempts[0]);
	CU_ASSERT_PTR_NOT_NULL(strstr(attempts[0].reason, "too many failed logins"));
	end();
}

/* ---- RabbitMQ's hashes ---- */

static void rabbitmqs_hashes_are_replaced(void)
{
	static const enum password_algorithm algorithms[] = { PASSWORD_SHA256, PASSWORD_SHA512, PASSWORD_MD5 };

	for (size_t i = 0; i < 3; i++) {
		begin(1, 1);
		set_user(ACCESS_ADD_USER, "old", "p", algorithms[i]);
		CU_ASSERT_FALSE(enters("127.0.0.1", "old", "wrong"));
		CU_ASSERT_EQUAL(algorithm_of("old"), algorithms[i]);
		CU_ASSERT_TRUE(enters("127.0.0.1", "old", "p"));
		while (algorithm_of("old") != PASSWORD_ARGON2ID)
			turn_all();
		turn_all();
		/* it is another user now, but the password is still remembered */
		CU_ASSERT_TRUE(enters_at_once("127.0.0.1", "old", "p"));
		CU_ASSERT_FALSE(enters("127.0.0.1", "old", "wrong"));
		end();
	}
}

/* The new hash must not undo a change that came first. */
static void a_hash_that_was_changed_meanwhile_stays(void)
{
	struct attempt attempt;
	struct work before = { .run = wait_at_gate, .done = gone_through };

	begin(1, 1);
	set_user(ACCESS_ADD_USER, "old", "p", PASSWORD_SHA256);
	pthread_mutex_lock(&gate);
	access_work(access, &before);
	start(&attempt, "127.0.0.1", "old", "p");
	set_user(ACCESS_SET_PASSWORD, "old", "q", PASSWORD_SHA256);
	pthread_mutex_unlock(&gate);
	wait_for(&attempt);
	CU_ASSERT_FALSE(attempt.is_in);
	CU_ASSERT_TRUE(enters("127.0.0.1", "old", "q"));
	end();
}

/* ---- Time ---- */

static double cost(const char *user)
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	CU_ASSERT_FALSE(enters("127.0.0.1", user, "wrong"));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* Without workers it is this thread's time that is taken. */
static void who_does_not_exist_costs_the_same(void)
{
	enum { GUEST, NOBODY, SHA, N };
	static const char *const users[N] = { "guest", "nobody", "sha" };
	double least[N] = { 1e9, 1e9, 1e9 };

	begin(1, 0);
	set_user(ACCESS_SET_PASSWORD, "guest", "secret", PASSWORD_ARGON2ID);
	set_user(ACCESS_ADD_USER, "sha", "p", PASSWORD_SHA256);
	/* the least of some, and by turns, as the machine may do other things, too */
	for (unsigned i = 0; i < 8 * N; i++) {
		double taken = cost(users[i % N]);

		least[i % N] = taken < least[i % N] ? taken : least[i % N];
	}
	for (unsigned i = NOBODY; i < N; i++)
		CU_ASSERT(least[i] > least[GUEST] / 2 && least[i] < least[GUEST] * 2);
	end();
}

/* ---- Loops, and those that go ---- */

static struct attempt far_attempts[64];

static void start_far(void *is_wrong)
{
	start(&far_attempts[loop_index(loop_self())], "127.0.0.1", "guest", is_wrong != NULL ? "wrong" : "secret");
}

static void on_every_loop(void)
{
	begin(4, 2);
	for (unsigned i = 0; i < 4; i++)
		loop_pool_visit(i, start_far, i % 2 == 0 ? NULL : far_attempts);
	for (unsigned i = 0; i < 4; i++) {
		wait_for(&far_attempts[i]);
		CU_ASSERT_EQUAL(far_attempts[i].is_in, i % 2 == 0);
	}
	end();
}

static void abandon_far(void *unused)
{
	(void)unused;
	access_abandon(&far_attempts[loop_index(loop_self())].login);
	memset(&far_attempts[loop_index(loop_self())].login, 0xee, sizeof(struct access_login));
}

/* At each stage on its way: nobody is told, and nothing is leaked (the sanitizer looks). */
static void it_may_be_abandoned_at_any_moment(void)
{
	for (unsigned stage = 0; stage < 6; stage++) {
		begin(2, stage % 2);
		loop_pool_visit(1, start_far, NULL);
		for (unsigned i = 0; i < stage; i++)
			loop_pool_visit(i % 2 == 0 ? 1 : 0, turn, NULL);
		if (!far_attempts[1].is_done)
			loop_pool_visit(1, abandon_far, NULL);
		/* the broker goes on */
		CU_ASSERT_TRUE(enters("127.0.0.1", "guest", "secret"));
		for (unsigned i = 0; i < 10; i++)
			turn_all();
		end();
	}
}

/* The broker stops while logins wait, whose connections have gone. */
static void it_stops_with_logins_under_way(void)
{
	for (unsigned n_workers = 0; n_workers < 3; n_workers++) {
		static struct attempt attempts[20];
		char password[16];

		begin(2, n_workers);
		for (unsigned i = 0; i < 20; i++) {
			snprintf(password, sizeof(password), "p%u", i / 2);
			start(&attempts[i], "127.0.0.1", "guest", password);
		}
		loop_pool_visit(1, start_far, NULL);
		for (unsigned i = 0; i < 20; i++)
			access_abandon(&attempts[i].login);
		loop_pool_visit(1, abandon_far, NULL);
		end();
	}
}

UNIT_MAIN("access/login", UNIT_TEST(the_right_password), UNIT_TEST(others_are_refused),
	  UNIT_TEST(a_nul_does_not_end_a_password), UNIT_TEST(reasons_are_rabbitmqs), UNIT_TEST(a_loopback_user_stays_at_home),
	  UNIT_TEST(a_user_without_password_cannot), UNIT_TEST(who_comes_again_is_remembered),
	  UNIT_TEST(a_changed_user_is_not), UNIT_TEST(a_user_that_is_changed_while_its_password_is_hashed),
	  UNIT_TEST(many_with_the_same_password_are_hashed_once),
	  UNIT_TEST(a_user_that_is_changed_while_its_twins_are_answered), UNIT_TEST(wrong_ones_of_the_same_count_each),
	  UNIT_TEST(rabbitmqs_hashes_are_replaced), UNIT_TEST(a_hash_that_was_changed_meanwhile_stays),
	  UNIT_TEST(who_does_not_exist_costs_the_same), UNIT_TEST(on_every_loop), UNIT_TEST(it_may_be_abandoned_at_any_moment),
	  UNIT_TEST(it_stops_with_logins_under_way))
