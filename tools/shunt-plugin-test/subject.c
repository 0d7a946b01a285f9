/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "base/shared_object.h"
#include "script.h"
#include "trace.h"

#define BLANK_CODE     0xeeee
#define BLANK_TEXT     '\x7f'
#define NAME_MAX_BYTES 127

/* ---- The symbol ---- */

/* An older minor has less at its end. */
static bool size_fits(const struct shunt_plugin *plugin)
{
	if (plugin->abi_minor < SHUNT_ABI_MINOR)
		return plugin->struct_size >= offsetof(struct shunt_plugin, activate) &&
		       plugin->struct_size <= sizeof(*plugin);
	return plugin->struct_size == sizeof(*plugin);
}

/* In this order: nothing is read before what says that it may be. */
static void check_abi(const struct shunt_plugin *plugin)
{
	if (plugin->magic != SHUNT_PLUGIN_MAGIC)
		trace_fail("shunt_plugin has the magic number 0x%08x, not 0x%08x", plugin->magic,
			   SHUNT_PLUGIN_MAGIC);
	if (plugin->abi_major != SHUNT_ABI_MAJOR)
		trace_fail("it is built for ABI %u.%u, this tester has %u.%u", plugin->abi_major,
			   plugin->abi_minor, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR);
	if (plugin->abi_minor > SHUNT_ABI_MINOR)
		trace_fail("it is built for ABI %u.%u, newer than this tester's %u.%u",
			   plugin->abi_major, plugin->abi_minor, SHUNT_ABI_MAJOR, SHUNT_ABI_MINOR);
	if (!size_fits(plugin))
		trace_fail("struct shunt_plugin has %u bytes, not %zu", plugin->struct_size,
			   sizeof(*plugin));
}

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void check_names(const struct shunt_plugin *plugin)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (is_empty(plugin->name) || is_empty(plugin->version) || is_empty(plugin->licence) ||
	    plugin->start == NULL)
		trace_fail("it lacks a name, version, licence or start function");
	if (plugin->name[strspn(plugin->name, plain)] != '\0')
		trace_fail("its name %s has more than letters, digits, '-' and '_'",
			   trace_quote(plugin->name, strlen(plugin->name)));
}

void subject_open(struct subject *s)
{
	const struct shunt_plugin *exported;
	const char *unique;
	void *object;

	trace_begin("loading it");
	object = dlopen(s->path, RTLD_NOW | RTLD_LOCAL);
	trace_end();
	if (object == NULL)
		trace_fail("%s", dlerror());
	exported = dlsym(object, "shunt_plugin");
	if (exported == NULL)
		trace_fail("it does not export shunt_plugin");
	unique = shared_object_unique(object);
	if (unique != NULL)
		trace_fail("other versions would share its variable '%s' (g++: -fno-gnu-unique)",
			   unique);
	check_abi(exported);
	s->self = (struct shunt_plugin){0};
	memcpy(&s->self, exported, exported->struct_size);
	s->plugin = &s->self;
	check_names(s->plugin);
	arena_add_object(exported);
}

/* ---- Options ---- */

static bool value_fits(const struct shunt_option *option, const char *value)
{
	long long number;
	char *end;

	if (option->type == SHUNT_OPTION_BOOLEAN)
		return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	if (option->type != SHUNT_OPTION_INTEGER)
		return true;
	errno = 0;
	number = strtoll(value, &end, 10);
	return errno == 0 && end != value && *end == '\0' && number >= option->minimum &&
	       number <= option->maximum;
}

static void check_option(const struct shunt_option *option, const struct shunt_option *all)
{
	if ((unsigned)option->type > SHUNT_OPTION_BOOLEAN)
		trace_fail("its option '%s' is of type %d, which is none", option->name,
			   (int)option->type);
	if (strcmp(option->name, "optional") == 0)
		trace_fail("its option 'optional' is the broker's own");
	if (option->name[0] == '\0' || strpbrk(option->name, " \t\r\n=#") != NULL)
		trace_fail("its option %s cannot be written in a configuration",
			   trace_quote(option->name, strlen(option->name)));
	if (option->help == NULL || strchr(option->help, '\n') != NULL)
		trace_fail("its option '%s' has no help of one line", option->name);
	if (strcmp(option->name, "*") == 0 && option->type != SHUNT_OPTION_STRING)
		trace_fail("its option '*', which is any key, is no string");
	if (option->type == SHUNT_OPTION_INTEGER && option->minimum > option->maximum)
		trace_fail("its option '%s' allows no number: its minimum is above its maximum",
			   option->name);
	if (option->default_value != NULL && !value_fits(option, option->default_value))
		trace_fail("its option '%s' does not allow its own default '%s'", option->name,
			   option->default_value);
	for (const struct shunt_option *other = all; other != option; other++)
		if (strcmp(other->name, option->name) == 0)
			trace_fail("it has the option '%s' twice", option->name);
}

static void check_setting(const struct shunt_option *all, const struct setting *setting)
{
	for (const struct shunt_option *option = all; option != NULL && option->name != NULL;
	     option++) {
		if (strcmp(option->name, setting->key) != 0 && strcmp(option->name, "*") != 0)
			continue;
		if (!value_fits(option, setting->value))
			trace_fail("its option '%s' does not allow the value '%s'", setting->key,
				   setting->value);
		return;
	}
	trace_fail("it has no option '%s'", setting->key);
}

void subject_check_options(const struct subject *s)
{
	const struct shunt_option *all = s->plugin->options;

	for (const struct shunt_option *option = all; option != NULL && option->name != NULL;
	     option++)
		check_option(option, all);
	subject_check_settings(all, s);
}

void subject_check_settings(const struct shunt_option *all, const struct subject *s)
{
	for (size_t i = 0; i < s->n_settings; i++)
		check_setting(all, &s->settings[i]);
}

/* ---- Errors ---- */

void error_blank(struct shunt_error *error)
{
	error->code = BLANK_CODE;
	memset(error->text, BLANK_TEXT, sizeof(error->text));
}

static bool code_is_known(unsigned code)
{
	static const unsigned known[] = {
		SHUNT_ACCESS_REFUSED, SHUNT_NOT_FOUND,	 SHUNT_PRECONDITION_FAILED,
		SHUNT_RESOURCE_ERROR, SHUNT_NOT_ALLOWED, SHUNT_NOT_IMPLEMENTED,
		SHUNT_INTERNAL_ERROR,
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == code)
			return true;
	return false;
}

void error_check_text(const char *call, const struct shunt_error *error)
{
	if (memchr(error->text, '\0', sizeof(error->text)) == NULL && error->text[0] != BLANK_TEXT)
		trace_fail("%s filled the error with a text that does not end", call);
}

void error_check(const char *call, const struct shunt_error *error, bool memory_is_out)
{
	if (error->code == BLANK_CODE && error->text[0] == BLANK_TEXT)
		trace_fail("%s failed and did not fill the error", call);
	if (error->code == BLANK_CODE)
		trace_fail("%s failed and did not fill the error's code", call);
	if (error->text[0] == BLANK_TEXT || error->text[0] == '\0')
		trace_fail("%s failed and did not fill the error's text", call);
	if (memchr(error->text, '\0', sizeof(error->text)) == NULL)
		trace_fail("%s filled the error with a text that does not end", call);
	if (!code_is_known(error->code))
		trace_fail(
			"%s filled the error with the code %u, which enum shunt_code has not got",
			call, error->code);
	if (memory_is_out && error->code != SHUNT_RESOURCE_ERROR)
		trace_fail("%s filled the error with the code %u when memory was out, not %d", call,
			   error->code, SHUNT_RESOURCE_ERROR);
}

/* ---- Starting and stopping ---- */

int subject_try_start(struct subject *s, struct shunt_error *error)
{
	struct world *w = s->world;
	int result;

	if (s->script != NULL)
		return script_start(s, error);
	w->options = s->plugin->options;
	w->settings = s->settings;
	w->n_settings = s->n_settings;
	w->is_starting = true;
	error_blank(error);
	trace_begin("start()");
	result = s->plugin->start(&w->host, &w->state, error);
	trace_end();
	w->is_starting = false;
	if (result != 0 && result != -1)
		trace_fail("start() returned %d, neither 0 nor -1", result);
	return result;
}

static void find_type(struct subject *s)
{
	s->type = NULL;
	for (size_t i = 0; s->type_name != NULL && i < s->world->n_types; i++)
		if (strcmp(s->world->types[i].name, s->type_name) == 0)
			s->type = &s->world->types[i];
	if (s->type_name != NULL && s->type == NULL)
		trace_fail("it does not register the exchange type '%s' each time", s->type_name);
}

void subject_start(struct subject *s)
{
	struct shunt_error error;

	host_init(s->world, s->seed);
	s->world->is_plain = s->is_plain;
	if (subject_try_start(s, &error) != 0) {
		if (s->script != NULL)
			trace_fail("%.*s", (int)sizeof(error.text), error.text);
		error_check("start()", &error, false);
		trace_fail("start() failed: %s", error.text);
	}
	for (size_t i = 0; i < s->world->n_types; i++) {
		const struct shunt_exchange_type *type = &s->world->types[i];

		if (type->create == NULL || type->route == NULL || type->destroy == NULL)
			trace_fail("the exchange type '%s' lacks create, route or destroy",
				   type->name);
		if (strlen(type->name) > NAME_MAX_BYTES)
			trace_fail("an exchange type has a name of more than %d bytes",
				   NAME_MAX_BYTES);
	}
	find_type(s);
	if (s->plugin->activate != NULL) {
		trace_begin("activate()");
		s->plugin->activate(s->world->state);
		trace_end();
	}
}

void subject_stop(struct subject *s)
{
	char what[128];

	host_pump(s->world, 0);
	if (s->plugin->stop != NULL) {
		trace_begin("stop()");
		s->plugin->stop(s->world->state);
		trace_end();
	}
	if (s->script != NULL)
		script_stop(s);
	s->world->is_stopped = true;
	if (!host_left_nothing(s->world, what, sizeof(what)))
		trace_fail("after stop() there are %s", what);
}

void subject_round(struct subject *s, unsigned round)
{
	const char *name = s->type_name != NULL ? s->type_name : "";
	uint64_t salt = round;

	for (; *name != '\0'; name++)
		salt = salt * 131 + (uint8_t)*name;
	s->rng = rng_fork(s->seed, salt);
	trace_round(round);
}
