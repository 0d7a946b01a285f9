/* SPDX-License-Identifier: MIT */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"
#include "base/mem.h"

static char folder[] = "/tmp/shunt-disk-XXXXXX";

static void set(void)
{
	strcpy(folder, "/tmp/shunt-disk-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void clear(void)
{
	char *command = mem_printf("rm -rf %s", folder);

	disk_fault_off();
	CU_ASSERT_EQUAL(system(command), 0);
	mem_free(command);
}

/* Overwritten by the call after the next. */
static const char *path_of(const char *name)
{
	static _Thread_local char paths[2][PATH_MAX];
	static _Thread_local unsigned next;
	char *path = paths[next++ % 2];

	(void)snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static int make_file(const char *name)
{
	int fd = -1;

	CU_ASSERT_EQUAL_FATAL(disk_open(path_of(name), O_RDWR | O_CREAT | O_EXCL, &fd), 0);
	return fd;
}

static struct iovec part(const char *text)
{
	return (struct iovec){.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
}

static int write_text(int fd, const char *text, uint64_t offset)
{
	struct iovec parts[] = {part(text)};

	return disk_write(fd, parts, 1, offset);
}

static bool exists(const char *name)
{
	struct stat file;

	return stat(path_of(name), &file) == 0;
}

static uint64_t size_of(int fd)
{
	uint64_t size = UINT64_MAX;

	CU_ASSERT_EQUAL(disk_size(fd, &size), 0);
	return size;
}

static bool holds(int fd, const char *text)
{
	char buffer[256];
	size_t size = 0;

	return disk_read(fd, buffer, sizeof(buffer), 0, &size) == 0 && size == strlen(text) &&
	       memcmp(buffer, text, size) == 0;
}

/* ---- What it does ---- */

static void opens_for_us_alone(void)
{
	struct stat file;
	int fd, again = 77;

	set();
	fd = make_file("a");
	CU_ASSERT_TRUE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CU_ASSERT_EQUAL(fstat(fd, &file), 0);
	CU_ASSERT_EQUAL(file.st_mode & 0027, 0);
	CU_ASSERT_EQUAL(disk_open(path_of("a"), O_RDWR | O_CREAT | O_EXCL, &again), -EEXIST);
	CU_ASSERT_EQUAL(disk_open(path_of("b"), O_RDWR, &again), -ENOENT);
	CU_ASSERT_EQUAL(again, 77);
	CU_ASSERT_EQUAL(disk_close(fd), 0);
	CU_ASSERT_EQUAL(disk_close(fd), -EBADF);
	clear();
}

static void writes_parts_at_an_offset(void)
{
	struct iovec parts[] = {part(""),    part("one"),   part(""),
				part("two"), part("three"), part("")};
	char buffer[16] = {0};
	size_t size;
	int fd;

	set();
	fd = make_file("a");
	CU_ASSERT_EQUAL(disk_write(fd, parts, 6, 2), 0);
	CU_ASSERT_EQUAL(disk_write(fd, parts, 0, 0), 0);
	CU_ASSERT_EQUAL(disk_write(fd, parts, 1, 0), 0);
	CU_ASSERT_EQUAL(size_of(fd), 13);
	CU_ASSERT_EQUAL(disk_read(fd, buffer, 16, 1, &size), 0);
	CU_ASSERT_EQUAL(size, 12);
	CU_ASSERT_EQUAL(memcmp(buffer, "\0onetwothree", 12), 0);
	CU_ASSERT_EQUAL(disk_read(fd, buffer, 3, 5, &size), 0);
	CU_ASSERT_EQUAL(size, 3);
	CU_ASSERT_EQUAL(memcmp(buffer, "two", 3), 0);
	CU_ASSERT_EQUAL(disk_read(fd, buffer, 3, 1000, &size), 0);
	CU_ASSERT_EQUAL(size, 0);
	CU_ASSERT_EQUAL(disk_sync(fd), 0);
	(void)disk_close(fd);
	clear();
}

static void more_parts_than_the_system_takes(void)
{
	const size_t n = 3 * IOV_MAX + 7;
	struct iovec *parts = mem_alloc(n * sizeof(*parts));
	char *bytes = mem_alloc(2 * n), *read_back = mem_alloc(2 * n);
	size_t size = 0;
	int fd;

	set();
	fd = make_file("a");
	for (size_t i = 0; i < n; i++) {
		bytes[2 * i] = (char)('a' + i % 26);
		bytes[2 * i + 1] = (char)('0' + i % 10);
		parts[i] = (struct iovec){.iov_base = &bytes[2 * i], .iov_len = 2};
	}
	CU_ASSERT_EQUAL(disk_write(fd, parts, n, 0), 0);
	CU_ASSERT_EQUAL(disk_read(fd, read_back, 2 * n, 0, &size), 0);
	CU_ASSERT_EQUAL(size, 2 * n);
	CU_ASSERT_EQUAL(memcmp(bytes, read_back, 2 * n), 0);
	(void)disk_close(fd);
	mem_free(parts);
	mem_free(bytes);
	mem_free(read_back);
	clear();
}

/* The system writes what the limit lets it and counts that; then it says why not more. */
static void short_writes_go_on(void)
{
	struct iovec parts[] = {part("0123456789"), part("abcdefghij"), part("ABCDEFGHIJ")};
	struct rlimit before, limit;
	int fd, r;

	set();
	fd = make_file("a");
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){.rlim_cur = 25, .rlim_max = before.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = disk_write(fd, parts, 3, 0);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &before), 0);
	CU_ASSERT_EQUAL(r, -EFBIG);
	CU_ASSERT_TRUE(holds(fd, "0123456789abcdefghijABCDE"));
	(void)disk_close(fd);
	clear();
}

static void a_full_device_is_reported(void)
{
	uint64_t size = 5;
	size_t n_read = 5;
	int fd = -1;

	CU_ASSERT_EQUAL_FATAL(disk_open("/dev/full", O_RDWR, &fd), 0);
	CU_ASSERT_EQUAL(write_text(fd, "some", 0), -ENOSPC);
	CU_ASSERT_EQUAL(disk_close(fd), 0);
	CU_ASSERT_EQUAL(write_text(fd, "some", 0), -EBADF);
	CU_ASSERT_EQUAL(disk_read(fd, &size, 1, 0, &n_read), -EBADF);
	CU_ASSERT_EQUAL(disk_sync(fd), -EBADF);
	CU_ASSERT_EQUAL(disk_size(fd, &size), -EBADF);
	CU_ASSERT_EQUAL(disk_allocate(fd, 1), -EBADF);
	CU_ASSERT_EQUAL(size, 5);
	CU_ASSERT_EQUAL(n_read, 5);
}

static uint64_t blocks_of(int fd)
{
	struct stat file = {0};

	CU_ASSERT_EQUAL(fstat(fd, &file), 0);
	return (uint64_t)file.st_blocks * 512;
}

static void allocates_blocks(void)
{
	const uint64_t size = 1000000;
	int fd;

	set();
	fd = make_file("a");
	CU_ASSERT_EQUAL(write_text(fd, "kept", 0), 0);
	CU_ASSERT_EQUAL(disk_allocate(fd, size), 0);
	CU_ASSERT_EQUAL(size_of(fd), size);
	CU_ASSERT(blocks_of(fd) >= size);
	CU_ASSERT_EQUAL(disk_allocate(fd, 10), 0);
	CU_ASSERT_EQUAL(size_of(fd), size);
	(void)disk_close(fd);
	clear();
}

static void where_nothing_can_be_allocated_zeros_are_written(void)
{
	static const char zeros[5000];
	static char buffer[5000];
	const uint64_t size = 1000000;
	size_t n_read = 0;
	int fd;

	set();
	fd = make_file("a");
	CU_ASSERT_EQUAL(write_text(fd, "kept", 0), 0);
	disk_fault_at(1, EOPNOTSUPP, false);
	CU_ASSERT_EQUAL(disk_allocate(fd, size), 0);
	CU_ASSERT_EQUAL(size_of(fd), size);
	CU_ASSERT_EQUAL(disk_sync(fd), 0); /* some file systems give the blocks only now */
	CU_ASSERT(blocks_of(fd) >= size);
	CU_ASSERT_EQUAL(disk_read(fd, buffer, 4, 0, &n_read), 0);
	CU_ASSERT_EQUAL(memcmp(buffer, "kept", 4), 0);
	CU_ASSERT_EQUAL(disk_read(fd, buffer, sizeof(buffer), 4, &n_read), 0);
	CU_ASSERT_EQUAL(memcmp(buffer, zeros, sizeof(zeros)), 0);
	disk_fault_at(1, EOPNOTSUPP, false);
	CU_ASSERT_EQUAL(disk_allocate(fd, size - 1), 0);
	CU_ASSERT_EQUAL(size_of(fd), size);
	/* the writes of zeros may fail as well */
	disk_fault_at(1, EOPNOTSUPP, true);
	CU_ASSERT_EQUAL(disk_allocate(fd, size + 1), -EOPNOTSUPP);
	disk_fault_off();
	CU_ASSERT_EQUAL(size_of(fd), size);
	disk_fault_at(1, ENOSPC, false);
	CU_ASSERT_EQUAL(disk_allocate(fd, size + 1), -ENOSPC);
	CU_ASSERT_EQUAL(size_of(fd), size);
	(void)disk_close(fd);
	clear();
}

static int collect(void *ctx, const char *name)
{
	char *names = ctx;

	/* one letter each, so that their order does not matter */
	CU_ASSERT_EQUAL(strlen(name), 1);
	names[name[0] - 'a']++;
	return 0;
}

static int stop(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return -EPERM;
}

static int unlink_it(void *ctx, const char *name)
{
	(void)ctx;
	return disk_unlink(path_of(name));
}

static void makes_renames_lists_and_removes(void)
{
	char names[26] = {0};
	int visits = 0;

	set();
	(void)disk_close(make_file("a"));
	(void)disk_close(make_file("b"));
	CU_ASSERT_EQUAL(disk_rename(path_of("b"), path_of("c")), 0);
	CU_ASSERT_EQUAL(disk_rename(path_of("b"), path_of("c")), -ENOENT);
	CU_ASSERT_EQUAL(disk_make_dir(path_of("d")), 0);
	CU_ASSERT_EQUAL(disk_make_dir(path_of("d")), -EEXIST);
	CU_ASSERT_EQUAL(disk_sync_dir(folder), 0);
	CU_ASSERT_EQUAL(disk_sync_dir(path_of("a")), -ENOTDIR);
	CU_ASSERT_EQUAL(disk_list(folder, collect, names), 0);
	CU_ASSERT_EQUAL(memcmp(names, "\1\0\1\1\0\0\0\0", 8), 0);
	CU_ASSERT_EQUAL(disk_list(folder, stop, &visits), -EPERM);
	CU_ASSERT_EQUAL(visits, 1);
	CU_ASSERT_EQUAL(disk_list(path_of("d"), stop, &visits), 0);
	CU_ASSERT_EQUAL(disk_list(path_of("e"), stop, &visits), -ENOENT);
	CU_ASSERT_EQUAL(visits, 1);
	CU_ASSERT_EQUAL(disk_remove_dir(folder), -ENOTEMPTY);
	CU_ASSERT_EQUAL(disk_remove_dir(path_of("d")), 0);
	CU_ASSERT_EQUAL(disk_unlink(path_of("d")), -ENOENT);
	CU_ASSERT_EQUAL(disk_list(folder, unlink_it, NULL), 0);
	CU_ASSERT_EQUAL(disk_remove_dir(folder), 0);
	clear();
}

static void free_bytes_are_some(void)
{
	uint64_t bytes = 0;

	set();
	CU_ASSERT_EQUAL(disk_free_bytes(folder, &bytes), 0);
	CU_ASSERT(bytes > 0);
	CU_ASSERT_EQUAL(disk_free_bytes(path_of("none"), &bytes), -ENOENT);
	clear();
}

/* ---- Faults ---- */

/* Something with every kind of operation; the first error. */
static int everything(void)
{
	struct iovec parts[] = {part("text")};
	char buffer[4];
	uint64_t number;
	size_t size;
	int fd = -1, visits = 0;
	int results[] = {
		disk_open(path_of("f"), O_RDWR | O_CREAT, &fd),
		disk_allocate(fd, 4096),
		disk_write(fd, parts, 1, 0),
		disk_read(fd, buffer, 4, 0, &size),
		disk_size(fd, &number),
		disk_sync(fd),
		disk_close(fd),
		disk_rename(path_of("f"), path_of("g")),
		disk_unlink(path_of("g")),
		disk_make_dir(path_of("h")),
		disk_list(path_of("h"), stop, &visits),
		disk_remove_dir(path_of("h")),
		disk_sync_dir(folder),
		disk_free_bytes(folder, &number),
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++)
		if (results[i] < 0)
			return results[i];
	return 0;
}

static void tidy(void)
{
	(void)unlink(path_of("f"));
	(void)unlink(path_of("g"));
	(void)rmdir(path_of("h"));
}

static void each_operation_fails_in_turn(void)
{
	unsigned n;

	set();
	disk_fault_watch();
	CU_ASSERT_EQUAL(everything(), 0);
	n = disk_fault_count();
	CU_ASSERT_EQUAL(n, 14);
	for (unsigned i = 1; i <= n; i++) {
		disk_fault_at(i, EIO, false);
		CU_ASSERT_EQUAL(everything(), -EIO);
		CU_ASSERT(disk_fault_count() >= i);
		tidy();
	}
	disk_fault_at(n + 1, EIO, false);
	CU_ASSERT_EQUAL(everything(), 0);
	CU_ASSERT_EQUAL(everything(), -EIO);
	tidy();
	disk_fault_off();
	CU_ASSERT_EQUAL(everything(), 0);
	CU_ASSERT_EQUAL(disk_fault_count(), 2 * n);
	clear();
}

static void every_kind_has_its_filter(void)
{
	unsigned kind;

	set();
	for (kind = 1; kind & DISK_ALL; kind <<= 1) {
		disk_fault_filter(kind);
		disk_fault_at(1, ENOSPC, true);
		CU_ASSERT_EQUAL(everything(), -ENOSPC);
		CU_ASSERT_EQUAL(disk_fault_count(), 1);
		disk_fault_filter((unsigned)DISK_ALL & ~kind);
		disk_fault_at(14, ENOSPC, true);
		tidy();
		CU_ASSERT_EQUAL(everything(), 0);
		CU_ASSERT_EQUAL(disk_fault_count(), 13);
		disk_fault_at(0, 0, false);
	}
	disk_fault_watch(); /* the filter is gone */
	CU_ASSERT_EQUAL(everything(), 0);
	CU_ASSERT_EQUAL(disk_fault_count(), 14);
	clear();
}

static void a_fault_is_once_or_stays(void)
{
	int fd;

	set();
	fd = make_file("a");
	disk_fault_at(2, EIO, false);
	CU_ASSERT_EQUAL(disk_sync(fd), 0);
	CU_ASSERT_EQUAL(disk_sync(fd), -EIO);
	CU_ASSERT_EQUAL(disk_sync(fd), 0);
	disk_fault_at(2, EIO, true);
	CU_ASSERT_EQUAL(disk_sync(fd), 0);
	CU_ASSERT_EQUAL(disk_sync(fd), -EIO);
	CU_ASSERT_EQUAL(disk_sync(fd), -EIO);
	CU_ASSERT_EQUAL(write_text(fd, "not there", 0), -EIO);
	disk_fault_off();
	CU_ASSERT_EQUAL(size_of(fd), 0);
	(void)disk_close(fd);
	clear();
}

static void a_torn_write_leaves_its_beginning(void)
{
	struct iovec parts[] = {part("0123"), part(""), part("4567"), part("89")};
	int fd;

	set();
	fd = make_file("a");
	for (size_t written = 0; written <= 12; written++) {
		char expected[] = "0123456789";

		CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
		disk_fault_torn_at(1, EIO, false, written);
		CU_ASSERT_EQUAL(disk_write(fd, parts, 4, 0), -EIO);
		if (written < 10)
			expected[written] = '\0';
		CU_ASSERT_TRUE(holds(fd, expected));
	}
	disk_fault_torn_at(1, EIO, false, 5); /* anything else just fails */
	CU_ASSERT_EQUAL(disk_sync(fd), -EIO);
	disk_fault_at(1, EIO, false); /* and this writes nothing again */
	CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
	CU_ASSERT_EQUAL(disk_write(fd, parts, 4, 0), -EIO);
	CU_ASSERT_EQUAL(size_of(fd), 0);
	(void)disk_close(fd);
	clear();
}

static void a_failing_close_closes(void)
{
	int fd;

	set();
	fd = make_file("a");
	disk_fault_at(1, EIO, false);
	CU_ASSERT_EQUAL(disk_close(fd), -EIO);
	CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
	CU_ASSERT_TRUE(exists("a"));
	clear();
}

enum {
	THREADS = 4,
	CALLS = 1000,
};

static void *ask_often(void *arg)
{
	int fd = make_file(arg);
	uintptr_t n_failed = 0;
	uint64_t size;

	for (unsigned i = 0; i < CALLS; i++)
		n_failed += disk_size(fd, &size) < 0;
	(void)disk_close(fd);
	return (void *)n_failed;
}

static void threads_share_the_count(void)
{
	static const char *const names[THREADS] = {"a", "b", "c", "d"};
	pthread_t threads[THREADS];
	uintptr_t n_failed = 0;

	set();
	disk_fault_filter(DISK_SIZE);
	disk_fault_at(THREADS * CALLS / 2, EIO, false);
	for (unsigned i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(
			pthread_create(&threads[i], NULL, ask_often, (void *)(uintptr_t)names[i]),
			0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *result = NULL;

		CU_ASSERT_EQUAL(pthread_join(threads[i], &result), 0);
		n_failed += (uintptr_t)result;
	}
	CU_ASSERT_EQUAL(n_failed, 1);
	CU_ASSERT_EQUAL(disk_fault_count(), THREADS * CALLS);
	clear();
}

UNIT_MAIN("disk", UNIT_TEST(opens_for_us_alone), UNIT_TEST(writes_parts_at_an_offset),
	  UNIT_TEST(more_parts_than_the_system_takes), UNIT_TEST(short_writes_go_on),
	  UNIT_TEST(a_full_device_is_reported), UNIT_TEST(allocates_blocks),
	  UNIT_TEST(where_nothing_can_be_allocated_zeros_are_written),
	  UNIT_TEST(makes_renames_lists_and_removes), UNIT_TEST(free_bytes_are_some),
	  UNIT_TEST(each_operation_fails_in_turn), UNIT_TEST(every_kind_has_its_filter),
	  UNIT_TEST(a_fault_is_once_or_stays), UNIT_TEST(a_torn_write_leaves_its_beginning),
	  UNIT_TEST(a_failing_close_closes), UNIT_TEST(threads_share_the_count))
