/* SPDX-License-Identifier: MIT */
#include "server_reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log_settings.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "config_show.h"
#include "server.h"
#include "server_listen.h"

/* The configuration of the start, and what has been changed since. Borrows its texts. */
static struct config config_in_force(const struct server_reload *reload)
{
	struct config now = *reload->config;

	now.memory_limit = alarms_memory_limit(reload->alarms);
	now.disk_free_limit = alarms_disk_limit(reload->alarms);
	log_settings_get(&now.log);
	now.log_file = (char *)(uintptr_t)log_file_path();
	return now;
}

json_t *server_environment(const struct server_reload *reload)
{
	const struct config now = config_in_force(reload);

	return config_show(&now);
}

/* ---- What changes ---- */

static bool is_reloadable(const char *key, bool has_tls)
{
	static const char *const begins[] = {"log.", "vm_memory_high_watermark.",
					     "disk_free_limit."};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(key, begins[i], strlen(begins[i])) == 0)
			return true;
	/* What is logged of handshakes is of the start. */
	return has_tls && strncmp(key, "ssl_options.", 12) == 0 &&
	       strncmp(key, "ssl_options.log_", 16) != 0;
}

struct reload_changes {
	bool has_tls;
	struct buffer in_force, at_restart;
};

static void note_change(struct reload_changes *changes, const char *key)
{
	struct buffer *list =
		is_reloadable(key, changes->has_tls) ? &changes->in_force : &changes->at_restart;

	buffer_printf(list, "%s%s", list->size != 0 ? ", " : "", key);
}

static void find_changes(struct reload_changes *changes, json_t *before, json_t *after)
{
	const char *key;
	json_t *value;

	json_object_foreach(after, key, value) if (!json_equal(json_object_get(before, key), value))
		note_change(changes, key);
	json_object_foreach(before, key, value) if (json_object_get(after, key) == NULL)
		note_change(changes, key);
}

static void describe(const struct server_reload *reload, json_t *before, const struct config *fresh,
		     char *ret_said, size_t size)
{
	struct reload_changes changes = {.has_tls = reload->listen->workers != NULL};
	json_t *after = config_show(fresh);

	buffer_init(&changes.in_force);
	buffer_init(&changes.at_restart);
	find_changes(&changes, before, after);
	snprintf(ret_said, size, "in force now: %s%s%s",
		 changes.in_force.size != 0 ? buffer_cstr(&changes.in_force) : "nothing new",
		 changes.at_restart.size != 0 ? "; after a restart: " : "",
		 changes.at_restart.size != 0 ? buffer_cstr(&changes.at_restart) : "");
	buffer_fini(&changes.in_force);
	buffer_fini(&changes.at_restart);
	json_decref(after);
}

/* ---- Doing it ---- */

/* Also when it is the same: it may have been renamed, to be kept. */
static int open_log(const struct config *fresh, char *ret_said, size_t size)
{
	int result = fresh->log_file != NULL ? log_file_open(fresh->log_file) : 0;

	if (result == 0)
		return 0;
	snprintf(ret_said, size, "cannot open the log file '%s': %s", fresh->log_file,
		 strerror(-result));
	return -1;
}

/* Back to the file that was there. */
static void reopen_log(const char *path)
{
	if (path == NULL)
		log_file_close();
	else if (log_file_open(path) != 0)
		log_warning("server", "cannot open the log file again: path=\"%s\"", path);
}

/* What may fail comes first. */
static int prepare(const struct server_reload *reload, const struct config *fresh, char *ret_said,
		   size_t size)
{
	char *log_before = log_file_path() != NULL ? mem_strdup(log_file_path()) : NULL;
	int result = open_log(fresh, ret_said, size);

	if (result == 0) {
		result = server_listen_reload(reload->listen, fresh, ret_said, size);
		if (result != 0)
			reopen_log(log_before);
	}
	mem_free(log_before);
	return result;
}

static int reload_from(const struct server_reload *reload, struct config *fresh, char *ret_said,
		       size_t size)
{
	char error[CONFIG_ERROR_MAX];
	json_t *before;

	if (config_read(fresh, reload->source, error) != 0) {
		snprintf(ret_said, size, "%s", error);
		return SERVER_CONFIG;
	}
	config_complete(fresh);
	before = server_environment(reload);
	if (prepare(reload, fresh, ret_said, size) != 0) {
		json_decref(before);
		return SERVER_CONFIG;
	}
	describe(reload, before, fresh, ret_said, size);
	json_decref(before);
	if (fresh->log_file == NULL)
		log_file_close();
	log_settings_apply(&fresh->log);
	alarms_set_memory_limit(reload->alarms, fresh->memory_limit);
	alarms_set_disk_limit(reload->alarms, fresh->disk_free_limit);
	return 0;
}

int server_reload(const struct server_reload *reload, char *ret_said, size_t size)
{
	struct config fresh;
	int status;

	config_init(&fresh);
	status = reload_from(reload, &fresh, ret_said, size);
	config_fini(&fresh);
	if (status == 0)
		log_info("server", "configuration reloaded: %s", ret_said);
	else
		log_error("server", "configuration not reloaded: %s", ret_said);
	return status;
}
