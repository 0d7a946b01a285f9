/* SPDX-License-Identifier: MIT */

/* What is configured of a script, but for its own settings. */

#include "options.h"

#include <stdio.h>
#include <string.h>

#define ON_ERROR_HELP "what becomes of it when the script fails: deny, pass or unroutable"

/* clang-format off */
const struct shunt_option script_options[] = {
	{.name = "on_error", .type = SHUNT_OPTION_STRING,
	 .help = "what is done when the script fails, for all kinds of calls: deny, pass or unroutable"},
	{.name = "on_error.route", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.authenticate", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.authorize", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.publish", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "on_error.deliver", .type = SHUNT_OPTION_STRING, .help = ON_ERROR_HELP},
	{.name = "instructions", .type = SHUNT_OPTION_INTEGER, .default_value = "100000",
	 .minimum = 1000, .maximum = 1000000000,
	 .help = "of the Lua machine, that a call may use"},
	{.name = "cpu_time", .type = SHUNT_OPTION_INTEGER, .default_value = "1000",
	 .minimum = 50, .maximum = 10000000,
	 .help = "microseconds that a call may use"},
	{.name = "memory", .type = SHUNT_OPTION_INTEGER, .default_value = "2097152",
	 .minimum = 262144, .maximum = 1073741824,
	 .help = "bytes that the script may have on each loop"},
	{.name = "quarantine_after", .type = SHUNT_OPTION_INTEGER, .default_value = "20",
	 .minimum = 0, .maximum = 1000000,
	 .help = "failures in a row after which it is not called for a while; 0: it always is"},
	{.name = "*", .type = SHUNT_OPTION_STRING, .help = "the script's own settings"},
	{0},
};
/* clang-format on */

bool script_option_is_own(const char *key)
{
	if (strcmp(key, "optional") == 0)
		return true; /* the broker's */
	for (const struct shunt_option *option = script_options; option->name; option++) {
		if (strcmp(key, option->name) == 0)
			return true;
	}
	return false;
}

/* A block may be so much of the memory. */
#define BLOCK_OF(memory) ((memory) / 8)

void options_read_limits(const struct shunt_host *host, struct limits *limits)
{
	limits->instructions = (uint64_t)host->config_integer(host, "instructions");
	limits->cpu_ns = (uint64_t)host->config_integer(host, "cpu_time") * 1000;
	limits->memory = (size_t)host->config_integer(host, "memory");
	limits->block = BLOCK_OF(limits->memory);
}

uint32_t options_read_quarantine(const struct shunt_host *host)
{
	return (uint32_t)host->config_integer(host, "quarantine_after");
}

static int parse(const char *key, const char *value, enum on_error *ret, struct shunt_error *error)
{
	static const char *const names[] = {
		[ON_ERROR_DENY] = "deny",
		[ON_ERROR_PASS] = "pass",
		[ON_ERROR_UNROUTABLE] = "unroutable",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(value, names[i]) == 0) {
			*ret = (enum on_error)i;
			return 0;
		}
	}
	error->code = 0;
	(void)snprintf(error->text, sizeof(error->text),
		       "%s = %.40s: must be deny, pass or unroutable", key, value);
	return -1;
}

/* Rejecting what is delivered might lose messages; everything else is safe when it does not happen. */
static enum on_error safe_default(enum call_kind kind)
{
	switch (kind) {
	case CALL_ROUTE:
		return ON_ERROR_UNROUTABLE;
	case CALL_DELIVER:
		return ON_ERROR_PASS;
	case CALL_LOAD:
	case CALL_STARTUP:
	case CALL_TIMER:
	case CALL_VALIDATE:
	case CALL_BIND:
	case CALL_AUTHENTICATE:
	case CALL_AUTHORIZE:
	case CALL_PUBLISH:
	case CALL_DONE:
	case CALL_TEST:
	case CALL_KINDS:
		break;
	}
	return ON_ERROR_DENY;
}

int options_read_on_error(const struct shunt_host *host, enum on_error *of_kind,
			  struct shunt_error *error)
{
	const char *for_all = host->config(host, "on_error");

	for (enum call_kind kind = 0; kind < CALL_KINDS; kind++) {
		char key[40];
		const char *value;

		of_kind[kind] = safe_default(kind);
		(void)snprintf(key, sizeof(key), "on_error.%s", call_kind_name(kind));
		value = script_option_is_own(key) ? host->config(host, key) : NULL;
		if (!value && for_all && parse("on_error", for_all, &of_kind[kind], error))
			return -1;
		if (value && parse(key, value, &of_kind[kind], error))
			return -1;
	}
	return 0;
}
