/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPES_MAX 4

struct language {
	const struct shunt_host *host;
	struct lines_notes *notes;
	struct lines_notes own_notes; /* when nobody looks */
};

struct script {
	struct shunt_plugin plugin;
	struct language *language;
	char name[64], version[64], start[64];
	char types[TYPES_MAX][64];
	size_t n_types;
};

static int refuse(struct shunt_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct shunt_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error->code = SHUNT_PRECONDITION_FAILED;
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* ---- The exchange types of scripts ---- */

struct exchange {
	const struct shunt_binding **bindings;
	size_t n;
};

static int create(void *plugin, const struct shunt_exchange *about, void **ret_state, struct shunt_error *error)
{
	(void)plugin;
	(void)about;
	*ret_state = calloc(1, sizeof(struct exchange));
	return *ret_state ? 0 : refuse(error, "no memory");
}

static void destroy(void *state)
{
	free(((struct exchange *)state)->bindings);
	free(state);
}

static int bind(void *state, const struct shunt_binding *binding, void **ret_cookie, struct shunt_error *error)
{
	struct exchange *exchange = state;
	void *more = realloc(exchange->bindings, (exchange->n + 1) * sizeof(*exchange->bindings));

	(void)ret_cookie;
	if (!more)
		return refuse(error, "no memory");
	exchange->bindings = more;
	exchange->bindings[exchange->n++] = binding;
	return 0;
}

static void unbind(void *state, const struct shunt_binding *binding, void *cookie)
{
	struct exchange *exchange = state;
	size_t i = 0;

	(void)cookie;
	while (exchange->bindings[i] != binding)
		i++;
	exchange->bindings[i] = exchange->bindings[--exchange->n];
}

static void route(const void *state, const struct shunt_message *message, struct shunt_sink *sink)
{
	const struct exchange *exchange = state;

	(void)message;
	if (exchange->n > 0)
		sink->emit(sink, exchange->bindings, exchange->n);
}

/* ---- Opening ---- */

struct reading {
	struct script *script;
	const struct shunt_script *text;
	struct shunt_report *report;
	struct shunt_error *error;
	unsigned line;
};

static int fail(const struct reading *reading, const char *why)
{
	return refuse(reading->error, "%s:%u: %s", reading->text->path, reading->line, why);
}

static void set(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
}

static int wait_at_gate(struct lines_notes *notes)
{
	(void)sem_post(&notes->at_gate);
	while (sem_wait(&notes->gate) != 0)
		;
	return 0;
}

static int print(struct shunt_report *report, const char *text)
{
	if (!report)
		return 0;
	report->print(report, (struct shunt_bytes){ (const uint8_t *)text, strlen(text) });
	report->print(report, (struct shunt_bytes){ (const uint8_t *)"\n", 1 });
	return 0;
}

static int read_line(const struct reading *reading, char *line)
{
	struct script *script = reading->script;
	char *text = strchr(line, ' ');

	if (text)
		*text++ = '\0';
	else
		text = line + strlen(line);
	if (line[0] == '\0')
		return 0;
	if (strcmp(line, "fail") == 0)
		return fail(reading, text);
	if (strcmp(line, "says") == 0)
		return print(reading->report, text);
	if (strcmp(line, "gate") == 0)
		return wait_at_gate(script->language->notes);
	if (strcmp(line, "version") == 0)
		set(script->version, sizeof(script->version), text);
	else if (strcmp(line, "start") == 0)
		set(script->start, sizeof(script->start), text);
	else if (strcmp(line, "name") == 0)
		set(script->name, sizeof(script->name), text);
	else if (strcmp(line, "type") == 0 && script->n_types < TYPES_MAX)
		set(script->types[script->n_types++], sizeof(script->types[0]), text);
	else
		return fail(reading, "there is no such line");
	return 0;
}

static int read_lines(struct reading *reading)
{
	char *copy = strndup((const char *)reading->text->source.data, reading->text->source.size), *rest = copy;
	int result = copy ? 0 : refuse(reading->error, "no memory");

	while (result == 0 && rest) {
		char *line = strsep(&rest, "\n");

		reading->line++;
		result = read_line(reading, line);
	}
	free(copy);
#ifdef LINES_STRICT
	if (result == 0 && reading->script->n_types == 0)
		return fail(reading, "there is nothing in it");
#endif
	return result;
}

static void note_settings(struct lines_notes *notes, const struct shunt_host *host)
{
	const char *key, *value, *colour = host->config(host, "colour");
	size_t position = 0, n = 0;

	set(notes->setting, sizeof(notes->setting), colour ? colour : "(none)");
	notes->settings[0] = '\0';
	while (host->config_next(host, &position, &key, &value) && n < sizeof(notes->settings))
		n += (size_t)snprintf(notes->settings + n, sizeof(notes->settings) - n, " %s=%s", key, value);
}

static void stop(void *plugin)
{
	((struct script *)plugin)->language->notes->n_stopped++;
}

static void activate(void *plugin)
{
	((struct script *)plugin)->language->notes->n_activated++;
}

static const struct shunt_plugin *open_script(void *plugin, const struct shunt_host *host,
					      const struct shunt_script *text, enum shunt_script_purpose purpose,
					      struct shunt_report *report, struct shunt_error *error)
{
	struct language *language = plugin;
	struct script *script = calloc(1, sizeof(*script));
	struct reading reading = { script, text, report, error, 0 };

	if (!script)
		return NULL;
	script->language = language;
	set(script->name, sizeof(script->name), text->name);
	set(script->version, sizeof(script->version), "1");
	language->notes->purpose = purpose;
	note_settings(language->notes, host);
	if (read_lines(&reading) != 0) {
		free(script);
		return NULL;
	}
	script->plugin = (struct shunt_plugin){
		.magic = SHUNT_PLUGIN_MAGIC,
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.struct_size = sizeof(struct shunt_plugin),
		.name = script->name,
		.version = script->version,
		.stop = stop,
		.activate = activate,
	};
	language->notes->n_opened++;
	return &script->plugin;
}

static int start_script(const struct shunt_plugin *made, const struct shunt_host *host, void **ret_plugin,
			struct shunt_error *error)
{
	struct script *script = (struct script *)(uintptr_t)made;

	script->language->notes->n_started++;
	*ret_plugin = script;
	for (size_t i = 0; i < script->n_types; i++) {
		const struct shunt_exchange_type type = {
			.size = sizeof(type),
			.name = script->types[i],
			.create = create,
			.destroy = destroy,
			.bind = bind,
			.unbind = unbind,
			.route = route,
		};

		if (host->register_exchange_type(host, &type, error) != 0)
			return -1;
	}
	return script->start[0] ? refuse(error, "%s", script->start) : 0;
}

static void close_script(const struct shunt_plugin *made)
{
	struct script *script = (struct script *)(uintptr_t)made;

	script->language->notes->n_closed++;
	free(script);
}

static void describe(void *plugin, struct shunt_report *report)
{
	const struct script *script = plugin;

	(void)print(report, script->n_types ? "it has types" : "it has no types");
}

/* ---- The plugin ---- */

static const struct shunt_option script_options[] = {
	{ "size", "of what", "3", 1, 10, SHUNT_OPTION_INTEGER },
	{ "*", "anything else", NULL, 0, 0, SHUNT_OPTION_STRING },
	{ NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING },
};

#ifndef LINES_EXTENSION
#define LINES_EXTENSION "lines"
#endif

static const struct shunt_language lines_language = {
	.size = sizeof(lines_language),
	.name = "lines",
	.extension = LINES_EXTENSION,
	.options = script_options,
	.open = open_script,
	.start = start_script,
	.close = close_script,
	.describe = describe,
};

static int lines_start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	struct language *language = calloc(1, sizeof(*language));
	const char *notes = host->config(host, "notes");

	if (!language)
		return refuse(error, "no memory");
	language->host = host;
	if (notes)
		language->notes = (struct lines_notes *)(uintptr_t)strtoull(notes, NULL, 10);
	else
		language->notes = &language->own_notes;
	if (host->register_language(host, &lines_language, error) != 0) {
		free(language);
		return -1;
	}
	language->notes->n_begun++;
	*ret_plugin = language;
	return 0;
}

static void lines_stop(void *plugin)
{
	((struct language *)plugin)->notes->n_ended++;
	free(plugin);
}

static const struct shunt_option lines_options[] = {
	{ "notes", "where the test looks", NULL, 0, 0, SHUNT_OPTION_STRING },
	{ NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING },
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "lines",
	.version = "1",
	.licence = "MIT",
	.description = "for tests",
	.options = lines_options,
	.start = lines_start,
	.stop = lines_stop,
};
