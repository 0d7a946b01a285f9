/* SPDX-License-Identifier: MIT */

/*
 * Built for a broker of tomorrow.
 * found by symbol: newer than this tester
 */

#define GOOD_MINOR (SHUNT_ABI_MINOR + 1)
#include "good.h"

#include "good_plugin.h"
