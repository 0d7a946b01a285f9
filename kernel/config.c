/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "config_entry.h"
#include "config_set.h"
#include "config_show.h"
#include "machine.h"
#include "net/address.h"

#define CONFIG_LOOPS_MAX 256

/* 0 means no limit; a frame below 4096 bytes is none of AMQP's. */
static int config_frame_max(struct config_entry *e)
{
	if (strcmp(e->value, "0") == 0) {
		*(uint32_t *)e->target = 0;
		return 0;
	}
	return config_u32(e);
}

static int config_placement(struct config_entry *e)
{
	static const char *const words[] = {
		[PLACEMENT_NEAR] = "near",
		[PLACEMENT_FIXED] = "fixed",
		[PLACEMENT_RESTLESS] = "restless",
		NULL,
	};
	unsigned placement;

	if (config_choice(e, words, "near, fixed or restless", &placement) != 0)
		return -1;
	e->config->placement = (enum placement)placement;
	return 0;
}

/* ---- Memory and disk ---- */

static int config_memory_relative(struct config_entry *e)
{
	char *end;
	double share;

	errno = 0;
	share = strtod(e->value, &end);
	if (errno != 0 || end == e->value || *end != '\0' || !(share >= 0 && share <= 1))
		return config_refuse(e, "a number from 0 to 1");
	e->config->memory_limit = (uint64_t)(share * (double)machine_memory_bytes());
	if (e->config->memory_limit == 0)
		e->config->memory_limit = 1; /* blocks every publisher, as RabbitMQ's 0 does */
	return 0;
}

/* The disk may well be larger than the memory, so it may be above 1. */
static int config_disk_relative(struct config_entry *e)
{
	uint64_t memory = machine_memory_bytes();
	char *end;
	double times;

	errno = 0;
	times = strtod(e->value, &end);
	if (errno != 0 || end == e->value || *end != '\0' || !(times >= 0 && times <= 1000))
		return config_refuse(e, "a number from 0 to 1000");
	if (memory == 0)
		return config_refuse(e, "disk_free_limit.absolute instead: the size of the memory "
					"is unknown");
	e->config->disk_free_limit = (uint64_t)(times * (double)memory);
	return 0;
}

/* ---- Store ---- */

static int config_store_sync(struct config_entry *e)
{
	struct config *config = e->config;
	uint64_t ms;

	if (strcmp(e->value, "always") == 0) {
		config->store_sync = STORE_SYNC_ALWAYS;
	} else if (strcmp(e->value, "never") == 0) {
		config->store_sync = STORE_SYNC_NEVER;
	} else if (strncmp(e->value, "interval:", 9) == 0 &&
		   config_parse_number(e->value + 9, false, &ms) && ms >= e->minimum &&
		   ms <= e->maximum) {
		config->store_sync = STORE_SYNC_INTERVAL;
		config->store_sync_interval_ms = (uint32_t)ms;
	} else {
		return config_refuse(
			e, "always, never, or interval:MS with MS from 1 to 60000 milliseconds");
	}
	return 0;
}

/* ---- Listeners ---- */

int config_listener(struct config_entry *e, bool is_tls)
{
	struct config *config = e->config;
	char host[256];
	uint16_t port;
	size_t i;

	if (net_address_parse(slice_cstr(e->value), host, &port) != 0)
		return config_refuse(
			e, "a port, or an address and a port as in 127.0.0.1:5672 or [::1]:5672");
	for (i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].is_tls == is_tls &&
		    strcmp(config->listeners[i].name, e->rest) == 0)
			break;
	if (i == CONFIG_LISTENERS_MAX)
		return config_refuse(e, "fewer listeners");
	if (i == config->n_listeners) {
		config->listeners[i].name = mem_strdup(e->rest);
		config->listeners[i].address = NULL;
		config->listeners[i].is_tls = is_tls;
		config->n_listeners++;
	}
	mem_free(config->listeners[i].address);
	config->listeners[i].address = mem_strdup(e->value);
	return 0;
}

static int config_add_listener(struct config_entry *e)
{
	return config_listener(e, false);
}

static int config_no_listeners(struct config_entry *e)
{
	if (strcmp(e->value, "none") != 0)
		return config_refuse(e, "none");
	e->config->has_no_listeners = true;
	return 0;
}

/* ---- The control socket ---- */

static int config_socket(struct config_entry *e)
{
	if (strlen(e->value) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return config_refuse(e, "a path of at most 107 bytes");
	return config_text(e);
}

/* ---- Keys ---- */

static const struct config_key config_keys[] = {
	{"listeners.tcp", config_no_listeners, 0, 0, 0},
	{"listeners.tcp.", config_add_listener, 0, 0, 0},
	{"tcp_listen_options.backlog", config_u32, CONFIG_PLACE(backlog), 1, 65535},
	{"heartbeat", config_u16, CONFIG_PLACE(heartbeat_s), 0, 65535},
	{"channel_max", config_u16, CONFIG_PLACE(channel_max), 0, 65535},
	{"frame_max", config_frame_max, CONFIG_PLACE(frame_max), 4096, 1u << 30},
	{"max_message_size", config_u32, CONFIG_PLACE(max_message_size), 1, 512u << 20},
	{"handshake_timeout", config_u32, CONFIG_PLACE(handshake_timeout_ms), 100, 3600 * 1000},
	{"vm_memory_high_watermark.relative", config_memory_relative, 0, 0, 0},
	{"vm_memory_high_watermark.absolute", config_bytes, CONFIG_PLACE(memory_limit), 1,
	 INT64_MAX},
	{"disk_free_limit.relative", config_disk_relative, 0, 0, 0},
	{"disk_free_limit.absolute", config_bytes, CONFIG_PLACE(disk_free_limit), 0, INT64_MAX},
	{"cluster_name", config_text, CONFIG_PLACE(cluster_name), 0, 0},
	{"compat.product", config_text, CONFIG_PLACE(product), 0, 0},
	{"compat.version", config_text, CONFIG_PLACE(version), 0, 0},
	{"data_dir", config_text, CONFIG_PLACE(data_dir), 0, 0},
	{"store.sync", config_store_sync, 0, 1, 60000},
	{"store.segment_size", config_bytes, CONFIG_PLACE(store_segment_size), 64u << 10, 1u << 30},
	{"loops", config_u32, CONFIG_PLACE(loops), 0, CONFIG_LOOPS_MAX},
	{"placement", config_placement, 0, 0, 0},
	{"control.socket", config_socket, CONFIG_PLACE(control_socket), 0, 0},
	{NULL, NULL, 0, 0, 0},
};

const struct config_key *const config_tables[] = {
	config_keys,	 config_access_keys, config_login_keys,
	config_tls_keys, config_log_keys,    config_definitions_keys,
	config_plugin_keys, NULL,
};

/* A key that ends in a dot stands for all that begin so. */
static bool config_key_fits(const struct config_key *key, const char *name)
{
	size_t size = strlen(key->name);

	return key->name[size - 1] == '.'
		       ? strncmp(name, key->name, size) == 0 && name[size] != '\0'
		       : strcmp(name, key->name) == 0;
}

static const struct config_key *config_find_key(const char *name)
{
	for (size_t i = 0; config_tables[i] != NULL; i++)
		for (const struct config_key *key = config_tables[i]; key->name != NULL; key++)
			if (config_key_fits(key, name))
				return key;
	return NULL;
}

int config_set(struct config *config, const char *name, const char *value, const char *where,
	       char ret_error[CONFIG_ERROR_MAX])
{
	struct config_entry entry = {.config = config, .key = name, .value = value, .where = where};
	const struct config_key *key = config_find_key(name);

	entry.error = ret_error;
	if (key == NULL)
		return config_unknown(&entry);
	entry.rest = name + strlen(key->name);
	entry.target = (char *)config + key->offset;
	entry.minimum = key->minimum;
	entry.maximum = key->maximum;
	if (key->read(&entry) != 0)
		return -1;
	config_note(config, name, value);
	return 0;
}

/* ---- Beginning and end ---- */

void config_init(struct config *config)
{
	char host[256] = "localhost";

	(void)gethostname(host, sizeof(host) - 1);
	*config = (struct config){
		.backlog = 1024,
		.heartbeat_s = 60,
		.channel_max = 2047,
		.frame_max = 131072,
		.max_message_size = 128u << 20,
		.handshake_timeout_ms = 10000,
		.memory_limit = (uint64_t)(0.6 * (double)machine_memory_bytes()),
		.disk_free_limit = 50u * 1000 * 1000,
		.product = mem_strdup("Shunt"),
		.version = mem_strdup(PACKAGE_VERSION),
		.cluster_name = mem_printf("shunt@%s", host),
		.store_sync = STORE_SYNC_ALWAYS,
		.store_segment_size = 16u << 20,
		.data_dir = mem_strdup(SHUNT_LOCALSTATEDIR "/lib/shunt"),
		.control_socket = mem_strdup(SHUNT_RUNDIR "/shunt/control.sock"),
		.plugins_dir = mem_strdup(SHUNT_PLUGINS_DIR),
		.scripts_dir = mem_strdup(SHUNT_SCRIPTS_DIR),
	};
	log_settings_init(&config->log);
	config_access_init(config);
	config_tls_init(config);
}

static void config_drop_listeners(struct config *config, bool is_tls)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_listeners; i++) {
		struct config_listener *listener = &config->listeners[i];

		if (listener->is_tls != is_tls) {
			config->listeners[kept++] = *listener;
			continue;
		}
		mem_free(listener->name);
		mem_free(listener->address);
	}
	config->n_listeners = kept;
}

static bool config_has_plain_listener(const struct config *config)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (!config->listeners[i].is_tls)
			return true;
	return false;
}

/* There is room for it, unless there are so many others that nobody will miss it. */
static void config_add_default_listener(struct config *config)
{
	if (config_has_plain_listener(config) ||
	    config->n_listeners == CONFIG_LISTENERS_MAX)
		return;
	config->listeners[config->n_listeners++] = (struct config_listener){
		.name = mem_strdup("default"),
		.address = mem_strdup("5672"),
	};
}

void config_complete(struct config *config)
{
	config_complete_log(config);
	if (config->tls.has_no_listeners)
		config_drop_listeners(config, true);
	if (config->has_no_listeners)
		config_drop_listeners(config, false);
	else
		config_add_default_listener(config);
	config_access_complete(config);
	config_login_complete(config);
	config_plugins_complete(config);
	if (config->loops == 0)
		config->loops =
			machine_cores() < CONFIG_LOOPS_MAX ? machine_cores() : CONFIG_LOOPS_MAX;
}

void config_fini(struct config *config)
{
	char *texts[] = {config->product,  config->version,	   config->cluster_name,
			 config->data_dir, config->control_socket, config->plugins_dir,
			 config->log_dir,  config->log_file,	   config->definitions,
			 config->scripts_dir};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		mem_free(texts[i]);
	for (size_t i = 0; i < config->n_listeners; i++) {
		mem_free(config->listeners[i].name);
		mem_free(config->listeners[i].address);
	}
	config_access_fini(config);
	config_login_fini(config);
	config_plugins_fini(config);
	config_forget_notes(config);
	config_tls_fini(config);
}
