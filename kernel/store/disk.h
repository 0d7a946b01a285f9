/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_STORE_DISK_H
#define KERNEL_STORE_DISK_H

/*
 * Every operation on files that the log does. All return 0 or a negative errno, go on when a signal
 * has interrupted them, and may be used on any thread. Each is a fault point: tests have them fail
 * (below).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"

/* flags as for open(2); with O_CREAT the file is for its owner, and its group to read. */
int disk_open(const char *path, int flags, int *ret_fd) MUST_USE;

/* The descriptor is closed in any case; an error says that what was written may not be there. */
int disk_close(int fd);

/*
 * All of the n parts, however many, one behind the other from the offset on; or an error, and then
 * nobody knows how much of it. -EIO also when the system writes nothing and gives no reason.
 */
int disk_write(int fd, const struct iovec *parts, size_t n, uint64_t offset) MUST_USE;

/* Until the buffer is full or the file ends: then *ret_size is less than size, or 0. */
int disk_read(int fd, void *buffer, size_t size, uint64_t offset, size_t *ret_size) MUST_USE;

/* The data, and of the rest what is needed to find it (fdatasync). */
int disk_sync(int fd) MUST_USE;

/* The names in a directory: after making, renaming or removing any of them. */
int disk_sync_dir(const char *path) MUST_USE;

/*
 * Gives the file blocks up to the size (it becomes as long, if it is not), so that writing there
 * cannot fail for want of room. Where the file system cannot do that the missing part is written,
 * with zeros. On failure the file may have grown, but has no holes that it did not have.
 */
int disk_allocate(int fd, uint64_t size) MUST_USE;

int disk_rename(const char *from, const char *to) MUST_USE;
int disk_unlink(const char *path) MUST_USE;
/* For its owner, and its group to look at. -EEXIST if there is anything of that name. */
int disk_make_dir(const char *path) MUST_USE;
int disk_remove_dir(const char *path) MUST_USE;

/*
 * The names in a directory, in no particular order, without "." and ".."; visit may unlink the one
 * it is given. When it returns other than 0 the listing ends and returns that.
 */
typedef int disk_visit_fn(void *ctx, const char *name);

int disk_list(const char *path, disk_visit_fn *visit, void *ctx) MUST_USE;

int disk_size(int fd, uint64_t *ret_size) MUST_USE;

/* How much we may still write to the file system of the path. */
int disk_free_bytes(const char *path, uint64_t *ret_bytes) MUST_USE;

/*
 * Faults, for tests. While they are off an operation pays one relaxed load for them. Operations are
 * counted over all threads, each call once (and each write of zeros in disk_allocate()); one that
 * is to fail does nothing at all first, but for disk_close(), which closes.
 *
 * A test counts the operations of what it does, then does it again as often, with each in turn
 * failing:
 *
 *	disk_fault_watch();
 *	work();
 *	n = disk_fault_count();
 *	for (unsigned i = 1; i <= n; i++) {
 *		disk_fault_at(i, EIO, false);
 *		work();
 *	}
 *	disk_fault_off();
 */
enum disk_kind {
	DISK_OPEN = 1 << 0,
	DISK_CLOSE = 1 << 1,
	DISK_WRITE = 1 << 2,
	DISK_READ = 1 << 3,
	DISK_SYNC = 1 << 4,
	DISK_SYNC_DIR = 1 << 5,
	DISK_ALLOCATE = 1 << 6,
	DISK_RENAME = 1 << 7,
	DISK_UNLINK = 1 << 8,
	DISK_MAKE_DIR = 1 << 9,
	DISK_REMOVE_DIR = 1 << 10,
	DISK_LIST = 1 << 11,
	DISK_SIZE = 1 << 12,
	DISK_FREE_BYTES = 1 << 13,
	DISK_ALL = (1 << 14) - 1,
};

/* Only operations of these kinds are counted and fail, until disk_fault_off(). */
void disk_fault_filter(unsigned kinds);

/* Counts from 0, and none fails. */
void disk_fault_watch(void);

/*
 * Counts from 0; the n-th operation from now on (1 = the next) fails with the errno, and if it
 * stays all that follow do, too. n = 0: as disk_fault_off().
 */
void disk_fault_at(unsigned n, int error, bool stays);

/*
 * The same, but where the operation is a disk_write() its first bytes, so many, are written before
 * it fails (all, if it has not more).
 */
void disk_fault_torn_at(unsigned n, int error, bool stays, size_t written_bytes);

/* Since counting began. It goes on counting after the fault. */
unsigned disk_fault_count(void);

/* None fails and none is counted any more; what was counted stays to be asked for. */
void disk_fault_off(void);

#endif
