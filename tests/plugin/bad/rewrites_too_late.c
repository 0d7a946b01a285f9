/* SPDX-License-Identifier: MIT */

/*
 * A hook keeps its draft, and rewrites the message when the next one comes.
 * found by hooks: used a draft after it was published or freed, or its hook returned
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static struct shunt_draft *bad_kept;

static enum shunt_decision bad_publish(void *plugin, const struct shunt_publish *publish,
				       struct shunt_draft *draft, struct shunt_error *error)
{
	(void)plugin;
	(void)publish;
	(void)error;
	if (bad_kept != NULL)
		(void)bad_kept->set_body(bad_kept, publish->message->body);
	bad_kept = draft;
	return SHUNT_PASS;
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
