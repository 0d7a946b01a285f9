/* SPDX-License-Identifier: MIT */
#include "base/log_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit.h"

static char folder[32], path[64], kept[64];
static int pipe_fds[2], saved_stderr;
static char text[65536];

static void set(void)
{
	strcpy(folder, "/tmp/shunt-log-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(kept, sizeof(kept), "%s/log.1", folder);
	CU_ASSERT_EQUAL_FATAL(pipe2(pipe_fds, O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	(void)dup2(pipe_fds[1], STDERR_FILENO);
}

static void clear(void)
{
	log_file_close();
	log_set_level(LOG_LEVEL_INFO);
	(void)dup2(saved_stderr, STDERR_FILENO);
	(void)close(saved_stderr);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	(void)unlink(path);
	(void)unlink(kept);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static bool console_has(const char *part)
{
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return strstr(text, part) != NULL;
}

static bool file_has(const char *name, const char *part)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, part) != NULL;
}

static struct log_settings both(void)
{
	struct log_settings settings;

	log_settings_init(&settings);
	settings.file.is_on = true;
	return settings;
}

static void to_both_places(void)
{
	struct log_settings settings = both();

	set();
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	CU_ASSERT_STRING_EQUAL(log_file_path(), path);
	log_settings_apply(&settings);
	log_info("queue", "hello");
	CU_ASSERT_TRUE(console_has("I queue: hello\n"));
	CU_ASSERT_TRUE(file_has(path, "I queue: hello\n"));
	settings.console.is_on = false;
	log_settings_apply(&settings);
	log_info("queue", "file alone");
	CU_ASSERT_FALSE(console_has("alone"));
	CU_ASSERT_TRUE(file_has(path, "alone\n"));
	clear();
}

static void file_is_not_for_others(void)
{
	struct stat file;
	mode_t mask = umask(0);

	set();
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	CU_ASSERT_EQUAL(stat(path, &file), 0);
	CU_ASSERT_EQUAL(file.st_mode & 0777, 0640);
	clear();
	umask(mask);
}

/* The category's level counts, else the place's, else the general one. */
static void levels(void)
{
	struct log_settings settings = both();

	set();
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	settings.level = LOG_LEVEL_WARNING;
	settings.file.level = LOG_LEVEL_DEBUG;
	settings.categories[LOG_CATEGORY_conn] = LOG_LEVEL_ERROR;
	settings.categories[LOG_CATEGORY_audit] = LOG_LEVEL_INFO;
	settings.categories[LOG_CATEGORY_plugin] = LOG_LEVEL_NONE;
	log_settings_apply(&settings);
	CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_DEBUG);
	log_debug("queue", "one");
	log_warning("queue", "two");
	log_warning("conn", "three");
	log_error("conn", "four");
	log_info("audit", "five");
	log_error("plugin", "six");
	log_warning("of-nobody", "seven");
	CU_ASSERT_FALSE(console_has("one") || strstr(text, "three") || strstr(text, "six"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "two"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "four"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "five"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "seven"));
	CU_ASSERT_TRUE(file_has(path, "one"));
	CU_ASSERT_PTR_NULL(strstr(text, "three"));
	CU_ASSERT_PTR_NULL(strstr(text, "six"));
	settings.file.level = settings.level = LOG_LEVEL_NONE;
	settings.categories[LOG_CATEGORY_audit] = settings.categories[LOG_CATEGORY_conn] = LOG_LEVEL_NONE;
	log_settings_apply(&settings);
	CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_NONE);
	log_error("server", "eight");
	CU_ASSERT_FALSE(console_has("eight"));
	clear();
}

static void reopened_when_renamed(void)
{
	struct log_settings settings = both();

	set();
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	log_settings_apply(&settings);
	log_info("queue", "before");
	CU_ASSERT_EQUAL(rename(path, kept), 0);
	log_info("queue", "between");
	CU_ASSERT_EQUAL(log_file_reopen(), 0);
	log_info("queue", "behind");
	CU_ASSERT_TRUE(file_has(kept, "between"));
	CU_ASSERT_FALSE(file_has(kept, "behind"));
	CU_ASSERT_TRUE(file_has(path, "behind"));
	clear();
}

static void files_that_cannot_be_opened(void)
{
	struct log_settings settings = both();

	set();
	CU_ASSERT_EQUAL(log_file_reopen(), 0);
	CU_ASSERT_EQUAL(log_file_open("/no/such/folder/log"), -ENOENT);
	CU_ASSERT_PTR_NULL(log_file_path());
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	log_settings_apply(&settings);
	CU_ASSERT_EQUAL(log_file_open("/no/such/folder/log"), -ENOENT);
	CU_ASSERT_STRING_EQUAL(log_file_path(), path);
	log_info("queue", "still here");
	CU_ASSERT_TRUE(file_has(path, "still here"));
	clear();
}

/* A full disk. */
/* It is refused at once. */
static void pipe_that_nobody_reads(void)
{
	set();
	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(log_file_open(path), -ENXIO);
	clear();
}

static void what_the_file_does_not_take_goes_to_the_console(void)
{
	struct log_settings settings = both();

	set();
	CU_ASSERT_EQUAL(log_file_open("/dev/full"), 0);
	settings.console.is_on = false;
	log_settings_apply(&settings);
	log_info("queue", "not lost");
	CU_ASSERT_TRUE(console_has("not lost\n"));
	clear();
}

/* Whoever starts it is told why it does not start, and nothing else. */
static void errors_of_a_start_go_to_the_console(void)
{
	struct log_settings settings = both(), got;

	set();
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	settings.console.is_on = false;
	settings.level = LOG_LEVEL_NONE;
	settings.categories[LOG_CATEGORY_store] = LOG_LEVEL_NONE;
	log_starting(true);
	log_settings_apply(&settings);
	log_error("server", "one");
	log_error("store", "two");
	log_warning("server", "three");
	CU_ASSERT_TRUE(console_has("one\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "two\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "three"));
	CU_ASSERT_FALSE(file_has(path, "one"));
	log_settings_get(&got);
	CU_ASSERT_FALSE(got.console.is_on);
	log_starting(false);
	CU_ASSERT_EQUAL(log_level(), LOG_LEVEL_NONE);
	log_error("server", "four");
	CU_ASSERT_FALSE(console_has("four"));
	clear();
}

static void names(void)
{
	enum log_category category;
	int level;

	CU_ASSERT_TRUE(log_level_find("critical", &level));
	CU_ASSERT_EQUAL(level, LOG_LEVEL_NONE);
	CU_ASSERT_TRUE(log_level_find("notice", &level));
	CU_ASSERT_EQUAL(level, LOG_LEVEL_WARNING);
	CU_ASSERT_FALSE(log_level_find("DEBUG", &level));
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LEVEL_WARNING), "warning");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LEVEL_NONE), "none");
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LEVEL_UNSET), "");
	CU_ASSERT_TRUE(log_category_find("channel", &category));
	CU_ASSERT_STRING_EQUAL(log_category_name(category), "conn");
	CU_ASSERT_FALSE(log_category_find("default", &category));
}

/* ---- Threads ---- */

static atomic_bool is_over;

static void *write_lines(void *context)
{
	unsigned *n = context;

	while (!atomic_load(&is_over)) {
		log_info("queue", "line of a thread that writes all the time");
		++*n;
	}
	return NULL;
}

static unsigned count_lines(const char *name)
{
	FILE *file = fopen(name, "re");
	char line[256];
	unsigned n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		CU_ASSERT_PTR_NOT_NULL(strstr(line, "I queue: line of a thread that writes all the time\n"));
		n++;
	}
	fclose(file);
	return n;
}

/* None is lost or torn while the file is opened again and again. */
static void reopened_while_others_write(void)
{
	struct log_settings settings = both();
	pthread_t threads[2];
	unsigned written[2] = {0, 0};

	set();
	settings.console.is_on = false;
	CU_ASSERT_EQUAL(log_file_open(path), 0);
	log_settings_apply(&settings);
	atomic_store(&is_over, false);
	for (unsigned i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, write_lines, &written[i]), 0);
	for (unsigned i = 0; i < 500; i++) {
		CU_ASSERT_EQUAL(log_file_reopen(), 0);
		log_settings_apply(&settings);
	}
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(count_lines(path), written[0] + written[1]);
	clear();
}

UNIT_MAIN("log_settings", UNIT_TEST(to_both_places), UNIT_TEST(file_is_not_for_others), UNIT_TEST(levels),
	  UNIT_TEST(reopened_when_renamed), UNIT_TEST(files_that_cannot_be_opened), UNIT_TEST(pipe_that_nobody_reads),
	  UNIT_TEST(what_the_file_does_not_take_goes_to_the_console), UNIT_TEST(errors_of_a_start_go_to_the_console), UNIT_TEST(names),
	  UNIT_TEST(reopened_while_others_write))
