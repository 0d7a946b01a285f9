/* SPDX-License-Identifier: MIT */

/*
 * A login without a password is forgotten.
 * found by policies: a login did not end in login_done within 3 s
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static void bad_authenticate(void *plugin, const struct shunt_login *login)
{
	(void)plugin;
	if (login->password.size > 0)
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
