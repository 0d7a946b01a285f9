/* SPDX-License-Identifier: MIT */
#include "server_reload.h"

#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log_settings.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "config_show.h"
#include "plugin/change.h"
#include "server.h"
#include "server_listen.h"
#include "server_plugins.h"

/* The configuration of the start, and what has been changed since. Borrows its texts. */
static struct config config_in_force(const struct server_reload *reload)
{
	struct config now = *reload->config;

	now.memory_limit = alarms_memory_limit(reload->alarms);
	now.disk_free_limit = alarms_disk_limit(reload->alarms);
	log_settings_get(&now.log);
	now.log_file = (char *)(uintptr_t)log_file_path();
	now.settings = (struct plugin_setting *)(uintptr_t)plugins_settings(
		reload->plugins->plugins, &now.n_settings);
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
					     "disk_free_limit.", "script."};

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

/* What was in force. */
struct reload_before {
	json_t *settings;
	X509 *certificate;
};

static void note_in(struct buffer *list, const char *what)
{
	buffer_printf(list, "%s%s", list->size != 0 ? ", " : "", what);
}

static void note_change(struct reload_changes *changes, const char *key)
{
	note_in(is_reloadable(key, changes->has_tls) ? &changes->in_force : &changes->at_restart,
		key);
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

/* The file's name may be the same, and what it holds another. Owned; NULL: there is none. */
static X509 *certificate_in_force(const struct server_reload *reload)
{
	const SSL_CTX *tls = reload->listen->tls;
	X509 *certificate = tls != NULL ? SSL_CTX_get0_certificate(tls) : NULL;

	if (certificate != NULL)
		X509_up_ref(certificate);
	return certificate;
}

static bool has_other_certificate(const struct server_reload *reload, const X509 *before)
{
	X509 *now = certificate_in_force(reload);
	bool is_other = now != NULL && before != NULL && X509_cmp(before, now) != 0;

	X509_free(now);
	return is_other;
}

static void describe(const struct server_reload *reload, const struct reload_before *before,
		     const struct config *fresh, char *ret_said, size_t size)
{
	struct reload_changes changes = {.has_tls = reload->listen->workers != NULL};
	json_t *after = config_show(fresh);

	buffer_init(&changes.in_force);
	buffer_init(&changes.at_restart);
	find_changes(&changes, before->settings, after);
	if (has_other_certificate(reload, before->certificate))
		note_in(&changes.in_force, "another certificate");
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

static void apply(const struct server_reload *reload, const struct config *fresh)
{
	if (fresh->log_file == NULL)
		log_file_close();
	log_settings_apply(&fresh->log);
	alarms_set_memory_limit(reload->alarms, fresh->memory_limit);
	alarms_set_disk_limit(reload->alarms, fresh->disk_free_limit);
	plugins_take_script_settings(reload->plugins->plugins, fresh->settings, fresh->n_settings);
}

static int reload_from(const struct server_reload *reload, struct config *fresh, char *ret_said,
		       size_t size)
{
	char error[CONFIG_ERROR_MAX];
	struct reload_before before;
	int result;

	if (config_read(fresh, reload->source, error) != 0) {
		snprintf(ret_said, size, "%s", error);
		return SERVER_CONFIG;
	}
	config_complete(fresh);
	if (server_plugins_check_scripts(reload->plugins->plugins, fresh, ret_said, size) != 0)
		return SERVER_CONFIG;
	before.settings = server_environment(reload);
	before.certificate = certificate_in_force(reload);
	result = prepare(reload, fresh, ret_said, size);
	if (result == 0)
		describe(reload, &before, fresh, ret_said, size);
	json_decref(before.settings);
	X509_free(before.certificate);
	if (result != 0)
		return SERVER_CONFIG;
	apply(reload, fresh);
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
	plugins_refresh_scripts(reload->plugins->changes);
	return status;
}
