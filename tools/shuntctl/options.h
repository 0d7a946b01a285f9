/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_OPTIONS_H
#define TOOLS_SHUNTCTL_OPTIONS_H

/* The command line: options and words in any order, as rabbitmqctl takes them. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* One bit each: which were given, and which a command takes. */
enum option_id {
	OPTION_NODE = 1 << 0,
	OPTION_LONGNAMES = 1 << 1,
	OPTION_TIMEOUT = 1 << 2,
	OPTION_QUIET = 1 << 3,
	OPTION_SILENT = 1 << 4,
	OPTION_VHOST = 1 << 5,
	OPTION_FORMATTER = 1 << 6,
	OPTION_SOCKET = 1 << 7,
	OPTION_HELP = 1 << 8,
	OPTION_VERSION = 1 << 9,
	OPTION_NO_TABLE_HEADERS = 1 << 10,
	OPTION_UNIT = 1 << 11,
	OPTION_IDEMPOTENT = 1 << 12,
	OPTION_ONLINE = 1 << 13,
	OPTION_OFFLINE = 1 << 14,
	OPTION_LOCAL = 1 << 15,
	OPTION_LIST_COMMANDS = 1 << 16,
	OPTION_PERCENT = 1 << 17,
	OPTION_HEADER = 1 << 18,
	OPTION_PROPERTY = 1 << 19,
	OPTION_PRE_HASHED_PASSWORD = 1 << 20,
	OPTION_USER = 1 << 21,
	OPTION_GLOBAL = 1 << 22,
	OPTION_DESCRIPTION = 1 << 24,
	OPTION_TAGS = 1 << 25,
	OPTION_DEFAULT_QUEUE_TYPE = 1 << 26,
	OPTION_FORMAT = 1 << 28,
	OPTION_SKIP_UNSUPPORTED = 1 << 29,
};
/* An enum's constants end at 31. */
#define OPTION_SKIP_IF_UNCHANGED    (UINT64_C(1) << 31)
#define OPTION_IF_EMPTY		    (UINT64_C(1) << 32)
#define OPTION_IF_UNUSED	    (UINT64_C(1) << 33)
#define OPTION_DURABLE		    (UINT64_C(1) << 34)
#define OPTION_AUTO_DELETE	    (UINT64_C(1) << 35)
#define OPTION_INTERNAL		    (UINT64_C(1) << 36)
#define OPTION_TYPE		    (UINT64_C(1) << 37)
#define OPTION_ARGUMENTS	    (UINT64_C(1) << 38)
#define OPTION_DESTINATION_TYPE	    (UINT64_C(1) << 39)
#define OPTION_LIMIT		    (UINT64_C(1) << 40)
#define OPTION_PER_CONNECTION_DELAY (UINT64_C(1) << 41)
#define OPTION_PID		    (UINT64_C(1) << 42)
/* Any command takes these. */
#define OPTIONS_GENERAL                                                                                               \
	(OPTION_NODE | OPTION_LONGNAMES | OPTION_TIMEOUT | OPTION_QUIET | OPTION_SILENT | OPTION_VHOST |              \
	 OPTION_FORMATTER | OPTION_SOCKET | OPTION_HELP | OPTION_VERSION)

/* The values of an option that may be given more than once, in order. */
struct option_values {
	const char **items;
	size_t count;
};

struct options {
	uint64_t given;	 /* enum option_id, and those above */
	const char *command; /* the first word; NULL: none */
	const char **words;  /* those behind it */
	size_t n_words;
	const char *vhost, *formatter, *socket, *unit, *node, *percent, *user, *format;
	const char *description, *tags, *default_queue_type;
	struct option_values headers, properties; /* KEY=VALUE each */
	const char *type, *arguments, *destination_type;
	uint32_t timeout_s; /* with OPTION_TIMEOUT */
	uint32_t limit, per_connection_delay_ms, pid; /* each with its option */
	bool durable, auto_delete, internal;
	struct buffer invalid; /* "--nosuch : value" a line: what is no option, or has no good value */
	char **argv;
	int argc;
};

static inline bool options_have(const struct options *options, uint64_t id)
{
	return (options->given & id) != 0;
}

/* Texts are borrowed from argv. Never fails: see `invalid`. */
void options_parse(struct options *options, int argc, char **argv);
void options_fini(struct options *options);

/* Adds those that were given but are not among `allowed` to `invalid`. */
void options_restrict(struct options *options, uint64_t allowed);

/* The long names of those. */
void options_each(uint64_t which, void (*visit)(void *context, const char *name), void *context);
/* Whether the next word is the value of this one: "--vhost", "-p". */
bool option_takes_value(const char *word);

#endif
