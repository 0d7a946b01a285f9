/* SPDX-License-Identifier: MIT */
/*
 * A configuration file, read through a descriptor; the first byte says how much of it comes as
 * options instead. What is refused, is refused in one line that names the place.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "config.h"

static void check_error(int result, const char *error)
{
	size_t size = strnlen(error, CONFIG_ERROR_MAX);

	fuzz_check(result == 0 || result == -1);
	fuzz_check(size < CONFIG_ERROR_MAX);
	fuzz_check((result != 0) == (size > 0));
	fuzz_check(strchr(error, '\n') == NULL);
}

static int read_file(struct config *config, struct slice bytes)
{
	char path[64], error[CONFIG_ERROR_MAX] = "";
	int fd = memfd_create("config", MFD_CLOEXEC);
	int result;

	fuzz_check(fd >= 0);
	fuzz_check(bytes.size == 0 || write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	result = config_read_file(config, path, error);
	check_error(result, error);
	(void)close(fd);
	return result;
}

/* A line each. */
static int read_options(struct config *config, struct slice bytes)
{
	char *text = slice_strdup(bytes), *rest = text, *line;
	int result = 0;

	while (result == 0 && (line = strsep(&rest, "\n")) != NULL) {
		char error[CONFIG_ERROR_MAX] = "";

		result = config_read_option(config, line, error);
		check_error(result, error);
	}
	mem_free(text);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;
	struct config config;
	struct slice options;

	amqp_reader_init(&source, slice_make(data, size));
	options = fuzz_shortstr(&source);
	config_init(&config);
	if (read_file(&config, fuzz_bytes(&source, size)) == 0 &&
	    (options.size == 0 || read_options(&config, options) == 0)) {
		config_complete(&config);
		fuzz_check(config.loops > 0 && config.n_plugins < 1000000);
	}
	config_fini(&config);
	return 0;
}
