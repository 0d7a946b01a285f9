/* SPDX-License-Identifier: MIT */
/* What the store holds, and what it may hold after a disk has gone bad or a later version has written to it. */
#include "access/accounts_state.h"
#include "accounts_fixture.h"
#include "base/buffer.h"
#include "store/fields.h"

static const struct account_view a_user = {
	.name = SLICE_LITERAL("u/1"),
	.tags = SLICE_LITERAL("a,b"),
	.algorithm = PASSWORD_ARGON2ID,
	.password_hash = SLICE_LITERAL("$argon2id$"),
	.max_connections = 0,
	.max_channels = INT64_MAX - 1,
};
static const struct permission_view a_permission = {
	.vhost = SLICE_LITERAL("v/%"),
	.user = SLICE_LITERAL("u/1"),
	.configure = SLICE_LITERAL("c"),
	.read = SLICE_LITERAL("r"),
};
static const struct topic_permission_view a_topic = {
	.vhost = SLICE_LITERAL("/"),
	.user = SLICE_LITERAL("u/1"),
	.exchange = SLICE_LITERAL("e/%"),
	.write = SLICE_LITERAL("{username}"),
};

static void put(struct slice key, struct slice value)
{
	const struct store_change change = { key, value, STORE_ANY_REVISION };
	struct store_commit commit = { .changes = &change, .n_changes = 1, .done = is_stored };

	store_commit(moody->inner, &commit);
	loop_run_once(false);
}

static struct buffer key, value;

static void begin(void)
{
	scene_begin();
	buffer_init(&key);
	buffer_init(&value);
}

static void end(void)
{
	scene_end();
	buffer_fini(&key);
	buffer_fini(&value);
}

static void put_user(const struct account_view *user)
{
	buffer_clear(&key);
	buffer_clear(&value);
	account_put_key(&key, user->name);
	account_put_value(&value, user);
	put(buffer_slice(&key), buffer_slice(&value));
}

static void put_permission(const struct permission_view *permission)
{
	buffer_clear(&key);
	buffer_clear(&value);
	permission_put_key(&key, permission->vhost, permission->user);
	permission_put_value(&value, permission);
	put(buffer_slice(&key), buffer_slice(&value));
}

static void put_topic(const struct topic_permission_view *permission)
{
	buffer_clear(&key);
	buffer_clear(&value);
	topic_permission_put_key(&key, permission->vhost, permission->user, permission->exchange);
	topic_permission_put_value(&value, permission);
	put(buffer_slice(&key), buffer_slice(&value));
}

/* ---- The format: docs/store-format.md ---- */

static bool is_hex(struct slice bytes, const char *expected)
{
	char hex[512] = "";

	for (size_t i = 0; i < bytes.size && i < 250; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes.data[i]);
	if (strcmp(hex, expected) != 0)
		(void)printf("%s\n", hex);
	return strcmp(hex, expected) == 0;
}

static void to_the_byte(void)
{
	begin();
	put_user(&a_user);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&key), "user/u/1");
	CU_ASSERT_TRUE(is_hex(buffer_slice(&value), "0175" /* version, kind */
						    "0200000003752f31" /* name */
						    "2000000003612c62" /* tags */
						    "21000000086172676f6e326964" /* algorithm */
						    "220000000a246172676f6e32696424" /* hash */
						    "23000000080000000000000001" /* connections */
						    "24000000087fffffffffffffff" /* channels */));
	put_permission(&a_permission);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&key), "permission/v%2F%25/u/1");
	CU_ASSERT_TRUE(is_hex(buffer_slice(&value), "0170"
						    "0100000003762f25" /* vhost */
						    "0200000003752f31" /* user */
						    "250000000163" /* configure */
						    "270000000172" /* read */));
	put_topic(&a_topic);
	CU_ASSERT_STRING_EQUAL(buffer_cstr(&key), "topic-permission/%2F/u%2F1/e/%");
	CU_ASSERT_TRUE(is_hex(buffer_slice(&value), "0174"
						    "01000000012f"
						    "0200000003752f31"
						    "0300000003652f25" /* exchange */
						    "260000000a7b757365726e616d657d" /* write */));
	CU_ASSERT_EQUAL(restart(), 0);
	CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] u/1[a,b] ");
	CU_ASSERT_STRING_EQUAL(permissions(NULL, "u/1"), "u/1:v/%(c,,r) ");
	CU_ASSERT_STRING_EQUAL(topics(NULL, NULL), "u/1:/:e/%({username},) ");
	end();
}

static void later_fields_are_skipped(void)
{
	begin();
	put_user(&a_user);
	fields_put(&value, 0xfe, SLICE_LITERAL("what a later version may write"));
	put(buffer_slice(&key), buffer_slice(&value));
	CU_ASSERT_EQUAL(restart(), 0);
	CU_ASSERT_STRING_EQUAL(accounts(), "guest[administrator] u/1[a,b] ");
	end();
}

/* ---- What cannot be read ---- */

static bool is_refused(const char *what)
{
	int r = restart();

	if (r == 0 || strstr(why, what) == NULL)
		(void)printf("%d %s\n", r, why);
	return r == -1 && strstr(why, what) != NULL;
}

/* The start is refused, the value stays, and nobody is made in the place of those who are there. */
static void damaged_value(void)
{
	begin();
	put_user(&a_user);
	value.data[0] = 2;
	put(buffer_slice(&key), buffer_slice(&value));
	CU_ASSERT_TRUE(is_refused("cannot bring back all of the users: failed=1"));
	CU_ASSERT_TRUE(is_refused("failed=1"));
	put_user(&a_user);
	CU_ASSERT_EQUAL(restart(), 0);
	put_permission(&a_permission);
	value.data[1] = 'x';
	put(buffer_slice(&key), buffer_slice(&value));
	CU_ASSERT_TRUE(is_refused("all of the permissions: failed=1"));
	put_permission(&a_permission);
	put_topic(&a_topic);
	value.size--;
	put(buffer_slice(&key), buffer_slice(&value));
	CU_ASSERT_TRUE(is_refused("all of the topic permissions: failed=1"));
	put_topic(&a_topic);
	CU_ASSERT_EQUAL(restart(), 0);
	CU_ASSERT_EQUAL(moody->n_commits, 0);
	end();
}

static void value_under_another_key(void)
{
	begin();
	put_user(&a_user);
	put(SLICE_LITERAL("user/other"), buffer_slice(&value));
	CU_ASSERT_TRUE(is_refused("users: failed=1"));
	put(SLICE_LITERAL("user/other"), SLICE_EMPTY);
	put_permission(&a_permission);
	put(SLICE_LITERAL("permission/v%2F%25/guest"), buffer_slice(&value));
	CU_ASSERT_TRUE(is_refused("permissions: failed=1"));
	end();
}

static void permission_of_nobody(void)
{
	begin();
	put_permission(&a_permission);
	CU_ASSERT_TRUE(is_refused("permissions: failed=1"));
	put(buffer_slice(&key), SLICE_EMPTY);
	put_topic(&a_topic);
	CU_ASSERT_TRUE(is_refused("topic permissions: failed=1"));
	end();
}

/* As after a change of PCRE2: it allows nothing, and can be set anew. */
static void pattern_that_compiles_no_more(void)
{
	struct permission_view permission = a_permission;
	struct topic_permission_view topic = a_topic;

	begin();
	put_user(&a_user);
	permission.read = SLICE_LITERAL("(");
	put_permission(&permission);
	topic.write = SLICE_LITERAL("*");
	put_topic(&topic);
	CU_ASSERT_EQUAL(restart(), 0);
	CU_ASSERT_TRUE(is_allowed("u/1", ACCESS_VHOST, "v/%", "", ""));
	CU_ASSERT_TRUE(is_allowed("u/1", ACCESS_CONFIGURE, "v/%", "c", ""));
	CU_ASSERT_FALSE(is_allowed("u/1", ACCESS_READ, "v/%", "(", ""));
	CU_ASSERT_FALSE(is_allowed("u/1", ACCESS_WRITE_TOPIC, "/", "e/%", "*"));
	CU_ASSERT_STRING_EQUAL(permissions(NULL, "u/1"), "u/1:v/%(c,,() ");
	/* others of the user can be changed meanwhile */
	CU_ASSERT_EQUAL(edit(permission_edit("/", "u/1", "", "", "")), 0);
	CU_ASSERT_EQUAL(edit(permission_edit("v/%", "u/1", "c", "", "r")), 0);
	CU_ASSERT_TRUE(is_allowed("u/1", ACCESS_READ, "v/%", "r", ""));
	end();
}

static int read_any(struct slice bytes)
{
	struct topic_permission_view topic;
	struct permission_view permission;
	struct account_view account;
	int r[] = { account_read_value(bytes, &account), permission_read_value(bytes, &permission),
		    topic_permission_read_value(bytes, &topic) };

	return r[0] == 0 || r[1] == 0 || r[2] == 0 ? 0 : -1;
}

/* A cut inside a field is noticed; nothing is read beyond the end. */
static void truncation(void)
{
	unsigned n_good;

	buffer_init(&value);
	for (unsigned kind = 0; kind < 3; kind++) {
		buffer_clear(&value);
		if (kind == 0)
			account_put_value(&value, &a_user);
		else if (kind == 1)
			permission_put_value(&value, &a_permission);
		else
			topic_permission_put_value(&value, &a_topic);
		n_good = 0;
		for (size_t size = 0; size <= value.size; size++) {
			uint8_t *exact = mem_alloc(size + 1);

			memcpy(exact, value.data, size);
			n_good += read_any(slice_make(exact, size)) == 0;
			mem_free(exact);
		}
		CU_ASSERT_TRUE(n_good >= 1 && n_good <= 4); /* ends of fields behind those that must be */
	}
	buffer_fini(&value);
}

static void wrong_values(void)
{
	struct account_view account, wrong;

	begin();
	wrong = a_user;
	wrong.name = SLICE_EMPTY;
	account_put_value(&value, &wrong);
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), -EBADMSG);
	/* a limit beyond what a number can be, a number of the wrong size, an unknown algorithm, none */
	buffer_clear(&value);
	account_put_value(&value, &a_user);
	fields_put_number(&value, 35, UINT64_MAX);
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), -EBADMSG);
	buffer_clear(&value);
	account_put_value(&value, &a_user);
	fields_put(&value, 35, SLICE_LITERAL("1234567"));
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), -EBADMSG);
	buffer_clear(&value);
	fields_begin(&value, 'u');
	fields_put(&value, 2, SLICE_LITERAL("u"));
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), -EBADMSG);
	fields_put(&value, 33, SLICE_LITERAL("rot13"));
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), -EBADMSG);
	buffer_clear(&value);
	fields_begin(&value, 'u');
	fields_put(&value, 2, SLICE_LITERAL("u"));
	fields_put(&value, 33, SLICE_LITERAL("rabbit_password_hashing_md5"));
	CU_ASSERT_EQUAL(account_read_value(buffer_slice(&value), &account), 0);
	CU_ASSERT_TRUE(account.max_connections == ACCESS_NO_LIMIT && account.algorithm == PASSWORD_MD5);
	end();
}

UNIT_MAIN("accounts_restore", UNIT_TEST(to_the_byte), UNIT_TEST(later_fields_are_skipped), UNIT_TEST(damaged_value),
	  UNIT_TEST(value_under_another_key), UNIT_TEST(permission_of_nobody), UNIT_TEST(pattern_that_compiles_no_more),
	  UNIT_TEST(truncation), UNIT_TEST(wrong_values))
