/* SPDX-License-Identifier: MIT */
/* Lines of the configuration's file, and options that look like them. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config.h"
#include "config_set.h"

#define CONFIG_LINE_MAX 4096

static char *config_trim(char *text)
{
	char *end = text + strlen(text);

	while (end != text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* Takes "key = value" apart, in place. */
static int config_line(struct config *config, char *line, const char *where,
		       char ret_error[CONFIG_ERROR_MAX])
{
	char *equals = strchr(line, '=');

	if (equals == NULL) {
		snprintf(ret_error, CONFIG_ERROR_MAX, "%s: expected key = value", where);
		return -1;
	}
	*equals = '\0';
	return config_set(config, config_trim(line), config_trim(equals + 1), where, ret_error);
}

int config_read_option(struct config *config, const char *option, char ret_error[CONFIG_ERROR_MAX])
{
	char *line = mem_strdup(option);
	int result = config_line(config, line, "-o", ret_error);

	mem_free(line);
	return result;
}

static int config_read_lines(struct config *config, FILE *file, const char *path,
			     char ret_error[CONFIG_ERROR_MAX])
{
	char line[CONFIG_LINE_MAX], where[CONFIG_ERROR_MAX / 2];

	for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
		char *comment = strchr(line, '#'), *text;

		snprintf(where, sizeof(where), "%.200s:%u", path, number);
		if (strchr(line, '\n') == NULL && !feof(file)) {
			snprintf(ret_error, CONFIG_ERROR_MAX, "%s: the line is too long", where);
			return -1;
		}
		if (comment != NULL)
			*comment = '\0';
		text = config_trim(line);
		if (*text != '\0' && config_line(config, text, where, ret_error) != 0)
			return -1;
	}
	if (!ferror(file))
		return 0;
	snprintf(ret_error, CONFIG_ERROR_MAX, "%.200s: %s", path, strerror(errno));
	return -1;
}

int config_read_file(struct config *config, const char *path, char ret_error[CONFIG_ERROR_MAX])
{
	FILE *file = fopen(path, "re");
	int result;

	if (file == NULL) {
		snprintf(ret_error, CONFIG_ERROR_MAX, "%.200s: %s", path, strerror(errno));
		return -1;
	}
	result = config_read_lines(config, file, path, ret_error);
	fclose(file);
	return result;
}

int config_read(struct config *config, const struct config_source *source,
		char ret_error[CONFIG_ERROR_MAX])
{
	int result = source->path != NULL ? config_read_file(config, source->path, ret_error) : 0;

	if (result == 0)
		result = config_read_environment(config, ret_error);
	for (size_t i = 0; result == 0 && i < source->n_options; i++)
		result = config_read_option(config, source->options[i], ret_error);
	return result;
}
