/* SPDX-License-Identifier: MIT */
#include "admin/vhosts.h"

#include <errno.h>

#include "../broker/vhost_fixture.h"
#include "../unit.h"
#include "access/access.h"
#include "access/accounts.h"
#include "access/audit.h"

static const char *const nobody[] = {NULL};
static const struct access_config config = {
	.loopback_users = nobody,
};
static struct access *access_;
static struct admin *admin;

static int begin_admin(void)
{
	const struct access_first first = {.user = "guest",
					   .pass = "guest",
					   .tags = "",
					   .vhost = "/",
					   .configure = ".*",
					   .write = ".*",
					   .read = ".*"};

	access_ = access_create(&config);
	CU_ASSERT_EQUAL_FATAL(accounts_restore(access_, store, &first, reason, sizeof(reason)), 0);
	admin = NULL;
	return admin_create(broker, access_, store, "/no/such/folder", &admin, reason, sizeof(reason));
}

static void end_admin(void)
{
	access_end_edits(access_);
	stop();
	admin_destroy(admin);
	access_destroy(access_);
	turn();
}

static void begin_all(void)
{
	begin(2);
	CU_ASSERT_EQUAL_FATAL(begin_admin(), 0);
}

static void restart_all(void)
{
	end_admin();
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_EQUAL_FATAL(begin_admin(), 0);
}

static void end_all(void)
{
	end_admin();
	end();
}

static int order(enum vhost_operation operation, const char *name)
{
	const struct audit_actor actor = {SLICE_LITERAL("uid=0"), SLICE_LITERAL("a test")};
	struct changing c = {.change = {.operation = operation,
					.name = slice_cstr(name),
					.settings = VHOST_SETTINGS_NONE,
					.done = change_done}};

	admin_change_vhost(admin, &c.change, &actor);
	CU_ASSERT_FALSE(c.is_done);
	return change_wait(&c);
}

static void edited(struct access_edits *edits)
{
	*(bool *)edits->context = true;
}

static void permit(const char *vhost_name)
{
	const struct access_edit items[] = {
		{.kind = ACCESS_SET_PERMISSION,
		 .permission = {.vhost = slice_cstr(vhost_name),
				.user = SLICE_LITERAL("guest"),
				.configure = SLICE_LITERAL(".*"),
				.write = SLICE_LITERAL(".*"),
				.read = SLICE_LITERAL(".*")}},
		{.kind = ACCESS_SET_TOPIC_PERMISSION,
		 .topic = {.vhost = slice_cstr(vhost_name),
			   .user = SLICE_LITERAL("guest"),
			   .exchange = SLICE_LITERAL("amq.topic"),
			   .write = SLICE_LITERAL("a"),
			   .read = SLICE_LITERAL("a")}},
	};
	bool is_done = false;
	struct access_edits edits = {.items = items, .n = 2, .done = edited, .context = &is_done};

	access_edit(access_, &edits);
	for (int i = 0; i < TURNS_MAX && !is_done; i++)
		turn();
	CU_ASSERT_EQUAL_FATAL(edits.result, 0);
}

static void count_one(void *context, const struct permission_view *permission)
{
	(void)permission;
	++*(size_t *)context;
}

static void count_topic(void *context, const struct topic_permission_view *permission)
{
	(void)permission;
	++*(size_t *)context;
}

static size_t count_permissions(const char *vhost_name)
{
	size_t n = 0;

	access_each_permission(access_, slice_cstr(vhost_name), (struct slice){0}, count_one, &n);
	access_each_topic_permission(access_, slice_cstr(vhost_name), (struct slice){0},
				     count_topic, &n);
	return n;
}

static void permissions_go_with_it(void)
{
	begin_all();
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), 0);
	CU_ASSERT_EQUAL(count_permissions("v"), 0);
	permit("v");
	permit("/");
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), -EEXIST);
	CU_ASSERT_EQUAL(order(VHOST_DELETE, "w"), -ENOENT);
	CU_ASSERT_EQUAL(count_permissions("v"), 2);
	CU_ASSERT_EQUAL(order(VHOST_SET, "v"), 0);
	CU_ASSERT_EQUAL(count_permissions("v"), 2);
	CU_ASSERT_EQUAL(order(VHOST_DELETE, "v"), 0);
	CU_ASSERT_EQUAL(count_permissions("v"), 0);
	CU_ASSERT_EQUAL(count_permissions("/"), 2);
	restart_all();
	CU_ASSERT_EQUAL(count_permissions("/"), 2);
	CU_ASSERT_EQUAL(count_stored("permission/"), 1);
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), 0);
	CU_ASSERT_EQUAL(count_permissions("v"), 0);
	end_all();
}

/* The process ended when the vhost had gone, and its permissions had not. */
static void leftovers_go_at_the_start(void)
{
	begin_all();
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), 0);
	CU_ASSERT_EQUAL(order(VHOST_ADD, "w"), 0);
	permit("v");
	permit("w");
	permit("u");				       /* never there */
	CU_ASSERT_EQUAL(change(VHOST_DELETE, "v"), 0); /* without administration */
	CU_ASSERT_EQUAL(count_permissions("v"), 2);
	restart_all();
	CU_ASSERT_EQUAL(count_permissions("v"), 0);
	CU_ASSERT_EQUAL(count_permissions("u"), 0);
	CU_ASSERT_EQUAL(count_permissions("w"), 2);
	CU_ASSERT_EQUAL(count_stored("permission/"), 2);
	CU_ASSERT_EQUAL(count_stored("topic-permission/"), 1);
	end_all();
}

static void start_fails_if_leftovers_stay(void)
{
	begin_all();
	permit("u");
	end_admin();
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	store_fails = true;
	CU_ASSERT_EQUAL(begin_admin(), -1);
	CU_ASSERT_PTR_NULL(admin);
	CU_ASSERT_TRUE(strstr(reason, "cannot delete the permissions of deleted vhosts: ") ==
		       reason);
	store_fails = false;
	end_all();
}

static void failures_are_told(void)
{
	begin_all();
	store_fails = true;
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), -EIO);
	store_fails = false;
	CU_ASSERT_EQUAL(order(VHOST_ADD, "v"), 0);
	permit("v");
	store_fails = true;
	CU_ASSERT_EQUAL(order(VHOST_DELETE, "v"), -EIO);
	store_fails = false;
	CU_ASSERT_EQUAL(count_permissions("v"), 2); /* it is there */
	CU_ASSERT_TRUE(enter("v"));
	end_all();
}

UNIT_MAIN("admin vhosts", UNIT_TEST(permissions_go_with_it), UNIT_TEST(leftovers_go_at_the_start),
	  UNIT_TEST(start_fails_if_leftovers_stay), UNIT_TEST(failures_are_told))
