/* SPDX-License-Identifier: MIT */
#ifndef LUA_BASICS_H
#define LUA_BASICS_H

/* log, print, settings and script; and the global `test` of a test's state. */

extern const struct module basics_module;

#endif
