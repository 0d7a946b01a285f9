/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "trace.h"

#define SCRIPT_MAX (1024 * 1024)

/* Of the language, while a script of it is there. One a process. */
struct tongue {
	struct world world;
	char name[64];
	struct buffer source;
	struct setting settings[HOST_SETTINGS_MAX];
	size_t n_settings;
};

/* ---- The file ---- */

static void read_source(const char *path, struct buffer *ret)
{
	FILE *file = fopen(path, "re");
	uint8_t block[4096];
	size_t n;

	buffer_init(ret);
	if (file == NULL)
		trace_fail("%s cannot be read", path);
	while ((n = fread(block, 1, sizeof(block), file)) > 0 && ret->size <= SCRIPT_MAX)
		buffer_append(ret, block, n);
	if (ferror(file) || ret->size > SCRIPT_MAX)
		trace_fail("%s cannot be read, or is larger than 1 MiB", path);
	(void)fclose(file);
}

/* dir/NAME.lua is NAME. */
static void make_name(const char *path, char *ret, size_t size)
{
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;

	(void)snprintf(ret, size, "%.*s", (int)strcspn(base, "."), base);
}

/* ---- The language ---- */

static void start_language(struct subject *s, struct tongue *t)
{
	struct world *w = &t->world;
	struct shunt_error error;

	host_init(w, s->seed);
	w->has_plain_memory = true;
	w->options = s->self.options;
	w->is_starting = true;
	error_blank(&error);
	trace_begin("start() of the language");
	if (s->self.start(&w->host, &w->state, &error) != 0)
		trace_fail("the language does not start: %.*s", (int)sizeof(error.text),
			   error.text);
	trace_end();
	w->is_starting = false;
	if (w->n_languages == 0)
		trace_fail("it registers no language, so it cannot run a script");
}

static const struct shunt_option *option_of(const struct world *w, const char *name)
{
	for (const struct shunt_option *option = w->language.options;
	     option != NULL && option->name != NULL; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

static bool is_set(const struct subject *s, const char *key)
{
	for (size_t i = 0; i < s->n_settings; i++)
		if (strcmp(s->settings[i].key, key) == 0)
			return true;
	return false;
}

/*
 * What was passed; and, so that no answer depends on how busy the machine is, as much time as there
 * may be, and no quarantine.
 */
static void settle(const struct subject *s, struct tongue *t)
{
	static const struct setting calm[] = {{"cpu_time", "10000000"}, {"quarantine_after", "0"}};

	t->n_settings = 0;
	for (size_t i = 0; i < s->n_settings; i++)
		t->settings[t->n_settings++] = s->settings[i];
	for (size_t i = 0; i < sizeof(calm) / sizeof(calm[0]); i++)
		if (option_of(&t->world, calm[i].key) != NULL && !is_set(s, calm[i].key) &&
		    t->n_settings < HOST_SETTINGS_MAX)
			t->settings[t->n_settings++] = calm[i];
}

/* ---- The script ---- */

static const struct shunt_plugin *open_script(struct subject *s, struct tongue *t,
					      struct shunt_error *error)
{
	const struct shunt_script script = {
		.size = sizeof(script),
		.name = t->name,
		.path = s->script,
		.source = {t->source.data, t->source.size},
	};
	const struct shunt_plugin *opened;

	trace_begin("open() of the language");
	opened = t->world.language.open(t->world.state, &s->world->host, &script, SHUNT_SCRIPT_RUN,
					NULL, error);
	trace_end();
	return opened;
}

static int start_script(struct subject *s, struct tongue *t, struct shunt_error *error)
{
	struct world *w = s->world;
	int result;

	w->is_starting = true;
	error_blank(error);
	trace_begin("start() of the script");
	result = t->world.language.start(s->plugin, &w->host, &w->state, error);
	trace_end();
	w->is_starting = false;
	if (result == 0)
		return 0;
	if (result != -1)
		trace_fail("start() of the language returned %d, neither 0 nor -1", result);
	script_stop(s);
	return -1;
}

int script_start(struct subject *s, struct shunt_error *error)
{
	struct tongue *t = s->tongue != NULL ? s->tongue : mem_zalloc(sizeof(*t));
	struct world *w = s->world;

	if (s->tongue == NULL) {
		read_source(s->script, &t->source);
		make_name(s->script, t->name, sizeof(t->name));
		s->tongue = t;
	}
	start_language(s, t);
	settle(s, t);
	w->has_plain_memory = true;
	w->options = t->world.language.options;
	w->settings = t->settings;
	w->n_settings = t->n_settings;
	subject_check_settings(w->options, s);
	error_blank(error);
	s->plugin = open_script(s, t, error);
	if (s->plugin != NULL)
		return start_script(s, t, error);
	script_stop(s);
	return -1;
}

void script_stop(struct subject *s)
{
	struct world *w = &s->tongue->world;
	char what[128];

	if (s->plugin != NULL) {
		trace_begin("close() of the language");
		w->language.close(s->plugin);
		trace_end();
		s->plugin = NULL;
	}
	host_pump(w, 0);
	if (s->self.stop != NULL) {
		trace_begin("stop() of the language");
		s->self.stop(w->state);
		trace_end();
	}
	w->is_stopped = true;
	if (!host_left_nothing(w, what, sizeof(what)))
		trace_fail("after stop() of the language there are %s", what);
}
