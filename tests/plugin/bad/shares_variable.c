/* SPDX-License-Identifier: MIT */

/*
 * A variable that is there once for all files of the process, as g++ has it of an inline one.
 * found by symbol: other versions would share its variable 'bad_count'
 */

#include "good.h"

/* not in C: clang would have it global, too */
__asm__(".pushsection .data\n"
	".type bad_count, %gnu_unique_object\n"
	".size bad_count, 4\n"
	"bad_count: .long 1\n"
	".popsection");

#include "good_plugin.h"
