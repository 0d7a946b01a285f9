/* SPDX-License-Identifier: MIT */

#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "options.h"
#include "run/quarantine.h"
#include "run/state.h"
#include "testing/testing.h"

struct state *script_state_here(const struct script *script)
{
	unsigned loop = script->host->loop_index(script->host);

	return script->states[loop < script->n_states ? loop : 0];
}

static int fail_memory(struct shunt_error *error)
{
	error->code = SHUNT_RESOURCE_ERROR;
	(void)snprintf(error->text, sizeof(error->text), "out of memory");
	return -1;
}

static char *copy(const struct shunt_host *host, const void *data, size_t size)
{
	char *text = host->allocate(host, size + 1);

	if (!text)
		return NULL;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void make_version(struct script *script)
{
	const struct shunt_host *host = script->host;

	(void)snprintf(script->version, sizeof(script->version), "%016" PRIx64,
		       host->stable_hash(host, script->source, script->source_size, 0));
}

static void script_activate(void *plugin)
{
	struct script *script = plugin;

	lines_start(script);
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->activate)
			modules[i]->activate(script);
	}
}

static void fill_plugin(struct script *script)
{
	script->plugin = (struct shunt_plugin){
		.magic = SHUNT_PLUGIN_MAGIC,
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.struct_size = sizeof(struct shunt_plugin),
		.name = script->name,
		.version = script->version,
		.licence = "", /* its file may say */
		.description = script->path,
		.options = script_options,
		.activate = script_activate,
	};
}

const char *script_file_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static int copy_text(struct script *script, const struct shunt_script *text,
		     struct shunt_error *error)
{
	const struct shunt_host *host = script->host;

	script->name = copy(host, text->name, strlen(text->name));
	script->path = copy(host, text->path, strlen(text->path));
	script->source = copy(host, text->source.data, text->source.size);
	script->source_size = text->source.size;
	script->quarantine = host->allocate(host, sizeof(*script->quarantine));
	script->file = script_file_of(script->path);
	if (!script->name || !script->path || !script->source || !script->quarantine)
		return fail_memory(error);
	quarantine_init(script->quarantine, options_read_quarantine(host));
	options_read_limits(host, &script->limits);
	make_version(script);
	fill_plugin(script);
	return options_read_on_error(host, script->on_error, error);
}

/* Lua would go on reading after such a byte as if it were a blank, or take it into a string. */
static int refuse_zero_bytes(const struct script *script, struct shunt_error *error)
{
	const char *zero = memchr(script->source, '\0', script->source_size);
	unsigned line = 1;

	if (!zero)
		return 0;
	for (const char *p = script->source; p < zero; p++)
		line += *p == '\n';
	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text), "%.150s:%u: a zero byte: not a text",
		       script->path, line);
	return -1;
}

/* The source, line by line, so that it is known where the parser was, whatever it raises. */
struct reading {
	const char *next, *end;
	struct place *place;
};

static const char *read_line(lua_State *L, void *context, size_t *ret_size)
{
	struct reading *reading = context;
	const char *line = reading->next;
	size_t left = (size_t)(reading->end - line);
	const char *newline = left > 0 ? memchr(line, '\n', left) : NULL;

	(void)L;
	*ret_size = newline ? (size_t)(newline - line) + 1 : left;
	reading->next = line + *ret_size;
	reading->place->line += left > 0;
	return line;
}

static void run_source(lua_State *L, void *context)
{
	const struct script *script = context;
	struct place *place = &state_of(L)->budget.place;
	struct reading reading = {script->source, script->source + script->source_size, place};

	(void)snprintf(place->source, sizeof(place->source), "%s", script->file);
	place->line = 0;
	call_charge(L, script->source_size / BUDGET_BYTES);
	(void)lua_pushfstring(L, "@%s", script->file);
	if (lua_load(L, read_line, &reading, lua_tostring(L, -1), "t") != LUA_OK)
		(void)lua_error(L);
	lua_call(L, 0, 0);
}

static void look(lua_State *L, void *context)
{
	struct state *state = context;

	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->look)
			modules[i]->look(L, state);
		lua_settop(L, 0);
	}
}

static int open_state(struct script *script, unsigned loop, struct shunt_error *error)
{
	struct state *state = state_create(script, loop, error);

	if (!state)
		return -1;
	script->states[loop] = state;
	if (call_run(state, CALL_LOAD, run_source, script, error) != CALL_OK ||
	    call_run(state, CALL_LOAD, look, state, error) != CALL_OK)
		return -1;
	return 0;
}

static int open_states(struct script *script, unsigned count, struct shunt_error *error)
{
	const struct shunt_host *host = script->host;

	script->states = host->allocate(host, count * sizeof(struct state *));
	if (!script->states)
		return fail_memory(error);
	memset(script->states, 0, count * sizeof(struct state *));
	script->n_states = count;
	for (unsigned i = 0; i < count; i++) {
		if (open_state(script, i, error))
			return -1;
	}
	return 0;
}

static int collect(struct script *script, struct shunt_error *error)
{
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->collect && modules[i]->collect(script, error))
			return -1;
	}
	return 0;
}

/* Puts the whole path in the place of the file's name in "FILE:LINE: ...". (Lua keeps no more than
 * 60 bytes of what it calls a source, so it is told the file's name alone.) */
static void complete_path(const char *path, struct shunt_error *error)
{
	const char *file = script_file_of(path);
	size_t size = strlen(file), folder = (size_t)(file - path);

	if (strncmp(error->text, file, size) != 0 || error->text[size] != ':' ||
	    folder >= sizeof(error->text))
		return;
	memmove(error->text + folder, error->text, sizeof(error->text) - folder);
	memcpy(error->text, path, folder);
	error->text[sizeof(error->text) - 1] = '\0';
}

static struct script *open_it(struct language *language, const struct shunt_host *host,
			      const struct shunt_script *text, const struct script *like,
			      struct shunt_error *error)
{
	struct script *script = host->allocate(host, sizeof(*script));

	if (!script) {
		(void)fail_memory(error);
		return NULL;
	}
	memset(script, 0, sizeof(*script));
	script->language = language;
	script->host = host;
	script->is_test = like->is_test;
	script->is_looked_at = like->is_looked_at;
	if (copy_text(script, text, error) || refuse_zero_bytes(script, error) ||
	    open_states(script, script->is_test ? 1 : host->loop_count(host), error) ||
	    collect(script, error)) {
		script_close(script);
		return NULL;
	}
	return script;
}

struct script *script_open(struct language *language, const struct shunt_host *host,
			   const struct shunt_script *text, enum shunt_script_purpose purpose,
			   struct shunt_report *report, struct shunt_error *error)
{
	const struct script like = {.is_looked_at = purpose != SHUNT_SCRIPT_RUN};
	struct script *script = open_it(language, host, text, &like, error);

	if (script && report)
		describe_parts(script, report);
	if (script && purpose != SHUNT_SCRIPT_CHECK &&
	    testing_run(script, text, report, error) < 0) {
		script_close(script);
		script = NULL;
	}
	if (!script)
		complete_path(text->path, error);
	return script;
}

struct script *script_open_for_test(struct language *language, const struct shunt_host *fake,
				    const struct shunt_script *text, struct shunt_error *error)
{
	const struct script like = {.is_test = true};

	return open_it(language, fake, text, &like, error);
}

int script_start(struct script *script, struct shunt_error *error)
{
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->start && modules[i]->start(script, error))
			return -1;
	}
	return 0;
}

void script_close(struct script *script)
{
	const struct shunt_host *host;

	if (!script)
		return;
	host = script->host;
	for (unsigned i = 0; script->states && i < script->n_states; i++)
		state_destroy(script->states[i]);
	for (unsigned i = 0; i < MODULE_COUNT; i++) {
		if (modules[i]->close)
			modules[i]->close(script);
	}
	host->free(host, script->states);
	host->free(host, script->quarantine);
	host->free(host, script->source);
	host->free(host, script->path);
	host->free(host, script->name);
	host->free(host, script);
}
