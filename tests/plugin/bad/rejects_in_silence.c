/* SPDX-License-Identifier: MIT */

/*
 * A hook rejects a message and does not say why.
 * found by hooks: a hook's publish() failed and did not fill the error
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static enum shunt_decision bad_publish(void *plugin, const struct shunt_publish *publish,
				       struct shunt_draft *draft, struct shunt_error *error)
{
	(void)plugin;
	(void)draft;
	(void)error;
	return publish->mandatory ? SHUNT_REJECT : SHUNT_PASS;
}

static const struct shunt_hook bad_hook = {
	.size = sizeof(bad_hook),
	.name = "bad",
	.publish = bad_publish,
};

static int bad_register(const struct shunt_host *host, struct shunt_error *error)
{
	return host->register_hook(host, &bad_hook, error);
}

#include "good_plugin.h"
