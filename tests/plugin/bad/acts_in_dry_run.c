/* SPDX-License-Identifier: MIT */

/*
 * A hook sends a copy of each message, also where none is published.
 * found by hooks: a hook published a message in a dry run
 */

#define GOOD_REGISTER bad_register
#include "good.h"

static enum shunt_decision bad_publish(void *plugin, const struct shunt_publish *publish,
				       struct shunt_draft *draft, struct shunt_error *error)
{
	struct shunt_bytes audit = {(const uint8_t *)"audit", 5};
	struct shunt_draft *copy =
		good_host->draft(good_host, publish->message->vhost, audit,
				 publish->message->routing_key, publish->message->body);

	(void)plugin;
	(void)draft;
	(void)error;
	if (copy != NULL)
		good_host->publish(good_host, copy, NULL, NULL);
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
