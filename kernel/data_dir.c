/* SPDX-License-Identifier: MIT */
#include "data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static int data_dir_make(const char *path)
{
	int result = data_dir_make_parents(path);

	if (result != 0)
		return result;
	return mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : -errno;
}

int data_dir_make_parents(const char *path)
{
	char *copy = mem_strdup(path), *slash;
	int result = 0;

	for (slash = strchr(copy + (*copy != '\0'), '/'); slash != NULL && result == 0;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			result = -errno;
		*slash = '/';
	}
	mem_free(copy);
	return result;
}

/* The pid that the holder of the lock wrote into it. */
static void data_dir_in_use(int fd, const char *path, char *ret_reason, size_t size)
{
	char pid[32] = "unknown";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	if (n > 0) {
		pid[n] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
	}
	snprintf(ret_reason, size, "data directory is in use: path=\"%s\" pid=%s", path, pid);
}

static int data_dir_write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0)
		return -errno;
	return pwrite(fd, text, (size_t)n, 0) == n ? 0 : -errno;
}

int data_dir_lock(const char *path, char *ret_reason, size_t size)
{
	char *name = mem_printf("%s/shuntd.pid", path);
	int result = data_dir_make(path), fd = -1;

	if (result == 0) {
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
		result = fd < 0 ? -errno : 0;
	}
	mem_free(name);
	if (result == 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK) {
			data_dir_in_use(fd, path, ret_reason, size);
			close(fd);
			return -1;
		}
		result = -errno;
	}
	if (result == 0)
		result = data_dir_write_pid(fd);
	if (result == 0)
		return fd;
	snprintf(ret_reason, size, "data directory is unusable: path=\"%s\" reason=\"%s\"", path,
		 strerror(-result));
	if (fd >= 0)
		close(fd);
	return -1;
}

void data_dir_unlock(int fd)
{
	if (fd < 0)
		return;
	(void)!ftruncate(fd, 0);
	close(fd);
}
