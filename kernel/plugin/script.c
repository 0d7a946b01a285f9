/* SPDX-License-Identifier: MIT */
#include "plugin/script.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define USUAL_EXTENSION "lua"

/* ---- Names ---- */

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const char *script_extension_of(const char *path)
{
	const char *base = base_of(path), *dot = strrchr(base, '.');

	return dot == NULL || dot == base || dot[1] == '\0' ? NULL : dot + 1;
}

char *script_name_of(const char *path)
{
	const char *extension = script_extension_of(path);
	char *name;

	if (extension == NULL)
		return NULL;
	name = mem_strdup(base_of(path));
	name[strlen(name) - strlen(extension) - 1] = '\0';
	if (plugin_name_is_plain(name))
		return name;
	mem_free(name);
	return NULL;
}

char *plugins_script_path(const struct plugins *plugins, const char *name_or_path)
{
	const char *directory = plugins->config.scripts;

	if (strchr(name_or_path, '/') != NULL || directory == NULL)
		return mem_strdup(name_or_path);
	return mem_printf("%s/%s%s", directory, name_or_path,
			  strchr(name_or_path, '.') != NULL ? "" : "." USUAL_EXTENSION);
}

bool plugins_name_script(const struct plugins *plugins, const char *name_or_path)
{
	const char *extension = script_extension_of(name_or_path);
	struct plugin *owner;

	if (extension == NULL)
		return false;
	return strcmp(extension, USUAL_EXTENSION) == 0 ||
	       plugins_find_language(plugins, extension, NULL, &owner) != NULL;
}

bool script_reason_is_placed(const char *path, const char *reason)
{
	size_t n = strlen(path);

	return strncmp(reason, path, n) == 0 && reason[n] == ':' &&
	       isdigit((unsigned char)reason[n + 1]);
}

/* ---- Languages ---- */

static const struct shunt_language *language_of(const struct plugin *plugin, const char *extension)
{
	for (size_t i = 0; i < plugin->staged.n_languages; i++)
		if (strcmp(plugin->staged.languages[i]->extension, extension) == 0)
			return plugin->staged.languages[i];
	return NULL;
}

const struct shunt_language *plugins_find_language(const struct plugins *plugins,
						   const char *extension, struct plugin *of,
						   struct plugin **ret_owner)
{
	const struct shunt_language *language;
	struct list *pos;

	*ret_owner = of;
	if (of != NULL)
		return language_of(of, extension);
	list_for_each(pos, &plugins->active) {
		*ret_owner = container_of(pos, struct plugin, link);
		language = language_of(*ret_owner, extension);
		if (language != NULL)
			return language;
	}
	return NULL;
}

const char *plugins_missing_language(const struct plugins *plugins, const char *path)
{
	const char *extension = script_extension_of(path);
	struct plugin *owner;

	if (extension == NULL || !plugin_name_is_plain(extension) ||
	    plugins_find_language(plugins, extension, NULL, &owner) != NULL)
		return NULL;
	return extension;
}

struct plugin *plugins_next_script(const struct plugins *plugins, const struct plugin *owner,
				   const struct plugin *after)
{
	bool is_behind = after == NULL;
	struct list *pos;

	list_for_each(pos, &plugins->active) {
		struct plugin *plugin = container_of(pos, struct plugin, link);

		if (is_behind && plugin->script != NULL && plugin->script->owner == owner)
			return plugin;
		is_behind = is_behind || plugin == after;
	}
	return NULL;
}

/* ---- Opening ---- */

static int find_language(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
			 size_t size)
{
	struct plugin_script *script = plugin->script;
	const char *extension = script_extension_of(plugin->file.path);
	struct plugin *owner;

	script->language =
		plugins_find_language(plugin->plugins, extension, open->language_of, &owner);
	if (script->language == NULL)
		return plugin_refuse(ret_reason, size,
				     "%s: no plugin runs scripts with the extension '%s'",
				     plugin->file.path, extension);
	script->owner = owner;
	plugin_hold(owner);
	plugin->self.options = script->language->options;
	return 0;
}

/* What may have changed since. */
static void note_before(struct plugin *plugin, const struct plugin *before)
{
	plugin->script->seen = before->script->seen;
	plugin->script->in_force = script_source_ref(before->script->source);
	plugin->script->has_other_settings =
		!setting_lists_agree(before->settings, plugin->settings, before->name, true);
}

int script_begin(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
		 size_t size)
{
	struct plugin_script *script = plugin->script = mem_zalloc(sizeof(*script));

	script->source = script_source_ref(open->source);
	if (open->replaces != NULL && open->replaces->script != NULL)
		note_before(plugin, open->replaces);
	plugin->file.path = open->source != NULL
				    ? mem_strdup(open->source->path)
				    : plugins_script_path(plugin->plugins, open->name_or_path);
	plugin->name = script_name_of(plugin->file.path);
	if (plugin->name == NULL)
		return plugin_refuse(ret_reason, size,
				     "%s: a script's file is NAME.EXTENSION, with a name of "
				     "letters, digits, '-' and '_'",
				     plugin->file.path);
	if (find_language(plugin, open, ret_reason, size) != 0)
		return -1;
	if (plugin_check_settings(plugin, ret_reason, size) == 0)
		return 0;
	plugin->is_badly_set = true;
	return -1;
}

static int refuse_as_said(const struct plugin *plugin, struct shunt_error *error, char *ret_reason,
			  size_t size)
{
	error->text[sizeof(error->text) - 1] = '\0';
	if (error->text[0] == '\0')
		return plugin_refuse(ret_reason, size,
				     "%s: its language does not say what is wrong",
				     plugin->file.path);
	return plugin_refuse(ret_reason, size, "%s", error->text);
}

/* What was gone back from is not taken up again for another setting. */
static void keep_text(struct plugin_script *script)
{
	struct script_source *read = script->source;

	script->source = script->in_force;
	script->in_force = read;
}

static int read_source(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
		       size_t size)
{
	struct plugin_script *script = plugin->script;
	uint64_t seen = script->seen;

	if (script->source != NULL)
		return 0;
	if (script_source_read(plugin->file.path, &script->source, ret_reason, size) != 0)
		return -1;
	script->seen = script->source->hash;
	if (!open->only_if_changed || script->seen != seen)
		return 0;
	if (!script->has_other_settings)
		return PLUGIN_UNCHANGED;
	keep_text(script);
	return 0;
}

int script_open(struct plugin *plugin, const struct plugin_open *open, char *ret_reason,
		size_t size)
{
	struct plugin_script *script = plugin->script;
	struct shunt_error error = {0, ""};
	struct shunt_script text;
	int result = read_source(plugin, open, ret_reason, size);

	if (result != 0)
		return result;
	text = (struct shunt_script){
		.size = sizeof(text),
		.name = plugin->name,
		.path = plugin->file.path,
		.source = {(const uint8_t *)script->source->bytes, script->source->size},
	};
	script->made = script->language->open(script->owner->state, &plugin->host, &text,
					      open->purpose, open->report, &error);
	if (script->made == NULL)
		return refuse_as_said(plugin, &error, ret_reason, size);
	if (plugin_check_made(script->made, plugin->name, &plugin->self, ret_reason, size) != 0)
		return -1;
	plugin->self.options = script->language->options;
	return 0;
}

int script_start(struct plugin *plugin, struct shunt_error *error)
{
	script_source_unref(plugin->script->in_force);
	plugin->script->in_force = NULL;
	return plugin->script->language->start(plugin->script->made, &plugin->host, &plugin->state,
					       error);
}

/* ---- The end ---- */

void script_close(struct plugin *plugin)
{
	struct plugin_script *script = plugin->script;

	if (script->made != NULL)
		script->language->close(script->made);
	script->made = NULL;
}

void script_fini(struct plugin *plugin)
{
	struct plugin_script *script = plugin->script;

	script_source_unref(script->source);
	script_source_unref(script->before);
	script_source_unref(script->in_force);
	if (script->owner != NULL)
		plugin_release(script->owner);
	mem_free(script);
	plugin->script = NULL;
}
