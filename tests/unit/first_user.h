/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FIRST_USER_H
#define TESTS_UNIT_FIRST_USER_H

/* A user who may do all in the vhost "/": with a pool of loops, before they run. */

#include "access/access.h"
#include "access/accounts.h"
#include "unit.h"

static inline void first_user_make(struct access *access, struct store *store, const char *name, const char *password)
{
	const struct access_first first = {
		.user = name,
		.pass = password,
		.tags = "",
		.vhost = "/",
		.configure = ".*",
		.write = ".*",
		.read = ".*",
	};
	char reason[256];

	CU_ASSERT_EQUAL_FATAL(accounts_restore(access, store, &first, reason, sizeof(reason)), 0);
}

#endif
