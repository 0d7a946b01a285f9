/* SPDX-License-Identifier: MIT */
#include "access/access.h"

#include <string.h>

#include "../first_user.h"
#include "../unit.h"
#include "base/list.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"

static const char *const loopback_users[] = { "guest", "other", NULL };
static const struct access_config config = {
	.loopback_users = loopback_users,
};
static const struct shunt_peer near_peer = { .size = sizeof(near_peer), .is_loopback = true };
static unsigned n_done;

static struct store *store;

/* With one user, "guest". */
static struct access *begin(const struct access_config *with)
{
	struct access *access;

	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(2), 0);
	store = store_memory_create(2);
	access = access_create(with);
	first_user_make(access, store, "guest", CHEAP_HASH_OF_SECRET);
	return access;
}

static void end(struct access *access)
{
	loop_pool_drain();
	access_destroy(access);
	store_destroy(store);
	loop_pool_destroy();
}

static void done(struct access_login *login)
{
	(void)login;
	n_done++;
}

static struct access_login login_of(const char *user, const char *password)
{
	return (struct access_login){
		.user = slice_cstr(user),
		.password = slice_cstr(password),
		.mechanism = "PLAIN",
		.peer = &near_peer,
		.done = done,
	};
}

/* True if let in; the user is given back. */
static bool enters(struct access *access, struct access_login login)
{
	bool is_in;

	n_done = 0;
	access_authenticate(access, &login);
	while (n_done == 0)
		loop_run_once(false);
	CU_ASSERT_EQUAL(n_done, 1);
	is_in = login.result != NULL;
	CU_ASSERT_EQUAL(is_in, login.reason[0] == '\0');
	access_user_unref(login.result);
	return is_in;
}

static void default_user_enters(void)
{
	struct access *access = begin(&config);
	struct access_login login = login_of("guest", "secret");

	n_done = 0;
	access_authenticate(access, &login);
	while (n_done == 0)
		loop_run_once(false);
	CU_ASSERT_PTR_NOT_NULL_FATAL(login.result);
	CU_ASSERT_STRING_EQUAL(login.result->name, "guest");
	CU_ASSERT_STRING_EQUAL(login.result->tags, "");
	CU_ASSERT_STRING_EQUAL(login.result->mechanism, "PLAIN");
	access_user_unref(login.result);
	end(access);
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
	unsigned n_asked, n_logins, n_abandoned;
	bool is_slow; /* its logins wait */
	uint32_t remember_ms;
	const char *reason;
};

static enum access_verdict scripted_authorize(struct access_policy *policy, const struct access_question *question,
					      struct access_reply *reply)
{
	struct scripted *scripted = container_of(policy, struct scripted, policy);

	(void)question;
	scripted->n_asked++;
	reply->remember_ms = scripted->remember_ms;
	snprintf(reply->reason, sizeof(reply->reason), "%s", scripted->reason);
	return scripted->verdict;
}

static void scripted_answer(struct access_login *login, enum access_verdict verdict)
{
	if (verdict == ACCESS_ALLOW)
		login->result = access_user_create(SLICE_LITERAL("scripted"), "", login->mechanism);
	else if (verdict == ACCESS_DENY)
		snprintf(login->reason, sizeof(login->reason), "scripted");
	access_answer(login, verdict);
}

static void scripted_abandoned(struct access_login *login)
{
	((struct scripted *)login->asked)->n_abandoned++;
}

static void scripted_authenticate(struct access_policy *policy, struct access_login *login)
{
	struct scripted *scripted = container_of(policy, struct scripted, policy);

	scripted->n_logins++;
	login->asked = scripted;
	if (scripted->is_slow)
		login->abandoned = scripted_abandoned;
	else
		scripted_answer(login, scripted->verdict);
}

static struct scripted scripted_of(enum access_verdict verdict, uint64_t rank)
{
	return (struct scripted){
		.policy = { .name = "scripted", .rank = rank, .index = 1, .authorize = scripted_authorize },
		.verdict = verdict,
		.remember_ms = ACCESS_REMEMBER_ALWAYS,
		.reason = "",
	};
}

static void change(struct access *access, struct scripted *out, struct scripted *in)
{
	struct access_policy *going = out != NULL ? &out->policy : NULL, *coming = in != NULL ? &in->policy : NULL;

	access_change(access, (struct access_policies){ &going, out != NULL }, (struct access_policies){ &coming, in != NULL });
}

static struct access_reply reply;

static bool may_write(struct access *access, const char *name)
{
	struct access_user *user = access_user_create(slice_cstr(name), "", "PLAIN");
	const struct access_question question = {
		.user = user,
		.operation = ACCESS_WRITE,
		.resource = ACCESS_RESOURCE_EXCHANGE,
		.vhost = SLICE_LITERAL("/"),
		.name = SLICE_LITERAL("amq.direct"),
		.peer = &near_peer,
	};
	bool result = access_authorize(access, &question, &reply);

	access_user_unref(user);
	return result;
}

static void default_user_may_do_all_and_others_nothing(void)
{
	struct access *access = begin(&config);

	CU_ASSERT_FALSE(access_has_policies(access));
	CU_ASSERT_TRUE(may_write(access, "guest"));
	CU_ASSERT_FALSE(may_write(access, "other"));
	end(access);
}

static void first_registered_is_asked_first(void)
{
	struct access *access = begin(&config);
	struct scripted first = scripted_of(ACCESS_DENY, 1), second = scripted_of(ACCESS_ALLOW, 2);

	change(access, NULL, &first);
	CU_ASSERT_TRUE(access_has_policies(access));
	CU_ASSERT_FALSE(may_write(access, "guest"));
	change(access, NULL, &second);
	CU_ASSERT_FALSE(may_write(access, "guest"));
	CU_ASSERT_EQUAL(first.n_asked, 2);
	CU_ASSERT_EQUAL(second.n_asked, 0);
	change(access, &first, NULL);
	CU_ASSERT_TRUE(may_write(access, "other"));
	CU_ASSERT_EQUAL(first.n_asked, 2);
	CU_ASSERT_EQUAL(second.n_asked, 1);
	end(access);
}

static void several_at_once_are_asked_in_their_order(void)
{
	struct access *access = begin(&config);
	struct scripted a = scripted_of(ACCESS_PASS, 1), b = scripted_of(ACCESS_DENY, 1), c = scripted_of(ACCESS_ALLOW, 1);
	struct access_policy *all[] = { &a.policy, &b.policy, &c.policy };

	b.policy.index = 2;
	c.policy.index = 3;
	access_change(access, (struct access_policies){ NULL, 0 }, (struct access_policies){ all, 3 });
	CU_ASSERT_FALSE(may_write(access, "guest"));
	CU_ASSERT_TRUE(a.n_asked == 1 && b.n_asked == 1 && c.n_asked == 0);
	end(access);
}

/* It takes the place of the one that it replaces, and not the last. */
static void rank_gives_the_place(void)
{
	struct access *access = begin(&config);
	struct scripted old = scripted_of(ACCESS_ALLOW, 1), last = scripted_of(ACCESS_ALLOW, 2);
	struct scripted new = scripted_of(ACCESS_DENY, 1);

	change(access, NULL, &old);
	change(access, NULL, &last);
	CU_ASSERT_TRUE(may_write(access, "other"));
	change(access, &old, &new);
	CU_ASSERT_FALSE(may_write(access, "other"));
	CU_ASSERT_TRUE(old.n_asked == 1 && new.n_asked == 1 && last.n_asked == 0);
	end(access);
}

static void who_passes_lets_the_next_decide(void)
{
	struct access *access = begin(&config);
	struct scripted passing = scripted_of(ACCESS_PASS, 1), silent = scripted_of(ACCESS_DENY, 2);

	silent.policy.authorize = NULL;
	change(access, NULL, &passing);
	change(access, NULL, &silent);
	CU_ASSERT_TRUE(may_write(access, "guest"));
	CU_ASSERT_FALSE(may_write(access, "other"));
	CU_ASSERT_EQUAL(passing.n_asked, 2);
	end(access);
}

static void first_that_authenticates_decides(void)
{
	struct access *access = begin(&config);
	struct scripted knows = scripted_of(ACCESS_DENY, 2), does_not = scripted_of(ACCESS_PASS, 1);

	change(access, NULL, &does_not);
	CU_ASSERT_TRUE(enters(access, login_of("guest", "secret")));
	knows.policy.authenticate = scripted_authenticate;
	change(access, NULL, &knows);
	CU_ASSERT_FALSE(enters(access, login_of("guest", "secret")));
	knows.verdict = ACCESS_ALLOW;
	CU_ASSERT_TRUE(enters(access, login_of("nobody", "")));
	CU_ASSERT_EQUAL(knows.n_logins, 2);
	end(access);
}

/* Both are asked, then the built-in one. */
static void login_that_is_passed_on(void)
{
	struct access *access = begin(&config);
	struct scripted a = scripted_of(ACCESS_PASS, 1), b = scripted_of(ACCESS_PASS, 2);

	a.policy.authenticate = b.policy.authenticate = scripted_authenticate;
	change(access, NULL, &b);
	change(access, NULL, &a);
	CU_ASSERT_TRUE(enters(access, login_of("guest", "secret")));
	CU_ASSERT_FALSE(enters(access, login_of("guest", "wrong")));
	CU_ASSERT_TRUE(a.n_logins == 2 && b.n_logins == 2);
	end(access);
}

/* While a login waits the policy that it waits for may be replaced, and others come: those behind its place are asked. */
static void login_that_waits_while_policies_change(void)
{
	struct access *access = begin(&config);
	struct scripted first = scripted_of(ACCESS_PASS, 1), old = scripted_of(ACCESS_PASS, 2);
	struct scripted new = scripted_of(ACCESS_DENY, 2), last = scripted_of(ACCESS_ALLOW, 3);
	struct access_login login = login_of("nobody", "wrong");

	first.policy.authenticate = old.policy.authenticate = scripted_authenticate;
	new.policy.authenticate = last.policy.authenticate = scripted_authenticate;
	old.is_slow = true;
	change(access, NULL, &old);
	n_done = 0;
	access_authenticate(access, &login);
	CU_ASSERT_EQUAL(n_done, 0);
	change(access, &old, &new);
	change(access, NULL, &first);
	change(access, NULL, &last);
	scripted_answer(&login, ACCESS_PASS);
	CU_ASSERT_EQUAL(n_done, 1);
	CU_ASSERT_PTR_NOT_NULL(login.result);
	access_user_unref(login.result);
	CU_ASSERT_TRUE(old.n_logins == 1 && first.n_logins == 0 && new.n_logins == 0 && last.n_logins == 1);
	end(access);
}

static void abandoned_login(void)
{
	struct access *access = begin(&config);
	struct scripted slow = scripted_of(ACCESS_PASS, 1);
	struct access_login login = login_of("guest", "secret");

	slow.policy.authenticate = scripted_authenticate;
	slow.is_slow = true;
	change(access, NULL, &slow);
	n_done = 0;
	access_authenticate(access, &login);
	access_abandon(&login);
	CU_ASSERT_EQUAL(slow.n_abandoned, 1);
	CU_ASSERT_EQUAL(n_done, 0);
	end(access);
}

static void generation_grows_with_every_change(void)
{
	struct access *access = begin(&config);
	struct scripted policy = scripted_of(ACCESS_DENY, 1);
	uint64_t before = access_generation(access), with;

	CU_ASSERT_TRUE(before > 0);
	change(access, NULL, &policy);
	with = access_generation(access);
	CU_ASSERT_TRUE(with > before);
	access_has_changed(access);
	CU_ASSERT_TRUE(access_generation(access) > with);
	with = access_generation(access);
	change(access, &policy, NULL);
	CU_ASSERT_TRUE(access_generation(access) > with);
	end(access);
}

/* A list that was taken out is there until each loop has ended a turn. */
static void change_with_loops(void)
{
	struct access *access = begin(&config);
	struct scripted policy = scripted_of(ACCESS_DENY, 1);

	change(access, NULL, &policy);
	CU_ASSERT_FALSE(may_write(access, "guest"));
	change(access, &policy, NULL);
	CU_ASSERT_TRUE(may_write(access, "guest"));
	end(access);
}

/* An answer holds as long as those of all who were asked do; the reason is that of who has refused. */
static void how_long_answers_hold(void)
{
	struct access *access = begin(&config);
	struct scripted first = scripted_of(ACCESS_PASS, 1), second = scripted_of(ACCESS_ALLOW, 2);

	change(access, NULL, &first);
	change(access, NULL, &second);
	CU_ASSERT_TRUE(may_write(access, "somebody"));
	CU_ASSERT_EQUAL(reply.remember_ms, ACCESS_REMEMBER_ALWAYS);
	first.remember_ms = 7;
	CU_ASSERT_TRUE(may_write(access, "somebody"));
	CU_ASSERT_EQUAL(reply.remember_ms, 7);
	second.remember_ms = 0;
	CU_ASSERT_TRUE(may_write(access, "somebody"));
	CU_ASSERT_EQUAL(reply.remember_ms, 0);
	first.reason = "passed on";
	second.verdict = ACCESS_DENY;
	CU_ASSERT_FALSE(may_write(access, "somebody"));
	CU_ASSERT_STRING_EQUAL(reply.reason, "");
	second.reason = "not today";
	CU_ASSERT_FALSE(may_write(access, "somebody"));
	CU_ASSERT_STRING_EQUAL(reply.reason, "not today");
	change(access, &first, NULL);
	change(access, &second, NULL);
	end(access);
}

UNIT_MAIN("access", UNIT_TEST(how_long_answers_hold), UNIT_TEST(default_user_enters), UNIT_TEST(users_are_counted),
	  UNIT_TEST(default_user_may_do_all_and_others_nothing), UNIT_TEST(first_registered_is_asked_first),
	  UNIT_TEST(several_at_once_are_asked_in_their_order), UNIT_TEST(rank_gives_the_place),
	  UNIT_TEST(who_passes_lets_the_next_decide), UNIT_TEST(first_that_authenticates_decides),
	  UNIT_TEST(login_that_is_passed_on), UNIT_TEST(login_that_waits_while_policies_change),
	  UNIT_TEST(abandoned_login), UNIT_TEST(generation_grows_with_every_change), UNIT_TEST(change_with_loops))
