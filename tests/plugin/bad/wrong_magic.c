/* SPDX-License-Identifier: MIT */

/*
 * Something else that is called shunt_plugin.
 * found by symbol: shunt_plugin has the magic number 0x00c0ffee
 */

#define GOOD_MAGIC 0xc0ffeeu
#include "good.h"

#include "good_plugin.h"
