/* SPDX-License-Identifier: MIT */
/*
 * Libraries to be preloaded that watch what a program does to the files below a directory. calls.c
 * stands before the C library's functions; what is below WATCHED_DIRECTORY (of the environment;
 * absolute, without links) goes through the two hooks, which the library itself has to define. They
 * run on the program's threads, at any time and on several at once.
 *
 * Not seen: what is written through mmap, stdio or io_uring. shuntd does not write its data in such
 * ways; SQLite maps its -shm file, which it builds anew after any unclean end.
 */
#ifndef TESTS_CRASH_CALLS_H
#define TESTS_CRASH_CALLS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum call_kind {
	CALL_OPEN,
	CALL_WRITE,    /* pwrite, pwritev, write, writev */
	CALL_TRUNCATE, /* ftruncate */
	CALL_ALLOCATE, /* fallocate, posix_fallocate */
	CALL_SYNC,     /* fsync, fdatasync */
	CALL_RENAME,
	CALL_UNLINK,
	CALL_MKDIR,
	CALL_RMDIR,
};

struct call {
	enum call_kind kind;
	int fd;		      /* of calls on descriptors */
	uint64_t inode;	      /* of the file; 0 before it is opened */
	char path[PATH_MAX];  /* below the directory; empty for calls on descriptors, other than of
				 directories */
	char other[PATH_MAX]; /* rename: the new name */
	int flags;	      /* open: as given; fallocate: the mode */
	bool is_directory;    /* sync: of a directory */
	bool is_created;      /* open: there was no such file */
	bool is_truncated;    /* open: what it had was cut off */
	uint64_t offset;      /* write, allocate; truncate: the size */
	uint64_t size;	      /* write, allocate */
	const struct iovec *iov;
	int iov_count;
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
	size_t size_limit; /* hook_before may set it: a write writes no more than that */
};

/* Before a call: 0, or the errno that it shall fail with instead of being done. */
int hook_before(struct call *call);

/* After a call that was done and did not fail; `result` is what it returned. */
void hook_after(const struct call *call, int64_t result);

/* The path of an open descriptor's file, or an empty string. */
void calls_path_of(int fd, char path[PATH_MAX]);
uint64_t calls_now_ns(void);

#endif
