/* SPDX-License-Identifier: MIT */
/* Whether a file is a plugin that this broker can have. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/plugin.h"

/* Of ABI 1.0; it has not grown since. */
#define SIZE_OF_FIRST_ABI                                                                          \
	(offsetof(struct shunt_plugin, stop) + sizeof(((struct shunt_plugin *)NULL)->stop))

int plugin_refuse(char *ret_reason, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_reason, size, format, args);
	va_end(args);
	return -1;
}

bool plugin_name_is_plain(const char *name)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	return name[strspn(name, plain)] == '\0';
}

int plugin_check_options(const struct shunt_option *options, char *ret_reason, size_t size)
{
	for (const struct shunt_option *option = options; option != NULL && option->name != NULL;
	     option++) {
		if (strcmp(option->name, "optional") == 0)
			return plugin_refuse(ret_reason, size,
					     "it has an option 'optional', which is the broker's");
		if (option->default_value != NULL &&
		    !plugin_value_fits(option, option->default_value))
			return plugin_refuse(ret_reason, size,
					     "its option '%s' does not allow its own default '%s'",
					     option->name, option->default_value);
	}
	return 0;
}

static int check_versions(const struct shunt_plugin *exported, char *ret_reason, size_t size)
{
	if (exported->magic != SHUNT_PLUGIN_MAGIC)
		return plugin_refuse(ret_reason, size,
				     "shunt_plugin has the magic number 0x%08x, not 0x%08x",
				     exported->magic, SHUNT_PLUGIN_MAGIC);
	if (exported->abi_major != SHUNT_ABI_MAJOR)
		return plugin_refuse(
			ret_reason, size, "it is built for ABI %u.%u, this broker has %u.%u",
			exported->abi_major, exported->abi_minor, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR);
	if (exported->abi_minor > SHUNT_ABI_MINOR)
		return plugin_refuse(ret_reason, size,
				     "it is built for ABI %u.%u, newer than this broker's %u.%u",
				     exported->abi_major, exported->abi_minor, SHUNT_ABI_MAJOR,
				     SHUNT_ABI_MINOR);
	return 0;
}

/* An older minor has less at the end, if it has grown since. */
static bool size_fits(const struct shunt_plugin *exported)
{
	if (exported->abi_minor < SHUNT_ABI_MINOR)
		return exported->struct_size >= SIZE_OF_FIRST_ABI &&
		       exported->struct_size <= sizeof(struct shunt_plugin);
	return exported->struct_size == sizeof(struct shunt_plugin);
}

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* In this order: nothing is read before what says that it may be. */
static int copy_checked(const struct shunt_plugin *exported, struct shunt_plugin *ret_self,
			char *ret_reason, size_t size)
{
	if (check_versions(exported, ret_reason, size) != 0)
		return -1;
	if (!size_fits(exported))
		return plugin_refuse(ret_reason, size, "struct shunt_plugin has %u bytes, not %zu",
				     exported->struct_size, sizeof(struct shunt_plugin));
	memset(ret_self, 0, sizeof(*ret_self));
	memcpy(ret_self, exported, exported->struct_size);
	return 0;
}

int plugin_check(const struct shunt_plugin *exported, struct shunt_plugin *ret_self,
		 char *ret_reason, size_t size)
{
	if (copy_checked(exported, ret_self, ret_reason, size) != 0)
		return -1;
	if (is_empty(ret_self->name) || is_empty(ret_self->version) ||
	    is_empty(ret_self->licence) || ret_self->start == NULL)
		return plugin_refuse(ret_reason, size,
				     "it lacks a name, version, licence or start function");
	if (!plugin_name_is_plain(ret_self->name))
		return plugin_refuse(ret_reason, size,
				     "its name has more than letters, digits, '-' and '_'");
	return plugin_check_options(ret_self->options, ret_reason, size);
}

int plugin_check_made(const struct shunt_plugin *made, const char *name,
		      struct shunt_plugin *ret_self, char *ret_reason, size_t size)
{
	if (copy_checked(made, ret_self, ret_reason, size) != 0)
		return -1;
	if (is_empty(ret_self->name) || is_empty(ret_self->version))
		return plugin_refuse(ret_reason, size, "its language gives it no name or version");
	if (strcmp(ret_self->name, name) != 0)
		return plugin_refuse(ret_reason, size,
				     "its language has made plugin '%s' of it, not '%s'",
				     ret_self->name, name);
	return 0;
}
