/* SPDX-License-Identifier: MIT */
/*
 * Every setting is worked out once into a table of what is written where; a line looks there and
 * nowhere else. The file's descriptor stays the same number all the time: another file takes its
 * place in one system call, so that who is about to write needs no lock.
 */
#include "base/log_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#define LOG_FILE_MODE 0640

static const char *const category_names[LOG_CATEGORY_COUNT] = {
#define LOG_CATEGORY_NAME(name) #name,
	LOG_CATEGORIES(LOG_CATEGORY_NAME)
#undef LOG_CATEGORY_NAME
};

/* What is written: lines up to this level. The last is for categories that are none of these. */
static struct {
	_Atomic int console[LOG_CATEGORY_COUNT + 1], file[LOG_CATEGORY_COUNT + 1];
	_Atomic int highest; /* of all */
	atomic_bool is_set;  /* before that, INFO to the console */
	atomic_int fd;	     /* the file's; 0: none yet */
} log_table = {.highest = LOG_LEVEL_INFO};

/* Only of the thread that changes settings. */
static struct log_settings log_current;
static bool log_is_starting;
static char *log_path;

int log_level(void)
{
	return atomic_load_explicit(&log_table.highest, memory_order_relaxed);
}

/* ---- Writing ---- */

static unsigned find_category(const char *name)
{
	unsigned i = 0;

	while (i < LOG_CATEGORY_COUNT && strcmp(category_names[i], name) != 0)
		i++;
	return i;
}

static bool write_all(int fd, const char *line, size_t size)
{
	return write(fd, line, size) == (ssize_t)size;
}

/* What the file does not take (the disk is full) is not lost for that. */
void log_put_line(enum log_level level, const char *category, const char *line, size_t size)
{
	unsigned i = find_category(category);
	int fd = atomic_load_explicit(&log_table.fd, memory_order_relaxed);
	bool to_console = true, to_file = false;

	if (atomic_load_explicit(&log_table.is_set, memory_order_relaxed)) {
		to_console = (int)level <=
			     atomic_load_explicit(&log_table.console[i], memory_order_relaxed);
		to_file = fd != 0 && (int)level <= atomic_load_explicit(&log_table.file[i],
									memory_order_relaxed);
	}
	if (to_file && !write_all(fd, line, size))
		to_console = true;
	if (to_console && !write_all(STDERR_FILENO, line, size)) {
		/* A log that cannot be written has nowhere to complain. */
	}
}

/* ---- Settings ---- */

void log_settings_init(struct log_settings *settings)
{
	*settings = (struct log_settings){
		.level = LOG_LEVEL_INFO,
		.console = {true, LOG_LEVEL_UNSET},
		.file = {false, LOG_LEVEL_UNSET},
	};
	for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++)
		settings->categories[i] = LOG_LEVEL_UNSET;
}

static int level_of(const struct log_settings *settings, const struct log_place *place,
		    unsigned category)
{
	if (!place->is_on)
		return LOG_LEVEL_NONE;
	if (category < LOG_CATEGORY_COUNT && settings->categories[category] != LOG_LEVEL_UNSET)
		return settings->categories[category];
	return place->level != LOG_LEVEL_UNSET ? place->level : settings->level;
}

static int console_level_of(const struct log_settings *settings, unsigned category)
{
	int level = level_of(settings, &settings->console, category);

	return log_is_starting && level < LOG_LEVEL_ERROR ? LOG_LEVEL_ERROR : level;
}

void log_settings_apply(const struct log_settings *settings)
{
	int highest = LOG_LEVEL_NONE;

	if (settings != &log_current)
		log_current = *settings;
	for (unsigned i = 0; i <= LOG_CATEGORY_COUNT; i++) {
		int console = console_level_of(settings, i);
		int file = level_of(settings, &settings->file, i);

		atomic_store_explicit(&log_table.console[i], console, memory_order_relaxed);
		atomic_store_explicit(&log_table.file[i], file, memory_order_relaxed);
		highest = console > highest ? console : highest;
		highest = file > highest ? file : highest;
	}
	atomic_store(&log_table.is_set, true);
	atomic_store(&log_table.highest, highest);
}

void log_starting(bool is_starting)
{
	log_is_starting = is_starting;
	if (atomic_load(&log_table.is_set))
		log_settings_apply(&log_current);
}

void log_settings_get(struct log_settings *ret_settings)
{
	if (atomic_load(&log_table.is_set))
		*ret_settings = log_current;
	else
		log_settings_init(ret_settings);
}

void log_set_level(enum log_level level)
{
	struct log_settings settings;

	log_settings_init(&settings);
	settings.level = (int)level;
	log_settings_apply(&settings);
}

/* ---- Names ---- */

static const struct {
	const char *name;
	int level;
} level_names[] = {
	/* the first of a level is its name */
	{"error", LOG_LEVEL_ERROR},   {"warning", LOG_LEVEL_WARNING}, {"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},   {"none", LOG_LEVEL_NONE},	      {"notice", LOG_LEVEL_WARNING},
	{"critical", LOG_LEVEL_NONE}, {"alert", LOG_LEVEL_NONE},      {"emergency", LOG_LEVEL_NONE},
};

bool log_level_find(const char *name, int *ret_level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
		if (strcmp(level_names[i].name, name) == 0) {
			*ret_level = level_names[i].level;
			return true;
		}
	}
	return false;
}

const char *log_level_name(int level)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++)
		if (level_names[i].level == level)
			return level_names[i].name;
	return "";
}

bool log_category_find(const char *name, enum log_category *ret_category)
{
	unsigned i;

	if (strcmp(name, "connection") == 0 || strcmp(name, "channel") == 0)
		name = "conn";
	i = find_category(name);
	if (i == LOG_CATEGORY_COUNT)
		return false;
	*ret_category = (enum log_category)i;
	return true;
}

const char *log_category_name(enum log_category category)
{
	return category_names[category];
}

/* ---- The file ---- */

/*
 * Past the C library: to a thread sanitizer dup3() closes a descriptor that others write to, which
 * is just what the kernel does in one step.
 */
static int replace_descriptor(int fd, int by)
{
	int result = syscall(SYS_dup3, by, fd, O_CLOEXEC) < 0 ? -errno : 0;

	(void)close(by);
	return result;
}

/* A pipe that nobody reads from must not hold up a loop: neither now nor at a write. */
static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		      LOG_FILE_MODE);
	int present = atomic_load(&log_table.fd);

	if (fd < 0)
		return -errno;
	if (present != 0)
		return replace_descriptor(present, fd);
	atomic_store(&log_table.fd, fd);
	return 0;
}

int log_file_open(const char *path)
{
	int result = open_file(path);

	if (result != 0)
		return result;
	mem_free(log_path);
	log_path = mem_strdup(path);
	return 0;
}

int log_file_reopen(void)
{
	return log_path != NULL ? open_file(log_path) : 0;
}

/* The descriptor stays, of a file that takes anything: somebody may be about to write. */
void log_file_close(void)
{
	if (log_path == NULL)
		return;
	mem_free(log_path);
	log_path = NULL;
	(void)open_file("/dev/null");
}

const char *log_file_path(void)
{
	return log_path;
}
