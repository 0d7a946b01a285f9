/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ACCESS_LOGIN_FIXTURE_H
#define TESTS_UNIT_ACCESS_LOGIN_FIXTURE_H

/* One broker's logins, with all loops driven by hand. */

#include "access/access.h"

#include <string.h>

#include "../first_user.h"
#include "../unit.h"
#include "access/accounts.h"
#include "access/password.h"
#include "access/remembered.h"
#include "access/state.h"
#include "access/throttle.h"
#include "base/list.h"
#include "loop/loop.h"
#include "store/store.h"

static const char *const loopback_users[] = { "guest", "other", NULL };
static const struct access_config config = { .loopback_users = loopback_users };

static struct access *access;
static struct store *store;
static unsigned n_done;

/* It stands still, but where a test moves it. */
static uint64_t now_ms;

static inline uint64_t the_time(void)
{
	return now_ms;
}

/* A login and what became of it. */
struct attempt {
	struct shunt_peer peer;
	struct access_login login;
	bool is_done, is_in;
	unsigned nth; /* the how manieth that was answered */
	char reason[384];
	char tags[64];
};

static inline void turn(void *unused)
{
	(void)unused;
	loop_run_once(false);
}

static inline void turn_all(void)
{
	for (unsigned i = 0; i < loop_count(); i++)
		loop_pool_visit(i, turn, NULL);
}

/* ---- Editing ---- */

static inline void edited(struct access_edits *edits)
{
	*(bool *)edits->context = true;
}

static inline int edit(struct access_edit item)
{
	bool is_done = false;
	struct access_edits edits = { .items = &item, .n = 1, .done = edited, .context = &is_done };

	access_edit(access, &edits);
	while (!is_done)
		turn_all();
	return edits.result;
}

static inline void set_user(enum access_edit_kind kind, const char *name, const char *password, enum password_algorithm algorithm)
{
	char hash[ACCESS_HASH_MAX];

	CU_ASSERT_EQUAL_FATAL(password_hash(slice_cstr(password), algorithm, hash), 0);
	CU_ASSERT_EQUAL(edit((struct access_edit){ .kind = kind,
						   .account = { .name = slice_cstr(name),
								.tags = SLICE_LITERAL("management"),
								.algorithm = algorithm,
								.password_hash = slice_cstr(hash),
								.max_connections = ACCESS_NO_LIMIT,
								.max_channels = ACCESS_NO_LIMIT } }),
			0);
}

/* To "secret". */
static inline void set_cheap(enum access_edit_kind kind, const char *name)
{
	CU_ASSERT_EQUAL(edit((struct access_edit){ .kind = kind,
						   .account = { .name = slice_cstr(name),
								.tags = SLICE_LITERAL("management"),
								.algorithm = PASSWORD_ARGON2ID,
								.password_hash = SLICE_LITERAL(CHEAP_HASH_OF_SECRET),
								.max_connections = ACCESS_NO_LIMIT,
								.max_channels = ACCESS_NO_LIMIT } }),
			0);
}

static inline enum password_algorithm algorithm_of(const char *name)
{
	struct account_view account = { .algorithm = PASSWORD_MD5 };

	CU_ASSERT_TRUE(access_find_account(access, slice_cstr(name), &account));
	return account.algorithm;
}

/* ---- Beginning and end ---- */

static inline void begin(unsigned n_loops, unsigned n_workers)
{
	n_done = 0;
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(n_loops), 0);
	store = store_memory_create(n_loops);
	access = access_create(&config);
	now_ms = 1000000;
	access->now_ms = the_time;
	first_user_make(access, store, "guest", CHEAP_HASH_OF_SECRET);
	if (n_workers != 0)
		CU_ASSERT_EQUAL_FATAL(access_start_workers(access, n_workers), 0);
	set_cheap(ACCESS_SET_PASSWORD, "guest");
}

static inline void end(void)
{
	access_destroy(access);
	store_destroy(store);
	loop_pool_destroy();
}

static inline void done(struct access_login *login)
{
	struct attempt *attempt = container_of(login, struct attempt, login);

	CU_ASSERT_FALSE(attempt->is_done);
	attempt->is_done = true;
	attempt->is_in = login->result != NULL;
	attempt->nth = ++n_done;
	snprintf(attempt->reason, sizeof(attempt->reason), "%s", login->reason);
	CU_ASSERT_EQUAL(attempt->is_in, login->reason[0] == '\0');
	if (attempt->is_in)
		snprintf(attempt->tags, sizeof(attempt->tags), "%s", login->result->tags);
	access_user_unref(login->result);
}

static inline void start(struct attempt *attempt, const char *host, const char *user, const char *password)
{
	*attempt = (struct attempt){
		.peer = { .size = sizeof(attempt->peer),
			  .host = { (const uint8_t *)host, strlen(host) },
			  .is_loopback = strncmp(host, "127.", 4) == 0 },
		.login = { .user = slice_cstr(user), .password = slice_cstr(password), .mechanism = "PLAIN", .done = done },
	};
	attempt->login.peer = &attempt->peer;
	access_authenticate(access, &attempt->login);
}

/* The workers take what time they need; a login that is never answered is a test that never ends, which make ends. */
static inline void wait_for(const struct attempt *attempt)
{
	while (!attempt->is_done)
		turn_all();
}

static inline bool enters(const char *host, const char *user, const char *password)
{
	struct attempt attempt;

	start(&attempt, host, user, password);
	wait_for(&attempt);
	return attempt.is_in;
}

/* Then the answer comes inside the call. */
static inline bool enters_at_once(const char *host, const char *user, const char *password)
{
	struct attempt attempt;
	bool is_done;

	start(&attempt, host, user, password);
	is_done = attempt.is_done;
	wait_for(&attempt);
	return is_done && attempt.is_in;
}

#endif
