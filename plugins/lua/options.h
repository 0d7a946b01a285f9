/* SPDX-License-Identifier: MIT */
#ifndef LUA_OPTIONS_H
#define LUA_OPTIONS_H

/* What is configured of a script, but for its own settings. Any thread. */

#include "script.h"

void options_read_limits(const struct shunt_host *host, struct limits *limits);
uint32_t options_read_quarantine(const struct shunt_host *host);

/* Of all kinds: on_error.KIND, else on_error, else what is safe. -1: not one of the words. */
int options_read_on_error(const struct shunt_host *host, enum on_error *of_kind,
			  struct shunt_error *error);

#endif
