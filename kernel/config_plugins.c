/* SPDX-License-Identifier: MIT */
/* Plugins and scripts, and what they are handed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config_entry.h"
#include "config_set.h"

static const char *const config_shipped_plugins[] = {
	"exchange-direct",	   "exchange-fanout",	       "exchange-topic",
	"exchange-headers",	   "exchange-consistent-hash", "exchange-random",
	"exchange-recent-history", "exchange-modulus-hash",
};

static void add(struct config_plugin **plugins, size_t *n, const char *name, const char *where)
{
	*plugins = mem_realloc(*plugins, (*n + 1) * sizeof(**plugins));
	(*plugins)[(*n)++] = (struct config_plugin){
		.name = mem_strdup(name),
		.where = where != NULL ? mem_strdup(where) : NULL,
	};
}

static int read_plugin(struct config_entry *e)
{
	if (e->value[0] == '\0')
		return config_refuse(e, "a plugin's name or the path of its file");
	e->config->has_plugins = true;
	add(&e->config->plugins, &e->config->n_plugins, e->value, e->where);
	return 0;
}

static int read_script(struct config_entry *e)
{
	if (e->value[0] == '\0')
		return config_refuse(e, "a script's name or the path of its file");
	add(&e->config->scripts, &e->config->n_scripts, e->value, e->where);
	return 0;
}

static int read_setting(struct config_entry *e, const char *kind)
{
	struct config *config = e->config;
	const char *dot = strchr(e->rest, '.');
	struct plugin_setting *setting;
	char *name;

	if (dot == NULL || dot == e->rest || dot[1] == '\0') {
		snprintf(e->error, CONFIG_ERROR_MAX, "%s: '%s' is not %s.NAME.KEY", e->where,
			 e->key, kind);
		return -1;
	}
	config->settings =
		mem_realloc(config->settings, (config->n_settings + 1) * sizeof(*config->settings));
	setting = &config->settings[config->n_settings++];
	name = mem_strdup(e->rest);
	name[dot - e->rest] = '\0';
	setting->plugin = name;
	setting->key = mem_strdup(dot + 1);
	setting->value = mem_strdup(e->value);
	setting->where = mem_strdup(e->where);
	setting->is_script = strcmp(kind, "script") == 0;
	return 0;
}

static int read_plugin_setting(struct config_entry *e)
{
	return read_setting(e, "plugin");
}

static int read_script_setting(struct config_entry *e)
{
	return read_setting(e, "script");
}

const struct config_key config_plugin_keys[] = {
	{"plugins.dir", config_text, CONFIG_PLACE(plugins_dir), 0, 0},
	{"plugin", read_plugin, 0, 0, 0},
	{"plugin.", read_plugin_setting, 0, 0, 0},
	{"scripts.dir", config_text, CONFIG_PLACE(scripts_dir), 0, 0},
	{"script", read_script, 0, 0, 0},
	{"script.", read_script_setting, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};

void config_plugins_complete(struct config *config)
{
	if (config->has_plugins)
		return;
	for (size_t i = 0; i < sizeof(config_shipped_plugins) / sizeof(*config_shipped_plugins);
	     i++)
		add(&config->plugins, &config->n_plugins, config_shipped_plugins[i], NULL);
}

static void free_plugins(struct config_plugin *plugins, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mem_free(plugins[i].name);
		mem_free(plugins[i].where);
	}
	mem_free(plugins);
}

static void free_setting(const struct plugin_setting *setting)
{
	mem_free((char *)(uintptr_t)setting->plugin);
	mem_free((char *)(uintptr_t)setting->key);
	mem_free((char *)(uintptr_t)setting->value);
	mem_free((char *)(uintptr_t)setting->where);
}

void config_plugins_fini(struct config *config)
{
	free_plugins(config->plugins, config->n_plugins);
	free_plugins(config->scripts, config->n_scripts);
	for (size_t i = 0; i < config->n_settings; i++)
		free_setting(&config->settings[i]);
	mem_free(config->settings);
}
