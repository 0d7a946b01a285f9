/* SPDX-License-Identifier: MIT */
#include "data_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#include "../unit.h"

static char folder[] = "/tmp/shunt-data-dir-XXXXXX";

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

static void set(void)
{
	strcpy(folder, "/tmp/shunt-data-dir-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
}

static void clear(void)
{
	char *command = mem_printf("rm -rf %s", folder);

	CU_ASSERT_EQUAL(system(command), 0);
	mem_free(command);
}

static void read_pid(const char *path, char *ret_text, size_t size)
{
	char *name = mem_printf("%s/shuntd.pid", path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, ret_text, size - 1);

	CU_ASSERT_TRUE_FATAL(n >= 0);
	ret_text[n] = '\0';
	close(fd);
	mem_free(name);
}

static void missing_directory_is_made(void)
{
	char reason[256], pid[32], expected[32];
	struct stat file;
	char *path;
	int fd;

	set();
	path = path_of("a/b/c");
	fd = data_dir_lock(path, reason, sizeof(reason));
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(stat(path, &file), 0);
	CU_ASSERT_TRUE(S_ISDIR(file.st_mode));
	CU_ASSERT_EQUAL(file.st_mode & 0007, 0);
	CU_ASSERT_TRUE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	read_pid(path, pid, sizeof(pid));
	snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	CU_ASSERT_STRING_EQUAL(pid, expected);
	data_dir_unlock(fd);
	read_pid(path, pid, sizeof(pid));
	CU_ASSERT_STRING_EQUAL(pid, "");
	mem_free(path);
	clear();
}

static void second_is_told_the_pid_of_the_first(void)
{
	char reason[256], expected[300];
	int fd, again;

	set();
	fd = data_dir_lock(folder, reason, sizeof(reason));
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	/* flock() is of the open file: a second one in this process is refused as well */
	CU_ASSERT_EQUAL(data_dir_lock(folder, reason, sizeof(reason)), -1);
	snprintf(expected, sizeof(expected), "data directory is in use: path=\"%s\" pid=%ld", folder, (long)getpid());
	CU_ASSERT_STRING_EQUAL(reason, expected);
	data_dir_unlock(fd);
	again = data_dir_lock(folder, reason, sizeof(reason));
	CU_ASSERT_TRUE(again >= 0);
	data_dir_unlock(again);
	clear();
}

static void lock_of_a_dead_process_is_free(void)
{
	char reason[256];
	int fd, status;
	pid_t child;

	set();
	child = fork();
	if (child == 0) /* ends without unlocking, as if killed */
		_exit(data_dir_lock(folder, reason, sizeof(reason)) >= 0 ? 0 : 1);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	fd = data_dir_lock(folder, reason, sizeof(reason));
	CU_ASSERT_TRUE(fd >= 0);
	data_dir_unlock(fd);
	clear();
}

/* Those who read it may write anything into it. */
static void strange_pid_file_is_cut(void)
{
	char reason[256], junk[4096];
	int fd;

	set();
	memset(junk, 'x', sizeof(junk));
	fd = data_dir_lock(folder, reason, sizeof(reason));
	CU_ASSERT_EQUAL(pwrite(fd, junk, sizeof(junk), 0), (ssize_t)sizeof(junk));
	CU_ASSERT_EQUAL(data_dir_lock(folder, reason, sizeof(reason)), -1);
	CU_ASSERT_TRUE(strlen(reason) < sizeof(reason));
	data_dir_unlock(fd);
	clear();
}

static void file_in_its_place_is_an_error(void)
{
	char reason[256];
	char *path, *below;
	int fd;

	set();
	path = path_of("file");
	below = path_of("file/below");
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL(data_dir_lock(path, reason, sizeof(reason)), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "data directory is unusable: path=\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "Not a directory"));
	CU_ASSERT_EQUAL(data_dir_lock(below, reason, sizeof(reason)), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(reason, "Not a directory"));
	mem_free(path);
	mem_free(below);
	clear();
}

static void parents_are_made_and_the_file_is_not(void)
{
	struct stat file;
	char *path, *parent;

	set();
	path = path_of("x/y/control.sock");
	parent = path_of("x/y");
	CU_ASSERT_EQUAL(data_dir_make_parents(path), 0);
	CU_ASSERT_EQUAL(stat(parent, &file), 0);
	CU_ASSERT_NOT_EQUAL(stat(path, &file), 0);
	CU_ASSERT_EQUAL(data_dir_make_parents(path), 0);
	CU_ASSERT_EQUAL(data_dir_make_parents("name"), 0);
	CU_ASSERT_EQUAL(data_dir_make_parents(""), 0);
	mem_free(path);
	mem_free(parent);
	clear();
}

static void unlocking_nothing_is_harmless(void)
{
	data_dir_unlock(-1);
}

UNIT_MAIN("data_dir", UNIT_TEST(missing_directory_is_made), UNIT_TEST(second_is_told_the_pid_of_the_first),
	  UNIT_TEST(lock_of_a_dead_process_is_free), UNIT_TEST(strange_pid_file_is_cut),
	  UNIT_TEST(file_in_its_place_is_an_error), UNIT_TEST(parents_are_made_and_the_file_is_not),
	  UNIT_TEST(unlocking_nothing_is_harmless))
