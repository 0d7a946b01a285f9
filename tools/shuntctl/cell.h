/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_CELL_H
#define TOOLS_SHUNTCTL_CELL_H

/*
 * A value as it is shown. It comes in the shape that --formatter json shows; the text of tables is made from that as
 * rabbitmqctl does: a field table becomes [{"key",value},...], four or eight numbers an address, other numbers {0,9,1}.
 */

#include <jansson.h>

#include "base/buffer.h"

/* For tables and CSV. */
void cell_print_text(const json_t *value, struct buffer *out);
void cell_print_json(const json_t *value, struct buffer *out);

/* A copy in which control characters are \ooo: they would disturb a terminal, or the layout. */
void cell_escape(struct slice text, struct buffer *out);

#endif
