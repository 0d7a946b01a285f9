/* SPDX-License-Identifier: MIT */

/*
 * A shared object that is no plugin.
 * found by symbol: it does not export shunt_plugin
 */

#include <shunt/plugin.h>

SHUNT_EXPORT extern const int shunt_plugins;
SHUNT_EXPORT const int shunt_plugins = 1;
