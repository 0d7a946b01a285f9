/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <string.h>

#include "../unit.h"

static const char *const loopback_users[] = { "guest", "other", NULL };
static const struct access_config config = {
	.default_user = "guest",
	.default_pass = "secret",
	.default_user_tags = "administrator",
	.loopback_users = loopback_users,
};
static unsigned n_done;

static void done(struct access_login *login)
{
	(void)login;
	n_done++;
}

static struct access_login login_of(const char *user, const char *password, bool peer_is_loopback)
{
	return (struct access_login){
		.user = slice_cstr(user),
		.password = slice_cstr(password),
		.mechanism = "PLAIN",
		.peer_host = peer_is_loopback ? "127.0.0.1" : "10.0.0.7",
		.peer_is_loopback = peer_is_loopback,
		.done = done,
	};
}

/* True if let in; the user is given back. */
static bool enters(struct access *access, struct access_login login)
{
	bool is_in;

	n_done = 0;
	access_authenticate(access, &login);
	CU_ASSERT_EQUAL(n_done, 1);
	is_in = login.result != NULL;
	CU_ASSERT_EQUAL(is_in, login.reason[0] == '\0');
	access_user_unref(login.result);
	return is_in;
}

static void default_user_enters(void)
{
	struct access *access = access_create(&config);
	struct access_login login = login_of("guest", "secret", true);

	access_authenticate(access, &login);
	CU_ASSERT_PTR_NOT_NULL_FATAL(login.result);
	CU_ASSERT_STRING_EQUAL(login.result->name, "guest");
	CU_ASSERT_STRING_EQUAL(login.result->tags, "administrator");
	CU_ASSERT_STRING_EQUAL(login.result->mechanism, "PLAIN");
	access_user_unref(login.result);
	access_destroy(access);
}

static void others_are_refused(void)
{
	static const char *const wrong[][2] = {
		{ "guest", "" },	 { "guest", "Secret" }, { "guest", "secre" },	  { "guest", "secrets" },
		{ "guest", "secretsecret" }, { "guest ", "secret" }, { "gues", "secret" }, { "", "" },
		{ "", "secret" },	 { "root", "secret" },
	};
	struct access *access = access_create(&config);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CU_ASSERT_FALSE(enters(access, login_of(wrong[i][0], wrong[i][1], true)));
	access_destroy(access);
}

/* The secret may hold any bytes but none; what is behind a NUL counts. */
static void a_nul_does_not_end_a_password(void)
{
	struct access *access = access_create(&config);
	struct access_login login = login_of("guest", "secret", true);

	login.password = slice_make("secret\0more", 11);
	CU_ASSERT_FALSE(enters(access, login));
	login.password = slice_make("secret\0", 7);
	CU_ASSERT_FALSE(enters(access, login));
	login.password = slice_make("secret", 6);
	CU_ASSERT_TRUE(enters(access, login));
	access_destroy(access);
}

static void empty_password_is_one(void)
{
	struct access_config empty = config;
	struct access *access;

	empty.default_pass = "";
	access = access_create(&empty);
	CU_ASSERT_TRUE(enters(access, login_of("guest", "", true)));
	CU_ASSERT_FALSE(enters(access, login_of("guest", "x", true)));
	access_destroy(access);
}

static void loopback_user_from_elsewhere_is_refused(void)
{
	struct access *access = access_create(&config);
	struct access_login login = login_of("guest", "secret", false);

	access_authenticate(access, &login);
	CU_ASSERT_PTR_NULL(login.result);
	CU_ASSERT_STRING_EQUAL(login.reason, "user 'guest' can only connect via localhost");
	/* a wrong password is not told by the other reason */
	CU_ASSERT_FALSE(enters(access, login_of("guest", "wrong", false)));
	access_destroy(access);
}

static void user_that_is_no_loopback_user_enters_from_anywhere(void)
{
	static const char *const none[] = { NULL };
	struct access_config open = config;
	struct access *access;

	open.loopback_users = none;
	access = access_create(&open);
	CU_ASSERT_TRUE(enters(access, login_of("guest", "secret", false)));
	CU_ASSERT_TRUE(enters(access, login_of("guest", "secret", true)));
	access_destroy(access);
}

static void users_are_counted(void)
{
	struct access_user *user = access_user_create(SLICE_LITERAL("u"), "tag", "a mechanism with a long name");

	CU_ASSERT_PTR_EQUAL(access_user_ref(user), user);
	access_user_unref(user);
	CU_ASSERT_STRING_EQUAL(user->name, "u");
	CU_ASSERT_TRUE(strlen(user->mechanism) < sizeof(user->mechanism));
	access_user_unref(user);
	access_user_unref(NULL);
}

/* ---- Policies ---- */

struct scripted {
	struct access_policy policy;
	enum access_verdict verdict;
	unsigned n_asked, n_logins;
};

static enum access_verdict scripted_authorize(struct access_policy *policy, const struct access_question *question)
{
	struct scripted *scripted = container_of(policy, struct scripted, policy);

	(void)question;
	scripted->n_asked++;
	return scripted->verdict;
}

static void scripted_authenticate(struct access_policy *policy, struct access_login *login)
{
	container_of(policy, struct scripted, policy)->n_logins++;
	snprintf(login->reason, sizeof(login->reason), "scripted");
	login->done(login);
}

static struct scripted scripted_of(enum access_verdict verdict)
{
	return (struct scripted){ .policy = { .name = "scripted", .authorize = scripted_authorize }, .verdict = verdict };
}

static bool may_write(struct access *access, const char *name)
{
	struct access_user *user = access_user_create(slice_cstr(name), "", "PLAIN");
	const struct access_question question = {
		.user = user,
		.operation = ACCESS_WRITE,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.vhost = SLICE_LITERAL("/"),
		.name = SLICE_LITERAL("amq.direct"),
		.peer_host = "127.0.0.1",
	};
	bool result = access_authorize(access, &question);

	access_user_unref(user);
	return result;
}

static void default_user_may_do_all_and_others_nothing(void)
{
	struct access *access = access_create(&config);

	CU_ASSERT_TRUE(may_write(access, "guest"));
	CU_ASSERT_FALSE(may_write(access, "other"));
	access_destroy(access);
}

static void last_registered_is_asked_first(void)
{
	struct access *access = access_create(&config);
	struct scripted first = scripted_of(ACCESS_DENY), second = scripted_of(ACCESS_ALLOW);

	access_register(access, &first.policy);
	CU_ASSERT_FALSE(may_write(access, "guest"));
	access_register(access, &second.policy);
	CU_ASSERT_TRUE(may_write(access, "other"));
	CU_ASSERT_EQUAL(first.n_asked, 1);
	CU_ASSERT_EQUAL(second.n_asked, 1);
	access_destroy(access);
}

static void who_passes_lets_the_next_decide(void)
{
	struct access *access = access_create(&config);
	struct scripted passing = scripted_of(ACCESS_PASS), silent = scripted_of(ACCESS_DENY);

	silent.policy.authorize = NULL;
	access_register(access, &passing.policy);
	access_register(access, &silent.policy);
	CU_ASSERT_TRUE(may_write(access, "guest"));
	CU_ASSERT_FALSE(may_write(access, "other"));
	CU_ASSERT_EQUAL(passing.n_asked, 2);
	access_destroy(access);
}

static void first_that_authenticates_decides(void)
{
	struct access *access = access_create(&config);
	struct scripted knows = scripted_of(ACCESS_PASS), does_not = scripted_of(ACCESS_PASS);

	access_register(access, &does_not.policy);
	CU_ASSERT_TRUE(enters(access, login_of("guest", "secret", true)));
	knows.policy.authenticate = scripted_authenticate;
	access_register(access, &knows.policy);
	CU_ASSERT_FALSE(enters(access, login_of("guest", "secret", true)));
	CU_ASSERT_EQUAL(knows.n_logins, 1);
	access_destroy(access);
}

static void generation_grows_with_a_policy(void)
{
	struct access *access = access_create(&config);
	struct scripted policy = scripted_of(ACCESS_DENY);
	uint64_t before = access_generation(access);

	CU_ASSERT_TRUE(before > 0);
	access_register(access, &policy.policy);
	CU_ASSERT_TRUE(access_generation(access) > before);
	access_destroy(access);
}

UNIT_MAIN("access", UNIT_TEST(default_user_enters), UNIT_TEST(others_are_refused),
	  UNIT_TEST(a_nul_does_not_end_a_password), UNIT_TEST(empty_password_is_one),
	  UNIT_TEST(loopback_user_from_elsewhere_is_refused),
	  UNIT_TEST(user_that_is_no_loopback_user_enters_from_anywhere), UNIT_TEST(users_are_counted),
	  UNIT_TEST(default_user_may_do_all_and_others_nothing), UNIT_TEST(last_registered_is_asked_first),
	  UNIT_TEST(who_passes_lets_the_next_decide), UNIT_TEST(first_that_authenticates_decides),
	  UNIT_TEST(generation_grows_with_a_policy))
