/* SPDX-License-Identifier: MIT */
/* A plugin that brings the exchange type "good", as another may; it has no options. */
#include <shunt/plugin.h>

static const struct shunt_host *rival_host;

static int rival_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			struct shunt_error *error)
{
	(void)plugin;
	(void)exchange;
	(void)error;
	*ret_state = NULL;
	return 0;
}

static void rival_destroy(void *state)
{
	(void)state;
}

static void rival_route(const void *state, const struct shunt_message *message,
			struct shunt_sink *sink)
{
	(void)state;
	(void)message;
	(void)sink;
}

static const struct shunt_exchange_type rival_type = {
	.size = sizeof(struct shunt_exchange_type),
	.name = "good",
	.create = rival_create,
	.destroy = rival_destroy,
	.route = rival_route,
};

static int rival_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	(void)ret_plugin;
	rival_host = host;
	return host->register_exchange_type(host, &rival_type, error);
}

static void rival_stop(void *plugin)
{
	rival_host->log(rival_host, SHUNT_LOG_INFO, plugin ? "stopped with a state" : "stopped");
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "rival",
	.version = "1",
	.licence = "MIT",
	.start = rival_start,
	.stop = rival_stop,
};
