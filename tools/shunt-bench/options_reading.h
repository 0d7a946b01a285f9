/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_BENCH_OPTIONS_READING_H
#define TOOLS_SHUNT_BENCH_OPTIONS_READING_H

/* What the parts of options.c share. */

#include "options.h"

/* What is gathered while the arguments are read. */
struct reading {
	struct options *options;
	FILE *err;
	const char *name; /* of the option at hand */
	const char *text; /* its argument */
	unsigned fanout;
	bool has_queues, has_consumers, has_seconds, has_exchange, has_verify, is_wrong;
};

/* Says the first thing that is wrong, and notes that it is. */
void options_wrong(struct reading *reading, const char *format, ...) PRINTF_FORMAT(2, 3);

/* The option's argument. min, if it is none. */
uint64_t options_read_count(struct reading *reading, uint64_t min, uint64_t max);

/* Takes the value. */
void options_set_string(char **string, char *value);

void options_read_url(struct reading *reading); /* options_url.c */

/* options_complete.c: when all have been read, what was not said, and whether it goes together. */
void options_complete(struct reading *reading);

#endif
