/* SPDX-License-Identifier: MIT */
#include "config_entry.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

int config_unknown(const struct config_entry *e)
{
	snprintf(e->error, CONFIG_ERROR_MAX, "%s: unknown key '%s'", e->where, e->key);
	return -1;
}

int config_refuse(const struct config_entry *e, const char *expected)
{
	snprintf(e->error, CONFIG_ERROR_MAX, "%s: bad value '%s' for '%s': expected %s", e->where,
		 e->value, e->key, expected);
	return -1;
}

int config_text(struct config_entry *e)
{
	char **text = e->target;

	if (e->value[0] == '\0')
		return config_refuse(e, "some text");
	mem_free(*text);
	*text = mem_strdup(e->value);
	return 0;
}

bool config_parse_number(const char *text, bool has_unit, uint64_t *ret_number)
{
	return bytes_parse(text, has_unit, ret_number);
}

int config_range(struct config_entry *e, bool has_unit, uint64_t *ret_number)
{
	char expected[96];

	if (config_parse_number(e->value, has_unit, ret_number) && *ret_number >= e->minimum &&
	    *ret_number <= e->maximum)
		return 0;
	snprintf(expected, sizeof(expected), "a whole number from %llu to %llu",
		 (unsigned long long)e->minimum, (unsigned long long)e->maximum);
	return config_refuse(e, expected);
}

int config_u16(struct config_entry *e)
{
	uint64_t number;

	if (config_range(e, false, &number) != 0)
		return -1;
	*(uint16_t *)e->target = (uint16_t)number;
	return 0;
}

int config_u32(struct config_entry *e)
{
	uint64_t number;

	if (config_range(e, false, &number) != 0)
		return -1;
	*(uint32_t *)e->target = (uint32_t)number;
	return 0;
}

int config_bytes(struct config_entry *e)
{
	uint64_t bytes;

	if (config_range(e, true, &bytes) != 0)
		return -1;
	*(uint64_t *)e->target = bytes;
	return 0;
}

int config_bool(struct config_entry *e)
{
	bool is_true = strcmp(e->value, "true") == 0;

	if (!is_true && strcmp(e->value, "false") != 0)
		return config_refuse(e, "true or false");
	*(bool *)e->target = is_true;
	return 0;
}

int config_choice(struct config_entry *e, const char *const *words, const char *expected,
		  unsigned *ret_choice)
{
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(e->value, words[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
	}
	return config_refuse(e, expected);
}
