/* SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/clock.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "conn/service.h"
#include "control/client.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "net/listener.h"
#include "plugin/loader.h"

static void command_ping(struct control_client *client, const json_t *request)
{
	(void)request;
	control_client_ok(client);
}

static void command_stop(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);

	(void)request;
	control_client_ok(client);
	config->stop(config->context);
}

/* ---- status ---- */

static void status_add_plugin(void *context, const struct shunt_plugin *plugin, const char *path)
{
	json_array_append_new(context, json_pack("{s:s, s:s, s:s, s:s}", "name", plugin->name, "version", plugin->version,
						 "description", plugin->description != NULL ? plugin->description : "",
						 "path", path));
}

static json_t *status_listeners(const struct control_config *config)
{
	json_t *listeners = json_array();

	for (unsigned i = 0; i < config->n_listeners; i++) {
		const struct net_address *address;

		if (config->listeners[i] == NULL)
			continue;
		address = listener_address(config->listeners[i]);
		json_array_append_new(listeners, json_pack("{s:s, s:i, s:s}", "interface", address->host, "port",
							   (int)address->port, "protocol", "amqp"));
	}
	return listeners;
}

static json_t *status_memory(const struct control_config *config)
{
	json_t *memory = json_object();

	for (unsigned kind = 0; kind < ACCOUNT_KIND_COUNT; kind++)
		json_object_set_new(memory, account_kind_name((enum account_kind)kind),
				    json_integer((json_int_t)account_kind_total((enum account_kind)kind)));
	json_object_set_new(memory, "total", json_integer((json_int_t)account_total()));
	json_object_set_new(memory, "limit", json_integer((json_int_t)alarms_memory_limit(config->broker->alarms)));
	return memory;
}

static uint64_t status_now(enum counter_id came, enum counter_id went)
{
	uint64_t gone = counter_sum(went);

	return counter_sum(came) - gone;
}

static json_t *status_totals(void)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "connections",
			 (json_int_t)status_now(COUNTER_CONNECTIONS_OPENED, COUNTER_CONNECTIONS_CLOSED), "channels",
			 (json_int_t)status_now(COUNTER_CHANNELS_OPENED, COUNTER_CHANNELS_CLOSED), "queues",
			 (json_int_t)status_now(COUNTER_QUEUES_CREATED, COUNTER_QUEUES_DELETED), "consumers",
			 (json_int_t)status_now(COUNTER_CONSUMERS_ADDED, COUNTER_CONSUMERS_REMOVED), "published",
			 (json_int_t)counter_sum(COUNTER_MESSAGES_PUBLISHED), "delivered",
			 (json_int_t)counter_sum(COUNTER_MESSAGES_DELIVERED));
}

static void command_status(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);
	json_t *plugins = json_array(), *alarms = json_array(), *value;

	(void)request;
	plugins_for_each(config->plugins, status_add_plugin, plugins);
	if (alarms_memory_is_set(config->broker->alarms))
		json_array_append_new(alarms, json_string("memory"));
	value = json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:s}", "product_name", "Shunt", "product_version",
			  config->version, "node", config->cluster_name, "pid", (int)getpid(), "loops", (int)loop_count(),
			  "uptime", (json_int_t)((clock_monotonic_ms() - config->started_at_ms) / 1000), "data_dir",
			  config->data_dir);
	json_object_set_new(value, "config_files", config->config_file != NULL ? json_pack("[s]", config->config_file) :
										  json_array());
	json_object_set_new(value, "alarms", alarms);
	json_object_set_new(value, "listeners", status_listeners(config));
	json_object_set_new(value, "memory", status_memory(config));
	json_object_set_new(value, "plugins", plugins);
	json_object_set_new(value, "totals", status_totals());
	control_client_send(client, json_pack("{s:o}", "value", value));
	control_client_ok(client);
}

const struct control_command control_commands[] = {
	{ "ping", command_ping },
	{ "status", command_status },
	{ "stop", command_stop },
	{ "list_queues", control_list },
	{ "list_exchanges", control_list },
	{ "list_bindings", control_list },
	{ "list_connections", control_list },
	{ "list_consumers", control_list },
	{ NULL, NULL },
};
