/* SPDX-License-Identifier: MIT */
/* What may fail from an address, and who waits for whom. */
#include "login_fixture.h"

static void fail_often(const char *host, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CU_ASSERT_FALSE(enters(host, "guest", "wrong"));
}

static void too_many_failures_are_refused_without_hashing(void)
{
	struct attempt attempt;

	begin(1, 1);
	set_cheap(ACCESS_ADD_USER, "u");
	CU_ASSERT_TRUE(enters("10.0.0.1", "u", "secret"));
	fail_often("10.0.0.1", THROTTLE_BURST);
	start(&attempt, "10.0.0.1", "nobody", "wrong");
	CU_ASSERT_TRUE(attempt.is_done); /* inside the call */
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'nobody' - too many failed logins from this address");
	/* a password that is remembered passes, but not one that was right elsewhere: it could be
	 * guessed */
	set_cheap(ACCESS_ADD_USER, "elsewhere");
	CU_ASSERT_TRUE(enters("10.0.0.2", "elsewhere", "secret"));
	CU_ASSERT_FALSE(enters("10.0.0.1", "elsewhere", "secret"));
	CU_ASSERT_TRUE(enters_at_once("10.0.0.3", "elsewhere", "secret"));
	CU_ASSERT_TRUE(enters_at_once("10.0.0.1", "u", "secret"));
	/* and other addresses do */
	CU_ASSERT_FALSE(enters("10.0.0.2", "u", "wrong"));
	start(&attempt, "10.0.0.2", "nobody", "wrong");
	wait_for(&attempt);
	CU_ASSERT_STRING_EQUAL(attempt.reason, "user 'nobody' - invalid credentials");
	end();
}

static void time_brings_another_try(void)
{
	begin(1, 1);
	set_cheap(ACCESS_ADD_USER, "u");
	fail_often("10.0.0.1", THROTTLE_BURST);
	CU_ASSERT_FALSE(enters("10.0.0.1", "u", "secret"));
	now_ms += THROTTLE_REFILL_MS;
	CU_ASSERT_TRUE(enters("10.0.0.1", "u", "secret"));
	end();
}

static void it_is_forgotten_after_a_time(void)
{
	begin(1, 1);
	CU_ASSERT_TRUE(enters("127.0.0.1", "guest", "secret"));
	now_ms += REMEMBERED_MS - 1;
	CU_ASSERT_TRUE(enters_at_once("127.0.0.1", "guest", "secret"));
	now_ms += 1;
	CU_ASSERT_FALSE(enters_at_once("127.0.0.1", "guest", "secret"));
	end();
}

static void good_logins_of_many_users_are_not_limited(void)
{
	enum { N = 2 * THROTTLE_BURST };
	char name[16];

	begin(1, 2);
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		set_cheap(ACCESS_ADD_USER, name);
		CU_ASSERT_TRUE(enters("10.0.0.1", name, "secret"));
	}
	end();
}

/* Those of one address wait for each other, the one of another address for one of them. */
static void another_address_has_its_turn(void)
{
	enum { N = 10 };
	static struct attempt bad[N];
	struct attempt good;
	char password[16];

	begin(1, 1);
	set_user(ACCESS_SET_PASSWORD, "guest", "secret", PASSWORD_ARGON2ID);
	for (unsigned i = 0; i < N; i++) {
		snprintf(password, sizeof(password), "wrong%u", i);
		start(&bad[i], "127.0.0.2", "guest", password);
	}
	start(&good, "127.0.0.3", "guest", "secret");
	wait_for(&good);
	CU_ASSERT_TRUE(good.is_in);
	CU_ASSERT(good.nth <= 3);
	for (unsigned i = 0; i < N; i++)
		wait_for(&bad[i]);
	end();
}

UNIT_MAIN("access/login_limits", UNIT_TEST(too_many_failures_are_refused_without_hashing),
	  UNIT_TEST(time_brings_another_try), UNIT_TEST(it_is_forgotten_after_a_time),
	  UNIT_TEST(good_logins_of_many_users_are_not_limited), UNIT_TEST(another_address_has_its_turn))
