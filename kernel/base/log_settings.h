/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_LOG_SETTINGS_H
#define KERNEL_BASE_LOG_SETTINGS_H

/*
 * Where lines of the log go, and which. There are two places: standard error, and a file. What
 * level counts for a line is the first of these that is set: its category's, the place's, the
 * general one.
 *
 * Writing needs no lock. Settings are changed by one thread at a time (loop 0's).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/log.h"

/* Every category that is used (tests/check-log-categories); a line of another one has the place's or the general level. */
#define LOG_CATEGORIES(X)                                                                          \
	X(access)                                                                                  \
	X(admin)                                                                                   \
	X(alarm)                                                                                   \
	X(audit)                                                                                   \
	X(broker)                                                                                  \
	X(config)                                                                                  \
	X(conn)                                                                                    \
	X(control)                                                                                 \
	X(definitions)                                                                             \
	X(exchange)                                                                                \
	X(hooks)                                                                                   \
	X(loop)                                                                                    \
	X(net)                                                                                     \
	X(plugin)                                                                                  \
	X(queue)                                                                                   \
	X(restore)                                                                                 \
	X(server)                                                                                  \
	X(store)

enum log_category {
#define LOG_CATEGORY_MEMBER(name) LOG_CATEGORY_##name,
	LOG_CATEGORIES(LOG_CATEGORY_MEMBER)
#undef LOG_CATEGORY_MEMBER
		LOG_CATEGORY_COUNT,
};

/* Beside enum log_level. */
#define LOG_LEVEL_NONE	(-1)
#define LOG_LEVEL_UNSET (-2)

struct log_place {
	bool is_on;
	int level; /* may be LOG_LEVEL_UNSET */
};

struct log_settings {
	int level; /* the general one */
	struct log_place console, file;
	int categories[LOG_CATEGORY_COUNT]; /* each may be LOG_LEVEL_UNSET */
};

/* Standard error, INFO. */
void log_settings_init(struct log_settings *settings);
/* file.is_on counts while one is open. */
void log_settings_apply(const struct log_settings *settings);
void log_settings_get(struct log_settings *ret_settings);

/*
 * While a process starts, errors go to standard error whatever the settings say: who has started it
 * is to be told why it does not. At first false.
 */
void log_starting(bool is_starting);

/*
 * Error, warning, info, debug and none; of RabbitMQ's levels between and above, notice counts as
 * warning, and what is above error as none, as no line is that grave.
 */
bool log_level_find(const char *name, int *ret_level);
const char *log_level_name(int level);

/*
 * Categories by their names, and RabbitMQ's names for them: "connection" and "channel" are conn.
 * "default" and the like are none. False: there is none of that name.
 */
bool log_category_find(const char *name, enum log_category *ret_category);
const char *log_category_name(enum log_category category);

/* Opens the file, or another in its place; made with mode 0640. 0 or -errno: then all is as before.
 */
int log_file_open(const char *path) MUST_USE;
/* The same path again: it was renamed, to be kept. Without a file 0. */
int log_file_reopen(void) MUST_USE;
void log_file_close(void);
const char *log_file_path(void); /* NULL: none */

/* log.c's: a whole line to all places that want it. */
void log_put_line(enum log_level level, const char *category, const char *line, size_t size);

#endif
