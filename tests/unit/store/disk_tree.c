/* SPDX-License-Identifier: MIT */
#include "disk_tree.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct tree_file tree_read(const char *path)
{
	struct tree_file file = {.bytes = NULL};
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CU_ASSERT_TRUE_FATAL(fd >= 0 && fstat(fd, &status) == 0);
	file.size = (size_t)status.st_size;
	file.bytes = malloc(file.size + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(file.bytes);
	CU_ASSERT_EQUAL_FATAL(read(fd, file.bytes, file.size), status.st_size);
	(void)close(fd);
	return file;
}

void tree_write(const char *path, const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, bytes, size), (ssize_t)size);
	CU_ASSERT_EQUAL_FATAL(close(fd), 0);
}

bool tree_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status, (void)type, (void)at;
	return remove(path);
}

void tree_remove(const char *path)
{
	if (tree_exists(path))
		CU_ASSERT_EQUAL_FATAL(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void join(char path[512], const char *folder, const char *name)
{
	int n = snprintf(path, 512, "%s/%s", folder, name);

	CU_ASSERT_TRUE_FATAL(n > 0 && n < 512);
}

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Names in a folder, sorted, without "." and ".."; the list and each are released with free(). */
static int list(const char *path, struct dirent ***ret_names)
{
	return scandir(path, ret_names, NULL, alphasort);
}

static bool is_real(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void copy_into(const char *from, const char *to)
{
	struct dirent **names;
	int n = list(from, &names);

	CU_ASSERT_TRUE_FATAL(n >= 0);
	CU_ASSERT_EQUAL_FATAL(mkdir(to, 0700), 0);
	for (int i = 0; i < n; i++) {
		char source[512], target[512];

		join(source, from, names[i]->d_name);
		join(target, to, names[i]->d_name);
		if (is_real(names[i]->d_name) && is_folder(source)) {
			copy_into(source, target);
		} else if (is_real(names[i]->d_name)) {
			struct tree_file file = tree_read(source);

			tree_write(target, file.bytes, file.size);
			free(file.bytes);
		}
		free(names[i]);
	}
	free(names);
}

void tree_copy(const char *from, const char *to)
{
	tree_remove(to);
	copy_into(from, to);
}

static void describe(FILE *out, const char *path)
{
	struct dirent **names;
	int n = list(path, &names);

	CU_ASSERT_TRUE_FATAL(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char below[512];

		join(below, path, name);
		if (is_real(name) && is_folder(below)) {
			fprintf(out, "%s/\n", below);
			describe(out, below);
		} else if (is_real(name) && strncmp(name, "definitions.db", 14) != 0) {
			struct tree_file file = tree_read(below);

			fprintf(out, "%s %zu %016llx\n", below, file.size,
				(unsigned long long)XXH3_64bits(file.bytes, file.size));
			free(file.bytes);
		}
		free(names[i]);
	}
	free(names);
}

char *tree_describe(const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	describe(out, path);
	CU_ASSERT_EQUAL_FATAL(fclose(out), 0);
	return text;
}

unsigned tree_count(const char *path, const char *prefix)
{
	struct dirent **names;
	unsigned count = 0;
	int n = tree_exists(path) ? list(path, &names) : -1;

	for (int i = 0; i < n; i++) {
		count += is_real(names[i]->d_name) &&
			 strncmp(names[i]->d_name, prefix, strlen(prefix)) == 0;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return count;
}
