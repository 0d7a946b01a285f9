/* SPDX-License-Identifier: MIT */
/* The keys log.*: where the log goes, and how much of it. */
#include <string.h>

#include "base/mem.h"
#include "config_entry.h"

#define LOG_LEVELS "debug, info, notice, warning, error, critical or none"

static int config_read_level(struct config_entry *e, int *ret_level)
{
	return log_level_find(e->value, ret_level) ? 0 : config_refuse(e, LOG_LEVELS);
}

static int config_log_level(struct config_entry *e)
{
	return config_read_level(e, e->target);
}

/* false: none. */
static int config_log_file(struct config_entry *e)
{
	struct config *config = e->config;

	if (e->value[0] == '\0' || strcmp(e->value, "true") == 0)
		return config_refuse(e, "a path, or false");
	mem_free(config->log_file);
	config->log_file = strcmp(e->value, "false") != 0 ? mem_strdup(e->value) : NULL;
	config->log.file.is_on = config->log_file != NULL;
	return 0;
}

/* log.CATEGORY.level */
static int config_log_category(struct config_entry *e)
{
	const char *dot = strrchr(e->rest, '.');
	enum log_category category;
	char name[32];
	size_t size;

	if (dot != NULL && strcmp(dot, ".level") == 0 &&
	    (size = (size_t)(dot - e->rest)) < sizeof(name)) {
		memcpy(name, e->rest, size);
		name[size] = '\0';
		if (log_category_find(name, &category))
			return config_read_level(e, &e->config->log.categories[category]);
	}
	return config_unknown(e);
}

const struct config_key config_log_keys[] = {
	{"log.level", config_log_level, CONFIG_PLACE(log.level), 0, 0},
	{"log.default.level", config_log_level, CONFIG_PLACE(log.level), 0, 0},
	{"log.console", config_bool, CONFIG_PLACE(log.console.is_on), 0, 0},
	{"log.console.level", config_log_level, CONFIG_PLACE(log.console.level), 0, 0},
	{"log.dir", config_text, CONFIG_PLACE(log_dir), 0, 0},
	{"log.file", config_log_file, 0, 0, 0},
	{"log.file.level", config_log_level, CONFIG_PLACE(log.file.level), 0, 0},
	{"log.", config_log_category, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};

void config_complete_log(struct config *config)
{
	char *file = config->log_file;

	if (file == NULL || file[0] == '/' || config->log_dir == NULL)
		return;
	config->log_file = mem_printf("%s/%s", config->log_dir, file);
	mem_free(file);
}
