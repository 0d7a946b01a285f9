/* SPDX-License-Identifier: MIT */
#include "plugin/file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/shared_object.h"

#define COPY_CHUNK 65536

/* ---- The directory ---- */

static int empty(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int result = dir == NULL ? -errno : 0;

	while (result == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlinkat(dirfd(dir), entry->d_name, 0) != 0)
			result = -errno;
	if (dir != NULL)
		closedir(dir);
	return result;
}

int plugin_files_prepare(const char *directory, char *ret_reason, size_t size)
{
	int result = mkdir(directory, 0750) == 0 || errno == EEXIST ? 0 : -errno;

	if (result == 0)
		result = empty(directory);
	if (result == 0)
		return 0;
	snprintf(ret_reason, size, "directory for plugins is unusable: path=\"%s\" reason=\"%s\"",
		 directory, strerror(-result));
	return -1;
}

/* ---- The copy ---- */

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* 0, or a negative errno; *ret_reads: it is that of reading. */
static int copy_bytes(int from, int to, bool *ret_reads)
{
	char *chunk = mem_alloc(COPY_CHUNK);
	int result = 0;

	*ret_reads = false;
	while (result == 0) {
		ssize_t n = read(from, chunk, COPY_CHUNK);

		if (n == 0)
			break;
		if (n > 0) {
			result = write_all(to, chunk, (size_t)n);
		} else if (errno != EINTR) {
			result = -errno;
			*ret_reads = true;
		}
	}
	mem_free(chunk);
	return result;
}

/* The reasons say what the linker says of a file that it cannot read. */
static int open_to_read(const struct plugin_file *file, char *ret_reason, size_t size)
{
	/* A pipe that nobody writes to would otherwise keep its reader for ever. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0) {
		snprintf(ret_reason, size, "%s: cannot open shared object file: %s", file->path,
			 strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
		return fd;
	(void)close(fd);
	snprintf(ret_reason, size, "%s: not a regular file", file->path);
	return -1;
}

/*
 * The linker maps what the file's head announces, and does not ask whether it is there: to touch
 * what lies behind the end of a file that has not been written to its end is SIGBUS. What is no
 * shared object at all is the linker's to refuse.
 */
static int read_at(int fd, void *data, size_t size, uint64_t offset)
{
	ssize_t n = pread(fd, data, size, (off_t)offset);

	return n < 0 ? -errno : n == (ssize_t)size ? 0 : 1;
}

/* 0: it is whole, or no such file; 1: it is cut short; or a negative errno. */
static int find_cut(int fd)
{
	ElfW(Ehdr) head;
	ElfW(Phdr) part;
	struct stat status;
	uint64_t end;
	int result;

	if (fstat(fd, &status) != 0)
		return -errno;
	result = read_at(fd, &head, sizeof(head), 0);
	if (result < 0)
		return result;
	if (result > 0 || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_phentsize != sizeof(part))
		return 0;
	end = (uint64_t)status.st_size;
	for (size_t i = 0; i < head.e_phnum; i++) {
		result = read_at(fd, &part, sizeof(part), head.e_phoff + i * sizeof(part));
		if (result != 0)
			return result;
		if (part.p_type == PT_LOAD &&
		    (part.p_offset > end || part.p_filesz > end - part.p_offset))
			return 1;
	}
	return 0;
}

static int fail_copy(struct plugin_file *file, const char *verb, int error, char *ret_reason,
		     size_t size)
{
	file->copy_failed = true;
	snprintf(ret_reason, size, "%s: cannot %s its copy '%s': %s", file->path, verb, file->copy,
		 strerror(error));
	return -1;
}

/* Of the file's bytes, which fd reads. What cannot be read is the linker's to refuse, but in a
 * copy. */
static int check_bytes(struct plugin_file *file, int fd, char *ret_reason, size_t size)
{
	int result = find_cut(fd);

	if (result < 0 && file->copy != NULL)
		return fail_copy(file, "read", -result, ret_reason, size);
	if (result <= 0)
		return 0;
	snprintf(ret_reason, size, "%s: file too short", file->path);
	return -1;
}

static int copy_to(struct plugin_file *file, int from, int to, char *ret_reason, size_t size)
{
	bool reads;
	int result = copy_bytes(from, to, &reads);

	if (result == 0)
		return check_bytes(file, to, ret_reason, size);
	if (reads) {
		snprintf(ret_reason, size, "%s: cannot read file data: %s", file->path,
			 strerror(-result));
		return -1;
	}
	return fail_copy(file, "write", -result, ret_reason, size);
}

static int copy_file(struct plugin_file *file, int from, char *ret_reason, size_t size)
{
	int to = open(file->copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700), result;

	if (to < 0)
		return fail_copy(file, "make", errno, ret_reason, size);
	file->has_copy = true;
	result = copy_to(file, from, to, ret_reason, size);
	if (close(to) == 0 || result != 0)
		return result;
	return fail_copy(file, "write", errno, ret_reason, size);
}

static int prepare(struct plugin_file *file, char *ret_reason, size_t size)
{
	int from = open_to_read(file, ret_reason, size), result;

	if (from < 0)
		return -1;
	result = file->copy != NULL ? copy_file(file, from, ret_reason, size)
				    : check_bytes(file, from, ret_reason, size);
	(void)close(from);
	return result;
}

/* ---- Opening ---- */

/* What the linker said, of the file and not of its copy. */
static void say(const struct plugin_file *file, const char *said, char *ret_reason, size_t size)
{
	size_t n = file->copy != NULL ? strlen(file->copy) : 0;

	if (n != 0 && strncmp(said, file->copy, n) == 0)
		snprintf(ret_reason, size, "%s%s", file->path, said + n);
	else
		snprintf(ret_reason, size, "%s", said);
}

/* Or a new version would work on what the old one has in it. */
static int check_unique(const struct plugin_file *file, char *ret_reason, size_t size)
{
	const char *name = shared_object_unique(file->object);

	if (name == NULL)
		return 0;
	snprintf(ret_reason, size,
		 "%s: other versions would share its variable '%s' (g++: -fno-gnu-unique)", file->path,
		 name);
	return -1;
}

int plugin_file_open(struct plugin_file *file, char *path, char *copy, char *ret_reason,
		     size_t size)
{
	*file = (struct plugin_file){.path = path, .copy = copy};
	if (prepare(file, ret_reason, size) != 0)
		return -1;
	file->object = dlopen(copy != NULL ? copy : path, RTLD_NOW | RTLD_LOCAL);
	if (file->object == NULL) {
		say(file, dlerror(), ret_reason, size);
		return -1;
	}
	file->exported = dlsym(file->object, "shunt_plugin");
	if (file->exported == NULL) {
		snprintf(ret_reason, size, "%s does not export shunt_plugin", path);
		return -1;
	}
	return check_unique(file, ret_reason, size);
}

void plugin_file_close(struct plugin_file *file)
{
	if (file->object != NULL)
		dlclose(file->object);
	if (file->has_copy)
		(void)unlink(file->copy); /* what stays goes at the next start */
	mem_free(file->copy);
	mem_free(file->path);
	*file = (struct plugin_file){.path = NULL};
}
