/* SPDX-License-Identifier: MIT */
#include "control/node_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log_settings.h"
#include "broker/alarm.h"
#include "broker/broker.h"
#include "control/columns.h"

static void answer(struct control_client *client, const char *message)
{
	control_client_send(client, json_pack("{s:{s:o}}", "value", "message",
					      column_text(slice_cstr(message))));
	control_client_ok(client);
}

/* Settings are not secret, and their values are ours. */
static void audit_setting(struct control_client *client, const char *name, const char *value)
{
	struct audit_actor actor = control_client_actor(client);

	audit(&actor, NULL, "setting.changed", "name=\"%s\" value=\"%s\"", name, value);
}

void control_environment(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);

	(void)request;
	control_client_send(client, json_pack("{s:{s:o, s:o}}", "value", "node",
					      column_text(slice_cstr(config->cluster_name)),
					      "environment", config->environment(config->context)));
	control_client_ok(client);
}

void control_reload(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);
	struct audit_actor actor = control_client_actor(client);
	char said[1024];
	int status;

	(void)request;
	status = config->reload(config->context, said, sizeof(said));
	audit(&actor, NULL, "configuration.reloaded", "result=%s", status == 0 ? "ok" : "refused");
	if (status == 0)
		answer(client, said);
	else
		control_client_fail(client, (enum control_status)status, "%s", said);
}

void control_rotate_logs(struct control_client *client, const json_t *request)
{
	int result = log_file_reopen();

	(void)request;
	if (result != 0) {
		log_error("control", "cannot open the log file again: path=\"%s\" reason=\"%s\"",
			  log_file_path(), strerror(-result));
		control_client_fail(client, CONTROL_SOFTWARE, "cannot open the log file '%s': %s",
				    log_file_path(), strerror(-result));
		return;
	}
	control_client_ok(client);
}

/* ---- Log levels ---- */

/* As RabbitMQ: every level that was set for a place or a category is forgotten. */
static void set_all_levels(struct log_settings *settings, int level)
{
	struct log_settings fresh;

	log_settings_init(&fresh);
	fresh.level = level;
	fresh.console.is_on = settings->console.is_on;
	fresh.file.is_on = settings->file.is_on;
	*settings = fresh;
}

void control_set_log_level(struct control_client *client, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "level"));
	const char *category_name = json_string_value(json_object_get(request, "category"));
	struct log_settings settings;
	enum log_category category;
	char key[64];
	int level;

	if (category_name == NULL && json_object_get(request, "category") != NULL) {
		control_client_fail(client, CONTROL_DATA, "a log category is a text");
		return;
	}
	if (name == NULL || !log_level_find(name, &level)) {
		control_client_fail(client, CONTROL_UNAVAILABLE,
				    "level %s is not supported. Try one of debug, info, warning, "
				    "error, critical, none",
				    name != NULL ? name : "");
		return;
	}
	log_settings_get(&settings);
	if (category_name == NULL) {
		set_all_levels(&settings, level);
		snprintf(key, sizeof(key), "log.level");
	} else if (log_category_find(category_name, &category)) {
		settings.categories[category] = level;
		snprintf(key, sizeof(key), "log.%s.level", log_category_name(category));
	} else {
		control_client_fail(client, CONTROL_DATA, "there is no log category %s",
				    category_name);
		return;
	}
	/* as long as it is sure to be seen */
	audit_setting(client, key, log_level_name(level));
	log_settings_apply(&settings);
	control_client_ok(client);
}

/* ---- Memory and disk ---- */

/* A whole number of bytes, or a number that the memory is multiplied with. */
static bool amount_of(struct control_client *client, const json_t *request, const char *factor_name,
		      uint64_t *ret_bytes)
{
	const json_t *absolute = json_object_get(request, "absolute");
	const json_t *factor = json_object_get(request, factor_name);
	uint64_t memory = control_client_config(client)->memory_bytes;

	if (json_is_integer(absolute) && json_integer_value(absolute) >= 0) {
		*ret_bytes = (uint64_t)json_integer_value(absolute);
		return true;
	}
	if (!json_is_number(factor) || !(json_number_value(factor) >= 0) ||
	    json_number_value(factor) > 1000) {
		control_client_fail(client, CONTROL_DATA, "Bad argument.");
		return false;
	}
	if (memory == 0) {
		control_client_fail(client, CONTROL_DATA,
				    "the size of the memory is unknown: use an absolute value");
		return false;
	}
	*ret_bytes = (uint64_t)(json_number_value(factor) * (double)memory);
	return true;
}

static void audit_bytes(struct control_client *client, const char *name, uint64_t bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	audit_setting(client, name, text);
}

void control_set_vm_memory_high_watermark(struct control_client *client, const json_t *request)
{
	uint64_t bytes;

	if (!amount_of(client, request, "fraction", &bytes))
		return;
	/* 0 blocks every publisher, as RabbitMQ's does */
	bytes = bytes != 0 ? bytes : 1;
	alarms_set_memory_limit(control_client_config(client)->broker->alarms, bytes);
	audit_bytes(client, "vm_memory_high_watermark.absolute", bytes);
	control_client_ok(client);
}

void control_set_disk_free_limit(struct control_client *client, const json_t *request)
{
	uint64_t bytes;

	if (!amount_of(client, request, "mem_relative", &bytes))
		return;
	alarms_set_disk_limit(control_client_config(client)->broker->alarms, bytes);
	audit_bytes(client, "disk_free_limit.absolute", bytes);
	control_client_ok(client);
}
