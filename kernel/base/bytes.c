/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool bytes_parse(const char *text, bool has_unit, uint64_t *ret_number)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
		{"", 1},	 {"k", 1024},	    {"kiB", 1024},
		{"KiB", 1024},	 {"kB", 1000},	    {"KB", 1000},
		{"M", 1u << 20}, {"MiB", 1u << 20}, {"MB", 1000 * 1000},
		{"G", 1u << 30}, {"GiB", 1u << 30}, {"GB", 1000 * 1000 * 1000},
	};
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	for (size_t i = 0; i < (has_unit ? sizeof(units) / sizeof(*units) : 1); i++)
		if (strcmp(end, units[i].name) == 0)
			return !__builtin_mul_overflow(number, units[i].factor, ret_number);
	return false;
}
