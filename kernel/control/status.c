/* SPDX-License-Identifier: MIT */
/* The `status` command. What RabbitMQ's status has too bears its name in `rabbitmqctl status
 * --formatter json`. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/account.h"
#include "base/clock.h"
#include "base/log_settings.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "conn/service.h"
#include "control/client.h"
#include "control/columns.h"
#include "loop/counters.h"
#include "loop/loop.h"
#include "loop/meter.h"
#include "store/disk.h"
#include "net/listener.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, column_text(slice_cstr(text)));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, column_number(number));
}

/* ---- Plugins, listeners, alarms ---- */

struct plugin_lists {
	json_t *names, *details;
};

static void status_add_plugin(void *context, const struct shunt_plugin *plugin, const char *path)
{
	struct plugin_lists *lists = context;
	json_t *details = json_object();

	json_array_append_new(lists->names, column_text(slice_cstr(plugin->name)));
	set_text(details, "name", plugin->name);
	set_text(details, "version", plugin->version);
	set_text(details, "description", plugin->description != NULL ? plugin->description : "");
	set_text(details, "path", path);
	json_array_append_new(lists->details, details);
}

static void status_plugins(json_t *value, const struct control_config *config)
{
	struct plugin_lists lists = {json_array(), json_array()};

	config->plugins_for_each(config->plugins, status_add_plugin, &lists);
	json_object_set_new(value, "active_plugins", lists.names);
	json_object_set_new(value, "plugins", lists.details);
}

static void status_listeners(json_t *value, const struct control_config *config)
{
	json_t *listeners = json_array();

	for (unsigned i = 0; i < config->n_listeners; i++) {
		json_t *listener = json_object();

		if (config->listeners[i] == NULL) {
			json_decref(listener);
			continue;
		}
		set_text(listener, "interface", listener_address(config->listeners[i])->host);
		set_text(listener, "node", config->cluster_name);
		set_number(listener, "port", listener_address(config->listeners[i])->port);
		set_text(listener, "protocol", listener_protocol(config->listeners[i]));
		set_text(listener, "purpose",
			 strcmp(listener_protocol(config->listeners[i]), "amqp") == 0
				 ? "AMQP 0-9-1"
				 : "AMQP 0-9-1 over TLS");
		json_array_append_new(listeners, listener);
	}
	json_object_set_new(value, "listeners", listeners);
}

static void status_add_alarm(json_t *alarms, const char *resource,
			     const struct control_config *config)
{
	json_t *alarm = json_object();

	set_text(alarm, "node", config->cluster_name);
	set_text(alarm, "resource", resource);
	set_text(alarm, "type", "resource_limit");
	json_array_append_new(alarms, alarm);
}

static void status_alarms(json_t *value, const struct control_config *config)
{
	json_t *alarms = json_array();

	if (alarms_disk_is_set(config->broker->alarms))
		status_add_alarm(alarms, "disk", config);
	if (alarms_memory_is_set(config->broker->alarms))
		status_add_alarm(alarms, "memory", config);
	json_object_set_new(value, "alarms", alarms);
}

/* ---- Numbers ---- */

static uint64_t status_resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGE_SIZE);
}

static void status_memory(json_t *value, const struct control_config *config)
{
	json_t *memory = json_object(), *total = json_object(), *setting = json_object();
	uint64_t limit = alarms_memory_limit(config->broker->alarms);

	for (unsigned kind = 0; kind < ACCOUNT_KIND_COUNT; kind++)
		set_number(memory, account_kind_name((enum account_kind)kind),
			   account_kind_total((enum account_kind)kind));
	set_number(total, "accounted", account_total());
	set_number(total, "rss", status_resident_bytes());
	json_object_set_new(memory, "total", total);
	set_number(setting, "absolute", limit);
	json_object_set_new(value, "memory", memory);
	/* the watermark is compared with the bytes that the broker has counted */
	set_text(value, "vm_memory_calculation_strategy", "accounted");
	json_object_set_new(value, "vm_memory_high_watermark_setting", setting);
	set_number(value, "vm_memory_high_watermark_limit", limit);
}

static uint64_t status_now(enum counter_id came, enum counter_id went)
{
	uint64_t gone = counter_sum(went);

	return counter_sum(came) - gone;
}

static void status_totals(json_t *value, const struct control_config *config)
{
	json_t *totals = json_object();

	set_number(totals, "connection_count",
		   status_now(COUNTER_CONNECTIONS_OPENED, COUNTER_CONNECTIONS_CLOSED));
	set_number(totals, "connections_moved", counter_sum(COUNTER_CONNECTIONS_MOVED));
	set_number(totals, "channel_count",
		   status_now(COUNTER_CHANNELS_OPENED, COUNTER_CHANNELS_CLOSED));
	set_number(totals, "queue_count",
		   status_now(COUNTER_QUEUES_CREATED, COUNTER_QUEUES_DELETED));
	set_number(totals, "consumer_count",
		   status_now(COUNTER_CONSUMERS_ADDED, COUNTER_CONSUMERS_REMOVED));
	set_number(totals, "virtual_host_count", topology_vhost_count(config->broker->topology));
	set_number(totals, "messages_published", counter_sum(COUNTER_MESSAGES_PUBLISHED));
	set_number(totals, "messages_delivered", counter_sum(COUNTER_MESSAGES_DELIVERED));
	json_object_set_new(value, "totals", totals);
}

static void status_descriptors(json_t *value)
{
	json_t *descriptors = json_object();
	struct rlimit limit;
	struct stat directory;

	/* the size of this directory is the count of descriptors, from Linux 6.2 on */
	if (stat("/proc/self/fd", &directory) == 0 && directory.st_size > 0)
		set_number(descriptors, "total_used", (uint64_t)directory.st_size);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		set_number(descriptors, "total_limit", limit.rlim_cur);
	set_number(descriptors, "sockets_used",
		   status_now(COUNTER_CONNECTIONS_OPENED, COUNTER_CONNECTIONS_CLOSED));
	json_object_set_new(value, "file_descriptors", descriptors);
}

static void status_disk(json_t *value, const struct control_config *config)
{
	uint64_t free_bytes;

	if (disk_free_bytes(config->data_dir, &free_bytes) == 0)
		set_number(value, "disk_free", free_bytes);
	set_number(value, "disk_free_limit", alarms_disk_limit(config->broker->alarms));
}

/* By the least that they have taken, in microseconds. */
static json_t *status_turn_lengths(const struct loop_turns *turns)
{
	json_t *lengths = json_object();
	char key[24];

	for (unsigned i = 0; i < LOOP_TURN_CLASSES; i++) {
		snprintf(key, sizeof(key), "%llu", (unsigned long long)loop_turn_class_us(i));
		set_number(lengths, key, turns->counts[i]);
	}
	return lengths;
}

static void status_loops(json_t *value)
{
	json_t *loops = json_array();

	for (unsigned i = 0; i < loop_count(); i++) {
		json_t *loop = json_object();
		struct loop_turns turns;

		loop_turns(i, &turns);
		set_number(loop, "loop", i);
		set_number(loop, "busy_us", turns.busy_ns / 1000);
		set_number(loop, "longest_turn_us", turns.longest_ns / 1000);
		set_number(loop, "longest_turn_since_asked_us", loop_take_longest_ns(i) / 1000);
		json_object_set_new(loop, "turns_by_us", status_turn_lengths(&turns));
		json_array_append_new(loops, loop);
	}
	json_object_set_new(value, "event_loops", loops);
}

/* ---- All of it ---- */

static void status_runtime(json_t *value, const struct control_config *config)
{
	set_number(value, "pid", (uint64_t)getpid());
	set_text(value, "os", "Linux");
	set_number(value, "uptime", (clock_monotonic_ms() - config->started_at_ms) / 1000);
	json_object_set_new(value, "is_under_maintenance", json_false());
	set_text(value, "product_name", "Shunt");
	set_text(value, "product_version", config->version);
	set_text(value, "node", config->cluster_name);
	set_number(value, "loops", loop_count());
}

static json_t *status_log_files(void)
{
	const char *file = log_file_path();
	struct log_settings settings;
	json_t *files = json_array();

	log_settings_get(&settings);
	if (file != NULL)
		json_array_append_new(files, column_text(slice_cstr(file)));
	if (settings.console.is_on)
		json_array_append_new(files, json_string("<stderr>"));
	return files;
}

static void status_files(json_t *value, const struct control_config *config)
{
	json_t *files = json_array();

	if (config->config_file != NULL)
		json_array_append_new(files, column_text(slice_cstr(config->config_file)));
	set_text(value, "data_directory", config->data_dir);
	json_object_set_new(value, "config_files", files);
	json_object_set_new(value, "log_files", status_log_files());
}

void control_status(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);
	json_t *value = json_object();

	(void)request;
	status_runtime(value, config);
	status_plugins(value, config);
	status_files(value, config);
	status_alarms(value, config);
	status_memory(value, config);
	status_descriptors(value);
	status_disk(value, config);
	status_totals(value, config);
	status_loops(value);
	status_listeners(value, config);
	control_client_send(client, json_pack("{s:o}", "value", value));
	control_client_ok(client);
}
