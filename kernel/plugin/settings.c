/* SPDX-License-Identifier: MIT */
/* What the configuration says to plugins and scripts: plugin.NAME.KEY = value, script.NAME.KEY =
 * value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/host.h"
#include "plugin/plugin.h"

/* The broker's own key of every plugin. */
static const struct shunt_option optional_option = {
	.name = "optional",
	.help = "whether the broker starts without it",
	.default_value = "false",
	.type = SHUNT_OPTION_BOOLEAN,
};

static bool parse_integer(const char *text, long long *ret_number)
{
	char *end;

	errno = 0;
	*ret_number = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

bool plugin_value_fits(const struct shunt_option *option, const char *value)
{
	long long number;

	switch (option->type) {
	case SHUNT_OPTION_STRING:
		return true;
	case SHUNT_OPTION_BOOLEAN:
		return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	case SHUNT_OPTION_INTEGER:
		return parse_integer(value, &number) && number >= option->minimum &&
		       number <= option->maximum;
	}
	return false;
}

bool plugin_option_is_any(const struct shunt_option *option)
{
	return strcmp(option->name, "*") == 0;
}

const struct shunt_option *plugin_option(const struct shunt_plugin *self, const char *key)
{
	const struct shunt_option *any = NULL;

	for (const struct shunt_option *option = self->options;
	     option != NULL && option->name != NULL; option++) {
		if (strcmp(option->name, key) == 0)
			return option;
		if (plugin_option_is_any(option))
			any = option;
	}
	return any;
}

static const char *kind_of(bool is_script)
{
	return is_script ? "script" : "plugin";
}

/* Where a value was expected, as the configuration says it of its own keys. */
static void expected(const struct shunt_option *option, char *ret_text, size_t size)
{
	if (option->type == SHUNT_OPTION_INTEGER)
		snprintf(ret_text, size, "a whole number from %lld to %lld",
			 (long long)option->minimum, (long long)option->maximum);
	else
		snprintf(ret_text, size, "true or false");
}

static int check_value(const struct plugin_setting *setting, const struct shunt_option *option,
		       char *ret_reason, size_t size)
{
	char text[96];

	if (option == NULL)
		return plugin_refuse(ret_reason, size, "%s: %s '%s' has no option '%s'",
				     setting->where, kind_of(setting->is_script), setting->plugin,
				     setting->key);
	if (plugin_value_fits(option, setting->value))
		return 0;
	expected(option, text, sizeof(text));
	return plugin_refuse(ret_reason, size, "%s: bad value '%s' for '%s.%s.%s': expected %s",
			     setting->where, setting->value, kind_of(setting->is_script),
			     setting->plugin, setting->key, text);
}

int plugin_check_settings(const struct plugin *plugin, char *ret_reason, size_t size)
{
	const struct setting_list *list = plugin->settings;

	for (size_t i = 0; i < list->n; i++) {
		const struct plugin_setting *setting = &list->items[i];
		const struct shunt_option *option = &optional_option;

		if (!setting_is_of(setting, plugin->name, plugin->script != NULL))
			continue;
		if (strcmp(setting->key, optional_option.name) != 0)
			option = plugin_option(&plugin->self, setting->key);
		if (check_value(setting, option, ret_reason, size) != 0)
			return -1;
	}
	return 0;
}

bool plugins_is_optional(const struct plugins *plugins, const char *name, bool is_script)
{
	const char *value =
		setting_list_find(plugins->settings, name, is_script, optional_option.name);

	return value != NULL && strcmp(value, "true") == 0;
}

static bool is_there(const struct plugins *plugins, const struct plugin_setting *setting)
{
	const struct plugin *plugin = plugins_find(plugins, setting->plugin);

	return plugin != NULL && (plugin->script != NULL) == setting->is_script;
}

/* Of one that is not there only the broker's own key can be looked at. */
int plugins_check_settings(const struct plugins *plugins, char *ret_reason, size_t size)
{
	const struct setting_list *list = plugins->settings;

	for (size_t i = 0; i < list->n; i++) {
		const struct plugin_setting *setting = &list->items[i];

		if (is_there(plugins, setting))
			continue;
		if (strcmp(setting->key, optional_option.name) == 0 &&
		    check_value(setting, &optional_option, ret_reason, size) != 0)
			return -1;
		if (!plugins_is_optional(plugins, setting->plugin, setting->is_script))
			return plugin_refuse(ret_reason, size, "%s: %s '%s' is not loaded",
					     setting->where, kind_of(setting->is_script),
					     setting->plugin);
	}
	return 0;
}

/* ---- For the host ---- */

static const char *host_config(const struct shunt_host *host, const char *key)
{
	const struct plugin *plugin = plugin_of_host(host);
	const struct shunt_option *option = plugin_option(&plugin->self, key);
	const char *value;

	if (option == NULL)
		return NULL;
	value = setting_list_find(plugin->settings, plugin->name, plugin->script != NULL, key);
	return value != NULL ? value : option->default_value;
}

static int64_t host_config_integer(const struct shunt_host *host, const char *key)
{
	const struct shunt_option *option = plugin_option(&plugin_of_host(host)->self, key);
	const char *value = host_config(host, key);
	long long number;

	if (value == NULL || option->type != SHUNT_OPTION_INTEGER || !parse_integer(value, &number))
		return 0;
	return number;
}

static bool host_config_boolean(const struct shunt_host *host, const char *key)
{
	const struct shunt_option *option = plugin_option(&plugin_of_host(host)->self, key);
	const char *value = host_config(host, key);

	return value != NULL && option->type == SHUNT_OPTION_BOOLEAN && strcmp(value, "true") == 0;
}

/* It is the plugin's, and no later one of its key takes its place. */
static bool counts(const struct plugin *plugin, const struct plugin_setting *setting)
{
	if (!setting_is_of(setting, plugin->name, plugin->script != NULL) ||
	    strcmp(setting->key, optional_option.name) == 0)
		return false;
	return setting_list_find(plugin->settings, plugin->name, setting->is_script,
				 setting->key) == setting->value;
}

static bool host_config_next(const struct shunt_host *host, size_t *position, const char **ret_key,
			     const char **ret_value)
{
	const struct plugin *plugin = plugin_of_host(host);
	const struct setting_list *list = plugin->settings;

	while (*position < list->n) {
		const struct plugin_setting *setting = &list->items[(*position)++];

		if (!counts(plugin, setting))
			continue;
		*ret_key = setting->key;
		*ret_value = setting->value;
		return true;
	}
	return false;
}

void plugins_take_script_settings(struct plugins *plugins, const struct plugin_setting *settings,
				  size_t n)
{
	struct setting_list *list = setting_list_with_scripts(plugins->settings, settings, n);

	setting_list_unref(plugins->settings);
	plugins->settings = list;
}

const struct plugin_setting *plugins_settings(const struct plugins *plugins, size_t *ret_n)
{
	*ret_n = plugins->settings->n;
	return plugins->settings->items;
}

void host_offer_settings(struct shunt_host *host)
{
	host->config = host_config;
	host->config_integer = host_config_integer;
	host->config_boolean = host_config_boolean;
	host->config_next = host_config_next;
}
