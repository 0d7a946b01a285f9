/* SPDX-License-Identifier: MIT */

/*
 * A variable that is there once for all files of the process, as g++ has it of an inline one.
 * found by symbol: other versions would share its variable 'bad_count'
 */

#include "good.h"

SHUNT_EXPORT extern int bad_count;
int bad_count = 1;
__asm__(".type bad_count, %gnu_unique_object");

#include "good_plugin.h"
