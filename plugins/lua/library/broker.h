/* SPDX-License-Identifier: MIT */
#ifndef LUA_BROKER_H
#define LUA_BROKER_H

/* broker: publishing. */

#include "module.h"

extern const struct module broker_module;

#endif
