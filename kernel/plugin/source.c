/* SPDX-License-Identifier: MIT */
#include "plugin/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/slice.h"

static int refuse(const char *path, const char *why, char *ret_reason, size_t size)
{
	snprintf(ret_reason, size, "%s: %s", path, why);
	return -1;
}

/* A pipe that nobody writes to would otherwise keep its reader for ever. */
static int open_to_read(const char *path, char *ret_reason, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return refuse(path, strerror(errno), ret_reason, size);
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	(void)close(fd);
	return refuse(path, "not a regular file", ret_reason, size);
}

/* As much as there is: the file may grow meanwhile. One byte too many is enough to know. */
static int read_all(int fd, struct script_source *source)
{
	while (source->size <= SCRIPT_SOURCE_MAX) {
		ssize_t n = read(fd, source->bytes + source->size,
				 SCRIPT_SOURCE_MAX + 1 - source->size);

		if (n == 0)
			return 0;
		if (n > 0)
			source->size += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return -EFBIG;
}

static const char *why_not(int error)
{
	return error == -EFBIG ? "larger than 1 MiB" : strerror(-error);
}

int script_source_read(const char *path, struct script_source **ret_source, char *ret_reason,
		       size_t size)
{
	struct script_source *source;
	int fd = open_to_read(path, ret_reason, size), result;

	if (fd < 0)
		return -1;
	source = mem_zalloc(sizeof(*source));
	source->refs = 1;
	source->path = mem_strdup(path);
	source->bytes = mem_alloc(SCRIPT_SOURCE_MAX + 2);
	result = read_all(fd, source);
	(void)close(fd);
	if (result != 0) {
		script_source_unref(source);
		return refuse(path, why_not(result), ret_reason, size);
	}
	source->bytes[source->size] = '\0';
	source->bytes = mem_realloc(source->bytes, source->size + 1);
	source->hash = slice_stable_hash(slice_make((const uint8_t *)source->bytes, source->size), 0);
	*ret_source = source;
	return 0;
}

struct script_source *script_source_ref(struct script_source *source)
{
	if (source != NULL)
		source->refs++;
	return source;
}

void script_source_unref(struct script_source *source)
{
	if (source == NULL || --source->refs != 0)
		return;
	mem_free(source->path);
	mem_free(source->bytes);
	mem_free(source);
}
