/* SPDX-License-Identifier: MIT */
#include "server_definitions.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/import.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

struct loading {
	struct import import;
	bool is_done, is_abandoned;
};

static void loading_free(struct loading *loading)
{
	buffer_fini(&loading->import.warnings);
	mem_free(loading);
}

static void loaded(struct import *import)
{
	struct loading *loading = container_of(import, struct loading, import);

	loading->is_done = true;
	if (loading->is_abandoned)
		loading_free(loading);
}

static struct loading *loading_create(struct admin *admin)
{
	struct loading *loading = mem_zalloc(sizeof(*loading));

	loading->import.admin = admin;
	loading->import.actor =
		(struct audit_actor){SLICE_LITERAL("shuntd"), SLICE_LITERAL("start")};
	loading->import.done = loaded;
	return loading;
}

/* A line for each, as they come in one text. */
static void log_warnings(const struct import *import, const char *path)
{
	struct slice lines = buffer_slice(&import->warnings);
	char quoted[1300];

	while (lines.size > 0) {
		const uint8_t *end = memchr(lines.data, '\n', lines.size);
		size_t size = end ? (size_t)(end - lines.data) : lines.size;

		log_warning("definitions", "imported, but: path=\"%s\" what=%s", path,
			    log_quote(quoted, sizeof(quoted), slice_make(lines.data, size)));
		size += end != NULL;
		lines = slice_make(lines.data + size, lines.size - size);
	}
}

static enum server_status say(const struct import *import, const char *path)
{
	char quoted[1300];

	log_warnings(import, path);
	if (import->is_unchanged) {
		log_info("definitions", "unchanged since they were loaded: path=\"%s\"", path);
		return SERVER_OK;
	}
	if (import->result == 0) {
		log_info("definitions", "loaded: path=\"%s\" queues=%zu exchanges=%zu bindings=%zu",
			 path, import->counts[PLAN_QUEUES], import->counts[PLAN_EXCHANGES],
			 import->counts[PLAN_BINDINGS]);
		return SERVER_OK;
	}
	log_error("definitions", "not loaded: path=\"%s\" reason=%s", path,
		  log_quote(quoted, sizeof(quoted), slice_cstr(import->reason)));
	return SERVER_CONFIG;
}

/* Turns this loop until the import has ended; takes the loading. */
static enum server_status finish(struct loading *loading, const char *path, int *ret_result)
{
	enum server_status status = SERVER_OK;

	*ret_result = 0;
	while (!loading->is_done && !loop_pool_is_stopping())
		loop_run_once(true);
	if (loading->is_done) {
		status = say(&loading->import, path);
		*ret_result = loading->import.result;
		loading_free(loading);
	} else {
		loading->is_abandoned = true;
	}
	return status;
}

/* What is done with each file that the configuration names. */
struct visit {
	enum server_status (*visit)(const struct visit *visit, const char *path);
	struct admin *admin;
	bool only_if_changed;
};

static enum server_status load_file(const struct visit *visit, const char *path)
{
	struct loading *loading = loading_create(visit->admin);
	int result;

	loading->import.path = path;
	loading->import.only_if_changed = visit->only_if_changed;
	import_submit(&loading->import);
	return finish(loading, path, &result);
}

/* One that is refused is pending no more, and nobody was told that it was done: so it does not keep
 * the broker from starting. */
static enum server_status load_pending(struct admin *admin)
{
	struct loading *loading = loading_create(admin);
	enum server_status status;
	int result;

	log_info("definitions", "an import was cut off, and is taken up again");
	import_resume(&loading->import);
	status = finish(loading, "(cut off)", &result);
	return import_is_refusal(result) ? SERVER_OK : status;
}

static int is_definitions(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return entry->d_name[0] != '.' && size > 5 &&
	       strcmp(entry->d_name + size - 5, ".json") == 0;
}

/* In the order of their names. */
static enum server_status visit_directory(const struct visit *visit, const char *path)
{
	enum server_status status = SERVER_OK;
	struct dirent **entries;
	int n = scandir(path, &entries, is_definitions, alphasort);

	if (n < 0) {
		log_error("definitions", "not loaded: path=\"%s\" reason=\"%s\"", path,
			  strerror(errno));
		return SERVER_CONFIG;
	}
	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", path, entries[i]->d_name);

		if (status == SERVER_OK && !loop_pool_is_stopping())
			status = visit->visit(visit, file);
		mem_free(file);
		free(entries[i]);
	}
	free(entries);
	return status;
}

static enum server_status visit_all(const struct visit *visit, const char *path)
{
	struct stat file;

	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode))
		return visit_directory(visit, path);
	return visit->visit(visit, path);
}

enum server_status server_load_definitions(struct admin *admin, const struct config *config)
{
	const struct visit visit = {load_file, admin, config->definitions_if_changed};
	enum server_status status = SERVER_OK;

	if (import_is_pending(admin))
		status = load_pending(admin);
	if (status != SERVER_OK || !config->definitions || loop_pool_is_stopping())
		return status;
	return visit_all(&visit, config->definitions);
}

static enum server_status check_file(const struct visit *visit, const char *path)
{
	char reason[1024], quoted[1300];

	(void)visit;
	if (import_check_file(path, reason, sizeof(reason)) == 0)
		return SERVER_OK;
	log_error("definitions", "not loaded: path=\"%s\" reason=%s", path,
		  log_quote(quoted, sizeof(quoted), slice_cstr(reason)));
	return SERVER_CONFIG;
}

enum server_status server_check_definitions(const struct config *config)
{
	const struct visit visit = {.visit = check_file};

	return config->definitions ? visit_all(&visit, config->definitions) : SERVER_OK;
}
