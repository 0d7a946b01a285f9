/* SPDX-License-Identifier: MIT */
#ifndef LUA_HOOK_H
#define LUA_HOOK_H

/* hook: what is done with messages that are published or delivered. */

#include "module.h"

extern const struct module hook_module;

#endif
