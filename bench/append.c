/* SPDX-License-Identifier: MIT */
/*
 * What a log could do at best on this disk: appends records of one size in groups, each group one
 * pwrite and one fdatasync, into preallocated files that are written over again and again. The
 * measure for shuntd's persistent messages: append FOLDER RECORD-BYTES GROUP-RECORDS SECONDS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES	  3
#define FILE_SIZE ((size_t)16 << 20)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void stop(const char *what)
{
	fprintf(stderr, "append: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_files(const char *folder, int fds[FILES], char paths[FILES][512])
{
	for (int i = 0; i < FILES; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/append-%d", folder, i);
		fds[i] = open(paths[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fds[i] < 0)
			stop(paths[i]);
		if ((errno = posix_fallocate(fds[i], 0, (off_t)FILE_SIZE)) != 0 ||
		    fdatasync(fds[i]) != 0)
			stop(paths[i]);
	}
}

int main(int argc, char **argv)
{
	char paths[FILES][512];
	int fds[FILES];

	if (argc != 5) {
		fputs("Usage: append FOLDER RECORD-BYTES GROUP-RECORDS SECONDS\n", stderr);
		return 64;
	}
	size_t record = strtoul(argv[2], NULL, 10), n = strtoul(argv[3], NULL, 10);
	double seconds = strtod(argv[4], NULL);
	size_t group = record * n, at = 0, groups = 0;
	if (group == 0 || group > FILE_SIZE || seconds <= 0) {
		fputs("append: a group has 1 byte to 16 MiB\n", stderr);
		return 64;
	}
	char *bytes = malloc(group);
	if (!bytes)
		stop("malloc");
	memset(bytes, 'x', group);
	open_files(argv[1], fds, paths);
	unsigned file = 0;
	double begin = now(), end;
	do {
		if (FILE_SIZE - at < group) {
			file = (file + 1) % FILES;
			at = 0;
		}
		if (pwrite(fds[file], bytes, group, (off_t)at) != (ssize_t)group)
			stop("pwrite");
		if (fdatasync(fds[file]) != 0)
			stop("fdatasync");
		at += group;
		groups++;
		end = now();
	} while (end - begin < seconds);
	printf("%.0f records/s, %.1f MB/s, %.1f us a group of %zu bytes\n",
	       (double)(groups * n) / (end - begin), (double)(groups * group) / (end - begin) / 1e6,
	       (end - begin) * 1e6 / (double)groups, group);
	for (int i = 0; i < FILES; i++)
		(void)unlink(paths[i]);
	free(bytes);
	return 0;
}
