/* SPDX-License-Identifier: MIT */
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- Faults ---- */

/*
 * Atomic one by one: tests set them while threads are at work. An operation that takes its number
 * while they are being set may see some of both settings, and there is no right answer for it.
 */
static struct {
	_Atomic bool on;
	_Atomic unsigned kinds;
	_Atomic unsigned count;
	_Atomic unsigned at; /* 0: none fails */
	_Atomic int error;
	_Atomic bool stays;
	_Atomic size_t written_bytes;
} faults = {.kinds = DISK_ALL};

void disk_fault_filter(unsigned kinds)
{
	atomic_store(&faults.kinds, kinds);
}

void disk_fault_torn_at(unsigned n, int error, bool stays, size_t written_bytes)
{
	if (n == 0) {
		disk_fault_off();
		return;
	}
	atomic_store(&faults.on, false);
	atomic_store(&faults.count, 0);
	atomic_store(&faults.error, error);
	atomic_store(&faults.stays, stays);
	atomic_store(&faults.written_bytes, written_bytes);
	atomic_store(&faults.at, n);
	atomic_store(&faults.on, true);
}

void disk_fault_at(unsigned n, int error, bool stays)
{
	disk_fault_torn_at(n, error, stays, 0);
}

void disk_fault_watch(void)
{
	atomic_store(&faults.at, 0);
	atomic_store(&faults.count, 0);
	atomic_store(&faults.on, true);
}

unsigned disk_fault_count(void)
{
	return atomic_load(&faults.count);
}

void disk_fault_off(void)
{
	atomic_store(&faults.on, false);
	atomic_store(&faults.at, 0);
	atomic_store(&faults.kinds, DISK_ALL);
}

__attribute__((noinline)) static int count_operation(enum disk_kind kind)
{
	unsigned number, at;

	if ((atomic_load(&faults.kinds) & (unsigned)kind) == 0)
		return 0;
	number = atomic_fetch_add(&faults.count, 1) + 1;
	at = atomic_load(&faults.at);
	if (at == 0 || number < at || (number > at && !atomic_load(&faults.stays)))
		return 0;
	return -atomic_load(&faults.error);
}

static ALWAYS_INLINE int enter(enum disk_kind kind)
{
	if (LIKELY(!atomic_load_explicit(&faults.on, memory_order_relaxed)))
		return 0;
	return count_operation(kind);
}

/* ---- Data ---- */

int disk_open(const char *path, int flags, int *ret_fd)
{
	int fd, r = enter(DISK_OPEN);

	if (r < 0)
		return r;
	do
		fd = open(path, flags | O_CLOEXEC, 0640);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* Linux has closed it even if it says EINTR: trying again might close another thread's file. */
int disk_close(int fd)
{
	int r = enter(DISK_CLOSE);

	if (close(fd) < 0 && errno != EINTR && r == 0)
		return -errno;
	return r;
}

/*
 * One call: of the parts, of which the first `done` bytes of the first one are written already.
 * Returns what write(2) does.
 */
static ssize_t write_some(int fd, const struct iovec *parts, size_t n, size_t done, uint64_t offset)
{
	if (done > 0) {
		const uint8_t *rest = (const uint8_t *)parts->iov_base + done;

		return pwrite(fd, rest, parts->iov_len - done, (off_t)offset);
	}
	return pwritev(fd, parts, n < IOV_MAX ? (int)n : IOV_MAX, (off_t)offset);
}

static int write_all(int fd, const struct iovec *parts, size_t n, uint64_t offset)
{
	size_t done = 0; /* of the first part */

	while (n > 0) {
		ssize_t written;

		if (done == parts->iov_len) { /* also one that is empty: it is no progress */
			parts++;
			n--;
			done = 0;
			continue;
		}
		written = write_some(fd, parts, n, done, offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		offset += (uint64_t)written;
		for (done += (size_t)written; n > 0 && done >= parts->iov_len; n--, parts++)
			done -= parts->iov_len;
	}
	return 0;
}

/* As if the process or the disk had stopped within it. */
static void write_torn(int fd, const struct iovec *parts, size_t n, uint64_t offset)
{
	size_t left = atomic_load(&faults.written_bytes);

	for (size_t i = 0; i < n && left > 0; i++) {
		struct iovec part = parts[i];

		if (part.iov_len > left)
			part.iov_len = left;
		if (write_all(fd, &part, 1, offset) < 0)
			return; /* it was to fail anyway */
		left -= part.iov_len;
		offset += part.iov_len;
	}
}

int disk_write(int fd, const struct iovec *parts, size_t n, uint64_t offset)
{
	int r = enter(DISK_WRITE);

	if (LIKELY(r == 0))
		return write_all(fd, parts, n, offset);
	write_torn(fd, parts, n, offset);
	return r;
}

int disk_read(int fd, void *buffer, size_t size, uint64_t offset, size_t *ret_size)
{
	size_t done = 0;
	int r = enter(DISK_READ);

	if (r < 0)
		return r;
	while (done < size) {
		ssize_t n =
			pread(fd, (uint8_t *)buffer + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*ret_size = done;
	return 0;
}

int disk_sync(int fd)
{
	int r = enter(DISK_SYNC);

	if (r < 0)
		return r;
	do
		r = fdatasync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int disk_size(int fd, uint64_t *ret_size)
{
	struct stat file;
	int r = enter(DISK_SIZE);

	if (r < 0)
		return r;
	if (fstat(fd, &file) < 0)
		return -errno;
	*ret_size = (uint64_t)file.st_size;
	return 0;
}

/* ---- Room ---- */

/* From where the file ends until now: what is in it stays. */
static int fill_with_zeros(int fd, uint64_t size)
{
	static const uint8_t zeros[16384];
	uint64_t at;
	struct stat file;

	if (fstat(fd, &file) < 0)
		return -errno;
	for (at = (uint64_t)file.st_size; at < size;) {
		struct iovec parts[16];
		size_t n = 0;
		uint64_t end = at;
		int r;

		for (; n < sizeof(parts) / sizeof(*parts) && end < size; n++) {
			uint64_t left = size - end;

			/* writing does not change it */
			parts[n].iov_base = (void *)(uintptr_t)zeros;
			parts[n].iov_len = left < sizeof(zeros) ? (size_t)left : sizeof(zeros);
			end += parts[n].iov_len;
		}
		r = disk_write(fd, parts, n, at);
		if (r < 0)
			return r;
		at = end;
	}
	return 0;
}

static int allocate(int fd, uint64_t size)
{
	int r = enter(DISK_ALLOCATE);

	if (r < 0)
		return r;
	do
		r = fallocate(fd, 0, 0, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int disk_allocate(int fd, uint64_t size)
{
	int r = allocate(fd, size);

	return r == -EOPNOTSUPP || r == -ENOSYS ? fill_with_zeros(fd, size) : r;
}

int disk_free_bytes(const char *path, uint64_t *ret_bytes)
{
	struct statvfs fs;
	int r = enter(DISK_FREE_BYTES);

	if (r < 0)
		return r;
	do
		r = statvfs(path, &fs);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*ret_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return 0;
}

/* ---- Names ---- */

/* A file system that says EINVAL knows no such thing as syncing a directory. */
static int sync_dir_fd(int fd)
{
	int r;

	do
		r = fsync(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != EINVAL ? -errno : 0;
}

int disk_sync_dir(const char *path)
{
	int fd, r = enter(DISK_SYNC_DIR);

	if (r < 0)
		return r;
	do
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	r = sync_dir_fd(fd);
	(void)close(fd); /* nothing was written through it */
	return r;
}

int disk_rename(const char *from, const char *to)
{
	int r = enter(DISK_RENAME);

	if (r < 0)
		return r;
	return rename(from, to) < 0 ? -errno : 0;
}

int disk_unlink(const char *path)
{
	int r = enter(DISK_UNLINK);

	if (r < 0)
		return r;
	return unlink(path) < 0 ? -errno : 0;
}

int disk_make_dir(const char *path)
{
	int r = enter(DISK_MAKE_DIR);

	if (r < 0)
		return r;
	return mkdir(path, 0750) < 0 ? -errno : 0;
}

int disk_remove_dir(const char *path)
{
	int r = enter(DISK_REMOVE_DIR);

	if (r < 0)
		return r;
	return rmdir(path) < 0 ? -errno : 0;
}

static int visit_names(DIR *dir, disk_visit_fn *visit, void *ctx)
{
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = visit(ctx, entry->d_name);
		if (r != 0)
			return r;
	}
}

int disk_list(const char *path, disk_visit_fn *visit, void *ctx)
{
	DIR *dir;
	int r = enter(DISK_LIST);

	if (r < 0)
		return r;
	do
		dir = opendir(path);
	while (!dir && errno == EINTR);
	if (!dir)
		return -errno;
	r = visit_names(dir, visit, ctx);
	(void)closedir(dir); /* nothing was written through it */
	return r;
}
