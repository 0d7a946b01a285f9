/* SPDX-License-Identifier: MIT */
/*
 * What is in force, by key. Values of the common kinds are read from their places; some keys are
 * shown by functions of their own, as they stand for several settings or have words; any other is
 * shown as it was written, if it was.
 */
#include "config_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config_entry.h"

/* ---- What was written ---- */

void config_note(struct config *config, const char *key, const char *value)
{
	if (slice_names_secret(key))
		return;
	for (size_t i = 0; i < config->n_notes; i++) {
		if (strcmp(config->notes[i].key, key) == 0) {
			mem_free(config->notes[i].value);
			config->notes[i].value = mem_strdup(value);
			return;
		}
	}
	config->notes = mem_realloc(config->notes, (config->n_notes + 1) * sizeof(*config->notes));
	config->notes[config->n_notes++] =
		(struct config_written){mem_strdup(key), mem_strdup(value)};
}

void config_forget_notes(struct config *config)
{
	for (size_t i = 0; i < config->n_notes; i++) {
		mem_free(config->notes[i].key);
		mem_free(config->notes[i].value);
	}
	mem_free(config->notes);
	config->notes = NULL;
	config->n_notes = 0;
}

/* ---- Values ---- */

static json_t *text_of(const char *text)
{
	json_t *value = text != NULL ? json_string(text) : json_null();

	return value != NULL ? value : json_string("?"); /* not UTF-8 */
}

static json_t *number_of(uint64_t number)
{
	return json_integer((json_int_t)number);
}

/* What the key does not take stands for one that was not set. */
static json_t *number_in(const struct config_key *key, uint64_t number)
{
	return number >= key->minimum && number <= key->maximum ? number_of(number) : json_null();
}

/* NULL: it is of no common kind. */
static json_t *value_at(const struct config *config, const struct config_key *key)
{
	const void *place = (const char *)config + key->offset;

	if (key->read == config_text)
		return text_of(*(const char *const *)place);
	if (key->read == config_u16)
		return number_in(key, *(const uint16_t *)place);
	if (key->read == config_u32)
		return number_in(key, *(const uint32_t *)place);
	if (key->read == config_bytes)
		return number_in(key, *(const uint64_t *)place);
	if (key->read == config_bool)
		return json_boolean(*(const bool *)place);
	return NULL;
}

/* ---- Those with functions of their own ---- */

static void show_as(json_t *object, const char *prefix, const char *name, json_t *value)
{
	char *key = mem_printf("%s%s", prefix, name);

	json_object_set_new(object, key, value);
	mem_free(key);
}

static void show_listeners(const struct config *config, json_t *object)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		show_as(object, config->listeners[i].is_tls ? "listeners.ssl." : "listeners.tcp.",
			config->listeners[i].name, text_of(config->listeners[i].address));
	if (config->has_no_listeners)
		json_object_set_new(object, "listeners.tcp", json_string("none"));
}

static void show_loopback_users(const struct config *config, json_t *object)
{
	for (size_t i = 0; i < config->n_loopback_users; i++)
		show_as(object, "loopback_users.", config->loopback_users[i], json_true());
	if (config->n_loopback_users == 0)
		json_object_set_new(object, "loopback_users", json_string("none"));
}

static void show_log(const struct config *config, json_t *object)
{
	const struct log_settings *log = &config->log;

	json_object_set_new(object, "log.level", text_of(log_level_name(log->level)));
	if (log->console.level != LOG_LEVEL_UNSET)
		json_object_set_new(object, "log.console.level",
				    text_of(log_level_name(log->console.level)));
	json_object_set_new(object, "log.file",
			    config->log_file != NULL ? text_of(config->log_file) : json_false());
	if (log->file.level != LOG_LEVEL_UNSET)
		json_object_set_new(object, "log.file.level",
				    text_of(log_level_name(log->file.level)));
	for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++) {
		char key[64];

		if (log->categories[i] == LOG_LEVEL_UNSET)
			continue;
		snprintf(key, sizeof(key), "log.%s.level", log_category_name((enum log_category)i));
		json_object_set_new(object, key, text_of(log_level_name(log->categories[i])));
	}
}

static void show_store(const struct config *config, json_t *object)
{
	char text[32];

	snprintf(text, sizeof(text), "interval:%u", config->store_sync_interval_ms);
	json_object_set_new(object, "store.sync",
			    json_string(config->store_sync == STORE_SYNC_ALWAYS	 ? "always"
					: config->store_sync == STORE_SYNC_NEVER ? "never"
										 : text));
}

static void show_limits(const struct config *config, json_t *object)
{
	json_object_set_new(object, "default_user", text_of(config->default_user));
	json_object_set_new(object, "default_vhost", text_of(config->default_vhost));
	json_object_set_new(object, "frame_max", number_of(config->frame_max));
	json_object_set_new(object, "vm_memory_high_watermark.absolute",
			    number_of(config->memory_limit));
	json_object_set_new(object, "disk_free_limit.absolute", number_of(config->disk_free_limit));
	json_object_set_new(object, "placement",
			    json_string(config->placement == PLACEMENT_NEAR    ? "near"
					: config->placement == PLACEMENT_FIXED ? "fixed"
									       : "restless"));
}

static void show_names(json_t *object, const char *key, const struct config_plugin *plugins,
		       size_t n)
{
	json_t *names = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(names, text_of(plugins[i].name));
	json_object_set_new(object, key, names);
}

static void show_plugins(const struct config *config, json_t *object)
{
	show_names(object, "plugin", config->plugins, config->n_plugins);
	show_names(object, "script", config->scripts, config->n_scripts);
	for (size_t i = 0; i < config->n_settings; i++) {
		const struct plugin_setting *setting = &config->settings[i];
		char *key = mem_printf("%s.%s.%s", setting->is_script ? "script" : "plugin",
				       setting->plugin, setting->key);

		json_object_set_new(object, key, text_of(setting->value));
		mem_free(key);
	}
}

/* A key that is among these is not shown as it was written: it may have been changed since. */
static bool is_shown_otherwise(const char *key)
{
	static const char *const begins[] = {
		"listeners.",
		"loopback_users",
		"log.",
		"store.sync",
		"vm_memory_high_watermark.",
		"frame_max",
		"placement",
		"plugin",
		"script",
		"disk_free_limit.",
	};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(key, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* ---- All of it ---- */

static void show_common(const struct config *config, json_t *object)
{
	for (size_t i = 0; config_tables[i] != NULL; i++) {
		for (const struct config_key *key = config_tables[i]; key->name != NULL; key++) {
			json_t *value = value_at(config, key);

			if (value != NULL && !json_is_null(value))
				json_object_set_new(object, key->name, value);
			else
				json_decref(value);
		}
	}
}

static void show_written(const struct config *config, json_t *object)
{
	for (size_t i = 0; i < config->n_notes; i++)
		if (!is_shown_otherwise(config->notes[i].key) &&
		    json_object_get(object, config->notes[i].key) == NULL)
			json_object_set_new(object, config->notes[i].key,
					    text_of(config->notes[i].value));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* By key, without secrets. */
static json_t *sorted(json_t *object)
{
	const char **names = mem_alloc((json_object_size(object) + 1) * sizeof(*names));
	json_t *result = json_object(), *value;
	const char *name;
	size_t n = 0;

	json_object_foreach(object, name, value) names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		if (!slice_names_secret(names[i]))
			json_object_set(result, names[i], json_object_get(object, names[i]));
	mem_free(names);
	return result;
}

json_t *config_show(const struct config *config)
{
	json_t *object = json_object(), *result;

	show_common(config, object);
	show_listeners(config, object);
	show_loopback_users(config, object);
	show_log(config, object);
	show_store(config, object);
	show_limits(config, object);
	show_plugins(config, object);
	show_written(config, object);
	result = sorted(object);
	json_decref(object);
	return result;
}
