/* SPDX-License-Identifier: MIT */

/* The language Lua: scripts that are plugins (script.h). */

#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "script.h"
#include "library/shared.h"

static int fail(struct shunt_error *error, uint16_t code, const char *text)
{
	error->code = code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static struct script *script_of(const struct shunt_plugin *plugin)
{
	return (struct script *)((uintptr_t)plugin - offsetof(struct script, plugin));
}

static const struct shunt_plugin *open_script(void *context, const struct shunt_host *host,
					      const struct shunt_script *text,
					      enum shunt_script_purpose purpose,
					      struct shunt_report *report,
					      struct shunt_error *error)
{
	struct script *script = script_open(context, host, text, purpose, report, error);

	return script ? &script->plugin : NULL;
}

static int start_script(const struct shunt_plugin *plugin, const struct shunt_host *host,
			void **ret_plugin, struct shunt_error *error)
{
	struct script *script = script_of(plugin);

	(void)host; /* that which open() was passed */
	*ret_plugin = script;
	return script_start(script, error);
}

static void close_script(const struct shunt_plugin *plugin)
{
	script_close(script_of(plugin));
}

static void describe_script(void *plugin, struct shunt_report *report)
{
	describe_parts(plugin, report);
	describe_figures(plugin, report);
}

static const struct shunt_language lua_language = {
	.size = sizeof(struct shunt_language),
	.name = "lua",
	.extension = "lua",
	.options = script_options,
	.open = open_script,
	.start = start_script,
	.close = close_script,
	.describe = describe_script,
};

static int language_start(const struct shunt_host *host, void **ret_plugin,
			  struct shunt_error *error)
{
	struct language *language;

	if (!SHUNT_HAS(host, struct shunt_host, register_language))
		return fail(error, SHUNT_NOT_IMPLEMENTED, "this broker knows no scripts");
	language = host->allocate(host, sizeof(*language));
	if (!language)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	memset(language, 0, sizeof(*language));
	language->host = host;
	language->shared = shared_tables_create();
	if (!language->shared) {
		host->free(host, language);
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	}
	if (host->register_language(host, &lua_language, error)) {
		shared_tables_destroy(language->shared);
		host->free(host, language);
		return -1;
	}
	*ret_plugin = language;
	return 0;
}

static void language_stop(void *plugin)
{
	struct language *language = plugin;

	shared_tables_destroy(language->shared);
	language->host->free(language->host, language);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "lua",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Scripts in Lua: exchange types, access, message hooks, timers",
	.start = language_start,
	.stop = language_stop,
};
