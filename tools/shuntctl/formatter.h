/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_FORMATTER_H
#define TOOLS_SHUNTCTL_FORMATTER_H

/* How lists are shown: one row after the other, as they come. */

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "options.h"

struct output {
	const struct formatter *formatter;
	json_t *columns; /* the names, owned */
	bool with_header, is_terminal;
	bool is_whole; /* the answer is no stream of rows for rabbitmqctl, which shows that there are none */
	size_t n_rows;
	json_t *kept;	    /* rows that the formatter keeps to the end; owned, may be NULL */
	struct buffer line; /* scratch */
};

struct formatter {
	const char *name;
	bool is_for_machines; /* no banners */
	/* Each may be NULL. The row is borrowed. */
	void (*begin)(struct output *output);
	void (*row)(struct output *output, json_t *row);
	void (*end)(struct output *output);
};

extern const struct formatter formatter_pretty_table; /* pretty_table.c */

/* NULL: unknown. */
const struct formatter *formatter_find(const char *name);
/* The one that the options name, or the table. */
const struct formatter *formatter_of(const struct options *options);
bool formatter_is_json(const struct options *options);
/* True if banners are to be shown. */
bool formatter_wants_banner(const struct options *options);

/* columns: an array of names; takes its reference. */
void output_begin(struct output *output, const struct options *options, json_t *columns, bool is_whole);
void output_row(struct output *output, json_t *row);
void output_end(struct output *output);
/* Also without output_end(), when the list broke off. */
void output_fini(struct output *output);

/* A text as the result of a command: itself, {"message":...} or a table of one cell. */
void output_message(const struct options *options, const char *text);

/* That it went well, as JSON: {"node":...,"result":"ok"}; with a text also that, as "message". */
void output_result(const char *text, const char *node);

#endif
