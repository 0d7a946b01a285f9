/* SPDX-License-Identifier: MIT */
/* What connections see of the accounts: permissions, passwords, limits. */
#include "accounts_fixture.h"

static void set(struct access_edit item)
{
	CU_ASSERT_EQUAL_FATAL(edit(item), 0);
}

/* ---- Permissions ---- */

static void permission_lets_into_its_vhost(void)
{
	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_VHOST, "/", "", ""));
	set(permission_edit("/", "u", "", "", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_VHOST, "/", "", ""));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_VHOST, "//", "", ""));
	CU_ASSERT_FALSE(is_allowed("nobody", ACCESS_VHOST, "/", "", ""));
	set(clear_edit("/", "u"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_VHOST, "/", "", ""));
	scene_end();
}

static void each_operation_has_its_pattern(void)
{
	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	set(permission_edit("v", "u", "^c", "^w", "^r"));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_CONFIGURE, "v", "c1", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_WRITE, "v", "w1", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_READ, "v", "r1", ""));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_CONFIGURE, "v", "w1", ""));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_WRITE, "v", "r1", ""));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_READ, "v", "c1", ""));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_READ, "/", "r1", ""));
	set(permission_edit("v", "u", "", "", "r$"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_CONFIGURE, "v", "c1", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_CONFIGURE, "v", "", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_READ, "v", "anywher", ""));
	set(user_edit(ACCESS_DELETE_USER, "u"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_READ, "v", "anywher", ""));
	scene_end();
}

static void topics_without_permission_are_free(void)
{
	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_WRITE_TOPIC, "/", "t", "any.key"));
	set(topic_edit("/", "u", "t", "^w\\.", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_WRITE_TOPIC, "/", "t", "w.x"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_WRITE_TOPIC, "/", "t", "r.x"));
	CU_ASSERT_FALSE(is_allowed("u", ACCESS_READ_TOPIC, "/", "t", "w.x"));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_READ_TOPIC, "/", "t", ""));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_READ_TOPIC, "/", "other", "w.x"));
	CU_ASSERT_TRUE(is_allowed("u", ACCESS_READ_TOPIC, "v", "t", "w.x"));
	CU_ASSERT_FALSE(is_allowed("nobody", ACCESS_READ_TOPIC, "v", "t", "w.x"));
	scene_end();
}

static void topics_with_names_in_them(void)
{
	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "a.b"));
	set(topic_edit("/", "a.b", "t", "^{username}\\.{vhost}$", "^{client_id}"));
	CU_ASSERT_TRUE(is_allowed("a.b", ACCESS_WRITE_TOPIC, "/", "t", "a.b./"));
	CU_ASSERT_FALSE(is_allowed("a.b", ACCESS_WRITE_TOPIC, "/", "t", "aXb./"));
	CU_ASSERT_TRUE(is_allowed("a.b", ACCESS_READ_TOPIC, "/", "t", "{client_id}"));
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	CU_ASSERT_TRUE(is_allowed("a.b", ACCESS_WRITE_TOPIC, "/", "t", "a.b./"));
	CU_ASSERT_FALSE(is_allowed("a.b", ACCESS_WRITE_TOPIC, "/", "t", "aXb./"));
	CU_ASSERT_STRING_EQUAL(topics(NULL, NULL), "a.b:/:t(^{username}\\.{vhost}$,^{client_id}) ");
	scene_end();
}

static void whether_topics_are_asked(void)
{
	struct access_user *user = access_user_create(SLICE_LITERAL("guest"), "", "PLAIN");
	struct access_policy policy = { .name = "p", .rank = 1, .index = 1 }, *items[] = { &policy };
	const struct access_policies none = { NULL, 0 }, one = { items, 1 };

	scene_begin();
	CU_ASSERT_FALSE(access_asks_topics(door, user, SLICE_LITERAL("/")));
	set(topic_edit("/", "guest", "t", "", ""));
	CU_ASSERT_TRUE(access_asks_topics(door, user, SLICE_LITERAL("/")));
	CU_ASSERT_FALSE(access_asks_topics(door, user, SLICE_LITERAL("v")));
	access_change(door, none, one);
	CU_ASSERT_TRUE(access_asks_topics(door, user, SLICE_LITERAL("v")));
	access_change(door, one, none);
	CU_ASSERT_FALSE(access_asks_topics(door, user, SLICE_LITERAL("v")));
	access_user_unref(user);
	loop_pool_drain();
	scene_end();
}

static void tags_of_a_user(void)
{
	struct access_user *user = access_user_create(SLICE_LITERAL("u"), "administrator,a,impersonator", "PLAIN");

	CU_ASSERT_TRUE(access_user_has_tag(door, user, "administrator"));
	CU_ASSERT_TRUE(access_user_has_tag(door, user, "a"));
	CU_ASSERT_TRUE(access_user_has_tag(door, user, "impersonator"));
	CU_ASSERT_FALSE(access_user_has_tag(door, user, "admin"));
	CU_ASSERT_FALSE(access_user_has_tag(door, user, "a,impersonator"));
	CU_ASSERT_FALSE(access_user_has_tag(door, user, ""));
	access_user_unref(user);
	user = access_user_create(SLICE_LITERAL("u"), "", "PLAIN");
	CU_ASSERT_FALSE(access_user_has_tag(door, user, ""));
	CU_ASSERT_FALSE(access_user_has_tag(door, user, "a"));
	access_user_unref(user);
}

/* ---- Passwords ---- */

static uint64_t serial_of(const char *name)
{
	enum password_algorithm algorithm;
	char hash[ACCESS_HASH_MAX];
	uint64_t serial = 0;

	return access_password_of(door, slice_cstr(name), &algorithm, hash, &serial) ? serial : 0;
}

static void password_is_told(void)
{
	struct access_edit change = user_edit(ACCESS_ADD_USER, "u");
	char hash[ACCESS_HASH_MAX] = "untouched", longest[ACCESS_HASH_MAX];
	enum password_algorithm algorithm = PASSWORD_MD5;
	uint64_t serial = 17;

	scene_begin();
	CU_ASSERT_FALSE(access_password_of(door, SLICE_LITERAL("u"), &algorithm, hash, &serial));
	CU_ASSERT_STRING_EQUAL(hash, "untouched");
	CU_ASSERT_TRUE(algorithm == PASSWORD_MD5 && serial == 17);
	set(change);
	CU_ASSERT_TRUE(access_password_of(door, SLICE_LITERAL("u"), &algorithm, hash, &serial));
	CU_ASSERT_STRING_EQUAL(hash, "hash");
	CU_ASSERT_EQUAL(algorithm, PASSWORD_SHA512);
	memset(longest, 'h', sizeof(longest));
	change.kind = ACCESS_SET_PASSWORD;
	change.account.password_hash = slice_make(longest, sizeof(longest));
	CU_ASSERT_EQUAL(edit(change), -EINVAL);
	change.account.password_hash.size--;
	set(change);
	CU_ASSERT_TRUE(access_password_of(door, SLICE_LITERAL("u"), &algorithm, hash, &serial));
	CU_ASSERT_EQUAL(strlen(hash), sizeof(hash) - 1);
	change.account.password_hash = SLICE_EMPTY;
	set(change);
	CU_ASSERT_TRUE(access_password_of(door, SLICE_LITERAL("u"), &algorithm, hash, &serial));
	CU_ASSERT_STRING_EQUAL(hash, "");
	scene_end();
}

static void serial_changes_with_the_user(void)
{
	static const enum access_edit_kind kinds[] = { ACCESS_SET_PASSWORD, ACCESS_SET_TAGS, ACCESS_SET_USER_LIMITS,
						       ACCESS_PUT_USER };
	struct access_edit again[] = { user_edit(ACCESS_DELETE_USER, "u"), user_edit(ACCESS_ADD_USER, "u") };
	uint64_t highest, serial;

	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	highest = serial_of("u");
	CU_ASSERT_TRUE(highest > serial_of("guest"));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct access_edit change = user_edit(kinds[i], "u");

		change.account.password_hash = SLICE_LITERAL("second");
		change.account.tags = SLICE_LITERAL("second");
		change.account.max_channels = kinds[i] == ACCESS_SET_USER_LIMITS ? 5 : 6;
		set(change);
		serial = serial_of("u");
		CU_ASSERT_TRUE(serial > highest);
		highest = serial;
		set(change);
		CU_ASSERT_EQUAL(serial_of("u"), highest);
	}
	set(permission_edit("/", "u", "", "", ""));
	CU_ASSERT_EQUAL(serial_of("u"), highest);
	again[1].account.password_hash = SLICE_LITERAL("second");
	again[1].account.tags = SLICE_LITERAL("second");
	CU_ASSERT_EQUAL(do_edits(again, 2).result, 0);
	CU_ASSERT_TRUE(serial_of("u") > highest);
	scene_end();
}

/* ---- Limits ---- */

static struct access_user *own(const char *name)
{
	struct access_user *user = access_user_of_account(door, slice_cstr(name), "PLAIN");

	CU_ASSERT_PTR_NOT_NULL_FATAL(user);
	return user;
}

/* The limit that another one with that name comes to; ACCESS_NO_LIMIT: none, and it is gone again. */
static int64_t limit_of_another(bool is_channel)
{
	struct access_user *user = own("u");
	int64_t reached = ACCESS_NO_LIMIT;

	if (is_channel && access_take_channel(door, user, &reached))
		access_give_channel(door, user);
	else if (!is_channel && access_take_connection(door, user, &reached))
		access_give_connection(door, user);
	access_user_unref(user);
	return reached;
}

static void limit(int64_t connections, int64_t channels)
{
	struct access_edit change = user_edit(ACCESS_SET_USER_LIMITS, "u");

	change.account.max_connections = connections;
	change.account.max_channels = channels;
	set(change);
}

static void user_of_an_account(void)
{
	struct access_edit change = user_edit(ACCESS_SET_TAGS, "u");
	struct access_user *user;

	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	user = own("u");
	CU_ASSERT_STRING_EQUAL(user->name, "u");
	CU_ASSERT_STRING_EQUAL(access_user_tags(door, user), "a,b");
	CU_ASSERT_TRUE(access_user_has_tag(door, user, "b"));
	change.account.tags = SLICE_LITERAL("c");
	set(change);
	CU_ASSERT_STRING_EQUAL(access_user_tags(door, user), "c");
	CU_ASSERT_FALSE(access_user_has_tag(door, user, "b"));
	set(user_edit(ACCESS_DELETE_USER, "u"));
	CU_ASSERT_STRING_EQUAL(access_user_tags(door, user), "");
	set(user_edit(ACCESS_ADD_USER, "u"));
	CU_ASSERT_STRING_EQUAL(user->mechanism, "PLAIN");
	CU_ASSERT_PTR_NULL(access_user_of_account(door, SLICE_LITERAL("nobody"), "PLAIN"));
	access_user_unref(user);
	scene_end();
}

static void connections_up_to_the_limit(void)
{
	struct access_user *a, *b;
	int64_t reached = 99;

	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	a = own("u");
	b = access_user_create(SLICE_LITERAL("u"), "", "PLAIN"); /* another policy knows the name */
	CU_ASSERT_TRUE(access_take_connection(door, a, &reached));
	limit(2, ACCESS_NO_LIMIT);
	CU_ASSERT_TRUE(access_take_connection(door, b, &reached));
	CU_ASSERT_EQUAL(reached, 99);
	CU_ASSERT_EQUAL(limit_of_another(false), 2);
	access_give_connection(door, a);
	CU_ASSERT_TRUE(access_take_connection(door, a, &reached));
	/* one that is lowered does not throw anybody out */
	limit(0, ACCESS_NO_LIMIT);
	CU_ASSERT_FALSE(access_take_connection(door, b, &reached) || reached != 0);
	access_give_connection(door, a);
	access_give_connection(door, b);
	CU_ASSERT_FALSE(access_take_connection(door, b, &reached));
	access_user_unref(a);
	access_user_unref(b);
	scene_end();
}

static void channels_up_to_the_limit(void)
{
	struct access_user *user;
	int64_t reached = 99;

	scene_begin();
	set(user_edit(ACCESS_ADD_USER, "u"));
	limit(ACCESS_NO_LIMIT, 1);
	user = own("u");
	CU_ASSERT_TRUE(access_take_channel(door, user, &reached));
	CU_ASSERT_FALSE(access_take_channel(door, user, &reached));
	CU_ASSERT_EQUAL(reached, 1);
	limit(ACCESS_NO_LIMIT, ACCESS_NO_LIMIT);
	CU_ASSERT_TRUE(access_take_channel(door, user, &reached));
	CU_ASSERT_TRUE(access_take_connection(door, user, &reached));
	/* gone, and come back as another: each counts its own */
	set(user_edit(ACCESS_DELETE_USER, "u"));
	access_give_channel(door, user);
	set(user_edit(ACCESS_ADD_USER, "u"));
	limit(ACCESS_NO_LIMIT, 0);
	CU_ASSERT_TRUE(access_take_channel(door, user, &reached));
	CU_ASSERT_EQUAL(limit_of_another(true), 0);
	access_give_channel(door, user);
	access_give_channel(door, user);
	access_give_connection(door, user);
	access_user_unref(user);
	scene_end();
}

static void others_have_no_limits(void)
{
	struct access_user *user = access_user_create(SLICE_LITERAL("stranger"), "", "PLAIN");
	int64_t reached = 99;

	scene_begin();
	CU_ASSERT_TRUE(access_take_connection(door, user, &reached));
	CU_ASSERT_TRUE(access_take_channel(door, user, &reached));
	/* an account of that name does not know the connections that were there before */
	set(user_edit(ACCESS_ADD_USER, "stranger"));
	access_give_channel(door, user);
	access_give_connection(door, user);
	access_user_unref(user);
	scene_end();
}

/* ---- What cannot be ---- */

static void names_that_cannot_be(void)
{
	char text[ACCESS_TAGS_MAX + 1];
	struct access_edit item = user_edit(ACCESS_ADD_USER, "");

	scene_begin();
	memset(text, 'n', sizeof(text));
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "the user's name is empty");
	item.account.name = slice_make(text, 256);
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "the user's name is longer than 255 bytes");
	item.account.name = slice_make("a\0b", 3);
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.account.name = SLICE_LITERAL("\xff");
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.account.name = slice_make(text, 255);
	item.account.tags = slice_make(text, sizeof(text));
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.account.tags.size--;
	item.account.algorithm = (enum password_algorithm)77;
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.account.algorithm = PASSWORD_MD5;
	set(item);
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	item = permission_edit("", "guest", "", "", "");
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.permission.vhost = slice_make(text, 256);
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item = topic_edit("/", "guest", "", "", "");
	item.topic.exchange = slice_make(text, 256);
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	scene_end();
}

static void patterns_that_cannot_be(void)
{
	char text[ACCESS_PATTERN_MAX + 1];
	struct access_edit item = permission_edit("/", "guest", "", "", "");

	scene_begin();
	memset(text, 'p', sizeof(text));
	CU_ASSERT_EQUAL(edit(permission_edit("/", "guest", "", "", "(")), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "the pattern of read does not compile: missing"));
	CU_ASSERT_EQUAL(edit(topic_edit("/", "guest", "t", "*", "(")), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "the pattern of write does not compile: quantifier"));
	item.permission.write = slice_make(text, sizeof(text));
	CU_ASSERT_EQUAL(edit(item), -EINVAL);
	item.permission.write.size--;
	set(item);
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	CU_ASSERT_EQUAL(edit((struct access_edit){ .kind = (enum access_edit_kind)99 }), -EINVAL);
	scene_end();
}

UNIT_MAIN("accounts_users", UNIT_TEST(permission_lets_into_its_vhost), UNIT_TEST(each_operation_has_its_pattern),
	  UNIT_TEST(topics_without_permission_are_free), UNIT_TEST(topics_with_names_in_them),
	  UNIT_TEST(whether_topics_are_asked), UNIT_TEST(tags_of_a_user), UNIT_TEST(password_is_told),
	  UNIT_TEST(serial_changes_with_the_user), UNIT_TEST(user_of_an_account), UNIT_TEST(connections_up_to_the_limit),
	  UNIT_TEST(channels_up_to_the_limit), UNIT_TEST(others_have_no_limits), UNIT_TEST(names_that_cannot_be),
	  UNIT_TEST(patterns_that_cannot_be))
