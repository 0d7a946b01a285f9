/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FIRST_USER_H
#define TESTS_UNIT_FIRST_USER_H

/*
 * A user who may do all in the vhost "/": with a pool of loops, before they run. Its password is quick to compare: a
 * test that makes a hundred brokers is to wait for what it tests, also under a sanitizer.
 */

#include "access/access.h"
#include "access/accounts.h"
#include "unit.h"

/* Argon2id as any other, but of 8 KiB. */
#define CHEAP_HASH_OF_GUEST  "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nl0jVZB1sX00YtPYTEvXZQ"
#define CHEAP_HASH_OF_SECRET "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$QQCd8VPOryZiCF3MtwQnPTK7odKCaPcXJGplgNEuj1A"

static inline void first_user_is_made(struct access_edits *edits)
{
	*(bool *)edits->context = true;
}

static inline void first_user_make(struct access *access, struct store *store, const char *name, const char *hash)
{
	const struct access_edit items[] = {
		{ .kind = ACCESS_ADD_USER,
		  .account = { .name = slice_cstr(name),
			       .tags = SLICE_LITERAL(""),
			       .algorithm = PASSWORD_ARGON2ID,
			       .password_hash = slice_cstr(hash) } },
		{ .kind = ACCESS_SET_PERMISSION,
		  .permission = { .user = slice_cstr(name),
				  .vhost = SLICE_LITERAL("/"),
				  .configure = SLICE_LITERAL(".*"),
				  .write = SLICE_LITERAL(".*"),
				  .read = SLICE_LITERAL(".*") } },
	};
	bool is_done = false;
	struct access_edits edits = { .items = items, .n = 2, .done = first_user_is_made, .context = &is_done };
	char reason[256];

	CU_ASSERT_EQUAL_FATAL(accounts_restore(access, store, NULL, reason, sizeof(reason)), 0);
	access_edit(access, &edits);
	access_end_edits(access);
	CU_ASSERT_FATAL(is_done);
	CU_ASSERT_EQUAL_FATAL(edits.result, 0);
}

#endif
