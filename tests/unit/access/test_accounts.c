/* SPDX-License-Identifier: MIT */
/* Edits of accounts: what they do, when it is seen, and what is left in the store. */
#include "accounts_fixture.h"

/* Sees to it that the store says the same. */
#define ASSERT_KEPT(expression, text)                       \
	do {                                                \
		CU_ASSERT_STRING_EQUAL(expression, text);   \
		CU_ASSERT_EQUAL_FATAL(restart(), 0);        \
		CU_ASSERT_STRING_EQUAL(expression, text);   \
	} while (0)

static void first_user_is_made_once(void)
{
	static const struct access_first other = { "other", "pass", "", "v", "", "", "" };

	scene_begin();
	ASSERT_KEPT(accounts(), "guest[administrator] ");
	ASSERT_KEPT(permissions(NULL, NULL), "guest:/(.*,.*,.*) ");
	access_destroy(door);
	door = access_create(&the_config);
	CU_ASSERT_EQUAL(accounts_restore(door, &moody->store, &other, why, sizeof(why)), 0);
	CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] ");
	scene_end();
}

static void forget_the_first_user(void)
{
	const struct store_change change = { SLICE_LITERAL("first-user"), SLICE_EMPTY, STORE_ANY_REVISION };
	struct store_commit commit = { .changes = &change, .n_changes = 1, .done = is_stored };

	store_commit(moody->inner, &commit);
	loop_run_once(false);
}

/* Its password is known to all, so it must not come back. */
static void first_user_does_not_come_back(void)
{
	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "guest")), 0);
	ASSERT_KEPT(accounts(), "");
	CU_ASSERT_EQUAL(moody->n_commits, 1);
	/* as in a data directory of a version without users */
	forget_the_first_user();
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	ASSERT_KEPT(accounts(), "guest[administrator] ");
	/* as after the end of the process between the two commits: a user is there */
	forget_the_first_user();
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "guest")), 0);
	ASSERT_KEPT(accounts(), "");
	scene_end();
}

static void no_first_user_is_wanted(void)
{
	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "guest")), 0);
	forget_the_first_user();
	access_destroy(door);
	door = access_create(&the_config);
	CU_ASSERT_EQUAL(accounts_restore(door, &moody->store, NULL, why, sizeof(why)), 0);
	CU_ASSERT_STRING_EQUAL(accounts(), "");
	scene_end();
}

static void first_user_who_cannot_be(void)
{
	struct access_first first = the_first;

	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "guest")), 0);
	forget_the_first_user();
	access_destroy(door);
	door = access_create(&the_config);
	first.write = "(";
	CU_ASSERT_EQUAL(accounts_restore(door, &moody->store, &first, why, sizeof(why)), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot make the first user: the pattern of write"));
	CU_ASSERT_STRING_EQUAL(accounts(), "");
	moody->refusal = STORE_ERROR;
	CU_ASSERT_EQUAL(restart(), -1);
	CU_ASSERT_STRING_EQUAL(why, "cannot make the first user: the store has failed");
	moody->refusal = STORE_DURABLE;
	CU_ASSERT_EQUAL(restart(), 0);
	CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] ");
	forget_the_first_user();
	moody->refusal = STORE_ERROR;
	CU_ASSERT_EQUAL(restart(), -1);
	CU_ASSERT_STRING_EQUAL(why, "cannot store that there was a first user");
	moody->refusal = STORE_DURABLE;
	scene_end();
}

static void users_are_added_in_the_order_of_names(void)
{
	static const char *const names[] = { "m", "z", "b", "a/b%", "\xc3\xa9", "mm" };

	scene_begin();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, names[i])), 0);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "mm")), -EEXIST);
	CU_ASSERT_STRING_EQUAL(why, "user already exists: \"mm\"");
	ASSERT_KEPT(accounts(), "a/b%[a,b] b[a,b] guest[administrator] m[a,b] mm[a,b] z[a,b] \xc3\xa9[a,b] ");
	scene_end();
}

/* At most n of those behind the name; whether there are more. */
static bool some(const char *after, size_t n, const char *expected)
{
	bool has_more;

	listed[0] = '\0';
	has_more = access_some_accounts(door, after != NULL ? slice_cstr(after) : SLICE_EMPTY, n, list_account, NULL);
	CU_ASSERT_STRING_EQUAL(listed, expected);
	return has_more;
}

static void some_at_a_time(void)
{
	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "a")), 0);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "z")), 0);
	CU_ASSERT_TRUE(some(NULL, 2, "a[a,b] guest[administrator] "));
	CU_ASSERT_FALSE(some("guest", 2, "z[a,b] "));
	CU_ASSERT_FALSE(some(NULL, 3, "a[a,b] guest[administrator] z[a,b] "));
	CU_ASSERT_TRUE(some(NULL, 0, ""));
	/* the name need not be there any more */
	CU_ASSERT_TRUE(some("b", 1, "guest[administrator] "));
	CU_ASSERT_FALSE(some("z", 5, ""));
	CU_ASSERT_FALSE(some("zz", 5, ""));
	scene_end();
}

static void account_of(const char *name, struct account_view *ret)
{
	CU_ASSERT_TRUE_FATAL(access_find_account(door, slice_cstr(name), ret));
}

static void users_are_changed(void)
{
	struct access_edit change = user_edit(ACCESS_SET_TAGS, "u");
	struct account_view view;

	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	change.account.tags = SLICE_LITERAL("monitoring");
	change.account.password_hash = SLICE_LITERAL("untouched");
	CU_ASSERT_EQUAL(edit(change), 0);
	change.kind = ACCESS_SET_PASSWORD;
	change.account.tags = SLICE_LITERAL("untouched");
	change.account.algorithm = PASSWORD_ARGON2ID;
	change.account.password_hash = SLICE_LITERAL("new");
	CU_ASSERT_EQUAL(edit(change), 0);
	change.kind = ACCESS_SET_USER_LIMITS;
	change.account.max_connections = 0;
	change.account.max_channels = INT64_MAX - 1;
	CU_ASSERT_EQUAL(edit(change), 0);
	for (unsigned i = 0; i < 2; i++) {
		account_of("u", &view);
		ASSERT_TEXT(view.tags, "monitoring");
		ASSERT_TEXT(view.password_hash, "new");
		CU_ASSERT_EQUAL(view.algorithm, PASSWORD_ARGON2ID);
		CU_ASSERT_EQUAL(view.max_connections, 0);
		CU_ASSERT_EQUAL(view.max_channels, INT64_MAX - 1);
		CU_ASSERT_EQUAL_FATAL(restart(), 0);
	}
	scene_end();
}

static void limits_that_stay(void)
{
	struct access_edit change = user_edit(ACCESS_SET_USER_LIMITS, "u"), put = user_edit(ACCESS_ADD_USER, "u");
	struct account_view view;

	scene_begin();
	put.account.max_connections = 7; /* adding does not look at it */
	CU_ASSERT_EQUAL(edit(put), 0);
	account_of("u", &view);
	CU_ASSERT_EQUAL(view.max_connections, ACCESS_NO_LIMIT);
	change.account.max_connections = 3;
	change.account.max_channels = ACCESS_KEEP_LIMIT;
	CU_ASSERT_EQUAL(edit(change), 0);
	change.account.max_connections = ACCESS_KEEP_LIMIT;
	change.account.max_channels = 4;
	CU_ASSERT_EQUAL(edit(change), 0);
	account_of("u", &view);
	CU_ASSERT_TRUE(view.max_connections == 3 && view.max_channels == 4);
	change.account.max_channels = -3;
	CU_ASSERT_EQUAL(edit(change), -EINVAL);
	put.kind = ACCESS_PUT_USER;
	CU_ASSERT_EQUAL(edit(put), 0);
	account_of("u", &view);
	CU_ASSERT_TRUE(view.max_connections == 7 && view.max_channels == ACCESS_NO_LIMIT);
	scene_end();
}

static void password_only_if_it_is_still_the_same(void)
{
	struct access_edit change = user_edit(ACCESS_SET_PASSWORD, "u");
	struct account_view view;

	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	change.only_if_hash = SLICE_LITERAL("other");
	change.account.password_hash = SLICE_LITERAL("second");
	CU_ASSERT_EQUAL(edit(change), -ESTALE);
	change.only_if_hash = SLICE_LITERAL("hash");
	CU_ASSERT_EQUAL(edit(change), 0);
	CU_ASSERT_EQUAL(edit(change), -ESTALE);
	account_of("u", &view);
	ASSERT_TEXT(view.password_hash, "second");
	change.only_if_hash = SLICE_EMPTY;
	change.account.password_hash = SLICE_EMPTY; /* clear_password */
	CU_ASSERT_EQUAL(edit(change), 0);
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	account_of("u", &view);
	CU_ASSERT_EQUAL(view.password_hash.size, 0);
	scene_end();
}

static void permissions_are_set_and_cleared(void)
{
	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "a")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("v/1", "a", "c", "", "r")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("/", "a", "x", "y", "z")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("v/1", "a", "c2", "w2", "")), 0);
	ASSERT_KEPT(permissions(NULL, NULL), "a:/(x,y,z) a:v/1(c2,w2,) guest:/(.*,.*,.*) ");
	CU_ASSERT_STRING_EQUAL(permissions("/", NULL), "a:/(x,y,z) guest:/(.*,.*,.*) ");
	CU_ASSERT_STRING_EQUAL(permissions(NULL, "a"), "a:/(x,y,z) a:v/1(c2,w2,) ");
	CU_ASSERT_STRING_EQUAL(permissions("v/1", "guest"), "");
	CU_ASSERT_STRING_EQUAL(permissions("/", "nobody"), "");
	CU_ASSERT_EQUAL(edit(clear_edit("/", "a")), 0);
	CU_ASSERT_EQUAL(edit(clear_edit("/", "a")), 0);
	CU_ASSERT_EQUAL(edit(clear_edit("/", "nobody")), -ENOENT);
	CU_ASSERT_EQUAL(edit(permission_edit("/", "nobody", "", "", "")), -ENOENT);
	CU_ASSERT_STRING_EQUAL(why, "no such user: \"nobody\"");
	ASSERT_KEPT(permissions(NULL, NULL), "a:v/1(c2,w2,) guest:/(.*,.*,.*) ");
	scene_end();
}

static void topic_permissions_are_set_and_cleared(void)
{
	scene_begin();
	CU_ASSERT_EQUAL(edit(topic_edit("/", "guest", "t", "w", "r")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("/", "guest", "", "", "{username}")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("/", "guest", "a/b", "1", "2")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("v", "guest", "t", "3", "4")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("/", "guest", "t", "w2", "r2")), 0);
	ASSERT_KEPT(topics(NULL, NULL), "guest:/:(,{username}) guest:/:a/b(1,2) guest:/:t(w2,r2) guest:v:t(3,4) ");
	CU_ASSERT_STRING_EQUAL(topics("v", "guest"), "guest:v:t(3,4) ");
	CU_ASSERT_EQUAL(edit(clear_topic_edit("/", "guest", "")), 0);
	CU_ASSERT_EQUAL(edit(clear_topic_edit("/", "guest", "nothing")), 0);
	ASSERT_KEPT(topics(NULL, NULL), "guest:/:a/b(1,2) guest:/:t(w2,r2) guest:v:t(3,4) ");
	CU_ASSERT_EQUAL(edit(clear_topic_edit("/", "guest", NULL)), 0);
	ASSERT_KEPT(topics(NULL, NULL), "guest:v:t(3,4) ");
	CU_ASSERT_STRING_EQUAL(permissions(NULL, NULL), "guest:/(.*,.*,.*) ");
	scene_end();
}

static unsigned n_deleted;

static void deleted(void *context, struct slice name)
{
	CU_ASSERT_PTR_EQUAL(context, &n_deleted);
	ASSERT_TEXT(name, "u");
	n_deleted++;
}

static void deleted_user_leaves_nothing(void)
{
	struct access_edit again[] = { user_edit(ACCESS_DELETE_USER, "u"), user_edit(ACCESS_ADD_USER, "u") };

	scene_begin();
	n_deleted = 0;
	access_on_user_deleted(door, deleted, &n_deleted);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("/", "u", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("/", "u", "t", "", "")), 0);
	CU_ASSERT_EQUAL(n_deleted, 0);
	/* who comes back is another, without the permissions */
	CU_ASSERT_EQUAL(do_edits(again, 2).result, 0);
	CU_ASSERT_EQUAL(n_deleted, 1);
	CU_ASSERT_STRING_EQUAL(permissions(NULL, "u"), "");
	CU_ASSERT_STRING_EQUAL(topics(NULL, "u"), "");
	CU_ASSERT_EQUAL(edit(permission_edit("/", "u", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "u")), 0);
	CU_ASSERT_EQUAL(n_deleted, 2);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "u")), -ENOENT);
	ASSERT_KEPT(accounts(), "guest[administrator] ");
	ASSERT_KEPT(permissions(NULL, NULL), "guest:/(.*,.*,.*) ");
	ASSERT_KEPT(topics(NULL, NULL), "");
	scene_end();
}

static void vhost_is_forgotten(void)
{
	struct access_edit forget = { .kind = ACCESS_FORGET_VHOST, .permission.vhost = SLICE_LITERAL("v") };
	struct access_edit list[] = { user_edit(ACCESS_ADD_USER, "n"), permission_edit("v", "n", "", "", ""), forget };

	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("v", "u", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("v", "guest", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("vv", "u", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(topic_edit("v", "guest", "t", "", "")), 0);
	CU_ASSERT_EQUAL(do_edits(list, 3).result, 0);
	ASSERT_KEPT(permissions(NULL, NULL), "guest:/(.*,.*,.*) u:vv(,,) ");
	ASSERT_KEPT(topics(NULL, NULL), "");
	ASSERT_KEPT(accounts(), "guest[administrator] n[a,b] u[a,b] ");
	scene_end();
}

/* ---- Lists of edits ---- */

static void all_or_nothing(void)
{
	struct access_edit list[] = {
		user_edit(ACCESS_ADD_USER, "a"),
		permission_edit("/", "a", "", "", ""),
		user_edit(ACCESS_DELETE_USER, "guest"),
		permission_edit("/", "guest", "", "", ""), /* gone in this list */
		user_edit(ACCESS_ADD_USER, "b"),
	};
	struct access_edits edits;
	uint64_t generation;

	scene_begin();
	generation = access_generation(door);
	edits = do_edits(list, 5);
	CU_ASSERT_EQUAL(edits.result, -ENOENT);
	CU_ASSERT_EQUAL(edits.failed, 3);
	CU_ASSERT_EQUAL(moody->n_commits, 0);
	CU_ASSERT_EQUAL(access_generation(door), generation);
	ASSERT_KEPT(accounts(), "guest[administrator] ");
	ASSERT_KEPT(permissions(NULL, NULL), "guest:/(.*,.*,.*) ");
	list[3] = list[4];
	CU_ASSERT_EQUAL(do_edits(list, 4).result, 0);
	CU_ASSERT_EQUAL(moody->n_commits, 1);
	ASSERT_KEPT(accounts(), "a[a,b] b[a,b] ");
	ASSERT_KEPT(permissions(NULL, NULL), "a:/(,,) ");
	scene_end();
}

/* What is as it was is not written again. */
static void only_changes_are_stored(void)
{
	struct access_edit come_and_go[] = { user_edit(ACCESS_ADD_USER, "x"), user_edit(ACCESS_DELETE_USER, "x") };
	uint64_t generation;

	scene_begin();
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	CU_ASSERT_TRUE(moody->n_commits == 1 && moody->n_changes == 1);
	generation = access_generation(door);
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_SET_TAGS, "u")), 0);
	CU_ASSERT_EQUAL(edit(clear_edit("/", "u")), 0);
	CU_ASSERT_EQUAL(do_edits(come_and_go, 2).result, 0);
	CU_ASSERT_EQUAL(do_edits(NULL, 0).result, 0);
	CU_ASSERT_EQUAL(moody->n_commits, 1);
	CU_ASSERT_EQUAL(access_generation(door), generation);
	CU_ASSERT_EQUAL(edit(permission_edit("/", "u", "1", "2", "3")), 0);
	CU_ASSERT_TRUE(moody->n_commits == 2 && moody->n_changes == 2);
	CU_ASSERT_TRUE(access_generation(door) > generation);
	scene_end();
}

static unsigned n_answers, answers[8];

static void note_answer(struct access_edits *edits)
{
	answers[n_answers++] = *(unsigned *)edits->context;
}

/* Durable before visible, one list after the other. */
static void held_until_it_is_durable(void)
{
	unsigned numbers[] = { 0, 1, 2 };
	struct access_edit items[] = { user_edit(ACCESS_ADD_USER, "a"), permission_edit("/", "a", ".*", "", ""),
				       user_edit(ACCESS_ADD_USER, "a") };
	struct access_edits edits[3];

	scene_begin();
	n_answers = 0;
	moody->holds = true;
	for (unsigned i = 0; i < 3; i++) {
		edits[i] = (struct access_edits){ .items = &items[i], .n = 1, .done = note_answer, .context = &numbers[i] };
		access_edit(door, &edits[i]);
	}
	for (unsigned i = 0; i < 10; i++)
		loop_run_once(false);
	CU_ASSERT_EQUAL(n_answers, 0);
	CU_ASSERT_EQUAL(moody->n_commits, 1);
	CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] ");
	moody_release(moody);
	access_end_edits(door);
	CU_ASSERT_EQUAL(n_answers, 3);
	CU_ASSERT_TRUE(answers[0] == 0 && answers[1] == 1 && answers[2] == 2);
	CU_ASSERT_TRUE(edits[0].result == 0 && edits[1].result == 0 && edits[2].result == -EEXIST);
	CU_ASSERT_TRUE(is_allowed("a", ACCESS_CONFIGURE, "/", "q", ""));
	scene_end();
}

static void edits_end_with_the_access(void)
{
	unsigned number = 5;
	struct access_edit item = user_edit(ACCESS_ADD_USER, "a");
	struct access_edits edits = { .items = &item, .n = 1, .done = note_answer, .context = &number };

	scene_begin();
	n_answers = 0;
	access_edit(door, &edits);
	scene_end();
	CU_ASSERT_TRUE(n_answers == 1 && answers[0] == 5 && edits.result == 0);
}

static struct access_edits follow_up;

static void ask_again(struct access_edits *edits)
{
	CU_ASSERT_STRING_EQUAL(accounts(), "a[a,b] guest[administrator] ");
	(void)edits;
	access_edit(door, &follow_up);
}

static void edits_from_an_answer(void)
{
	bool is_done = false;
	struct access_edit first = user_edit(ACCESS_ADD_USER, "a"), second = user_edit(ACCESS_ADD_USER, "b");
	struct access_edits edits = { .items = &first, .n = 1, .done = ask_again };

	scene_begin();
	follow_up = (struct access_edits){ .items = &second, .n = 1, .done = done_is_set, .context = &is_done };
	access_edit(door, &edits);
	access_end_edits(door);
	CU_ASSERT_TRUE(is_done);
	CU_ASSERT_STRING_EQUAL(accounts(), "a[a,b] b[a,b] guest[administrator] ");
	scene_end();
}

/* An import: other things have their turns meanwhile; what comes behind it comes after it. */
static void long_list(void)
{
	enum { N = 20000 };
	static struct access_edit items[N];
	static char names[N][8];
	struct access_edit after = user_edit(ACCESS_DELETE_USER, "u7");
	struct access_edits edits = { .items = items, .n = N, .done = note_answer };
	struct access_edits behind = { .items = &after, .n = 1, .done = note_answer };
	unsigned numbers[] = { 0, 1 }, n_turns = 0;

	scene_begin();
	for (unsigned i = 0; i < N / 2; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "u%u", i);
		items[i] = user_edit(ACCESS_ADD_USER, names[i]);
		items[N - 1 - i] = permission_edit("/", names[i], ".*", names[i], "");
	}
	edits.context = &numbers[0];
	behind.context = &numbers[1];
	for (int is_wrong = 1; is_wrong >= 0; is_wrong--) {
		n_answers = 0;
		items[N - 1].permission.read = is_wrong ? SLICE_LITERAL("(") : SLICE_EMPTY;
		access_edit(door, &edits);
		access_edit(door, &behind);
		for (; n_answers < 2 && n_turns < 1000000; n_turns++)
			loop_run_once(false);
		CU_ASSERT_TRUE(n_turns > 10);
		CU_ASSERT_TRUE_FATAL(n_answers == 2 && answers[0] == 0 && answers[1] == 1);
		CU_ASSERT_EQUAL(edits.result, is_wrong ? -EINVAL : 0);
		CU_ASSERT_EQUAL(behind.result, is_wrong ? -ENOENT : 0);
		CU_ASSERT_EQUAL(edits.failed, N - 1);
	}
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	CU_ASSERT_TRUE(is_allowed("u9999", ACCESS_WRITE, "/", "u9999", ""));
	CU_ASSERT_FALSE(is_allowed("u7", ACCESS_WRITE, "/", "u7", ""));
	/* also if nobody turns the loop but for the end */
	items[0] = user_edit(ACCESS_ADD_USER, "u7");
	edits.n = N / 2;
	for (unsigned i = 1; i < N / 2; i++)
		items[i] = user_edit(ACCESS_DELETE_USER, names[i == 7 ? 0 : i]);
	access_edit(door, &edits);
	scene_end();
	CU_ASSERT_EQUAL(edits.result, 0);
}

static void store_that_fails(void)
{
	static const enum store_result results[] = { STORE_ERROR, STORE_UNKNOWN, STORE_FENCED };
	uint64_t generation;

	scene_begin();
	generation = access_generation(door);
	for (size_t i = 0; i < 3; i++) {
		moody->refusal = results[i];
		CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), -EIO);
		CU_ASSERT_EQUAL(edit(user_edit(ACCESS_DELETE_USER, "guest")), -EIO);
		CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] ");
	}
	CU_ASSERT_EQUAL(access_generation(door), generation);
	moody->refusal = STORE_DURABLE;
	CU_ASSERT_EQUAL(edit(user_edit(ACCESS_ADD_USER, "u")), 0);
	ASSERT_KEPT(accounts(), "guest[administrator] u[a,b] ");
	scene_end();
}

UNIT_MAIN("accounts", UNIT_TEST(first_user_is_made_once), UNIT_TEST(first_user_does_not_come_back),
	  UNIT_TEST(no_first_user_is_wanted), UNIT_TEST(first_user_who_cannot_be),
	  UNIT_TEST(users_are_added_in_the_order_of_names), UNIT_TEST(some_at_a_time), UNIT_TEST(users_are_changed), UNIT_TEST(limits_that_stay),
	  UNIT_TEST(password_only_if_it_is_still_the_same), UNIT_TEST(permissions_are_set_and_cleared),
	  UNIT_TEST(topic_permissions_are_set_and_cleared), UNIT_TEST(deleted_user_leaves_nothing),
	  UNIT_TEST(vhost_is_forgotten), UNIT_TEST(all_or_nothing), UNIT_TEST(only_changes_are_stored),
	  UNIT_TEST(held_until_it_is_durable), UNIT_TEST(edits_end_with_the_access), UNIT_TEST(edits_from_an_answer), UNIT_TEST(long_list),
	  UNIT_TEST(store_that_fails))
