/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_TABLES_H
#define TOOLS_SHUNT_PLUGIN_TEST_TABLES_H

/* Field tables at random: what is described, what the plugin has looked for, and anything else that
 * is well-formed. */

#include <shunt/plugin.h>

#include "base/buffer.h"
#include "subject.h"

enum table_mood {
	TABLE_FITTING, /* by the description, and nothing else */
	TABLE_WILD,    /* out of range, of another type, missing, unknown; seldom huge or deep */
};

/* Appends a raw table. description: NULL: none. */
void table_make(struct subject *s, const struct shunt_argument *description, enum table_mood mood,
		struct buffer *out);

/* Whether the broker would let it through. */
bool table_is_accepted(const struct shunt_argument *description, struct slice table);

/* Headers such as a message has that a binding with these arguments may match. */
void table_make_headers(struct subject *s, struct slice arguments, struct buffer *out);

/* What is wrong with the description itself ends the check. which: "declare" or "bind". */
void table_check_description(const struct shunt_argument *description, const char *which);

#endif
