/* SPDX-License-Identifier: MIT */

/*
 * The message hook "@NAME@": each message that a client publishes gets a header with the name of
 * its user, and one that is larger than the option max-body says is refused. `shuntctl` shows how
 * many were.
 */

#include <shunt/plugin.h>

#include <stdio.h>
#include <string.h>

struct stamp {
	const struct shunt_host *host;
	struct shunt_counter *refused;
	size_t max_body;
};

static int fail(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static struct shunt_bytes text(const char *string)
{
	return (struct shunt_bytes){(const uint8_t *)string, strlen(string)};
}

/* On any loop, on several at once: what is kept between messages is the broker's counter alone. */
static enum shunt_decision publish(void *plugin, const struct shunt_publish *publish,
				   struct shunt_draft *draft, struct shunt_error *error)
{
	const struct stamp *stamp = plugin;
	const struct shunt_value user = {.type = 'S', .bytes = publish->user};

	if (stamp->max_body > 0 && publish->message->body.size > stamp->max_body) {
		/* a dry run publishes nothing, so nothing is counted */
		if (!publish->dry_run)
			stamp->host->counter_add(stamp->host, stamp->refused, 1);
		(void)fail(error, SHUNT_PRECONDITION_FAILED, "the body is too large");
		return SHUNT_REJECT;
	}
	if (draft->set_header(draft, text("x-user"), &user) < 0) {
		(void)fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
		return SHUNT_REJECT;
	}
	return SHUNT_PASS;
}

static const struct shunt_hook hook = {
	.size = sizeof(hook),
	.name = "@NAME@",
	.publish = publish,
};

static const struct shunt_metric refused = {
	.size = sizeof(refused),
	.name = "refused",
	.help = "messages that were too large",
};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	struct stamp *stamp = host->allocate(host, sizeof(*stamp));

	if (!stamp)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*stamp = (struct stamp){.host = host,
				.max_body = (size_t)host->config_integer(host, "max-body")};
	if (host->register_metric(host, &refused, &stamp->refused, error) < 0 ||
	    host->register_hook(host, &hook, error) < 0) {
		host->free(host, stamp);
		return -1;
	}
	*ret_plugin = stamp;
	return 0;
}

static void stop(void *plugin)
{
	struct stamp *stamp = plugin;

	stamp->host->free(stamp->host, stamp);
}

static const struct shunt_option options[] = {
	{"max-body", "bytes that a body may have; 0: any number", "0", 0, 1 << 30,
	 SHUNT_OPTION_INTEGER},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "@NAME@",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Message hook @NAME@: stamps the publisher's name, limits bodies",
	.options = options,
	.start = start,
	.stop = stop,
};
