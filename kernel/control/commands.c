/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include "control/account_request.h"
#include "control/client.h"
#include "control/close_commands.h"
#include "control/columns.h"
#include "control/node_commands.h"
#include "control/plugin_commands.h"
#include "control/topology_commands.h"
#include "control/vhost_request.h"

/* Says whom one talks to. */
static void command_ping(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);

	(void)request;
	control_client_send(client, json_pack("{s:{s:o}}", "value", "node",
					      column_text(slice_cstr(config->cluster_name))));
	control_client_ok(client);
}

/* The socket stays open until the broker is down: who wants to know when waits for that. */
static void command_stop(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);

	struct audit_actor actor = control_client_actor(client);

	(void)request;
	audit(&actor, NULL, "broker.stopped", "%s", "");
	control_client_ok(client);
	config->stop(config->context);
}

static const struct control_command general_commands[] = {
	{"ping", command_ping},
	{"status", control_status},
	{"stop", command_stop},
	{"plugin_list", control_plugin_list},
	{"plugin_info", control_plugin_info},
	{"plugin_change", control_plugin_change},
	{"plugin_run", control_plugin_run},
	{"explain_route", control_explain_route},
	{"list_queues", control_list},
	{"list_exchanges", control_list},
	{"list_bindings", control_list},
	{"list_connections", control_list},
	{"list_channels", control_list},
	{"list_consumers", control_list},
	{"list_vhosts", control_list},
	{NULL, NULL},
};

static const struct control_command topology_commands[] = {
	{"declare_queue", control_declare_queue},
	{"delete_queue", control_delete_queue},
	{"purge_queue", control_purge_queue},
	{"declare_exchange", control_declare_exchange},
	{"delete_exchange", control_delete_exchange},
	{"declare_binding", control_declare_binding},
	{"delete_binding", control_delete_binding},
	{NULL, NULL},
};

static const struct control_command node_commands[] = {
	{"close_connection", control_close_connection},
	{"close_all_connections", control_close_all_connections},
	{"close_all_user_connections", control_close_all_user_connections},
	{"environment", control_environment},
	{"reload", control_reload},
	{"rotate_logs", control_rotate_logs},
	{"set_log_level", control_set_log_level},
	{"set_vm_memory_high_watermark", control_set_vm_memory_high_watermark},
	{"set_disk_free_limit", control_set_disk_free_limit},
	{NULL, NULL},
};

/* Each part has its own. */
const struct control_command *const control_commands[] = {
	general_commands,
	node_commands,
	topology_commands,
	control_script_commands,
	control_definition_commands,
	control_user_commands,
	control_user_limit_commands,
	control_permission_commands,
	control_vhost_commands,
	control_vhost_limit_commands,
	NULL,
};
