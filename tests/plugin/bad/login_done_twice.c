/* SPDX-License-Identifier: MIT */

/*
 * A login is refused, and then left to the next policy.
 * found by policies: it called login_done twice for one login
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static void bad_authenticate(void *plugin, const struct shunt_login *login)
{
	(void)plugin;
	(void)good_host->login_done(good_host, login->id, SHUNT_DENY, NULL, NULL, "no");
	(void)good_host->login_done(good_host, login->id, SHUNT_NEXT, NULL, NULL, NULL);
}

static const struct shunt_access_policy bad_policy = {
	.size = sizeof(bad_policy),
	.name = "bad",
	.authenticate = bad_authenticate,
};

static int bad_register(const struct shunt_host *host, struct shunt_error *error)
{
	return host->register_access_policy(host, &bad_policy, error);
}

#include "good_plugin.h"
