/* SPDX-License-Identifier: MIT */
#ifndef LUA_EXCHANGE_H
#define LUA_EXCHANGE_H

/* Exchange types: the global `exchange`. */

#include "module.h"

extern const struct module exchange_module;

#endif
