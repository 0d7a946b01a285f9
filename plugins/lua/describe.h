/* SPDX-License-Identifier: MIT */
#ifndef LUA_DESCRIBE_H
#define LUA_DESCRIBE_H

/* What operators are told of a script. Any thread; what its loops count meanwhile may be missing.
 */

#include <shunt/language.h>

struct script;

/* A line for each thing that it brings. */
void describe_parts(const struct script *script, struct shunt_report *report);

/* Its limits, and what its calls have taken. */
void describe_figures(const struct script *script, struct shunt_report *report);

#endif
