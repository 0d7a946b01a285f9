/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_ACCESS_ACCOUNTS_FIXTURE_H
#define TESTS_UNIT_ACCESS_ACCOUNTS_FIXTURE_H

/* Accounts on loops that are turned by hand, and a store that can be held back. For the one that includes it. */

#include <errno.h>
#include <string.h>

#include "../first_user.h"
#include "../unit.h"
#include "access/access.h"
#include "access/accounts.h"
#include "base/log.h"
#include "loop/loop.h"
#include "moody_store.h"

enum { LOOPS = 3 };

#define TEXT(cstring) slice_cstr(cstring)
#define ASSERT_TEXT(slice, text) CU_ASSERT_TRUE(slice_equal(slice, slice_cstr(text)))

static const char *const nobody[] = { NULL };
static const struct access_config the_config = {
	.loopback_users = nobody,
};
static const struct access_first the_first = {
	.user = "guest",
	.pass = "guest",
	.tags = "administrator",
	.vhost = "/",
	.configure = ".*",
	.write = ".*",
	.read = ".*",
};
static struct moody_store *moody;
static struct access *door;
static char why[256];

/* Again with what the store holds. */
static inline int restart(void)
{
	if (door != NULL)
		access_destroy(door);
	door = access_create(&the_config);
	why[0] = '\0';
	return accounts_restore(door, &moody->store, &the_first, why, sizeof(why));
}

/* With "guest" in it. */
static inline void scene_begin(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(LOOPS), 0);
	moody = moody_create(LOOPS);
	door = NULL;
	CU_ASSERT_EQUAL_FATAL(restart(), 0);
	moody->n_commits = moody->n_changes = 0;
}

static inline void scene_end(void)
{
	access_destroy(door);
	store_destroy(&moody->store);
	loop_pool_destroy();
	log_set_level(LOG_LEVEL_INFO);
}

static inline void done_is_set(struct access_edits *edits)
{
	*(bool *)edits->context = true;
}

/* Turns home until all of it is done. */
static inline struct access_edits do_edits(const struct access_edit *items, size_t n)
{
	bool is_done = false;
	struct access_edits edits = { .items = items, .n = n, .done = done_is_set, .context = &is_done };

	access_edit(door, &edits);
	CU_ASSERT_FALSE(is_done);
	for (unsigned i = 0; i < 1000 && !is_done; i++)
		loop_run_once(false);
	CU_ASSERT_TRUE_FATAL(is_done);
	return edits;
}

static inline int edit(struct access_edit item)
{
	struct access_edits edits = do_edits(&item, 1);

	memcpy(why, edits.reason, sizeof(why));
	CU_ASSERT_EQUAL(edits.result == 0, why[0] == '\0');
	return edits.result;
}

/* Of what the test itself puts into the store. */
static inline void is_stored(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	(void)commit;
	(void)revision;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
}

/* ---- Edits ---- */

static inline struct access_edit user_edit(enum access_edit_kind kind, const char *name)
{
	return (struct access_edit){
		.kind = kind,
		.account = { .name = slice_cstr(name),
			     .algorithm = PASSWORD_SHA512,
			     .password_hash = SLICE_LITERAL("hash"),
			     .tags = SLICE_LITERAL("a,b"),
			     .max_connections = ACCESS_NO_LIMIT,
			     .max_channels = ACCESS_NO_LIMIT },
	};
}

static inline struct access_edit permission_edit(const char *vhost, const char *user, const char *configure,
						 const char *write, const char *read)
{
	return (struct access_edit){
		.kind = ACCESS_SET_PERMISSION,
		.permission = { slice_cstr(vhost), slice_cstr(user), slice_cstr(configure), slice_cstr(write), slice_cstr(read) },
	};
}

static inline struct access_edit clear_edit(const char *vhost, const char *user)
{
	return (struct access_edit){
		.kind = ACCESS_CLEAR_PERMISSION,
		.permission = { .vhost = slice_cstr(vhost), .user = slice_cstr(user) },
	};
}

static inline struct access_edit topic_edit(const char *vhost, const char *user, const char *exchange, const char *write,
					    const char *read)
{
	return (struct access_edit){
		.kind = ACCESS_SET_TOPIC_PERMISSION,
		.topic = { slice_cstr(vhost), slice_cstr(user), slice_cstr(exchange), slice_cstr(write), slice_cstr(read) },
	};
}

/* exchange NULL: all. */
static inline struct access_edit clear_topic_edit(const char *vhost, const char *user, const char *exchange)
{
	return (struct access_edit){
		.kind = ACCESS_CLEAR_TOPIC_PERMISSION,
		.topic = { .vhost = slice_cstr(vhost),
			   .user = slice_cstr(user),
			   .exchange = exchange != NULL ? slice_cstr(exchange) : SLICE_EMPTY },
	};
}

/* ---- What is there ---- */

static char listed[1024];

static inline void list_account(void *context, const struct account_view *account)
{
	size_t size = strlen(listed);

	(void)context;
	(void)snprintf(listed + size, sizeof(listed) - size, SLICE_FMT "[" SLICE_FMT "] ", SLICE_ARG(account->name),
		       SLICE_ARG(account->tags));
}

static inline const char *accounts(void)
{
	listed[0] = '\0';
	access_each_account(door, list_account, NULL);
	return listed;
}

static inline void list_permission(void *context, const struct permission_view *p)
{
	size_t size = strlen(listed);

	(void)context;
	(void)snprintf(listed + size, sizeof(listed) - size, SLICE_FMT ":" SLICE_FMT "(" SLICE_FMT "," SLICE_FMT "," SLICE_FMT ") ",
		       SLICE_ARG(p->user), SLICE_ARG(p->vhost), SLICE_ARG(p->configure), SLICE_ARG(p->write), SLICE_ARG(p->read));
}

static inline const char *permissions(const char *vhost, const char *user)
{
	listed[0] = '\0';
	access_each_permission(door, vhost ? slice_cstr(vhost) : SLICE_EMPTY, user ? slice_cstr(user) : SLICE_EMPTY,
			       list_permission, NULL);
	return listed;
}

static inline void list_topic(void *context, const struct topic_permission_view *p)
{
	size_t size = strlen(listed);

	(void)context;
	(void)snprintf(listed + size, sizeof(listed) - size, SLICE_FMT ":" SLICE_FMT ":" SLICE_FMT "(" SLICE_FMT "," SLICE_FMT ") ",
		       SLICE_ARG(p->user), SLICE_ARG(p->vhost), SLICE_ARG(p->exchange), SLICE_ARG(p->write), SLICE_ARG(p->read));
}

static inline const char *topics(const char *vhost, const char *user)
{
	listed[0] = '\0';
	access_each_topic_permission(door, vhost ? slice_cstr(vhost) : SLICE_EMPTY, user ? slice_cstr(user) : SLICE_EMPTY,
				     list_topic, NULL);
	return listed;
}

static inline bool is_allowed(const char *user, enum access_operation operation, const char *vhost, const char *name,
			      const char *routing_key)
{
	struct access_user *asking = access_user_create(slice_cstr(user), "", "PLAIN");
	const struct access_question question = {
		.user = asking,
		.operation = operation,
		.vhost = slice_cstr(vhost),
		.name = slice_cstr(name),
		.routing_key = slice_cstr(routing_key),
	};
	bool result = access_authorize(door, &question, NULL);

	access_user_unref(asking);
	return result;
}

#endif
