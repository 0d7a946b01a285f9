/* SPDX-License-Identifier: MIT */

/*
 * A name that no configuration can have.
 * found by symbol: has more than letters, digits, '-' and '_'
 */

#define GOOD_NAME "bad name"
#include "good.h"

#include "good_plugin.h"
