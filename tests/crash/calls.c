/* SPDX-License-Identifier: MIT */
#include "calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT	    __attribute__((visibility("default")))
#define DESCRIPTORS 65536

/* The C library's function of that name. */
#define NEXT(name) ((__typeof__(&(name)))next(#name))

/* inode of each descriptor's file; 0 where it is not watched */
static _Atomic uint64_t inodes[DESCRIPTORS];

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	return found;
}

uint64_t calls_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* --- What is watched */

static const char *directory(void)
{
	static const char *_Atomic cached;
	const char *found = atomic_load(&cached);

	if (found == NULL) {
		found = getenv("WATCHED_DIRECTORY");
		found = found == NULL ? "" : found;
		atomic_store(&cached, found);
	}
	return found;
}

/* Whether an absolute path is below the directory; then ret_path is the rest of it (the directory
 * itself: "."). */
static bool is_below(const char *absolute, char ret_path[PATH_MAX])
{
	size_t size = strlen(directory());

	if (size == 0 || strncmp(absolute, directory(), size) != 0)
		return false;
	if (absolute[size] == '\0') {
		strcpy(ret_path, ".");
		return true;
	}
	if (absolute[size] != '/')
		return false;
	return snprintf(ret_path, PATH_MAX, "%s", absolute + size + 1) < PATH_MAX;
}

void calls_path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, PATH_MAX - 1);
	path[size < 0 ? 0 : size] = '\0';
}

/* Whether the path, as a program gives it, is below the directory. */
static bool is_watched(int dirfd, const char *path, char ret_path[PATH_MAX])
{
	char base[PATH_MAX], whole[2 * PATH_MAX];

	if (path[0] == '/')
		return is_below(path, ret_path);
	if (dirfd != AT_FDCWD)
		calls_path_of(dirfd, base);
	else if (getcwd(base, sizeof(base)) == NULL)
		return false;
	snprintf(whole, sizeof(whole), "%s/%s", base,
		 path[0] == '.' && path[1] == '/' ? path + 2 : path);
	return is_below(whole, ret_path);
}

static uint64_t inode_of(int fd)
{
	return fd < 0 || fd >= DESCRIPTORS
		       ? 0
		       : atomic_load_explicit(&inodes[fd], memory_order_relaxed);
}

static void remember(int fd, struct call *call)
{
	struct stat status;

	if (fd >= DESCRIPTORS || fstat(fd, &status) != 0)
		abort();
	call->inode = status.st_ino;
	call->is_directory = S_ISDIR(status.st_mode);
	atomic_store(&inodes[fd], status.st_ino);
}

/* -1 with this errno, or the result of what was done, of which the hook is told. */
static int64_t finish(const struct call *call, int error, int64_t result)
{
	if (error != 0) {
		errno = error;
		return -1;
	}
	if (result >= 0)
		hook_after(call, result);
	return result;
}

/* --- Opening and closing */

static int open_watched(int dirfd, const char *path, int flags, mode_t mode)
{
	struct call call = {.kind = CALL_OPEN, .flags = flags, .begin_ns = calls_now_ns()};
	struct stat status;
	int error, fd;

	if (!is_watched(dirfd, path, call.path))
		return NEXT(openat)(dirfd, path, flags, mode);
	call.is_created = (flags & O_CREAT) != 0 && fstatat(dirfd, path, &status, 0) != 0;
	call.is_truncated = (flags & O_TRUNC) != 0 && !call.is_created;
	error = hook_before(&call);
	if (error != 0)
		return (int)finish(&call, error, -1);
	fd = NEXT(openat)(dirfd, path, flags, mode);
	if (fd >= 0)
		remember(fd, &call);
	return (int)finish(&call, 0, fd);
}

static mode_t mode_in(int flags, va_list arguments)
{
	bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;

	return creates ? va_arg(arguments, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_in(flags, arguments);
	va_end(arguments);
	return open_watched(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dirfd, const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode;

	va_start(arguments, flags);
	mode = mode_in(flags, arguments);
	va_end(arguments);
	return open_watched(dirfd, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...) __attribute__((alias("open")));
EXPORT int openat64(int dirfd, const char *path, int flags, ...) __attribute__((alias("openat")));

/* what open becomes in programs with fortified functions */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __openat_2(int dirfd, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	return open_watched(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dirfd, const char *path, int flags)
{
	return open_watched(dirfd, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
EXPORT int __openat64_2(int dirfd, const char *path, int flags)
	__attribute__((alias("__openat_2")));

EXPORT int close(int fd)
{
	if (inode_of(fd) != 0)
		atomic_store(&inodes[fd], 0);
	return NEXT(close)(fd);
}

/* --- Writing */

/* The first `limit` bytes of the pieces, which is what a write that is cut short writes: of the
 * first piece only. */
static ssize_t write_pieces(int fd, const struct iovec *iov, int count, off_t offset, size_t limit)
{
	if (iov[0].iov_len > limit || (limit < SIZE_MAX && count > 1))
		return NEXT(pwrite)(fd, iov[0].iov_base,
				    iov[0].iov_len < limit ? iov[0].iov_len : limit, offset);
	return NEXT(pwritev)(fd, iov, count, offset);
}

static ssize_t write_watched(int fd, const struct iovec *iov, int count, off_t offset)
{
	struct call call = {.kind = CALL_WRITE,
			    .fd = fd,
			    .inode = inode_of(fd),
			    .offset = (uint64_t)offset,
			    .iov = iov,
			    .iov_count = count,
			    .begin_ns = calls_now_ns(),
			    .size_limit = SIZE_MAX};
	int error;

	for (int i = 0; i < count; i++)
		call.size += iov[i].iov_len;
	error = hook_before(&call);
	return finish(&call, error,
		      error != 0 ? -1 : write_pieces(fd, iov, count, offset, call.size_limit));
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (inode_of(fd) == 0 || count <= 0)
		return NEXT(pwritev)(fd, iov, count, offset);
	return write_watched(fd, iov, count, offset);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

	if (inode_of(fd) == 0)
		return NEXT(pwrite)(fd, data, size, offset);
	return write_watched(fd, &iov, 1, offset);
}

/* Only for a write that is a sync, too, would flags matter here; it is then two calls. */
EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	ssize_t written;

	if (inode_of(fd) == 0 || count <= 0 || offset == -1)
		return NEXT(pwritev2)(fd, iov, count, offset, flags);
	written = write_watched(fd, iov, count, offset);
	if (written >= 0 && (flags & (RWF_DSYNC | RWF_SYNC)) != 0 && fdatasync(fd) != 0)
		return -1;
	return written;
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
	__attribute__((alias("pwritev2")));

/* Where the next write of this descriptor goes. */
static off_t position_of(int fd)
{
	return lseek(fd, 0, (fcntl(fd, F_GETFL) & O_APPEND) != 0 ? SEEK_END : SEEK_CUR);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
	off_t position;
	ssize_t written;

	if (inode_of(fd) == 0 || count <= 0)
		return NEXT(writev)(fd, iov, count);
	position = position_of(fd);
	written = write_watched(fd, iov, count, position);
	if (written > 0)
		lseek(fd, position + written, SEEK_SET);
	return written;
}

EXPORT ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

	return inode_of(fd) == 0 ? NEXT(write)(fd, data, size) : writev(fd, &iov, 1);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset)
	__attribute__((alias("pwritev")));
EXPORT ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
	__attribute__((alias("pwrite")));

/* --- Sizes and syncs */

EXPORT int ftruncate(int fd, off_t size)
{
	struct call call = {.kind = CALL_TRUNCATE,
			    .fd = fd,
			    .inode = inode_of(fd),
			    .offset = (uint64_t)size,
			    .begin_ns = calls_now_ns()};
	int error = call.inode == 0 ? 0 : hook_before(&call);

	if (call.inode == 0)
		return NEXT(ftruncate)(fd, size);
	return (int)finish(&call, error, error != 0 ? -1 : NEXT(ftruncate)(fd, size));
}

EXPORT int fallocate(int fd, int mode, off_t offset, off_t size)
{
	struct call call = {.kind = CALL_ALLOCATE,
			    .fd = fd,
			    .inode = inode_of(fd),
			    .flags = mode,
			    .offset = (uint64_t)offset,
			    .size = (uint64_t)size,
			    .begin_ns = calls_now_ns()};
	int error = call.inode == 0 ? 0 : hook_before(&call);

	if (call.inode == 0)
		return NEXT(fallocate)(fd, mode, offset, size);
	return (int)finish(&call, error, error != 0 ? -1 : NEXT(fallocate)(fd, mode, offset, size));
}

/* It returns its error. Where there is no real fallocate it would write zeros; that is not seen,
 * and not needed. */
EXPORT int posix_fallocate(int fd, off_t offset, off_t size)
{
	if (inode_of(fd) == 0)
		return NEXT(posix_fallocate)(fd, offset, size);
	return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

EXPORT int ftruncate64(int fd, off64_t size) __attribute__((alias("ftruncate")));
EXPORT int fallocate64(int fd, int mode, off64_t offset, off64_t size)
	__attribute__((alias("fallocate")));
EXPORT int posix_fallocate64(int fd, off64_t offset, off64_t size)
	__attribute__((alias("posix_fallocate")));

static int sync_watched(int fd, int (*sync)(int fd))
{
	struct call call = {
		.kind = CALL_SYNC, .fd = fd, .inode = inode_of(fd), .begin_ns = calls_now_ns()};
	char absolute[PATH_MAX];
	struct stat status;
	int error;

	if (call.inode == 0)
		return sync(fd);
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		call.is_directory = true;
		calls_path_of(fd, absolute);
		if (!is_below(absolute, call.path))
			abort();
	}
	error = hook_before(&call);
	return (int)finish(&call, error, error != 0 ? -1 : sync(fd));
}

EXPORT int fsync(int fd)
{
	return sync_watched(fd, NEXT(fsync));
}

EXPORT int fdatasync(int fd)
{
	return sync_watched(fd, NEXT(fdatasync));
}

/* --- Names */

EXPORT int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	struct call call = {.kind = CALL_RENAME, .begin_ns = calls_now_ns()};
	int error;

	if (!is_watched(from_fd, from, call.path) || !is_watched(to_fd, to, call.other))
		return NEXT(renameat)(from_fd, from, to_fd, to);
	error = hook_before(&call);
	return (int)finish(&call, error,
			   error != 0 ? -1 : NEXT(renameat)(from_fd, from, to_fd, to));
}

EXPORT int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* Without flags it is renameat; with flags nobody here uses it. */
EXPORT int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	if (flags == 0 || flags == RENAME_NOREPLACE)
		return renameat(from_fd, from, to_fd, to);
	return NEXT(renameat2)(from_fd, from, to_fd, to, flags);
}

EXPORT int unlinkat(int dirfd, const char *path, int flags)
{
	struct call call = {.kind = (flags & AT_REMOVEDIR) != 0 ? CALL_RMDIR : CALL_UNLINK,
			    .begin_ns = calls_now_ns()};
	int error;

	if (!is_watched(dirfd, path, call.path))
		return NEXT(unlinkat)(dirfd, path, flags);
	error = hook_before(&call);
	return (int)finish(&call, error, error != 0 ? -1 : NEXT(unlinkat)(dirfd, path, flags));
}

EXPORT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int mkdirat(int dirfd, const char *path, mode_t mode)
{
	struct call call = {.kind = CALL_MKDIR, .begin_ns = calls_now_ns()};
	int error;

	if (!is_watched(dirfd, path, call.path))
		return NEXT(mkdirat)(dirfd, path, mode);
	error = hook_before(&call);
	return (int)finish(&call, error, error != 0 ? -1 : NEXT(mkdirat)(dirfd, path, mode));
}

EXPORT int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
