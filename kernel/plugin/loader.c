/* SPDX-License-Identifier: MIT */
#include "plugin/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/exchange_type.h"
#include "plugin/host.h"

#define PLUGIN_WHY_SIZE 384

struct plugin {
	struct shunt_host host; /* what it is handed; finds the plugin again */
	struct list link;
	struct plugins *plugins;
	const struct shunt_plugin *self; /* in the shared object */
	void *object;
	char *path;
	void *state; /* what start() left */
	bool is_starting;
	const struct shunt_exchange_type **types; /* what it registered while starting */
	size_t n_types;
};

struct plugins {
	struct list all; /* in the order of loading */
	struct topology *topology;
	const char *directory;
	const struct plugin_setting *settings;
	size_t n_settings;
};

struct plugins *plugins_create(struct topology *topology, const char *directory,
			       const struct plugin_setting *settings, size_t n_settings)
{
	struct plugins *plugins = mem_zalloc(sizeof(*plugins));

	list_init(&plugins->all);
	plugins->topology = topology;
	plugins->directory = directory;
	plugins->settings = settings;
	plugins->n_settings = n_settings;
	return plugins;
}

static int plugin_refuse(char *ret_reason, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int plugin_refuse(char *ret_reason, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_reason, size, format, args);
	va_end(args);
	return -1;
}

/* ---- Checking ---- */

static bool plugin_value_fits(const struct shunt_option *option, const char *value)
{
	char *end;
	long long number;

	switch (option->type) {
	case SHUNT_OPTION_STRING:
		return true;
	case SHUNT_OPTION_BOOLEAN:
		return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	case SHUNT_OPTION_INTEGER:
		errno = 0;
		number = strtoll(value, &end, 10);
		return errno == 0 && end != value && *end == '\0' && number >= option->minimum &&
		       number <= option->maximum;
	}
	return false;
}

static const struct shunt_option *plugin_option(const struct shunt_plugin *self, const char *key)
{
	for (const struct shunt_option *option = self->options;
	     option != NULL && option->name != NULL; option++)
		if (strcmp(option->name, key) == 0)
			return option;
	return NULL;
}

/* Where a value was expected, as the configuration says it of its own keys. */
static void plugin_expected(const struct shunt_option *option, char *ret_text, size_t size)
{
	if (option->type == SHUNT_OPTION_INTEGER)
		snprintf(ret_text, size, "a whole number from %lld to %lld",
			 (long long)option->minimum, (long long)option->maximum);
	else
		snprintf(ret_text, size, "true or false");
}

/* As plugin.NAME.KEY and the log can carry it. */
static bool plugin_name_is_plain(const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return name[strspn(name, plain)] == '\0';
}

static int plugin_check_defaults(const struct shunt_plugin *self, char *ret_reason, size_t size)
{
	for (const struct shunt_option *option = self->options;
	     option != NULL && option->name != NULL; option++)
		if (option->default_value != NULL &&
		    !plugin_value_fits(option, option->default_value))
			return plugin_refuse(ret_reason, size,
					     "its option '%s' does not allow its own default '%s'",
					     option->name, option->default_value);
	return 0;
}

/* In this order: nothing is read before what says that it may be. */
static int plugin_check(const struct shunt_plugin *self, char *ret_reason, size_t size)
{
	if (self->magic != SHUNT_PLUGIN_MAGIC)
		return plugin_refuse(ret_reason, size,
				     "shunt_plugin has the magic number 0x%08x, not 0x%08x",
				     self->magic, SHUNT_PLUGIN_MAGIC);
	if (self->abi_major != SHUNT_ABI_MAJOR)
		return plugin_refuse(
			ret_reason, size, "it is built for ABI %u.%u, this broker has %u.%u",
			self->abi_major, self->abi_minor, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR);
	if (self->abi_minor > SHUNT_ABI_MINOR)
		return plugin_refuse(ret_reason, size,
				     "it is built for ABI %u.%u, newer than this broker's %u.%u",
				     self->abi_major, self->abi_minor, SHUNT_ABI_MAJOR,
				     SHUNT_ABI_MINOR);
	if (self->struct_size != sizeof(struct shunt_plugin))
		return plugin_refuse(ret_reason, size, "struct shunt_plugin has %u bytes, not %zu",
				     self->struct_size, sizeof(struct shunt_plugin));
	if (self->name == NULL || self->name[0] == '\0' || self->version == NULL ||
	    self->licence == NULL || self->start == NULL)
		return plugin_refuse(ret_reason, size,
				     "it lacks a name, version, licence or start function");
	if (!plugin_name_is_plain(self->name))
		return plugin_refuse(ret_reason, size,
				     "its name has more than letters, digits, '-' and '_'");
	return plugin_check_defaults(self, ret_reason, size);
}

/* Errors name the place of the setting, not that of the plugin. */
static int plugin_check_settings(const struct plugin *plugin, char *ret_reason, size_t size)
{
	const struct plugins *plugins = plugin->plugins;
	const char *name = plugin->self->name;
	char expected[96];

	for (size_t i = 0; i < plugins->n_settings; i++) {
		const struct plugin_setting *setting = &plugins->settings[i];
		const struct shunt_option *option;

		if (strcmp(setting->plugin, name) != 0)
			continue;
		option = plugin_option(plugin->self, setting->key);
		if (option == NULL)
			return plugin_refuse(ret_reason, size, "%s: plugin '%s' has no option '%s'",
					     setting->where, name, setting->key);
		if (plugin_value_fits(option, setting->value))
			continue;
		plugin_expected(option, expected, sizeof(expected));
		return plugin_refuse(ret_reason, size,
				     "%s: bad value '%s' for 'plugin.%s.%s': expected %s",
				     setting->where, setting->value, name, setting->key, expected);
	}
	return 0;
}

const char *plugin_config(const struct plugin *plugin, const char *key)
{
	const struct plugins *plugins = plugin->plugins;
	const struct shunt_option *option = plugin_option(plugin->self, key);
	const char *value = option != NULL ? option->default_value : NULL;

	for (size_t i = 0; option != NULL && i < plugins->n_settings; i++)
		if (strcmp(plugins->settings[i].plugin, plugin->self->name) == 0 &&
		    strcmp(plugins->settings[i].key, key) == 0)
			value = plugins->settings[i].value;
	return value;
}

struct plugin *plugin_of_host(const struct shunt_host *host)
{
	/* The table is handed out as const; the plugin around it is not. */
	return (struct plugin *)(uintptr_t)container_of(host, const struct plugin, host);
}

const char *plugin_name(const struct plugin *plugin)
{
	return plugin->self->name;
}

static const char *plugin_of_type(const struct plugin *plugin, const char *name)
{
	const struct exchange_type *other =
		exchange_type_find(plugin->plugins->topology, slice_cstr(name));

	if (other != NULL)
		return other->plugin_name;
	for (size_t i = 0; i < plugin->n_types; i++)
		if (strcmp(plugin->types[i]->name, name) == 0)
			return plugin->self->name;
	return NULL;
}

int plugin_add_exchange_type(struct plugin *plugin, const struct shunt_exchange_type *type,
			     struct shunt_error *error)
{
	const char *owner;

	error->code = SHUNT_NOT_ALLOWED;
	if (!plugin->is_starting)
		return plugin_refuse(
			error->text, sizeof(error->text),
			"exchange type '%s' comes too late: types are registered while starting",
			type->name);
	owner = plugin_of_type(plugin, type->name);
	if (owner != NULL)
		return plugin_refuse(error->text, sizeof(error->text),
				     "exchange type '%s' is there already, by plugin '%s'",
				     type->name, owner);
	plugin->types = mem_realloc(plugin->types, (plugin->n_types + 1) * sizeof(*plugin->types));
	plugin->types[plugin->n_types++] = type;
	return 0;
}

/* ---- Loading ---- */

static bool plugin_is_loaded(const struct plugins *plugins, const char *name)
{
	struct list *pos;

	list_for_each(pos, &plugins->all)
		if (strcmp(container_of(pos, struct plugin, link)->self->name, name) == 0)
			return true;
	return false;
}

static int plugin_start(struct plugin *plugin, char *ret_reason, size_t size)
{
	struct shunt_error error = {0, ""};
	int result;

	plugin->is_starting = true;
	result = plugin->self->start(&plugin->host, &plugin->state, &error);
	plugin->is_starting = false;
	if (result == 0)
		return 0;
	error.text[sizeof(error.text) - 1] = '\0';
	return plugin_refuse(ret_reason, size, "it does not start: %s",
			     error.text[0] != '\0' ? error.text : "it does not say why");
}

/* Only now, since instances of predeclared exchanges are created with what start() left. */
static int plugin_register_types(struct plugin *plugin, char *ret_reason, size_t size)
{
	for (size_t i = 0; i < plugin->n_types; i++) {
		int result = exchange_type_register(plugin->plugins->topology, plugin->types[i],
						    plugin->state, plugin->self->name);

		if (result != 0)
			return plugin_refuse(ret_reason, size,
					     "exchange type '%s' cannot be registered: %s",
					     plugin->types[i]->name, strerror(-result));
	}
	return 0;
}

static int plugin_open(struct plugin *plugin, char *ret_reason, size_t size)
{
	plugin->object = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
	if (plugin->object == NULL)
		return plugin_refuse(ret_reason, size, "%s", dlerror());
	plugin->self = dlsym(plugin->object, "shunt_plugin");
	if (plugin->self == NULL)
		return plugin_refuse(ret_reason, size, "%s does not export shunt_plugin",
				     plugin->path);
	if (plugin_check(plugin->self, ret_reason, size) != 0)
		return -1;
	if (plugin_is_loaded(plugin->plugins, plugin->self->name))
		return plugin_refuse(ret_reason, size, "a plugin named '%s' is loaded already",
				     plugin->self->name);
	return 0;
}

static void plugin_destroy(struct plugin *plugin)
{
	if (plugin->object != NULL)
		dlclose(plugin->object);
	mem_free(plugin->types);
	mem_free(plugin->path);
	mem_free(plugin);
}

/* "PLACE: cannot load plugin 'NAME': " before the reason. */
static int plugin_refuse_load(const char *name, const char *where, const char *why,
			      char *ret_reason, size_t size)
{
	return plugin_refuse(ret_reason, size, "%s%scannot load plugin '%s': %s",
			     where != NULL ? where : "", where != NULL ? ": " : "", name, why);
}

static struct plugin *plugin_create(struct plugins *plugins, const char *name_or_path)
{
	struct plugin *plugin = mem_zalloc(sizeof(*plugin));

	host_init(&plugin->host);
	list_init(&plugin->link);
	plugin->plugins = plugins;
	plugin->path = strchr(name_or_path, '/') != NULL
			       ? mem_strdup(name_or_path)
			       : mem_printf("%s/%s.so", plugins->directory, name_or_path);
	return plugin;
}

int plugins_load(struct plugins *plugins, const char *name_or_path, const char *where,
		 char *ret_reason, size_t size)
{
	struct plugin *plugin = plugin_create(plugins, name_or_path);
	char why[PLUGIN_WHY_SIZE] = "";

	if (plugin_open(plugin, why, sizeof(why)) != 0)
		goto refused;
	if (plugin_check_settings(plugin, ret_reason, size) != 0)
		goto destroy;
	if (plugin_start(plugin, why, sizeof(why)) != 0)
		goto refused;
	/* From here on it stays, also if a type is refused: others of it may have instances. */
	list_add_tail(&plugins->all, &plugin->link);
	if (plugin_register_types(plugin, why, sizeof(why)) != 0)
		return plugin_refuse_load(name_or_path, where, why, ret_reason, size);
	log_info("plugin", "loaded: name=%s version=%s path=\"%s\"", plugin->self->name,
		 plugin->self->version, plugin->path);
	return 0;

refused:
	(void)plugin_refuse_load(name_or_path, where, why, ret_reason, size);
destroy:
	plugin_destroy(plugin);
	return -1;
}

int plugins_check_settings(const struct plugins *plugins, char *ret_reason, size_t size)
{
	for (size_t i = 0; i < plugins->n_settings; i++)
		if (!plugin_is_loaded(plugins, plugins->settings[i].plugin))
			return plugin_refuse(ret_reason, size, "%s: plugin '%s' is not loaded",
					     plugins->settings[i].where,
					     plugins->settings[i].plugin);
	return 0;
}

void plugins_destroy(struct plugins *plugins)
{
	struct list *node;

	if (plugins == NULL)
		return;
	while ((node = list_last(&plugins->all)) != NULL) {
		struct plugin *plugin = container_of(node, struct plugin, link);

		list_remove(node);
		if (plugin->self->stop != NULL)
			plugin->self->stop(plugin->state);
		plugin_destroy(plugin);
	}
	mem_free(plugins);
}

void plugins_for_each(const struct plugins *plugins,
		      void (*visit)(void *context, const struct shunt_plugin *plugin,
				    const char *path),
		      void *context)
{
	struct list *pos;

	list_for_each(pos, &plugins->all) {
		const struct plugin *plugin = container_of(pos, struct plugin, link);

		visit(context, plugin->self, plugin->path);
	}
}
